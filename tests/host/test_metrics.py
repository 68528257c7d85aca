"""A host tells Prometheus what serves on it and how that is: in the file for node_exporter, and when asked."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from testbed import images
from testbed.bed import Testbed
from testbed.host import Host
from testbed.workspace import Workspace

TEXTFILE = "/var/lib/fairway-metrics"
MOST_BYTES = 30 * 1000 * 1000
# Docker's own programs are counted apart: each is there for a moment.
MEASURED = """
import runpy, sys
engine = sys.argv[1]
sys.argv = [engine, "metrics"]
runpy.run_path(engine, run_name="__main__")
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def host(bed: Testbed) -> Iterator[Host]:
    """A host that boots with systemd, where the deploy user may install its units."""
    made = bed.add_host(f"metrics-{secrets.token_hex(3)}", image=images.provide_systemd())
    made.put("/etc/sudoers.d/fairway", "deploy ALL=(root) NOPASSWD: /usr/bin/python3 -I /opt/*\n", mode=0o440)
    yield made
    bed.remove_host(made.name)


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """What the host's environment file has, once it is prepared."""
    return {}


@pytest.fixture(scope="module")
def work(bed: Testbed, host: Host, settings: dict[str, str]) -> Iterator[Workspace]:
    """A project that serves, with a place for its figures."""
    made = Workspace(bed, project="t-metrics", port=19_975, environments={"staging": host.name})
    made.configure(environments={"staging": {"textfile": TEXTFILE, "watch": {"enabled": True}}})
    made.commit("Have metrics")
    settings.update(made.prepare_host("staging"))
    made.fairway("bootstrap", "staging")
    made.fairway("release")
    made.fairway("deploy", "staging", made.tag)
    yield made
    made.remove()


def _values(text: str) -> dict[tuple[str, ...], float]:
    """Return the values by the metric's name and the labels' values, without the project and the environment."""
    families: Iterator[Metric] = iter(text_string_to_metric_families(text))
    return {
        (sample.name, *(value for key, value in sample.labels.items() if key not in ("project", "environment"))): (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


def test_the_timer_writes_what_serves_where_node_exporter_reads_it(
    work: Workspace, host: Host, settings: dict[str, str]
) -> None:
    unit = f"fairway-{work.project}-staging-metrics"
    assert host.sh(f"systemctl is-active {unit}.timer").strip() == "active"
    assert host.sh(f"systemd-analyze verify {unit}.timer {unit}.service 2>&1") == ""
    done = host.run(f"systemctl start {unit}.service", check=False)
    assert done.returncode == 0, host.sh(f"journalctl --unit {unit} --output cat --no-pager")
    path = f"{TEXTFILE}/fairway-{work.project}-staging.prom"
    assert host.sh(f"stat --format '%U %a' {path}").split() == ["deploy", "644"]
    text = host.get(path)
    found = _values(text)
    release = work.fairway("status", "staging", "--json")
    assert found["fairway_ready",] == 1
    assert found["fairway_front_door_up", "port", "localhost"] == 1
    (serving,) = (key for key in found if key[0] == "fairway_serving_info")
    assert serving[2:] == (work.tag, "blue")
    assert serving[1] in release.stdout
    assert found["fairway_deployments_total", "deploy", "succeeded"] == 1
    assert {key[1]: value for key, value in found.items() if key[0] == "fairway_collector_success"} == dict.fromkeys(
        ("ledger", "backups", "serving", "edge", "front_door", "uptime", "locks", "disk", "certificate"), 1.0
    )
    assert [key for key, value in found.items() if key[0] == "fairway_drift" and value] == []
    assert 0 < found["fairway_disk_free_bytes", "docker"] < found["fairway_disk_size_bytes", "docker"]
    assert found["haproxy_server_http_responses_total", "app", "blue", "2xx", "0"] >= 0
    assert [value for key, value in settings.items() if len(value) > 8 and value in text] == []


def test_what_was_stopped_by_hand_is_not_ready_and_drifts(work: Workspace, host: Host) -> None:
    container = f"{work.project}-app-blue"
    host.docker("stop", container)
    try:
        found = _values(work.fairway("metrics", "show", "staging").stdout)
    finally:
        host.docker("start", container)
    assert found["fairway_ready",] == 0
    assert found["fairway_front_door_up", "port", "localhost"] == 0
    assert found["fairway_drift", "container"] == 1


def test_the_exporter_stays_below_30_mb(work: Workspace, host: Host) -> None:
    host.put("/tmp/measured.py", MEASURED)
    engine = f"{work.deploy_path}/.fairway/engine/current"
    done = host.run(f"su deploy -c 'python3 -I /tmp/measured.py $(readlink -f {engine})'")
    assert "fairway_engine_info" in done.stdout
    assert int(done.stderr.split()[-1]) * 1024 < MOST_BYTES
