"""The example's own pipeline, for real: its services, its images, a browser; and what a run leaves behind."""

from __future__ import annotations

import hashlib
import json
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import images
from testbed.bed import Testbed
from testbed.docker import ROOT, STATE, docker
from testbed.waiting import wait_for
from testbed.workspace import EXAMPLE, Workspace

LOCKS = [EXAMPLE / name for name in ("requirements.lock", "requirements-dev.lock")]
_TOLD_BY_ROLE = """
    async def publish_to_admins(self, event: Event) -> None:
        await self._redis.publish("role:admin", json.dumps({"name": event.name, "data": event.data}))
"""


@pytest.fixture(scope="module")
def tools() -> Path:
    """An environment with what the example's lock files name, made once: its own stage finds nothing to add."""
    directory, uv = STATE / "example", STATE / "uv" / "bin" / "uv"
    stamp, python = directory / "locks.sha256", directory / "bin" / "python"
    wanted = hashlib.sha256(b"".join(lock.read_bytes() for lock in LOCKS)).hexdigest()
    if not (stamp.exists() and stamp.read_text(encoding="ascii") == wanted):
        own = ROOT / ".venv" / "bin" / "python"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--seed", "--python", own, directory], check=True)
        locked = [part for lock in LOCKS for part in ("--requirement", lock)]
        install: list[str | Path] = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", python, *locked]
        subprocess.run(install, check=True)
        stamp.write_text(wanted, encoding="ascii")
    return directory


@pytest.fixture(scope="module")
def work(bed: Testbed, tools: Path) -> Iterator[Workspace]:
    workspace = Workspace(bed, project=f"t-{secrets.token_hex(4)}")
    (workspace.path / ".venv").symlink_to(tools)
    yield workspace
    workspace.remove()


@pytest.fixture
def env(tools: Path) -> dict[str, str]:
    return {
        "POSTGRES_TEST_IMAGE": images.POSTGRES.name,
        "REDIS_TEST_IMAGE": images.REDIS.name,
        "MYPY_CACHE_DIR": str(tools / "mypy"),
    }


def left(work: Workspace) -> list[str]:
    """Whatever Docker still has of the stages' own projects."""
    found: list[str] = []
    for kind, column in (("container", "Names"), ("volume", "Name"), ("network", "Name")):
        listed = docker(
            kind, "ls", *(["--all"] if kind == "container" else []), "--format", f"{{{{.{column}}}}}"
        ).stdout
        found += [name for name in listed.split() if name.startswith(f"{work.project}-ci-")]
    return found


