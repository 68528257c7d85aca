"""The backups of every environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fairway.engine.contract.errors import Failed
from fairway.engine.contract.protocol import Operation
from tests.unit.dashboard.hosts import Host, dashboard, status
from tests.unit.observe.records import entry, tag

LIST = {
    "backups": [
        {
            "id": "20260630-110000-000000",
            "taken_at": "2026-06-30T11:00:00.000Z",
            "tag": tag("a"),
            "reason": "deploy",
            "size_bytes": 3 * 2**20,
            "rows": 1200,
            "encrypted_to": ["age1x"],
        }
    ],
    "old_databases": ["app_before_20260630"],
    "unreadable": [],
}


def _failed(**args: Any) -> dict[str, Any]:
    raise Failed("Docker does not answer")


def test_backups_with_their_drills_and_what_a_host_warns_of(tmp_path: Path) -> None:
    staging, production = Host(), Host()
    staging.answers[Operation.BACKUP_LIST] = LIST
    staging.answers[Operation.STATUS] = status(backups={"warnings": ["overdue: fairway backup create <environment>"]})
    drill = {"n": 4, **entry(0.5, "drill", "a", "failed", error={"what": "a table has fewer rows"})}
    staging.entries = [*staging.entries, {**drill, "tag": None, "backup": "20260630-110000-000000"}]
    production.answers[Operation.BACKUP_LIST] = _failed
    with dashboard(tmp_path, {"staging": staging, "production": production}) as client:
        first, second = client.get("/api/backups").json()
        page = client.get("/backups").text
    assert first["warnings"] == ["overdue: fairway backup create staging"]
    assert (first["total_bytes"], first["backups"][0]["encrypted"]) == (3 * 2**20, True)
    assert (first["drill"]["outcome"], first["drill"]["remark"]) == ("failed", "a table has fewer rows")
    assert second["problem"]["what"] == "Docker does not answer"
    assert all(words in page for words in ("3.0 MiB", "1,200", "app_before_20260630", "Docker does not answer"))


def test_hosts_are_not_asked_again_for_every_look(tmp_path: Path) -> None:
    hosts = {"staging": Host(), "production": Host()}
    for host in hosts.values():
        host.answers[Operation.BACKUP_LIST] = LIST
    with dashboard(tmp_path, hosts) as client:
        for _ in range(3):
            client.get("/backups")
    asked = [operation for host in hosts.values() for operation, _ in host.asked]
    assert asked.count(Operation.BACKUP_LIST) == 2
