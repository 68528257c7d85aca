"""Fairway beside its peers: times in turn, then drops and streams under load, then a killed run."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.contestants import Contestant, FairwayWay
from benchmarks.releases import DRAIN_S, make_release
from benchmarks.report import Section, table
from benchmarks.timing import ratio, say, seconds, timed
from testbed.load import Load, Streams
from testbed.process import TestbedError
from testbed.visitor import ADMINISTRATOR, sign_in
from testbed.workspace import FAIRWAY, Workspace

_RATE_PER_S = 250
_LEAST_REQUESTS, _MOST_REQUESTS = 5_000, 50_000
_STREAMS = 8
_MAX_S = 300
_BASE = "plain shell"
_OURS = "Fairway"


@dataclass
class Figures:
    """What was seen, by contestant."""

    version_s: list[float] = field(default_factory=list)
    deploy_s: dict[str, list[float]] = field(default_factory=dict)
    rollback_s: dict[str, list[float]] = field(default_factory=dict)
    switched_s: list[float] = field(default_factory=list)
    requests: dict[str, tuple[int, int]] = field(default_factory=dict)
    streams: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    killed: dict[str, str] = field(default_factory=dict)


def compare(work: Workspace, ways: Sequence[Contestant], *, rounds: int) -> Section:
    """Measure each way; Fairway's host is prepared and has a release, the others are prepared here."""
    figures = Figures()
    for _ in range(10):
        figures.version_s.append(timed(lambda: subprocess.run([FAIRWAY, "--version"], check=True, capture_output=True)))
    _measure_times(work, ways, figures, rounds=rounds)
    _measure_load(work, ways, figures)
    return _section(figures)


def _measure_times(work: Workspace, ways: Sequence[Contestant], figures: Figures, *, rounds: int) -> None:
    """Time a deployment of a new release and the rollback from it, each way in turn, without load."""
    before = make_release(work, "Bench")
    for way in ways:
        if not isinstance(way, FairwayWay):
            way.prepare(ADMINISTRATOR)
        say(f"{way.name}: first deployment, not counted")
        way.deploy(before)
    for number in range(rounds):
        tag = make_release(work, f"Bench {number}")
        for way in ways:
            say(f"round {number + 1} of {rounds}: {way.name}")
            figures.deploy_s.setdefault(way.name, []).append(timed(partial(way.deploy, tag)))
            figures.rollback_s.setdefault(way.name, []).append(timed(partial(way.rollback, before)))
            if isinstance(way, FairwayWay):
                figures.switched_s.append(way.moved_after_s())
            way.rollback(tag)
        before = tag


def _measure_load(work: Workspace, ways: Sequence[Contestant], figures: Figures) -> None:
    """Count dropped requests and cut streams over two deployments and two rollbacks each; then kill a run."""
    for way in ways:
        say(f"{way.name}: requests and streams over deployments and rollbacks")
        first, second = make_release(work, f"{way.name} 1"), make_release(work, f"{way.name} 2")
        cookie = sign_in(way.url)
        with (
            Load(way.url + "/api/health", rate_per_s=_RATE_PER_S, max_requests=_MOST_REQUESTS, max_s=_MAX_S) as load,
            Streams(way.url + "/api/sse/timeline", count=_STREAMS, headers={"Cookie": cookie}) as streams,
        ):
            way.deploy(first)
            way.deploy(second)
            way.rollback(first)
            way.rollback(second)
            while load.report.total < _LEAST_REQUESTS and load.now_s() < _MAX_S:
                time.sleep(0.5)
        figures.requests[way.name] = (load.report.total, load.report.failed)
        report = streams.report
        figures.streams[way.name] = (report.opened, len(report.ended), len(report.cut) + len(report.refused))
        figures.killed[way.name] = _kill_one(way, make_release(work, f"{way.name} 3"))


def _kill_one(way: Contestant, tag: str) -> str:
    """Kill a deployment while the new container comes up; say what is left, and what the next run makes of it."""
    normal = way.app_containers()

    def deploy() -> None:
        try:
            way.deploy(tag)
        except TestbedError:
            return  # it was killed, as meant

    running = threading.Thread(target=deploy)
    running.start()
    deadline = time.monotonic() + 30
    while way.app_containers() == normal and running.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    way.kill()
    running.join(timeout=120)
    left = way.app_containers()
    try:
        way.deploy(tag)
        after = f"the next run works, {way.app_containers()} run"
    except TestbedError as error:
        after = f"the next run fails ({str(error).splitlines()[0][:60]}), {way.app_containers()} run"
    return f"{normal} before, {left} left; {after}"


def _section(figures: Figures) -> Section:
    ways = list(figures.deploy_s)
    rows = [
        ("deployment, median", *(seconds(figures.deploy_s[way]) for way in ways)),
        ("beside the plain shell", *(ratio(figures.deploy_s[way], figures.deploy_s[_BASE]) for way in ways)),
        ("rollback, median, whole command", *(seconds(figures.rollback_s[way]) for way in ways)),
        ("beside the plain shell", *(ratio(figures.rollback_s[way], figures.rollback_s[_BASE]) for way in ways)),
        ("requests dropped", *(f"{failed} of {total}" for total, failed in (figures.requests[way] for way in ways))),
        (
            "event streams opened / ended in order / cut or refused",
            *(" / ".join(str(n) for n in figures.streams[way]) for way in ways),
        ),
        ("application containers around a killed run", *(figures.killed[way] for way in ways)),
    ]
    text = f"""
The example application, each way on a host of its own, one after the other. Each deployment is of a
release that the host has not seen: it pulls, migrates, starts, waits for ready and moves the worker.
Times are of the whole command as the operator sees it, over SSH, {len(figures.deploy_s[_OURS])} rounds without load;
requests and streams are counted over two deployments and two rollbacks under a bounded load, from the
first to the last of them. Fairway's edge closes what is still open on the old slot {DRAIN_S:g} s after a switch.

{table(["", *ways], rows)}

- Fairway, rollback to a warm slot: visitors are on the other release {seconds(figures.switched_s)} (median) after the
  engine took it on; the rest of the command is its own start, the connection, and the worker.
- `fairway --version`: {seconds(figures.version_s)} (median of {len(figures.version_s)}).
"""
    deploy = f"{ratio(figures.deploy_s[_OURS], figures.deploy_s[_BASE])} times as long as by the plain shell"
    rollback = ratio(figures.rollback_s[_OURS], figures.rollback_s[_BASE])
    return Section("Side by side", (f"A deployment takes {deploy}, a rollback {rollback} times.",), text)
