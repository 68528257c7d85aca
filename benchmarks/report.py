"""Write the figures down as a table that says on which machine they were seen."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.measure import Figures

_BASE = "plain shell"
_OURS = "Fairway"


def render(figures: Figures) -> str:
    """Return the results as Markdown."""
    ways = list(figures.deploy_s)
    rounds = len(figures.deploy_s[_OURS])
    rows = [
        ("deployment, median", *(_seconds(figures.deploy_s[way]) for way in ways)),
        ("beside the plain shell", *(_ratio(figures.deploy_s[way], figures.deploy_s[_BASE]) for way in ways)),
        ("rollback, median, whole command", *(_seconds(figures.rollback_s[way]) for way in ways)),
        ("beside the plain shell", *(_ratio(figures.rollback_s[way], figures.rollback_s[_BASE]) for way in ways)),
        ("requests dropped", *(f"{failed} of {total}" for total, failed in (figures.requests[way] for way in ways))),
        (
            "event streams opened / ended in order / cut or refused",
            *(" / ".join(str(n) for n in figures.streams[way]) for way in ways),
        ),
        ("application containers around a killed run", *(figures.killed[way] for way in ways)),
    ]
    table = [f"| | {' | '.join(ways)} |", "| --- |" + " --- |" * len(ways), *(f"| {' | '.join(row)} |" for row in rows)]
    return f"""\
# Measured

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {_machine()}.

The example application, each way on a host of its own (a container with its own Docker daemon),
one after the other in the same run. Each deployment is of a release that the host has not seen:
it pulls, migrates, starts, waits for ready and moves the worker. Times are of the whole command
as the operator sees it, over SSH, {rounds} rounds without load;
requests and streams are counted over two deployments and two rollbacks under a bounded load.

{chr(10).join(table)}

- Fairway, rollback to a warm slot: visitors are on the other release {_seconds(figures.switched_s)} (median) after the
  engine took it on; the rest of the command is its own start, the connection, and the worker.
- `fairway --version`: {_seconds(figures.version_s)} (median of {len(figures.version_s)}).
"""


def _seconds(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} s"


def _ratio(values: Sequence[float], base: Sequence[float]) -> str:
    """Return the median of the ratios round by round, which holds when the machine's speed drifts."""
    return f"{statistics.median(ours / theirs for ours, theirs in zip(values, base, strict=True)):.2f}"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {system}"
