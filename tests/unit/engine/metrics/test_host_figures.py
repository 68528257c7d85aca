"""A host's figures, from what is on its disk: counted, and not taken down by what cannot be looked at."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from fairway.engine.backups.schedule import Schedule
from fairway.engine.backups.upkeep import Upkeep
from fairway.engine.contract.environment import EnvironmentFile
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.doctor import examine
from fairway.engine.gate.hold import take_hold
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import Lock
from fairway.engine.metrics import collect, site
from fairway.engine.metrics.command import metrics
from fairway.engine.metrics.tally import Tally, tally

HOST = HostConfig("shop", "staging", "3000", "haproxy:3.0", False)
REFERENCE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "metrics.md"
SITE = """
server { listen 80; server_name www.example.com; }
server { listen 443 ssl; server_name www.example.com; ssl_certificate /c.pem; }
"""


def entry(action: str, outcome: str, seconds: float = 4.0, **more: Any) -> dict[str, Any]:
    return {"action": action, "outcome": outcome, "seconds": seconds, "at": "2026-01-31T12:00:00.000Z", **more}


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(found: dict[str, Metric], name: str, /, **labels: str) -> float:
    values = [
        sample.value
        for sample in found[name.removesuffix("_total")].samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    (only,) = values
    return float(only)


@pytest.fixture(autouse=True)
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host whose Docker does not answer, and that has no site."""

    def refuse(*arguments: object, **more: object) -> None:
        raise Failed("Docker does not answer")

    monkeypatch.setattr(collect, "observe", refuse)
    monkeypatch.setattr(collect, "run", refuse)
    monkeypatch.setattr(site, "SITES", tmp_path / "conf.d")


def test_the_ledger_is_counted_by_what_for_and_how_it_ended(layout: Layout) -> None:
    ledger = Ledger(layout.ledger)
    for outcome, seconds in (("succeeded", 0.4), ("succeeded", 45), ("failed", 4000)):
        ledger.append(action="deploy", outcome=outcome, seconds=seconds, by="jane", deployment="d")
    ledger.append(action="prune", outcome="succeeded", seconds=1, by="jane")
    layout.ledger.open("ab").write(b'{"cut')
    found = families(collect.expose(layout, HOST))
    assert value(found, "fairway_deployments_total", action="deploy", outcome="succeeded") == 2
    assert value(found, "fairway_deployments_total", action="deploy", outcome="failed") == 1
    # There before it first happens, so that the first one is an increase.
    assert value(found, "fairway_deployments_total", action="rollback", outcome="failed") == 0
    name = "fairway_deployment_duration_seconds"
    counts = [
        sample.value
        for sample in found[name].samples
        if sample.labels.get("action") == "deploy" and sample.labels.get("le") in ("1", "30", "60", "1800", "+Inf")
    ]
    assert counts == [1, 1, 2, 2, 3]
    assert value(found, "fairway_last_deployment_outcome", outcome="failed") == 1
    assert value(found, "fairway_last_deployment_outcome", outcome="succeeded") == 0


def test_the_last_of_each_kind_is_kept_with_the_last_that_succeeded() -> None:
    counted = tally(
        [
            entry("drill", "succeeded", restored=True),
            None,
            {**entry("drill", "failed"), "at": "2026-02-01T12:00:00.000Z"},
            {"action": "deploy", "outcome": "succeeded", "at": "not a time", "seconds": "long"},
        ]
    )
    assert counted.success_at("drill") == datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()
    assert counted.last["drill"]["outcome"] == "failed"
    assert counted.success_at("deployment") is None
    assert counted.ended["deploy", "succeeded"] == 1
    assert counted.durations["deploy"].counts[-1] == 0


