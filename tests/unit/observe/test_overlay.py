"""The monitoring overlay: what it watches for which hosts, and that the programs it is for take what is written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fairway.config import load
from fairway.engine.contract.errors import Invalid
from fairway.observe.overlay import Overlay, Owner, Pace, files, plan, write
from fairway.observe.overlay.files import COMPOSE, IMAGES, Outcome
from testbed.images import MONITORING

ROOT = Path(__file__).resolve().parents[3]
DOCKER = shutil.which("docker", path=ROOT / ".testbed" / "bin") or shutil.which("docker")
PROMTOOL = shutil.which("promtool") or shutil.which("promtool", path=ROOT / ".testbed" / "bin")

CONFIG = """
project = "shop"
[images]
app = "ghcr.io/acme/shop-app"
migrator = "ghcr.io/acme/shop-migrator"
[environments.staging]
hosts = ["deploy@staging", "deploy@10.1.2.3"]
deploy_path = "/opt/shop"
port = 3000
textfile = "/var/lib/fairway-metrics"
[environments.preview]
hosts = ["ssh://deploy@staging:2222"]
deploy_path = "/opt/preview"
port = "127.0.0.1:3001"
textfile = "/var/lib/preview"
[environments.production]
hosts = ["deploy@www.example.com"]
deploy_path = "/opt/shop"
port = "127.0.0.1:3000"
admin = "root"
textfile = "/var/lib/fairway-metrics"
[environments.production.site]
name = "shop.example.com"
tls = "files"
certificate = "/c.pem"
certificate_key = "/k.pem"
"""


def _plan(tmp_path: Path, text: str = CONFIG, **options: Any) -> Overlay:
    (tmp_path / "fairway.toml").write_text(text)
    config = load(tmp_path / "fairway.toml", {})
    environments = [config.environment(name) for name in config.environment_order]
    return plan(config.project, environments, config.readiness.path, **options)


def _read(made: Overlay, path: str) -> Any:
    (text,) = (one.text for one in files(made) if one.path == path)
    return YAML(typ="safe").load(text)


def _targets(made: Overlay, job: str) -> list[str]:
    jobs = {one["job_name"]: one for one in _read(made, "prometheus/prometheus.yml")["scrape_configs"]}
    return [target for group in jobs[job]["static_configs"] for target in group["targets"]]


def test_the_host_it_stands_on_is_seen_from_within_and_the_others_by_their_names(tmp_path: Path) -> None:
    made = _plan(tmp_path, on="staging")
    assert _targets(made, "node") == ["node-exporter:9100", "10.1.2.3:9100", "www.example.com:9100"]
    assert made.textfiles == ("/var/lib/fairway-metrics", "/var/lib/preview")
    assert made.names == {"staging": "host-gateway"}
    assert _targets(made, "fairway-blackbox") == [
        "http://staging:3000/api/ready",
        "http://10.1.2.3:3000/api/ready",
        "https://shop.example.com/api/ready",
    ]


def test_from_a_machine_apart_every_host_is_asked_by_its_name(tmp_path: Path) -> None:
    made = _plan(tmp_path, addresses={"staging": "10.1.2.2"})
    assert _targets(made, "node") == ["node-exporter:9100", "10.1.2.3:9100", "staging:9100", "www.example.com:9100"]
    assert made.textfiles == ()
    services = _read(made, COMPOSE)["services"]
    assert services["prometheus"]["extra_hosts"] == services["blackbox"]["extra_hosts"] == {"staging": "10.1.2.2"}
    assert not [note for note in made.notes if "--address" in note]


def test_what_is_not_watched_or_may_not_be_reached_is_said(tmp_path: Path) -> None:
    (door, alias) = _plan(tmp_path).notes
    assert "--front-door preview=https://" in door
    assert "--address staging=" in alias
    made = _plan(tmp_path, on="staging", front_doors={"preview": "https://preview.example.com"})
    assert made.notes == ()
    assert "https://preview.example.com/api/ready" in _targets(made, "fairway-blackbox")


def test_this_machine_is_reached_from_a_container_by_dockers_name_for_it(tmp_path: Path) -> None:
    text = CONFIG.replace('"deploy@staging", "deploy@10.1.2.3"', '"local"')
    made = _plan(tmp_path, text, on="staging", addresses={"staging": "10.1.2.2"})
    assert "http://host.docker.internal:3000/api/ready" in _targets(made, "fairway-blackbox")
    assert made.names["host.docker.internal"] == "host-gateway"
    with pytest.raises(Invalid, match="under no name") as raised:
        _plan(tmp_path, text)
    assert raised.value.hint.endswith("--on staging")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"front_doors": {"nowhere": "https://x.example.com"}}, "not in fairway.toml"),
        ({"front_doors": {"preview": "https://user:word@x.example.com"}}, "not of the form"),
        ({"front_doors": {"preview": "https://x.example.com/api"}}, "not of the form"),
        ({"addresses": {"nowhere": "10.0.0.1"}}, "not in fairway.toml"),
        ({"addresses": {"staging": "elsewhere.example.com"}}, "not an IP address"),
    ],
)
def test_what_is_given_wrongly_is_refused_without_repeating_a_password(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid, match=said) as raised:
        _plan(tmp_path, **options)
    assert "word" not in str(raised.value.as_json())


def test_nothing_to_watch_is_refused(tmp_path: Path) -> None:
    text = CONFIG[: CONFIG.index("[environments.staging]")] + (
        '[environments.staging]\nhosts = ["a.example.com"]\ndeploy_path = "/opt/x"\nport = "127.0.0.1:3000"\n'
    )
    with pytest.raises(Invalid, match="nothing to watch"):
        _plan(tmp_path, text)


@pytest.mark.parametrize("on", [None, "staging", "production"])
def test_prometheus_takes_what_is_written(tmp_path: Path, on: str | None) -> None:
    write(tmp_path / "monitoring", files(_plan(tmp_path, on=on)))
    assert PROMTOOL, "promtool is not installed: scripts/test-tools.sh unit"
    command = [PROMTOOL, "check", "config", "prometheus/prometheus.yml"]
    done = subprocess.run(command, cwd=tmp_path / "monitoring", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


#: For each of its own alerts: series with their values a minute, when it fires, and when it does not yet.
FIRING = {
    "FairwayHostGone": ({'up{job="node",instance="a"}': "1x4 0x30"}, 10, 9),
    "FairwayNoFigures": (
        {
            'fairway_collected_timestamp_seconds{project="shop",environment="production"}': "1x4 stale",
            **{
                f'fairway_collected_timestamp_seconds{{project="shop",environment="{name}"}}': "1x30"
                for name in ("staging", "preview")
            },
        },
        15,
        14,
    ),
    "FairwayAlertsNotDelivered": ({'alertmanager_notifications_failed_total{integration="webhook"}': "0x4 1x30"}, 5, 4),
    "FairwayMonitoringDown": ({'up{job="alertmanager"}': "1x4 0x30"}, 10, 9),
}


def test_each_alert_of_its_own_fires_when_it_is_meant_to_and_not_before(tmp_path: Path) -> None:
    (text,) = (one.text for one in files(_plan(tmp_path)) if one.path == "prometheus/monitoring-rules.yml")
    (tmp_path / "rules.yml").write_text(text)
    tests = []
    for name, (series, at, before) in FIRING.items():
        asked = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": one, "values": values} for one, values in series.items()],
                "promql_expr_test": [
                    {"expr": asked, "eval_time": f"{at}m", "exp_samples": [{"labels": "{}", "value": 1}]},
                    {"expr": asked, "eval_time": f"{before}m", "exp_samples": []},
                ],
            }
        )
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "firing.yml").write_text(json.dumps(document))
    assert PROMTOOL, "promtool is not installed: scripts/test-tools.sh unit"
    command = [PROMTOOL, "test", "rules", "firing.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_of_what_says_that_visitors_are_not_served_one_is_told(tmp_path: Path) -> None:
    (text,) = (one.text for one in files(_plan(tmp_path)) if one.path == "alertmanager/alertmanager.yml")
    held_back: dict[str, set[str]] = {}
    for rule in YAML(typ="safe").load(text)["inhibit_rules"]:
        assert rule["equal"] == ["project", "environment"]
        (source,), (target,) = rule["source_matchers"], rule["target_matchers"]
        held_back[source.removeprefix("alertname = ")] = set(re.findall(r"Fairway\w+", target))
    # The first that is told: the watcher has asked several times by then, and waits for nothing.
    assert held_back["FairwayDown"] == {"FairwayUnreachable", "FairwayNotReady", "FairwayFrontDoorDown"}
    assert held_back["FairwayUnreachable"] == {"FairwayNotReady", "FairwayFrontDoorDown"}


@pytest.fixture
def composed(tmp_path: Path) -> dict[str, Any]:
    """The Compose file as Compose itself reads it, with Grafana."""
    assert DOCKER, "docker is not installed: scripts/docker.sh ensure"
    write(tmp_path / "monitoring", files(_plan(tmp_path, on="staging")))
    command = [DOCKER, "compose", "config", "--format", "json"]
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path / "monitoring", env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_is_a_project_of_its_own_with_hardened_services_that_nobody_outside_reaches(
    composed: dict[str, Any],
) -> None:
    assert composed["name"] == "shop-monitoring"
    services = composed["services"]
    assert sorted(services) == ["alertmanager", "blackbox", "grafana", "node-exporter", "prometheus"]
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) <= 512 * 1024 * 1024, name
        assert not service["user"].startswith("0"), name
        assert {port["host_ip"] for port in service.get("ports", ())} <= {"127.0.0.1"}, name
        for mount in service.get("volumes", ()):
            assert mount["type"] == "volume" or (mount["read_only"] and not mount["bind"].get("create_host_path")), name
        assert re.fullmatch(r"[a-z-]+/[a-z-]+:v?[0-9]+\.[0-9]+\.[0-9]+", service["image"]), name
    assert [one for one in services["prometheus"]["command"] if "retention" in one] == [
        "--storage.tsdb.retention.time=30d",
        "--storage.tsdb.retention.size=2GB",
    ]


def test_the_testbed_has_the_images_that_it_names() -> None:
    assert {one.public for one in MONITORING} == {image for name, image in IMAGES.items() if name != "GRAFANA"}


def test_what_visitors_notice_is_told_after_the_patience_and_no_other_alert_sooner(tmp_path: Path) -> None:
    usual, quick = (
        {rule["alert"]: rule.get("for") for rule in _read(made, "prometheus/fairway-rules.yml")["groups"][0]["rules"]}
        for made in (_plan(tmp_path), _plan(tmp_path, pace=Pace(5, 20)))
    )
    changed = {name for name in usual if usual[name] != quick[name]}
    assert changed == {"FairwayNotReady", "FairwayFrontDoorDown", "FairwayUnreachable"}
    assert {quick[name] for name in changed} == {"20s"}
    assert {usual[name] for name in changed} == {"120s"}


def test_what_the_operator_has_changed_is_kept_and_the_rest_follows_the_configuration(tmp_path: Path) -> None:
    directory = tmp_path / "monitoring"
    before = {one.path: one.outcome for one in write(directory, files(_plan(tmp_path)))}
    assert set(before.values()) == {Outcome.WRITTEN}
    (directory / ".env").write_text("COMPOSE_PROFILES=\n")
    after = {one.path: one.outcome for one in write(directory, files(_plan(tmp_path, on="staging")))}
    assert (directory / ".env").read_text() == "COMPOSE_PROFILES=\n"
    kept = {one.path for one in files(_plan(tmp_path)) if one.owner is Owner.OPERATOR}
    assert {path for path, outcome in after.items() if outcome is Outcome.KEPT} == kept
    assert after[COMPOSE] is Outcome.CHANGED
    assert after["blackbox/blackbox.yml"] is Outcome.UNCHANGED


def test_the_containers_users_can_read_it_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(tmp_path / "monitoring", files(_plan(tmp_path)))
    finally:
        os.umask(before)
    assert not [path for path in (tmp_path / "monitoring").rglob("*") if path.stat().st_mode & 0o044 != 0o044]


def test_every_alert_of_its_own_is_told_of_in_the_docs_and_tried(tmp_path: Path) -> None:
    (group,) = _read(_plan(tmp_path), "prometheus/monitoring-rules.yml")["groups"]
    written = re.findall(r"^\| `(Fairway[A-Za-z]+)`", (ROOT / "docs/how-to/monitoring.md").read_text(), re.MULTILINE)
    assert sorted(written) == sorted(rule["alert"] for rule in group["rules"]) == sorted(FIRING)


def test_grafana_is_given_the_prometheus_and_the_dashboard_where_it_looks(tmp_path: Path) -> None:
    made = _plan(tmp_path, on="staging")
    (source,) = _read(made, "grafana/provisioning/datasources/fairway.yml")["datasources"]
    (provider,) = _read(made, "grafana/provisioning/dashboards/fairway.yml")["providers"]
    mounts = {one["target"]: one["source"] for one in _read(made, COMPOSE)["services"]["grafana"]["volumes"][:3]}
    assert source["url"] == "http://prometheus:9090"
    assert mounts[provider["options"]["path"]] == "./grafana/dashboards"
    board = json.loads(next(one.text for one in files(made) if one.path == "grafana/dashboards/fairway.json"))
    # A dashboard that is a file, not an answer of Grafana's export for others: nothing is asked at its import.
    assert "__inputs" not in board
    assert board["uid"] == "fairway"
    assert board.get("id") is None
