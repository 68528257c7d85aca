"""The example passes its own tests, in an environment of its own, with a real PostgreSQL and Redis."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from testbed import images
from testbed.docker import ROOT, STATE, environment
from testbed.workspace import EXAMPLE

LOCKS = [EXAMPLE / name for name in ("requirements.lock", "requirements-dev.lock")]


@pytest.fixture
def python() -> Path:
    """A Python with exactly what the example's lock files name."""
    directory, uv = STATE / "example", STATE / "uv" / "bin" / "uv"
    stamp, found = directory / "locks.sha256", directory / "bin" / "python"
    wanted = hashlib.sha256(b"".join(lock.read_bytes() for lock in LOCKS)).hexdigest()
    if not (stamp.exists() and stamp.read_text(encoding="ascii") == wanted):
        own = ROOT / ".venv" / "bin" / "python"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", own, directory], check=True)
        install: list[str | Path] = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", found, *LOCKS]
        subprocess.run(install, check=True)
        stamp.write_text(wanted, encoding="ascii")
    return found


def test_the_example_passes_its_own_tests(python: Path) -> None:
    answer = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=EXAMPLE,
        env={
            **environment(),
            "CAPAKRAKEN_LIVE": "1",
            "POSTGRES_TEST_IMAGE": images.POSTGRES.name,
            "REDIS_TEST_IMAGE": images.REDIS.name,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_ADDOPTS": "",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert re.search(r"\d+ passed", answer.stdout)
    assert "skipped" not in answer.stdout, answer.stdout
