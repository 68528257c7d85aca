"""What the edge's processes count, added up: what visitors asked for, and what each slot made of it.

Counters count up from a process's start, and from nothing again when a deployment
begins to watch a release; whoever takes rates of them meets one that has become smaller.

Source: HAProxy 3.0 Management Guide, "Statistics and monitoring" (the CSV format).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fairway.engine.contract.errors import Failed
from fairway.engine.contract.names import Slot
from fairway.engine.instances.runtime import FRONTEND, ask_each

_BACKEND = "app"
_KINDS = ("2xx", "3xx", "4xx", "5xx")
Row = Mapping[str, str]


@dataclass(frozen=True)
class SlotFigures:
    """One slot: what is open and waits for it now, what it has answered, and its mean times of the last 1,024 requests.

    ``failures`` are connections and answers that broke. ``response_ms`` is the time to
    the first byte, ``total_ms`` to the last one, ``queue_ms`` what a request waited before.
    """

    state: str
    weight: int
    connections: int
    queue: int
    requests: int
    answers: Mapping[str, int]
    failures: int
    queue_ms: int
    response_ms: int
    total_ms: int


@dataclass(frozen=True)
class EdgeFigures:
    """The edge as visitors meet it, whichever slot answers: its own errors count here, too."""

    processes: int
    connections: int
    accepted: int
    requests: int
    answers: Mapping[str, int]
    queue: int
    slots: Mapping[Slot, SlotFigures]

    def as_json(self) -> dict[str, Any]:
        """Return the figures as a document."""
        return {**asdict(self), "slots": {slot.value: asdict(one) for slot, one in self.slots.items()}}


def read_figures(run_dir: Path) -> EdgeFigures:
    """Ask every process of the edge once. Raises ``Failed`` when none answers, or gives no figures."""
    return add_up([said for _, said in ask_each(run_dir, "show stat -1 7 -1")])


def add_up(answers: Sequence[str]) -> EdgeFigures:
    """Return the figures of several processes, the newest last, as those of one edge."""
    found = [_rows(said) for said in answers]
    try:
        fronts = [rows[FRONTEND, "FRONTEND"] for rows in found]
        backs = [rows[_BACKEND, "BACKEND"] for rows in found]
        return EdgeFigures(
            processes=len(found),
            connections=_sum(fronts, "scur"),
            accepted=_sum(fronts, "conn_tot"),
            requests=_sum(fronts, "req_tot"),
            answers=_answers(fronts),
            queue=_sum(backs, "qcur"),
            slots={slot: _slot([rows[_BACKEND, slot.value] for rows in found]) for slot in Slot},
        )
    except (KeyError, ValueError):
        raise Failed(
            "the edge gives no figures for its slots", hint="fairway logs <environment> --service edge"
        ) from None


def _rows(said: str) -> dict[tuple[str, str], Row]:
    return {(row["pxname"], row["svname"]): row for row in csv.DictReader(io.StringIO(said.lstrip("# ")))}


def _slot(rows: Sequence[Row]) -> SlotFigures:
    # A process that is on its way out may still serve the slot; the newest one says where new requests go.
    newest = rows[-1]
    return SlotFigures(
        state=newest["status"],
        weight=int(newest["weight"]),
        connections=_sum(rows, "scur"),
        queue=_sum(rows, "qcur"),
        requests=_sum(rows, "stot"),
        answers=_answers(rows),
        failures=_sum(rows, "econ") + _sum(rows, "eresp"),
        queue_ms=_mean(rows, "qtime"),
        response_ms=_mean(rows, "rtime"),
        total_ms=_mean(rows, "ttime"),
    )


def _answers(rows: Sequence[Row]) -> dict[str, int]:
    return {kind: _sum(rows, f"hrsp_{kind}") for kind in _KINDS}


def _sum(rows: Sequence[Row], column: str) -> int:
    return sum(int(row[column] or 0) for row in rows)


def _mean(rows: Sequence[Row], column: str) -> int:
    """Weigh each process's mean by the requests it was taken on."""
    requests = _sum(rows, "stot")
    return round(sum(int(row[column] or 0) * int(row["stot"] or 0) for row in rows) / requests) if requests else 0
