"""Put what is on record and what a release ships side by side, migration by migration. Pure."""

from __future__ import annotations

import enum
from typing import Any

from fairway.engine.contract.manifest import Migration, Migrations
from fairway.engine.schema.known import Known, key_of
from fairway.engine.schema.record import Record, is_edited, missing_from
from fairway.engine.schema.squashed import covered_by


class Standing(enum.Enum):
    """What has become of a migration in a database."""

    APPLIED = "applied"
    #: Applied, and its file was changed since.
    EDITED = "edited"
    PENDING = "pending"
    FAILED = "failed"
    IN_FLIGHT = "in-flight"
    #: Applied, and squashed since into one that the release ships.
    REPLACED = "replaced"
    #: Applied, and shipped by another release than this one.
    BEYOND = "beyond"
    #: Applied, and shipped by no release on this host.
    UNKNOWN = "unknown"


def describe(release: Migrations, record: Record, known: Known) -> dict[str, Any]:
    """Return every migration with its standing: those of the release in its order, then those only on record."""
    kind = record.kind
    applied = {key_of(kind, name) for name in record.applied}
    failed = {key_of(kind, name): why for name, why in record.failed.items()}
    in_flight = {key_of(kind, name) for name in record.in_flight}

    def standing(migration: Migration) -> Standing:
        key = key_of(kind, migration.id)
        if key in in_flight:
            return Standing.IN_FLIGHT
        if key in failed:
            return Standing.FAILED
        if key not in applied:
            return Standing.PENDING
        return Standing.EDITED if is_edited(migration, record) else Standing.APPLIED

    rows = [_row(one.id, standing(one), one, failed.get(key_of(kind, one.id), "")) for one in release.shipped]
    shipped = [one.id for one in release.shipped]
    covered = covered_by(kind, release, known)
    for name in missing_from(kind, record.in_flight, shipped):
        rows.append(_row(name, Standing.IN_FLIGHT, known.worst(kind, name)))
    for name in missing_from(kind, record.failed, shipped):
        rows.append(_row(name, Standing.FAILED, known.worst(kind, name), record.failed[name]))
    for name in missing_from(kind, record.applied, shipped):
        one = known.worst(kind, name)
        beyond = Standing.UNKNOWN if one is None else Standing.BEYOND
        rows.append(_row(name, Standing.REPLACED if key_of(kind, name) in covered else beyond, one))
    counts = {state.value: sum(row["state"] == state.value for row in rows) for state in Standing}
    return {"kind": kind.value, "counts": counts, "migrations": rows}


def _row(name: str, standing: Standing, migration: Migration | None, why: str = "") -> dict[str, Any]:
    return {
        "id": name,
        "state": standing.value,
        "verdict": migration.verdict.value if migration is not None else None,
        "words": why or (migration.words if migration is not None else ""),
    }
