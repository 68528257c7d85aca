"""The measurements themselves: times in turn, then drops and streams under load, then a killed run."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.contestants import Contestant, FairwayWay
from testbed.load import Load, Streams
from testbed.process import TestbedError
from testbed.visitor import ADMINISTRATOR, sign_in
from testbed.workspace import FAIRWAY, Workspace

_RATE_PER_S = 250
_PEER_REQUESTS = 5000
_STREAMS = 8


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


def measure_version(figures: Figures) -> None:
    """Time ``fairway --version``."""
    for _ in range(10):
        figures.version_s.append(
            _timed(lambda: subprocess.run([FAIRWAY, "--version"], check=True, capture_output=True))
        )


def measure_times(work: Workspace, ways: Sequence[Contestant], figures: Figures, *, rounds: int) -> None:
    """Time a deployment of a new release and the rollback from it, each way in turn, without load."""
    before = _release(work, "Bench")
    for way in ways:
        way.prepare(ADMINISTRATOR)
        _say(f"{way.name}: first deployment, not counted")
        way.deploy(before)
    for number in range(rounds):
        tag = _release(work, f"Bench {number}")
        for way in ways:
            _say(f"round {number + 1} of {rounds}: {way.name}")
            figures.deploy_s.setdefault(way.name, []).append(_timed(partial(way.deploy, tag)))
            figures.rollback_s.setdefault(way.name, []).append(_timed(partial(way.rollback, before)))
            if isinstance(way, FairwayWay):
                figures.switched_s.append(way.moved_after_s())
            way.rollback(tag)
        before = tag


def measure_load(work: Workspace, ways: Sequence[Contestant], figures: Figures, *, requests: int) -> None:
    """Count dropped requests and cut streams over two deployments and two rollbacks each; then kill a run."""
    for way in ways:
        wanted = requests if isinstance(way, FairwayWay) else _PEER_REQUESTS
        _say(f"{way.name}: {wanted} requests over deployments and rollbacks")
        first, second = _release(work, f"{way.name} 1"), _release(work, f"{way.name} 2")
        cookie = sign_in(way.url)
        with (
            Load(way.url + "/api/health", rate_per_s=_RATE_PER_S, max_requests=wanted, max_s=300) as load,
            Streams(way.url + "/api/sse/timeline", count=_STREAMS, headers={"Cookie": cookie}) as streams,
        ):
            way.deploy(first)
            way.deploy(second)
            way.rollback(first)
            way.rollback(second)
            while load.report.total < wanted and load.now_s() < 300:
                time.sleep(0.5)
        figures.requests[way.name] = (load.report.total, load.report.failed)
        report = streams.report
        figures.streams[way.name] = (report.opened, len(report.ended), len(report.cut) + len(report.refused))
        figures.killed[way.name] = _kill_one(way, _release(work, f"{way.name} 3"))


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


def _release(work: Workspace, title: str) -> str:
    page = work.path / "capakraken" / "templates" / "base.html"
    text = page.read_text(encoding="utf-8")
    old = text[text.index("<h1>") : text.index("</h1>")]
    page.write_text(text.replace(old, f"<h1>{title}", 1), encoding="utf-8")
    work.commit(title)
    work.fairway("release")
    return work.tag


def _timed(act: Callable[[], object]) -> float:
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
