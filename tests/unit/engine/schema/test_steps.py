"""What a deployment does with what the database has on record: before anything is touched, and after the migrator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fairway.engine import runner
from fairway.engine.contract.manifest import MigratorKind, Release
from fairway.engine.contract.names import Slot
from fairway.engine.deployment import Action, read_request
from fairway.engine.ledger import Ledger
from fairway.engine.schema.tables import Table
from tests.unit.engine.schema.shipped import migrations, prisma, table
from tests.unit.engine.test_recovery import Scene

SHIPPED = migrations(MigratorKind.PRISMA, "1", "2")


def _on_record(*names: str) -> tuple[Table, ...]:
    return (table("_prisma_migrations", *(prisma(name, "applied", at) for at, name in enumerate(names))),)


def _carry_out(
    directory: Path, release: Release, action: Action, tables: tuple[Table, ...] | None, *, forced: str = ""
) -> tuple[Scene, dict[str, Any]]:
    scene = Scene(directory, release, action=action, warm=False)
    scene.world.tables = tables
    stored = replace(scene.new, release=replace(scene.new.release, migrations=SHIPPED))
    scene.request = replace(scene.request, forced=forced)
    scene.request.write(scene.layout)
    runner.carry_out(scene.deployment(stored=stored))
    (entry,) = Ledger(scene.layout.ledger).entries()
    return scene, entry


def test_a_rollback_that_does_not_fit_is_refused_before_anything_is_touched(tmp_path: Path, release: Release) -> None:
    scene, entry = _carry_out(tmp_path, release, Action.ROLLBACK, _on_record("1", "2", "strange"))
    assert (entry["outcome"], entry["error"]["exit_code"]) == ("failed", 3)
    assert entry["error"]["why"] == "strange: is applied, and no release on this host says what it is"
    assert list(entry["steps"]) == ["verify"]
    assert (scene.world.serving, set(scene.world.containers)) == ({Slot.BLUE}, {Slot.BLUE})


def test_a_forced_rollback_keeps_its_reason_and_what_it_was_forced_over(tmp_path: Path, release: Release) -> None:
    scene, entry = _carry_out(tmp_path, release, Action.ROLLBACK, _on_record("1", "2", "strange"), forced="I know it")
    assert (entry["outcome"], scene.world.serving) == ("succeeded", {Slot.GREEN})
    assert entry["forced"]["reason"] == "I know it"
    assert [line.split(":")[0] for line in entry["forced"]["over"]] == ["strange"]


def test_what_needed_no_force_was_not_forced(tmp_path: Path, release: Release) -> None:
    _, entry = _carry_out(tmp_path, release, Action.ROLLBACK, _on_record("1", "2"), forced="I know it")
    assert entry["outcome"] == "succeeded"
    assert "forced" not in entry


@pytest.mark.parametrize("tables", [None, _on_record("1")], ids=["away", "behind"])
def test_a_rollback_without_what_it_needs_is_refused(
    tmp_path: Path, release: Release, tables: tuple[Table, ...] | None
) -> None:
    _, entry = _carry_out(tmp_path, release, Action.ROLLBACK, tables)
    assert entry["error"]["exit_code"] == 3


@pytest.mark.parametrize(("applied", "exit_code"), [(("1",), None), (("1", "2"), 3)])
def test_a_rollback_to_one_without_a_kind_is_held_against_what_the_release_that_serves_knows(
    tmp_path: Path, release: Release, applied: tuple[str, ...], exit_code: int | None
) -> None:
    serving = replace(release, migrations=migrations(MigratorKind.PRISMA, "1", "2!"))
    scene = Scene(tmp_path, serving, action=Action.ROLLBACK, warm=False)
    scene.world.tables = _on_record(*applied)
    stored = replace(scene.new, release=replace(scene.new.release, migrations=migrations(None)))
    runner.carry_out(scene.deployment(stored=stored))
    (entry,) = Ledger(scene.layout.ledger).entries()
    assert (entry.get("error") or {}).get("exit_code") == exit_code


def test_a_migrator_is_believed_when_the_database_agrees(tmp_path: Path, release: Release) -> None:
    scene, entry = _carry_out(tmp_path, release, Action.DEPLOY, _on_record("1", "2"))
    assert (entry["outcome"], scene.world.migrations_run) == ("succeeded", 1)
    assert "missing" not in entry["schema"]


def test_a_migrator_that_ended_well_and_applied_nothing_is_not_believed(tmp_path: Path, release: Release) -> None:
    scene, entry = _carry_out(tmp_path, release, Action.DEPLOY, _on_record("1"))
    assert (entry["outcome"], scene.world.migrations_run, scene.world.serving) == ("failed", 1, {Slot.BLUE})
    assert entry["schema"]["missing"] == ["2"]
    assert "not applied: 2" in entry["error"]["why"]


def test_failed_rows_are_told_before_the_migrator_runs(tmp_path: Path, release: Release) -> None:
    failed = (table("_prisma_migrations", prisma("1", "applied"), prisma("2", "failed", 1)),)
    scene, entry = _carry_out(tmp_path, release, Action.DEPLOY, failed)
    assert (entry["error"]["exit_code"], scene.world.migrations_run) == (3, 0)
    assert "prisma migrate resolve" in entry["error"]["hint"]


def test_a_database_elsewhere_is_not_checked_and_that_is_said(tmp_path: Path, release: Release) -> None:
    scene, entry = _carry_out(tmp_path, release, Action.DEPLOY, None)
    assert (entry["outcome"], scene.world.migrations_run) == ("succeeded", 1)
    journal = (scene.layout.deployment(scene.request.id) / "journal.jsonl").read_text()
    assert "not checked: the database is none of this project's" in journal


def test_a_request_from_before_there_was_force_is_read(tmp_path: Path, release: Release) -> None:
    scene = Scene(tmp_path, release, action=Action.ROLLBACK, warm=False)
    path = scene.layout.deployment(scene.request.id) / "request.json"
    path.write_text(path.read_text().replace('  "forced": "",\n', ""))
    assert read_request(scene.layout, scene.request.id) == scene.request
