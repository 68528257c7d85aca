"""When a deployment takes a backup: whenever something is, or may be, to be migrated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fairway.engine.contract.manifest import Release
from fairway.engine.contract.names import Digest, Slot
from fairway.engine.deployment import Action, Deployment, Request
from fairway.engine.hostconfig import Backups, HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.state import Occupant, State
from fairway.engine.steps.backup import Backup
from tests.unit.engine.test_recovery import _stored

FILES = {"0001.sql": Digest.of(b"1")}
MORE = {**FILES, "0002.sql": Digest.of(b"2")}


@pytest.mark.parametrize(
    ("action", "asked", "before", "after", "record", "needed"),
    [
        (Action.DEPLOY, True, FILES, MORE, ("deploy",), True),
        (Action.DEPLOY, True, FILES, FILES, ("deploy",), False),
        (Action.DEPLOY, True, FILES, FILES, ("deploy", "restore"), True),
        (Action.DEPLOY, True, FILES, FILES, ("restore", "deploy"), False),
        (Action.DEPLOY, True, {}, {}, ("deploy",), True),
        (Action.DEPLOY, False, FILES, MORE, ("deploy",), False),
        (Action.ROLLBACK, True, MORE, FILES, ("deploy",), False),
    ],
)
def test_a_backup_is_taken_unless_it_is_known_that_nothing_is_to_be_migrated(
    tmp_path: Path,
    release: Release,
    action: Action,
    asked: bool,
    before: dict[str, Digest],
    after: dict[str, Digest],
    record: tuple[str, ...],
    needed: bool,
) -> None:
    layout = Layout(tmp_path)
    layout.create()
    old, new = (
        _stored(layout, replace(release, migrations=replace(release.migrations, files=files)), commit * 20)
        for files, commit in ((before, "a1"), (after, "b2"))
    )
    for done in record:
        Ledger(layout.ledger).append(action=done, outcome="succeeded")
    active = Occupant(Slot.BLUE, old.release.tag, old.name, "20260131-110000-000000", "2026-01-31T11:00:00.000Z", "ada")
    request = Request(
        "20260131-120000-000000", action, new.release.tag, new.name, Slot.GREEN, "ada", State(active, None)
    )
    host = HostConfig("capakraken", "staging", "3000", "haproxy:3.0", False, backups=Backups(before_migrations=asked))
    assert Backup().needed(Deployment(layout, host, request)) is needed
