"""What a host's ledger and releases mean for which of its backups stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fairway.engine.backups.retaining import decide
from fairway.engine.backups.store import Backup, Reason
from fairway.engine.backups.upkeep import Upkeep
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.hostconfig import Backups, HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger

ONE = HostConfig(
    *("shop", "staging", "3000", "haproxy:3.0", False),
    backups=Backups(keep=1),
    upkeep=Upkeep(daily=0, weekly=0, monthly=0),
)
NOW = datetime.now(UTC)
KEPT, GONE = Tag("sha-" + "a" * 40), Tag("sha-" + "b" * 40)


def backup(days_ago: int, reason: Reason = Reason.SCHEDULED) -> Backup:
    at = NOW - timedelta(days=days_ago)
    return Backup(
        id=at.strftime("%Y%m%d-%H%M%S-%f"),
        taken_at=at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        tag=None,
        database="shop",
        server_version=170000,
        database_bytes=2**20,
        size_bytes=1,
        sha256=Digest.of(b""),
        encrypted_to=(),
        tables=None,
        reason=reason,
    )


def test_the_backup_of_a_deployment_stays_as_long_as_its_release(layout: Layout) -> None:
    nightly, of_kept, of_gone, old = backup(0), backup(5, Reason.DEPLOY), backup(6, Reason.DEPLOY), backup(7)
    layout.release(KEPT).mkdir(parents=True)
    for tag, one in ((KEPT, of_kept), (GONE, of_gone)):
        Ledger(layout.ledger).append(action="deploy", outcome="succeeded", tag=tag, deployment=one.id)
    found = decide(layout, ONE, [nightly, of_kept, of_gone, old])
    assert [one.id for one in found if one.stays] == [nightly.id, of_kept.id]
    assert found[1].why == ("the only one of a deployment that is kept",)
    by_day = replace(ONE, upkeep=Upkeep(daily=3, weekly=0, monthly=0))
    assert [one.stays for one in decide(layout, by_day, [nightly, of_kept, of_gone, old])] == [True, True, True, False]


def test_one_that_a_drill_found_unsound_does_not_push_a_good_one_out(layout: Layout) -> None:
    bad, good = backup(0), backup(1)
    ledger = Ledger(layout.ledger)
    ledger.append(action="drill", outcome="succeeded", backup=bad.id, restored=True)
    ledger.append(action="drill", outcome="failed", backup=bad.id, unsound=False)
    assert [one.stays for one in decide(layout, ONE, [bad, good])] == [True, False]
    ledger.append(action="drill", outcome="failed", backup=bad.id, unsound=True)
    assert [one.stays for one in decide(layout, ONE, [bad, good])] == [True, True]
    # Its bytes are those that were written, which is not what was wrong with it.
    ledger.append(action="drill", outcome="succeeded", backup=bad.id, restored=False)
    assert [one.stays for one in decide(layout, ONE, [bad, good])] == [True, True]
    ledger.append(action="drill", outcome="succeeded", backup=bad.id, restored=True)
    assert [one.stays for one in decide(layout, ONE, [bad, good])] == [True, False]


def test_one_that_was_found_unsound_stays_until_a_drill_has_restored_a_newer_one(layout: Layout) -> None:
    newest, newer, bad = backup(0), backup(1), backup(2)
    ledger = Ledger(layout.ledger)
    ledger.append(action="drill", outcome="failed", backup=bad.id, unsound=True)
    assert [one.stays for one in decide(layout, ONE, [newest, newer, bad])] == [True, False, True]
    ledger.append(action="drill", outcome="succeeded", backup=newer.id, restored=True)
    assert [one.stays for one in decide(layout, ONE, [newest, newer, bad])] == [True, True, False]


def test_a_host_without_backups_has_nothing_to_decide(layout: Layout) -> None:
    assert decide(layout, ONE, []) == ()