def running(words: str) -> list[str]:
    """The processes whose command line has these words."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if words in command.replace(b"\0", b" ").decode(errors="replace"):
            found.append(entry.name)
    return found


def test_the_example_passes_its_own_pipeline_with_real_services_images_and_a_browser(
    work: Workspace, env: dict[str, str]
) -> None:
    done = work.fairway("ci", "--json", "--summary", "reports/summary.md", env=env, check=False, timeout_s=900)
    assert done.returncode == 0, done.stderr
    stages = {stage["stage"]: stage for stage in json.loads(done.stdout)["stages"]}
    assert list(stages) == ["install", "guardrails", "typecheck", "lint", "unit", "build", "e2e"]
    assert {stage["state"] for stage in stages.values()} == {"passed"}
    unit, e2e = stages["unit"]["tests"], stages["e2e"]["tests"]
    assert (unit["total"] > 20, unit["skipped"], unit["failed"]) == (True, 0, 0)
    assert (e2e["total"], e2e["skipped"], e2e["failed"]) == (3, 0, 0)
    assert "| ✅ | e2e |" in (work.path / "reports" / "summary.md").read_text(encoding="utf-8")
    assert "3 passed" in Path(stages["e2e"]["log"]).read_text(encoding="utf-8")
    # What a run writes is none of the repository's.
    assert work.git("status", "--porcelain") == ""
    assert left(work) == []


def test_what_is_wrong_is_red_in_github_and_stands_beside_its_line(work: Workspace, env: dict[str, str]) -> None:
    bus, test = "capakraken/sse/event_bus.py", "tests/test_wrong.py"
    before = (work.path / bus).read_text(encoding="utf-8")
    at = before[: before.index("    async def events_for")]
    work.write(bus, before.replace(at, at + _TOLD_BY_ROLE.lstrip("\n") + "\n"))
    work.write(test, "def test_it_is_so() -> None:\n    assert 1 + 1 == 3\n")
    page = work.path.parent / f"{work.project}-page.md"
    in_github = {**env, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page), "GITHUB_WORKSPACE": str(work.path)}
    try:
        done = work.fairway("ci", env=in_github, check=False)
        told = page.read_text(encoding="utf-8")
    finally:
        work.write(bus, before)
        (work.path / test).unlink()
        page.unlink(missing_ok=True)
    assert done.returncode == 1, done.stderr
    line = at.count("\n") + 2
    assert f"::error file={bus},line={line}," in done.stdout
    assert f"::error file={test},line=2,col=1,title=unit%3A tests.test_wrong%3A%3Atest_it_is_so::" in done.stdout
    # Each stage's output in a group of its own, whatever ran beside it.
    marks = [line for line in done.stdout.splitlines() if line.startswith(("::group::", "::endgroup::"))]
    assert [mark.startswith("::group::") for mark in marks] == [True, False] * 5
    assert "- build skipped: needs guardrails, which failed" in done.stdout
    assert "| ❌ | guardrails |" in told
    assert "| ⏭️ | e2e |" in told
    assert left(work) == []


def test_services_that_do_not_come_up_are_told_with_their_logs_and_removed(
    work: Workspace, env: dict[str, str]
) -> None:
    file = "docker-compose.ci.yml"
    work.edit(file, 'ports: ["6379"]', 'ports: ["6379"]\n    command: ["redis-server", "--no-such-setting", "1"]')
    try:
        done = work.fairway("ci", "--only", "unit", "--json", env=env, check=False)
    finally:
        work.git("checkout", "--quiet", file)
    assert done.returncode == 1, done.stderr
    (unit,) = json.loads(done.stdout)["stages"]
    assert unit["reason"] == "the services did not come up healthy: postgres, redis"
    assert "no-such-setting" in Path(unit["log"]).read_text(encoding="utf-8")
    assert left(work) == []


def test_what_a_run_that_was_killed_has_left_is_removed_by_the_next(work: Workspace, env: dict[str, str]) -> None:
    naps = {"run": "echo all up; sleep 3", "services": ["redis"], "env": None, "junit": None}
    work.configure(ci={"stages": {"unit": naps}})
    client = work.start_fairway("ci", "--only", "unit", env=env)
    assert client.stdout is not None
    while "all up" not in (line := client.stdout.readline()):
        assert line, "it ended before the stage was up"
    client.kill()
    client.communicate(timeout=60)
    assert left(work) != []
    done = work.fairway("ci", "--only", "unit", env=env, check=False)
    work.git("checkout", "--quiet", "fairway.toml")
    assert "removed the services of a run that was killed" in done.stderr
    assert left(work) == []


def test_ctrl_c_leaves_no_process_no_container_and_no_volume(work: Workspace, env: dict[str, str]) -> None:
    nap = f"sleep {secrets.randbelow(10**6) + 10**6}"
    script = f"{nap} & setsid {nap} & timeout 9999 {nap} & echo all up; wait"
    work.configure(ci={"stages": {"unit": {"run": script}}})
    client = work.start_fairway("ci", "--only", "unit", env=env)
    assert client.stdout is not None
    try:
        while "all up" not in (line := client.stdout.readline()):
            assert line, "it ended before the stage was up"
        wait_for("its processes", lambda: len(running(nap)) >= 4)
        assert len(left(work)) >= 3
        client.send_signal(signal.SIGINT)
        said, _ = client.communicate(timeout=60)
    finally:
        client.kill()
        work.git("checkout", "--quiet", "fairway.toml")
    assert client.returncode == 130, said
    assert "unit cancelled" in said
    assert running(nap) == []
    assert left(work) == []
