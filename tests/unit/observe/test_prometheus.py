"""What Prometheus and Grafana are given: read by their own tools, and about metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fairway.config import Environment, load
from fairway.observe.prometheus import blackbox, dashboard, rules, scrape

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
REFERENCE = (ROOT / "docs" / "reference" / "metrics.md").read_text()
PROMTOOL = shutil.which("promtool") or shutil.which("promtool", path=ROOT / ".testbed" / "bin")
METRIC = re.compile(r"\bfairway_[a-z_]+")
SEEN_FROM = ("production", "staging")
HOST = 'project="shop",environment="production"'

#: For each alert: a series with its values a minute, when it fires, and how it is not yet firing before.
FIRING = {
    "FairwayDeploymentFailed": (f'fairway_last_deployment_outcome{{{HOST},outcome="failed"}}', "0x4 1x30", 5, 4),
    "FairwayNotReady": (f"fairway_ready{{{HOST}}}", "1x4 0x30", 7, 6),
    "FairwayFrontDoorDown": (f'fairway_front_door_up{{{HOST},via="site"}}', "1x4 0x30", 7, 6),
    "FairwayDown": (f'fairway_uptime_up{{{HOST},watched="production"}}', "1x4 0x30", 5, 4),
    "FairwayNotWatched": (f'fairway_uptime_watched{{{HOST},watched="production"}}', "1x4 0x30", 15, 14),
    "FairwayUnreachable": ('probe_success{job="fairway-blackbox",environment="production"}', "1x4 0x30", 7, 6),
    "FairwayDrift": (f'fairway_drift{{{HOST},kind="files"}}', "0x4 2x30", 15, 14),
    "FairwayBackupTooOld": (f"fairway_backup_overdue{{{HOST}}}", "0x4 1x30", 15, 14),
    "FairwayBackupFailed": (f'fairway_backup_last_outcome{{{HOST},outcome="failed"}}', "0x4 1x30", 5, 4),
    "FairwayBackupCopyFailed": (f'fairway_backup_copy_last_outcome{{{HOST},outcome="failed"}}', "0x4 1x30", 5, 4),
    "FairwayDrillFailed": (f'fairway_drill_last_outcome{{{HOST},outcome="failed"}}', "0x4 1x30", 5, 4),
    "FairwayDrillTooOld": (f"fairway_drill_overdue{{{HOST}}}", "0x4 1x30", 15, 14),
    "FairwayDiskLow": (f'fairway_disk_free_bytes{{{HOST},where="docker"}}', "2e9x4 1e9x30", 15, 14),
    "FairwayCertificateExpires": (
        f'fairway_certificate_not_after_timestamp_seconds{{{HOST},name="www.example.com"}}',
        # 14 days from the fifth minute on.
        "1209900x40",
        16,
        15,
    ),
    "FairwayLockHeldLong": (f'fairway_lock_since_timestamp_seconds{{{HOST},kind="hold"}}', "60x1500", 1442, 1441),
    "FairwayDeploymentHangs": (
        f'fairway_lock_since_timestamp_seconds{{{HOST},kind="deployment"}}',
        "60x200",
        122,
        121,
    ),
    "FairwayMetricsStale": (f"fairway_collected_timestamp_seconds{{{HOST}}}", "60x30", 12, 11),
    "FairwayCollectorFailed": (f'fairway_collector_success{{{HOST},collector="serving"}}', "1x4 0x30", 15, 14),
}


def _alerts() -> list[dict[str, Any]]:
    (group,) = YAML(typ="safe").load(rules())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_rules_and_dashboard_are_about_metrics_that_there_are() -> None:
    told = set(re.findall(r"^\| `(fairway_[a-z_]+)", REFERENCE, re.MULTILINE))
    for text in (*(alert["expr"] for alert in _alerts()), *re.findall(r'"expr": "(.*)"', dashboard())):
        assert {name.removesuffix("_bucket") for name in METRIC.findall(text)} <= told


def test_every_alert_is_told_of_in_the_docs_and_tried() -> None:
    names = [alert["alert"] for alert in _alerts()]
    written = re.findall(r"^\| `(Fairway[A-Za-z]+)`", (ROOT / "docs/how-to/metrics.md").read_text(), re.MULTILINE)
    assert sorted(written) == sorted(names) == sorted(FIRING)


def test_prometheus_finds_nothing_wrong_with_the_rules_and_they_are_quiet_when_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules())
    shutil.copy(HERE / "rules_test.yml", tmp_path)
    _promtool(tmp_path, "check", "rules", "rules.yml")
    _promtool(tmp_path, "test", "rules", "rules_test.yml")


def test_each_alert_fires_when_it_is_meant_to_and_not_a_minute_before(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules())
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": values}],
            "promql_expr_test": [
                {"expr": _firing(name), "eval_time": f"{at}m", "exp_samples": [{"labels": "{}", "value": 1}]},
                {"expr": _firing(name), "eval_time": f"{before}m", "exp_samples": []},
            ],
        }
        for name, (series, values, at, before) in FIRING.items()
    ]
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "firing.yml").write_text(json.dumps(document))
    _promtool(tmp_path, "test", "rules", "firing.yml")


def test_a_front_door_that_is_down_is_told_of_its_own_environment_whoever_sees_it(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules())
    seen = [f'fairway_uptime_up{{project="shop",environment="{one}",watched="production"}}' for one in SEEN_FROM]
    asked = 'count by (environment, seen_from) (ALERTS{alertname="FairwayDown",alertstate="firing"})'
    expected = [{"labels": f'{{environment="production",seen_from="{one}"}}', "value": 1} for one in SEEN_FROM]
    test = {
        "interval": "1m",
        "input_series": [{"series": one, "values": "0x5"} for one in seen],
        "promql_expr_test": [{"expr": asked, "eval_time": "3m", "exp_samples": expected}],
    }
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "seen.yml").write_text(json.dumps(document))
    _promtool(tmp_path, "test", "rules", "seen.yml")


def _firing(name: str) -> str:
    return f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'


CONFIG = """
project = "shop"
[images]
app = "ghcr.io/acme/shop-app"
migrator = "ghcr.io/acme/shop-migrator"
[environments.staging]
hosts = ["local"]
deploy_path = "/opt/shop"
port = 3000
textfile = "/var/lib/fairway-metrics"
[environments.production]
hosts = ["deploy@www.example.com"]
deploy_path = "/opt/shop"
port = 3000
admin = "root"
textfile = "/var/lib/fairway-metrics"
[environments.production.site]
name = "www.example.com"
tls = "files"
certificate = "/c.pem"
certificate_key = "/k.pem"
[environments.other]
hosts = ["deploy@other.example.com"]
deploy_path = "/opt/shop"
port = 3000
url = "http://other.example.com:8080/shop/"
"""


@pytest.fixture
def environments(tmp_path: Path) -> list[Environment]:
    """What fairway.toml says, in its order."""
    (tmp_path / "fairway.toml").write_text(CONFIG)
    config = load(tmp_path / "fairway.toml", {})
    return [config.environment(name) for name in config.environment_order]


def test_hosts_that_write_figures_are_asked_and_sites_from_outside(environments: list[Environment]) -> None:
    node, front = YAML(typ="safe").load(scrape(environments, "/api/ready"))["scrape_configs"]
    assert node["static_configs"] == [{"targets": ["localhost:9100", "www.example.com:9100"]}]
    asked = {one["targets"][0]: one["labels"]["__param_module"] for one in front["static_configs"]}
    assert asked == {
        "https://www.example.com/api/ready": "fairway_ready",
        "http://other.example.com:8080/shop/api/ready": "fairway_ready_plain",
    }
    assert set(asked.values()) <= set(YAML(typ="safe").load(blackbox())["modules"])


def test_prometheus_takes_the_configuration(environments: list[Environment], tmp_path: Path) -> None:
    (tmp_path / "fairway-rules.yml").write_text(rules())
    (tmp_path / "prometheus.yml").write_text(scrape(environments, "/api/ready"))
    _promtool(tmp_path, "check", "config", "prometheus.yml")


def test_the_dashboard_has_panels_that_do_not_overlap() -> None:
    board = json.loads(dashboard())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert {one["name"] for one in board["templating"]["list"]} == {"datasource", "project", "environment"}


def test_the_dashboard_is_of_the_form_that_grafana_reads() -> None:
    board = json.loads(dashboard())
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert {panel["type"] for panel in board["panels"]} <= {"stat", "timeseries", "table"}
    for panel in board["panels"]:
        assert panel["datasource"] == chosen
        assert panel["fieldConfig"].keys() == {"defaults", "overrides"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
    assert all(one["datasource"] == chosen for one in (*board["annotations"]["list"], *board["templating"]["list"][1:]))


def test_prometheus_understands_what_the_dashboard_asks(tmp_path: Path) -> None:
    board = json.loads(dashboard())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [one["expr"] for one in board["annotations"]["list"]]
    recording = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(asked)]
    document = {"groups": [{"name": "dashboard", "rules": recording}]}
    (tmp_path / "dashboard.yml").write_text(json.dumps(document))
    _promtool(tmp_path, "check", "rules", "dashboard.yml")


def _promtool(directory: Path, *arguments: str) -> None:
    assert PROMTOOL, "promtool is not installed: scripts/test-tools.sh unit"
    done = subprocess.run([PROMTOOL, *arguments], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
