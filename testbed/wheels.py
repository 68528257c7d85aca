"""Fairway as a package, and what it needs, in directories that pip can install from with no network."""

from __future__ import annotations

import hashlib
import os
import shutil
import tomllib
from pathlib import Path

from testbed import images
from testbed.docker import LABEL, ROOT, STATE, docker, inspect
from testbed.process import run

_PASSED_ON = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "http_proxy", "https_proxy", "no_proxy")


def build(directory: Path) -> Path:
    """Build the package from these sources into a directory; return the file."""
    directory.mkdir(parents=True, exist_ok=True)
    hatchling = ROOT / ".venv" / "bin" / "hatchling"
    run([hatchling, "build", "--target", "wheel", "--directory", directory], cwd=ROOT)
    return next(directory.glob("fairway-*.whl"))


def collect(image: images.Image) -> Path:
    """Return a directory with whatever Fairway depends on.

    Fetched by the image's own Python, which it is for, and kept until one of these changes.
    """
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    digest = hashlib.sha256("\0".join([inspect("image", image.name)[0]["Id"], *wanted]).encode())
    directory = STATE / "wheels" / digest.hexdigest()[:16]
    if not directory.is_dir():
        fetched = directory.with_name(f"{directory.name}.{os.getpid()}")
        fetched.mkdir(parents=True)
        _fetch(image, wanted, fetched)
        try:
            fetched.replace(directory)
        except OSError:  # another process has just done the same
            shutil.rmtree(fetched)
    return directory


def _fetch(image: images.Image, wanted: list[str], directory: Path) -> None:
    bundle = next((Path(value) for name in images.CA_VARIABLES if (value := os.environ.get(name))), None)
    trust = [f"--volume={bundle}:/ca.crt:ro", "--env=PIP_CERT=/ca.crt"] if bundle and bundle.is_file() else []
    docker(
        *("run", "--rm", f"--label={LABEL}=1", "--network=host", f"--user={os.getuid()}:{os.getgid()}"),
        *("--env=HOME=/tmp", f"--volume={directory}:/wheels", "--workdir=/wheels", *trust),
        *(f"--env={name}" for name in _PASSED_ON if name in os.environ),
        *(image.name, "python3", "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
        *("--wheel-dir=/wheels", *wanted),
        timeout_s=600,
    )