def test_what_cannot_be_looked_at_leaves_the_rest(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    found = families(collect.expose(layout, HOST))
    fine = {sample.labels["collector"]: sample.value for sample in found["fairway_collector_success"].samples}
    assert fine == {**dict.fromkeys(collect.COLLECTORS, 1.0), "serving": 0.0}
    assert capsys.readouterr().err == "serving: Docker does not answer\n"
    assert value(found, "fairway_disk_free_bytes", where="deploy_path") > 0
    assert "fairway_ready" not in found


def test_a_lock_says_its_kind_and_since_when_and_nobody_is_named(layout: Layout) -> None:
    assert value(families(collect.expose(layout, HOST)), "fairway_lock_held", kind="hold") == 0
    take_hold(layout, by="jane@example.com", reason="tax season")
    lock = Lock.acquire(layout.lock, by="joe@example.com", purpose="deploy")
    text = collect.expose(layout, HOST)
    lock.release()
    found = families(text)
    for kind in ("hold", "deployment"):
        assert value(found, "fairway_lock_held", kind=kind) == 1
        assert value(found, "fairway_lock_since_timestamp_seconds", kind=kind) > 1.7e9
    assert "jane" not in text
    assert "joe" not in text
    assert "tax" not in text


def test_a_backup_that_should_be_there_and_is_not_is_overdue(layout: Layout) -> None:
    host = replace(HOST, upkeep=Upkeep(schedule=Schedule("daily"), drill=Schedule("weekly")))
    found = families(collect.expose(layout, host))
    assert value(found, "fairway_backup_overdue") == 1
    assert value(found, "fairway_backups") == 0
    # There is nothing to try yet.
    assert value(found, "fairway_drill_overdue") == 0
    assert "fairway_backup_overdue" not in families(collect.expose(layout, HOST))


def test_the_certificate_is_the_one_that_visitors_are_shown(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert site.read_sites(SITE) == [site.Site("www.example.com", tls=True)]
    assert site.read_sites(SITE.split("\n")[1]) == [site.Site("www.example.com", tls=False)]
    assert site.read_end("notAfter=Jan 31 12:00:00 2030 GMT\n") == 1896091200
    with pytest.raises(Failed, match="cannot read"):
        site.read_end("unable to load certificate")
    monkeypatch.setattr(collect, "certificate_ends", lambda host: iter([("www.example.com", 1896091200.0)]))
    found = families(collect.expose(layout, HOST))
    assert value(found, "fairway_certificate_not_after_timestamp_seconds", name="www.example.com") == 1896091200


def test_the_file_is_replaced_in_one_piece_for_others_to_read(layout: Layout, tmp_path: Path) -> None:
    host = replace(HOST, textfile=str(tmp_path / "text"))
    host.write(layout.host_config)
    with pytest.raises(Failed, match="there is no directory"):
        metrics(["--write"], layout)
    (tmp_path / "text").mkdir()
    metrics(["--write"], layout)
    (path,) = (tmp_path / "text").iterdir()
    assert path.name == "fairway-shop-staging.prom"
    assert path.stat().st_mode & 0o777 == 0o644
    assert "fairway_engine_info" in families(path.read_text())
    with pytest.raises(Invalid, match="usage"):
        metrics(["--output", "/etc/passwd"], layout)


def test_the_reference_has_every_metric_and_no_other() -> None:
    source = Path(collect.__file__).parent
    named = set()
    for path in source.glob("*.py"):
        named |= set(re.findall(r'"(fairway_[a-z_]+)"', path.read_text()))
    counted = tally([entry(kind, "succeeded", restored=True) for kind in ("backup", "drill", "backup-copy", "deploy")])
    named |= {family.name for made in (Tally.deployments, Tally.upkeep) for family in made(counted)}
    assert len(named) > 20
    told = set(re.findall(r"^\| `(fairway_[a-z_]+)", REFERENCE.read_text(), re.MULTILINE))
    assert named == told


def test_the_doctor_says_when_the_figures_have_no_place(layout: Layout, tmp_path: Path) -> None:
    def look() -> list[dict[str, Any]]:
        found = examine(layout, [], EnvironmentFile(".env.production", ()))
        return [check for check in found if check["name"] == "metrics"]

    HOST.write(layout.host_config)
    assert look() == []
    replace(HOST, textfile=str(tmp_path / "text")).write(layout.host_config)
    (check,) = look()
    assert not check["ok"]
    assert f"--collector.textfile.directory={tmp_path}/text" in check["hint"]
    (tmp_path / "text").mkdir()
    (check,) = look()
    assert check["ok"]
