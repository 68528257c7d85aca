"""What real Prisma has written, recorded by ``scripts/prisma.py``, is read as what it means."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fairway.engine.contract.manifest import Migration, Migrations, MigratorKind, Verdict
from fairway.engine.contract.names import Digest
from fairway.engine.schema.known import Known
from fairway.engine.schema.passage import Reason, to_release
from fairway.engine.schema.record import Record, is_edited, read_record
from fairway.engine.schema.tables import lines_of, parse_tables

PRISMA = MigratorKind.PRISMA
STAGES: dict[str, Any] = json.loads(Path(__file__).with_name("prisma.json").read_text(encoding="utf-8"))["stages"]
INIT, NOTES, FAILS, SLEEPS, SQUASHED = (
    "20260101000000_init",
    "20260102000000_notes",
    "20260103000000_fails",
    "20260104000000_sleeps",
    "20260105000000_squashed",
)


def recorded(stage: str) -> Record:
    return read_record(PRISMA, parse_tables(STAGES[stage]["lines"]), Known([]))


def shipped(stage: str) -> Migrations:
    """Return a release with the folders that lay there at a stage."""
    files = STAGES[stage]["files"]
    return Migrations(
        kind=PRISMA,
        shipped=tuple(
            Migration(name, Digest(f"sha256:{sha}"), Verdict.EXPAND, Verdict.EXPAND) for name, sha in files.items()
        ),
    )


@pytest.mark.parametrize(
    ("stage", "applied", "failed", "in_flight"),
    [
        ("applied", (INIT, NOTES), (), ()),
        ("failed", (INIT, NOTES), (FAILS,), ()),
        ("rolled back", (INIT, NOTES), (), ()),
        ("applied after all", (INIT, NOTES, FAILS), (), ()),
        ("killed", (INIT, NOTES, FAILS), (), (SLEEPS,)),
        ("said to be applied", (INIT, NOTES, FAILS, SLEEPS), (), ()),
        ("edited", (INIT, NOTES, FAILS, SLEEPS), (), ()),
        ("squashed", (INIT, NOTES, FAILS, SLEEPS, SQUASHED), (), ()),
    ],
)
def test_each_stage_of_a_database_is_read_as_what_happened(
    stage: str, applied: tuple[str, ...], failed: tuple[str, ...], in_flight: tuple[str, ...]
) -> None:
    record = recorded(stage)
    assert (record.applied, tuple(record.failed), record.in_flight) == (applied, failed, in_flight)
    assert lines_of(parse_tables(STAGES[stage]["lines"])) == tuple(f"prisma {name}" for name in applied)


def test_every_stage_was_recorded() -> None:
    assert set(STAGES) == {
        *("applied", "failed", "rolled back", "applied after all", "killed", "said to be applied", "edited"),
        "squashed",
    }


def test_the_database_s_words_on_a_failure_are_told() -> None:
    assert "No such table: Nobody" in recorded("failed").failed[FAILS]


@pytest.mark.parametrize(("stage", "edited"), [("said to be applied", []), ("edited", [SLEEPS])])
def test_the_checksum_is_the_sha256_of_the_file_s_bytes(stage: str, edited: list[str]) -> None:
    record = recorded(stage)
    assert len(record.checksums) == len(record.applied)
    assert [one.id for one in shipped(stage).shipped if is_edited(one, record)] == edited


@pytest.mark.parametrize(("stage", "reason"), [("failed", Reason.FAILED), ("killed", Reason.IN_FLIGHT)])
def test_what_did_not_come_to_its_end_stands_in_the_way(stage: str, reason: Reason) -> None:
    release = shipped(stage)
    found = to_release(release, None, recorded(stage), Known([release]), migrates=True)
    assert [one.reason for one in found.obstacles] == [reason]


def test_a_squash_that_prisma_was_told_of_lets_a_rollback_through_when_the_release_says_so() -> None:
    release = shipped("squashed")
    silent = to_release(release, None, recorded("squashed"), Known([release]), migrates=False)
    assert {one.reason for one in silent.obstacles} == {Reason.UNKNOWN}
    telling = replace(release, shipped=(replace(release.shipped[0], replaces=(INIT, NOTES, FAILS, SLEEPS)),))
    assert to_release(telling, None, recorded("squashed"), Known([telling]), migrates=False).free
    # And to before it, as long as the bytes are those that were applied.
    before = shipped("said to be applied")
    assert to_release(before, None, recorded("squashed"), Known([before, telling]), migrates=False).free


def test_before_prisma_is_told_of_a_squash_its_migrator_is_not_let_run_it() -> None:
    old = shipped("said to be applied")
    release = shipped("squashed")
    telling = replace(release, shipped=(replace(release.shipped[0], replaces=(INIT, NOTES, FAILS, SLEEPS)),))
    found = to_release(telling, old, recorded("said to be applied"), Known([old, telling]), migrates=True)
    assert [(one.reason, one.migration) for one in found.obstacles] == [(Reason.SQUASHED, SQUASHED)]
