"""Many requests while everything that Fairway does is done over and over: how many fail, and why."""

from __future__ import annotations

import itertools
import re
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.releases import DRAIN_S, make_release
from benchmarks.report import Section, table
from benchmarks.timing import say, timed
from testbed import images
from testbed.docker import docker
from testbed.load import Load, Streams
from testbed.process import TestbedError, run
from testbed.visitor import sign_in
from testbed.workspace import Workspace

_RATE_PER_S = 400
# Of the requests so many come on a connection of their own, which the edge has to accept.
_FRESH_SHARE = 0.2
_STREAMS = 8
_TIME_TO_SPARE = 1.6
_CLOSED = re.compile(r"closed (\d+) connections of")
_ENDED = re.compile(r"asked to end with (\d+) connections open")


@dataclass
class Figures:
    """What was done while the requests came, what became of them, and of the streams."""

    times_s: dict[str, list[float]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    closed: int = 0
    ended: int = 0
    loads: Sequence[Load] = ()
    streams: Streams | None = None


def endure(work: Workspace, *, requests: int) -> Section:
    """Go on deploying, rolling back, restarting and upgrading the edge until so many requests were made."""
    tags = _make_releases(work)
    work.fairway("deploy", "staging", tags[-1])
    figures = Figures()
    acts = _acts(work, tags, _offer_older_edge(work))
    url, fresh = work.url("staging", "/api/health"), int(requests * _FRESH_SHARE)
    max_s = requests / _RATE_PER_S * _TIME_TO_SPARE
    cookie = {"Cookie": sign_in(work.url("staging", ""))}
    with (
        Streams(work.url("staging", "/api/sse/timeline"), count=_STREAMS, headers=cookie, max_s=max_s + 60) as streams,
        Load(url, rate_per_s=_rate(requests - fresh, requests), max_requests=requests - fresh, max_s=max_s) as kept,
        Load(
            url,
            rate_per_s=_rate(fresh, requests),
            max_requests=fresh,
            max_s=max_s,
            headers={"Connection": "close"},
        ) as single,
    ):
        figures.loads, figures.streams = (kept, single), streams
        while _asked(figures) < requests and kept.now_s() < max_s:
            name, act = next(acts)
            say(f"{_asked(figures)} of {requests} requests: {name}")
            _do(name, act, figures)
    return _section(figures)


def _make_releases(work: Workspace) -> list[str]:
    """Make releases of which one has the old slot stopped rather than kept warm: its streams then end in order."""
    work.configure(warm={"keep_s": 0})
    cold = make_release(work, "Endurance, cold")
    work.configure(warm=None)
    return [make_release(work, "Endurance 1"), cold, make_release(work, "Endurance 2")]


def _rate(part: int, whole: int) -> float:
    return _RATE_PER_S * part / whole


def _asked(figures: Figures) -> int:
    return sum(load.report.total for load in figures.loads)


def _acts(work: Workspace, tags: Sequence[str], older: str) -> itertools.cycle[tuple[str, Callable[[], str]]]:
    """Return what is done in turn, for ever; each returns what it said."""

    def fairway(*args: str) -> Callable[[], str]:
        return lambda: work.fairway(*args).stderr

    acts = []
    for number, tag in enumerate(tags):
        acts.append(("deployment", fairway("deploy", "staging", tag)))
        acts.append(("rollback", fairway("rollback", "staging")))
        acts.append(("restart", fairway("restart", "staging")))
        # To the older image and back again; an upgrade waits until the process before it has drained.
        if number == 0:
            acts.append(("upgrade of the edge", fairway("edge", "upgrade", "staging", "--image", older)))
        elif number == len(tags) - 1:
            acts.append(("upgrade of the edge", fairway("edge", "upgrade", "staging")))
    return itertools.cycle(acts)


def _do(name: str, act: Callable[[], str], figures: Figures) -> None:
    said: list[str] = []
    try:
        figures.times_s.setdefault(name, []).append(timed(lambda: said.append(act())))
    except TestbedError as error:
        figures.refused.append(f"{name}: {str(error)[-300:]}")
    figures.closed += sum(map(int, _CLOSED.findall("".join(said))))
    figures.ended += sum(map(int, _ENDED.findall("".join(said))))


def _offer_older_edge(work: Workspace) -> str:
    """Put the older HAProxy into the registry that the host pulls from; return its name there."""
    reference = f"{work.bed.registry.address}/{work.project}/haproxy:older"
    docker("tag", images.HAPROXY_OLDER.name, reference)
    run(["docker", "push", "--quiet", reference], env=work.bed.environment)
    return reference


def _section(figures: Figures) -> Section:
    assert figures.streams is not None
    reports, streams = [load.report for load in figures.loads], figures.streams.report
    total, failed = sum(report.total for report in reports), sum(report.failed for report in reports)
    done = ", ".join(_count(len(times), name) for name, times in figures.times_s.items())
    rows = [
        ("done meanwhile", done),
        ("seconds of each, median", ", ".join(f"{n} {statistics.median(t):.1f}" for n, t in figures.times_s.items())),
        ("requests failed", f"{failed} of {total} in {max(report.elapsed_s for report in reports):.0f} s"),
        *((f"- {kind}", _load_line(load)) for kind, load in zip(("kept", "each its own"), figures.loads, strict=True)),
        ("event streams opened", str(streams.opened)),
        ("ended in order", f"{len(streams.ended)}, and the application was asked to end {figures.ended}, as told"),
        ("broke off", f"{len(streams.cut)}, and the edge closed {figures.closed}, as told"),
        ("streams refused", _reasons(Counter(reason for _, reason in streams.refused))),
        ("commands that failed", "; ".join(figures.refused).replace("\n", " ") or "none"),
    ]
    text = f"""
{_STREAMS} event streams and about {_RATE_PER_S} requests a second, a fifth of them on a connection of its own,
while one command follows the other without a pause. Streams have {DRAIN_S:g} s after a switch. Of what is left
then the edge closes what a slot has that stays warm; the release of every third deployment keeps none
warm (`warm.keep_s = 0`), so the application ends its streams itself. The client opens each anew, as browsers do.

{table(["", ""], rows)}
"""
    short = f"**{failed} of {total} requests failed** over {done}."
    return Section("Many requests, everything at once", (short,), text)


def _load_line(load: Load) -> str:
    report = load.report
    latency = ", ".join(f"{name} {report.latency_s(q) * 1000:.0f} ms" for name, q in (("median", 0.5), ("99 %", 0.99)))
    slowest = f"slowest {report.latency_s(1.0):.2f} s"
    return f"{report.failed} of {report.total}; {latency}, {slowest}; failed: {_reasons(report.reasons)}"


def _reasons(reasons: Counter[str]) -> str:
    return "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common(10)) or "none"


def _count(number: int, name: str) -> str:
    plural = name.replace("upgrade", "upgrades", 1) if name.startswith("upgrade") else f"{name}s"
    return f"{number} {name if number == 1 else plural}"
