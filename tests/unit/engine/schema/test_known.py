"""Whose word on migrations counts on a host: that of releases which the gate let in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fairway.engine.contract.manifest import MigratorKind, Release
from fairway.engine.contract.names import Slot
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.schema.known import kept_releases
from fairway.engine.state import Occupant, State
from tests.unit.engine.schema.shipped import migrations
from tests.unit.engine.test_recovery import _stored


@pytest.mark.parametrize(
    ("record", "counts"),
    [
        ({"outcome": "failed", "steps": {}}, False),
        ({"outcome": "failed"}, False),
        # Its migrations may have been applied before it failed.
        ({"outcome": "failed", "steps": {"verify": 0.1, "migrate": 2.0}}, True),
        ({"outcome": "succeeded"}, True),
        (None, False),
    ],
)
def test_a_release_that_the_gate_refused_says_nothing_of_any_migration(
    layout: Layout, release: Release, record: dict[str, Any] | None, counts: bool
) -> None:
    telling = replace(release, migrations=migrations(MigratorKind.PRISMA, "1"))
    stored = _stored(layout, telling, "a1" * 20)
    if record is not None:
        Ledger(layout.ledger).append(action="deploy", release=stored.name, **record)
    assert [one.name for one in kept_releases(layout)] == ([stored.name] if counts else [])


def test_the_release_that_serves_counts_by_the_host_s_own_state(layout: Layout, release: Release) -> None:
    stored = _stored(layout, release, "a1" * 20)
    active = Occupant(Slot.BLUE, stored.release.tag, stored.name, "20260131-110000-000000", "2026-01-31T11:00:00Z", "a")
    State(active, None).write(layout.state)
    assert [one.name for one in kept_releases(layout)] == [stored.name]
