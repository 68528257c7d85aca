"""Look on from a terminal: what serves and what visitors meet, live; which release served when; DORA's figures.

And be told of it elsewhere.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import ioctl
from itertools import pairwise
from select import select
from typing import Any

import pytest

from testbed import changes
from testbed.announced import Collector, GitHubDouble, serve
from testbed.load import Load
from testbed.workspace import FAIRWAY, Workspace
from tests.host.asking import release, start_on

_PHONE_COLUMNS = 44


class Phone:
    """A command on a terminal as wide as a phone's, and all that was written to it."""

    def __init__(self, work: Workspace, *args: str) -> None:
        self._master, inside = pty.openpty()
        ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, _PHONE_COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [str(FAIRWAY), *args],
            cwd=work.path,
            env={**work.environment, "TERM": "xterm-256color"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        self.written = ""

    def read_until(self, seen: Callable[[str], bool], within_s: float = 60.0) -> str:
        """Read on until that is there. Fails with what was written instead."""
        deadline = time.monotonic() + within_s
        while not seen(self.written):
            assert time.monotonic() < deadline, self.written
            if select([self._master], [], [], 1.0)[0]:
                try:
                    self.written += os.read(self._master, 65536).decode(errors="replace")
                except OSError:  # the command has ended
                    break
        assert seen(self.written), self.written
        return self.written

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        """Take the terminal away."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@contextmanager
def _phone(work: Workspace, *args: str) -> Iterator[Phone]:
    phone = Phone(work, *args)
    try:
        yield phone
    finally:
        phone.close()


@dataclass
class Listeners:
    """Who is told of the deployments, here on this machine, and by which variables."""

    github: GitHubDouble
    collector: Collector
    environ: dict[str, str]


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    """GitHub and an OpenTelemetry collector."""
    github, collector = GitHubDouble(), Collector()
    with serve(github.answer) as api, serve(collector.answer) as otlp:
        environ = {
            "GITHUB_TOKEN": github.token,
            "GITHUB_REPOSITORY": "acme/capakraken",
            "GITHUB_API_URL": api.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url,
        }
        yield Listeners(github, collector, environ)


@pytest.fixture
def deployed(workspace: Workspace, listeners: Listeners) -> tuple[Workspace, str, str, str]:
    """Staging and production with the first release, staging with a bad one sent back and a second one."""
    work = workspace
    first = start_on(work, "staging", "production")
    changes.fails_for_visitors(work)
    work.configure(soak={"for_s": 30, "min_requests": 5})
    work.commit("Watch it")
    bad = release(work)
    with Load(work.url("staging", "/api/health"), connections=2, rate_per_s=30, max_s=120):
        assert work.fairway("deploy", "staging", bad, check=False, env=listeners.environ).returncode == 1
    work.git("revert", "--no-edit", "HEAD~1")
    work.configure(soak={"for_s": 0})
    changes.retitle(work, "Second")
    second = release(work)
    work.fairway("deploy", "staging", second)
    work.fairway("promote", second)
    said = work.fairway("rollback", "production", env=listeners.environ).stderr
    assert "not told" not in said
    return work, first, bad, second


def test_a_day_is_told_watched_drawn_and_counted(
    deployed: tuple[Workspace, str, str, str], listeners: Listeners
) -> None:
    work, first, bad, second = deployed
    _github_is_told(listeners.github, bad, first)
    _the_traces_have_the_hosts_steps(work, listeners.collector)
    _status_is_watched(work, first)
    _the_edge_is_watched(work)
    _the_graph_tells_the_day(work, first, bad, second)
    _the_figures_are_those_of_the_record(work)


def _github_is_told(github: GitHubDouble, bad: str, first: str) -> None:
    created = [document for kind, document in github.heard if kind == "deployment"]
    assert [(one["ref"], one["environment"], one["task"]) for one in created] == [
        (bad.removeprefix("sha-"), "staging", "deploy"),
        (first.removeprefix("sha-"), "production", "rollback"),
    ]
    states = [document["state"] for kind, document in github.heard if kind == "commit status"]
    assert states == ["pending", "failure", "pending", "success"]
    failed = next(document for _, document in github.heard if document.get("state") == "failure")
    assert failed["description"].startswith(f"failed in soak: {bad[:11]} does worse than the release before")


def _the_traces_have_the_hosts_steps(work: Workspace, collector: Collector) -> None:
    sent_back, back = collector.traces
    soak = sent_back["soak"]
    assert soak.status.code == 2
    assert "does worse than the release before" in soak.status.message
    seconds = json.loads(work.fairway("history", "production", "--json").stdout)[-1]["steps"]
    assert set(back) == {"rollback production", *seconds}
    for step, took in seconds.items():
        span = back[step]
        assert abs((span.end_time_unix_nano - span.start_time_unix_nano) / 1e9 - took) < 0.05, step
        assert span.parent_span_id == back["rollback production"].span_id


def _status_is_watched(work: Workspace, first: str) -> None:
    refused = work.fairway("status", "--watch", check=False)
    assert refused.returncode == 2
    assert "fairway status --watch --json" in refused.stderr
    with _phone(work, "status", "--watch", "--interval", "1") as phone:
        # Both environments, and drawn anew: the line at the end comes once for each look.
        written = phone.read_until(lambda text: text.count("Ctrl-C ends") >= 3)
        engines = _engines(work)
        phone.read_until(lambda text: text.count("Ctrl-C ends") >= 5)
        assert _engines(work) == engines
        assert len(engines) == 1
        assert phone.interrupt() == 0
    assert f"production {first[:11]}" in _plain(written)
    assert "\x1b[?1049h" not in written
    looks = work.fairway("status", "production", "--watch", "--json", "--interval", "1", "--count", "2").stdout
    documents = [json.loads(line) for line in looks.splitlines()]
    assert [one["environments"]["production"]["serving"]["tag"] for one in documents] == [first, first]


def _engines(work: Workspace) -> list[str]:
    """Return the engines that talk with a client: each lives as long as its connection."""
    return (
        work.host("production").sh(f"pgrep -f '^python3 -I {work.deploy_path}/.fairway/engine/current' || true").split()
    )


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def _the_edge_is_watched(work: Workspace) -> None:
    assert work.fairway("top", "production", check=False).returncode == 2
    with Load(work.url("production", "/api/health"), connections=2, rate_per_s=50, max_s=60):
        said = work.fairway("top", "production", "--json", "--count", "6", "--interval", "0.5").stdout
    looks: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    assert looks[0]["per_second"]["edge"] is None
    rates = [look["per_second"]["edge"]["requests"] for look in looks[1:]]
    assert any(20 < rate < 80 for rate in rates), rates
    active = looks[-1]["active"]
    assert looks[-1]["slots"][active]["answers"]["2xx"] > 0
    assert all(later["clock_s"] > earlier["clock_s"] for earlier, later in pairwise(looks))
    with _phone(work, "top", "production", "--interval", "0.3") as phone:
        written = phone.read_until(lambda text: text.count("Ctrl-C ends") >= 3)
        assert phone.interrupt() == 0
    lines = _plain(written).splitlines()
    assert any(line.startswith("first byte ms") for line in lines)
    assert max(map(len, lines)) <= _PHONE_COLUMNS


def _the_graph_tells_the_day(work: Workspace, first: str, bad: str, second: str) -> None:
    drawn = work.fairway("history", "--graph", "--ascii").stdout.splitlines()
    assert drawn[:2] == ["staging", "| production"]
    shown = [(line[:4], next(tag for tag in (first, bad, second) if tag[:11] in line)) for line in drawn[2:]]
    assert shown == [
        ("| < ", first),
        ("+-* ", second),
        ("* | ", second),
        ("x | ", bad),
        ("+-* ", first),
        ("*   ", first),
    ]
    assert f"rolled back from {second[:11]}" in drawn[2]
    assert "sent back after" in drawn[5]
    assert "\x1b[" not in "".join(drawn)
    assert "●" in work.fairway("history", "staging", "--graph", env={"PYTHONIOENCODING": "utf-8"}).stdout


def _the_figures_are_those_of_the_record(work: Workspace) -> None:
    production = json.loads(work.fairway("metrics", "dora", "--json").stdout)
    assert production["environment"] == "production"
    assert (production["attempts"], production["succeeded"], production["rolled_back"]) == (2, 2, 1)
    assert production["time_to_restore"]["value"] > 0
    # Two of the commits that came with the second release went to staging with the bad one.
    assert production["lead_time"]["count"] >= 3
    assert production["lead_time"]["value"] > 0
    assert production["deployment_frequency"]["value"] is None
    assert "7 are needed" in production["deployment_frequency"]["why"]
    staging = json.loads(work.fairway("metrics", "dora", "staging", "--since", "2w", "--json").stdout)
    assert (staging["attempts"], staging["sent_back"], staging["failed_unseen"]) == (3, 1, 0)
    assert staging["change_failure_rate"]["value"] is None
    assert "n/a" in work.fairway("metrics", "dora").stdout
