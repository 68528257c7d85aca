"""Which releases this host could go back to, and what each would cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.contract.protocol import Outcome
from fairway.engine.drivers.compose import ComposeDriver
from fairway.engine.edge import Edge
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.model import LABEL
from fairway.engine.observation import Observation
from fairway.engine.redact import Redactor
from fairway.engine.releases import load_release
from fairway.engine.schema.look import Schema

_SHOWN = 10
_NOT_HERE = {"possible": False, "image": None, "warm": False, "seconds": None, "schema": None}
_SEARCHED = 1000
# Looking, switching and writing it down, beside what the steps take; measured on a small host.
_OWN_TIME_S = 0.3


def describe_rollbacks(layout: Layout, host: HostConfig, seen: Observation, schema: Schema) -> list[dict[str, Any]]:
    """Return the newest releases that served here, except the one that does: each with its cost or why it cannot be.

    ``schema`` of a row is whether the release may serve on the database as it is now; one
    that may not is possible only when forced.
    """
    active = seen.state.active
    newest = islice(Ledger(layout.ledger).newest_first(), _SEARCHED)
    successes = _successes(newest, active.release if active else None)
    driver = ComposeDriver(layout, host, Edge(layout.edge, layout.edge_run), Redactor({}))
    found = []
    for entry in successes:
        tag, release = Tag(str(entry["tag"])), Digest(str(entry["release"]))
        row: dict[str, Any] = {"tag": tag, "release": release, "served_at": entry["at"]}
        try:
            stored = load_release(layout, tag)
        except FairwayError as error:
            found.append({**row, **_NOT_HERE, "why": error.what})
            continue
        passage = schema.passage(stored.release.migrations, migrates=False)
        here = driver.has_image(stored.release.app)
        warm = _is_warm(seen, release)
        seconds = estimate_s(entry.get("steps") or {}, warm=warm, image_here=here)
        row.update(possible=passage.free, why=passage.words, image=here, warm=warm, seconds=seconds)
        found.append({**row, "schema": passage.as_json()})
    return found


def estimate_s(steps: Mapping[str, Any], *, warm: bool, image_here: bool) -> float:
    """Estimate the seconds until visitors are on a release again, from what its steps took here the last time."""
    needed = [] if warm else ["start", "ready"] if image_here else ["pull", "start", "ready"]
    taken = [steps.get(name) for name in needed]
    return round(_OWN_TIME_S + sum(float(s) for s in taken if isinstance(s, (int, float))), 1)


def _successes(newest_first: Iterable[dict[str, Any]], active: Digest | None) -> list[dict[str, Any]]:
    """Return the last success of each release but the active one, reading back no further than these take."""
    found: dict[str, dict[str, Any]] = {}
    for entry in newest_first:
        if len(found) == _SHOWN and all(_tells_start(known) for known in found.values()):
            break
        release = str(entry.get("release"))
        if entry.get("outcome") != Outcome.SUCCEEDED.value or not entry.get("tag") or release == active:
            continue
        if release not in found and len(found) < _SHOWN:
            found[release] = entry
        # A rollback that found the slot warm tells nothing of a cold start: the deployment does.
        if release in found and not _tells_start(found[release]) and _tells_start(entry):
            found[release] = {**found[release], "steps": entry["steps"]}
    return list(found.values())


def _tells_start(entry: dict[str, Any]) -> bool:
    return "start" in (entry.get("steps") or {})


def _is_warm(seen: Observation, release: Digest) -> bool:
    return any(
        container.running and container.labels.get(LABEL + "release") == release for container in seen.slots.values()
    )
