"""When a deployment takes a backup: whenever something is, or may be, to be migrated."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from fairway.engine.accept import Acceptance, Asked
from fairway.engine.backups.before import absent, refuse_down
from fairway.engine.contract.errors import Failed, Unreachable
from fairway.engine.contract.manifest import Release
from fairway.engine.contract.names import Digest, Slot
from fairway.engine.deployment import Action, Deployment, Request
from fairway.engine.drivers import Container
from fairway.engine.drivers.containers import SERVICE_LABEL, Containers
from fairway.engine.hostconfig import Backups, HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.process import Completed
from fairway.engine.redact import Redactor
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


@pytest.mark.parametrize(
    ("record", "unchanged"),
    [
        ((("deploy", "succeeded"),), True),
        ((("deploy", "succeeded"), ("restore", "succeeded")), False),
        ((("deploy", "succeeded"), ("restore", "succeeded"), ("rollback", "succeeded")), False),
        ((("deploy", "succeeded"), ("restore", "failed")), True),
        ((("deploy", "succeeded"), ("restore", "succeeded"), ("deploy", "failed")), False),
        ((("restore", "succeeded"), ("deploy", "succeeded")), True),
    ],
)
def test_after_a_restore_the_release_that_serves_is_deployed_again_for_its_migrations(
    tmp_path: Path,
    release: Release,
    monkeypatch: pytest.MonkeyPatch,
    record: tuple[tuple[str, str], ...],
    unchanged: bool,
) -> None:
    layout = Layout(tmp_path)
    layout.create()
    stored = _stored(layout, release, "a1" * 20)
    for action, outcome in record:
        Ledger(layout.ledger).append(action=action, outcome=outcome)
    host = HostConfig("capakraken", "staging", "3000", "haproxy:3.0", False)
    accept = Acceptance(layout, host)
    monkeypatch.setattr(accept, "_already_serves", lambda state, named: True)
    monkeypatch.setattr("fairway.engine.accept.check_release", lambda manifest, bundle: stored)
    monkeypatch.setattr("fairway.engine.accept.plan", lambda deployment: [])
    asked = Asked(by="ada", notice=lambda line: None)
    assert accept.plan_deploy(b"", b"", asked)["unchanged"] is unchanged


def _container(service: str, image: str, status: str) -> Container:
    labels = {SERVICE_LABEL: service}
    return Container(f"shop-{service}-1", status, 0, False, None, image, "", "", (), labels=labels)


@pytest.mark.parametrize(
    ("service", "known", "present", "refused"),
    [
        ("db", None, [_container("db", "own/base:1", "restarting")], True),
        ("db", None, [_container("db", "own/base:1", "exited")], True),
        ("db", "db", [_container("app", "own/app:1", "running")], True),
        # It comes with this release.
        ("db", None, [_container("app", "own/app:1", "running")], False),
        (None, None, [_container("db", "postgres:17", "restarting")], True),
        (None, None, [_container("psql", "postgres:17", "exited")], False),
        (None, None, [_container("db", "own/base:1", "restarting")], False),
    ],
)
def test_a_database_that_is_there_and_does_not_run_is_no_reason_to_go_without_a_backup(
    service: str | None, known: str | None, present: list[Container], refused: bool
) -> None:
    with pytest.raises(Failed, match="does not run") if refused else nullcontext():
        refuse_down(present, service, known=known)


def test_a_daemon_that_does_not_answer_is_not_taken_for_a_host_without_a_database(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    containers = Containers(layout, Redactor({}))
    monkeypatch.setattr(containers, "run", lambda argv: Completed(1, "", "Cannot connect to the Docker daemon"))
    with pytest.raises(Unreachable, match="does not answer"):
        containers.of_project("shop")


def test_a_deployment_without_a_backup_says_what_to_set() -> None:
    assert "compose.database_service" in absent(None)
