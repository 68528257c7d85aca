"""Measure Fairway, and its peers beside it: ``make bench`` or ``python -m benchmarks [--only PART]``.

Everything runs in one go on one machine, what is compared in turn, so that a ratio
holds where a single time would not. Results go to a Markdown file beside this one;
those of single parts are only shown, but for backups and the exporter, which have files of their own.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import (
    backup,
    dashboard,
    distance,
    endurance,
    exporter,
    footprint,
    gate,
    growth,
    guardrails,
    side_by_side,
)
from benchmarks.contestants import Contestant, FairwayWay, RolloutWay, ShellWay
from benchmarks.releases import DRAIN_S, make_release
from benchmarks.report import Section, render
from benchmarks.timing import say, timed
from testbed import images
from testbed.bed import Testbed
from testbed.visitor import ADMINISTRATOR
from testbed.workspace import Workspace

HERE = Path(__file__).parent
_PORT = 3000
# What is long and differs little from round to round, so that the whole stays within a quarter of an hour.
_FEWER_ROUNDS = 3


@dataclass(frozen=True)
class _Run:
    """What the parts share: a host with a release on it, and how much is asked for."""

    work: Workspace
    ways: list[Contestant]
    rounds: int
    requests: int


_PARTS: dict[str, Callable[[_Run], Section]] = {
    "side-by-side": lambda run: side_by_side.compare(run.work, run.ways, rounds=run.rounds),
    "endurance": lambda run: endurance.endure(run.work, requests=run.requests),
    "distance": lambda run: distance.compare(run.work, rounds=min(run.rounds, _FEWER_ROUNDS)),
    "footprint": lambda run: footprint.watch(run.work, rounds=min(run.rounds, _FEWER_ROUNDS)),
    "exporter": lambda run: exporter.measure(run.work, rounds=run.rounds),
    "proof": lambda run: gate.measure(run.work, rounds=min(run.rounds, _FEWER_ROUNDS)),
    "backup": lambda run: backup.measure(run.work, rounds=min(run.rounds, _FEWER_ROUNDS)),
    "dashboard": lambda run: dashboard.measure(run.work, rounds=min(run.rounds, _FEWER_ROUNDS)),
    "growth": lambda run: growth.compare(run.work, rounds=min(run.rounds, _FEWER_ROUNDS)),
}
# What needs no host.
_PARTS_HERE: dict[str, Callable[[int], Section]] = {
    "guardrails": lambda rounds: guardrails.measure(rounds=rounds),
}


def main() -> int:
    """Run the measurements and write the results."""
    asked = _parse()
    parts = asked.only or [*_PARTS, *_PARTS_HERE]
    sections: list[Section] = []
    if any(part in _PARTS for part in parts):
        images.prepare()
        with Testbed("bench", hosts=_hosts(asked)) as bed:
            run = _prepare(bed, asked)
            for part in parts:
                if part in _PARTS:
                    sections.append(_told(part, lambda part=part: _PARTS[part](run)))  # type: ignore[misc]
    for part in parts:
        if part in _PARTS_HERE:
            sections.append(_told(part, lambda part=part: _PARTS_HERE[part](asked.rounds)))  # type: ignore[misc]
    text = render(sections, shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]) if sys.argv[1:] else "make bench")
    print(f"\n{text}")
    file = _file(asked)
    if file is not None:
        file.write_text(text, encoding="utf-8")
        print(f"written to {file}")
    return 0


def _told(part: str, measure: Callable[[], Section]) -> Section:
    say(f"\n== {part}")
    found: list[Section] = []
    took = timed(lambda: found.append(measure()))
    say(f"{part} took {took:.0f} s")
    return found[0]


def _file(asked: argparse.Namespace) -> Path | None:
    """Return where the results go: what is compared with others by itself, and some parts, have files of their own."""
    if asked.docker_rollout:
        return HERE / "RESULTS-docker-rollout.md"
    if asked.only in (["backup"], ["dashboard"], ["exporter"]):
        return HERE / f"RESULTS-{asked.only[0]}.md"
    return None if asked.only else HERE / "RESULTS.md"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=[*_PARTS, *_PARTS_HERE],
        help="one part, written down for backup, dashboard and exporter alone; repeatable",
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each thing is timed (default: 5)")
    parser.add_argument("--requests", type=int, default=100_000, help="requests of the endurance run (default: 100000)")
    parser.add_argument(
        "--docker-rollout", type=Path, help="a copy of docker-rollout, to be measured side by side; nothing else is"
    )
    asked = parser.parse_args()
    if asked.docker_rollout:
        asked.only = ["side-by-side"]
    return asked


def _hosts(asked: argparse.Namespace) -> tuple[str, ...]:
    peers = ["shell"] if not asked.only or "side-by-side" in asked.only else []
    return ("fairway", *peers, *(["rollout", "drained"] if asked.docker_rollout else []))


def _prepare(bed: Testbed, asked: argparse.Namespace) -> _Run:
    """Have a release serve on Fairway's host, and know the others."""
    work = Workspace(bed, port=_PORT, environments={"staging": "fairway"})
    work.configure(environments={"production": None}, drain={"timeout_s": DRAIN_S})
    work.commit("One environment")
    fairway = FairwayWay(work)
    fairway.prepare(ADMINISTRATOR)
    fairway.deploy(make_release(work, "First"))
    ways: list[Contestant] = [fairway]
    if "shell" in bed.hosts:
        ways.append(ShellWay(work, bed.host("shell")))
    if asked.docker_rollout:
        script = asked.docker_rollout.read_text(encoding="utf-8")
        ways.append(RolloutWay(work, bed.host("rollout"), script))
        ways.append(RolloutWay(work, bed.host("drained"), script, drain=True))
    return _Run(work, ways, asked.rounds, asked.requests)


if __name__ == "__main__":
    sys.exit(main())
