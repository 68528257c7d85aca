"""The monitoring overlay on a real host: it sees what serves, and tells once when nothing does.

Debian's Prometheus, Alertmanager and exporters run it, where the public images cannot be
pulled. Grafana is in no package: its profile is off, and what its dashboard asks is asked here.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.bed import Testbed
from testbed.docker import docker
from testbed.host import Host
from testbed.waiting import wait_for
from testbed.workspace import Workspace

TEXTFILE = "/var/lib/fairway-overlay"
DIRECTORY = "/opt/t-overlay-monitoring"
RECEIVED = "/tmp/overlay-received.jsonl"
PROGRAM = "/tmp/overlay-receiver.py"
HOOK_PORT = 18_765
TOKEN = "a-token-in-the-receivers-address"
RECEIVER = f"""
import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open({RECEIVED!r}, "ab") as file:
            file.write(body.strip() + b"\\n")
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("", {HOOK_PORT}), Hook).serve_forever()
"""
#: What the dashboard shows nothing of on this host, and why.
EMPTY = {
    "Age of the newest backup": "none was taken",
    "Since the last drill that succeeded": "there was none",
    "Available, 30 days, 2": "it is not watched",
    "Certificate ends in": "there is no site",
    "Locked": "it is not",
}


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A project that serves and writes its figures."""
    made = Workspace(bed, project="t-overlay", port=19_985, environments={"staging": "staging"})
    host = made.host("staging")
    host.sh(f"install -d -o deploy {TEXTFILE}")
    made.configure(environments={"staging": {"textfile": TEXTFILE}})
    made.commit("Be watched")
    made.prepare_host("staging")
    made.fairway("bootstrap", "staging")
    made.fairway("release")
    made.fairway("deploy", "staging", made.tag)
    yield made
    made.remove()
    host.sh(f"rm -rf {TEXTFILE}")


@pytest.fixture(scope="module")
def host(work: Workspace) -> Iterator[Host]:
    """The host, with the overlay started on it as an operator does, and somebody to be told."""
    host = work.host("staging")
    work.fairway("metrics", "overlay", "--on", "staging", "--interval", "1", "--patience", "3")
    docker("cp", work.path / "monitoring", f"{host.container}:{DIRECTORY}")
    _take_figures(work, host)
    host.put(PROGRAM, RECEIVER)
    docker("exec", "--detach", host.container, "python3", PROGRAM)
    url = f"http://{host.address}:{HOOK_PORT}/{TOKEN}"
    host.put(f"{DIRECTORY}/secrets/alertmanager/webhook-url", url, mode=0o600, owner="65534")
    host.sh(f"sed -i 's/^COMPOSE_PROFILES=.*/COMPOSE_PROFILES=/' {DIRECTORY}/.env")
    try:
        _compose(host, "up", "--detach", "--wait")
        yield host
    finally:
        _compose(host, "down", "--volumes", "--timeout=1")
        host.sh(
            f"pkill -f 'python3 /tmp/overlay-receive[r]'; rm -rf {DIRECTORY} {RECEIVED} /tmp/overlay-receiver.py",
            check=False,
        )


def _compose(host: Host, *args: str) -> str:
    return host.sh(f"cd {DIRECTORY} && docker compose {shlex.join(args)}")


def _take_figures(work: Workspace, host: Host) -> None:
    """Do what the timer does each minute."""
    host.sh(f"python3 -I {work.deploy_path}/.fairway/engine/current metrics --write", user="deploy")


def _ask(host: Host, expression: str) -> list[dict[str, Any]]:
    """Ask Prometheus, as Grafana does."""
    arguments = ["curl", "-sS", "http://127.0.0.1:9090/api/v1/query", "--data-urlencode", f"query={expression}"]
    answer = json.loads(host.sh(shlex.join(arguments)))
    assert answer["status"] == "success", answer
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def _told(host: Host, status: str) -> list[str]:
    """Return the alerts that the receiver was told of, once for each time."""
    lines = host.sh(f"cat {RECEIVED} 2>/dev/null || true").splitlines()
    return [
        alert["labels"]["alertname"]
        for message in map(json.loads, lines)
        for alert in message["alerts"]
        if alert["status"] == status
    ]


def test_everything_is_asked_and_the_release_that_serves_is_seen(work: Workspace, host: Host) -> None:
    jobs = dict.fromkeys(("alertmanager", "blackbox", "fairway-blackbox", "node", "prometheus"), "1")
    wait_for("all to be up", lambda: {one["metric"]["job"]: one["value"][1] for one in _ask(host, "up")} == jobs)
    wait_for("the front door", lambda: [one["value"][1] for one in _ask(host, "probe_success")] == ["1"])
    (serving,) = _ask(host, "fairway_serving_info")
    assert (serving["metric"]["tag"], serving["metric"]["environment"]) == (work.tag, "staging")
    # Beside the application, which does not notice it.
    status = json.loads(work.fairway("status", "staging", "--json").stdout)["staging"]
    assert status["drift"] == []
    assert _ask(host, "fairway_drift > 0") == []


def test_what_the_dashboard_asks_has_an_answer(host: Host) -> None:
    board = json.loads(host.get(f"{DIRECTORY}/grafana/dashboards/fairway.json"))
    # A panel may ask more than one thing.
    asked = {
        panel["title"] + (f", {number}" if number > 1 else ""): target
        for panel in board["panels"]
        for number, target in enumerate(panel["targets"], 1)
    }
    wait_for("rates", lambda: bool(_ask(host, _filled(asked["Requests at the edge"]["expr"]))))
    answers = {title: _ask(host, _filled(target["expr"])) for title, target in asked.items()}
    assert sorted(title for title, answer in answers.items() if not answer) == sorted(EMPTY)
    for title, target in asked.items():
        named = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
        assert [one["metric"] for one in answers[title] if not named <= set(one["metric"])] == [], title
    for variable in board["templating"]["list"][1:]:
        metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]).groups()  # type: ignore[union-attr]
        assert label in _ask(host, _filled(metric))[0]["metric"]
    for one in board["annotations"]["list"]:
        assert _ask(host, _filled(one["expr"])) == []  # nothing has moved since it looks


def _filled(expression: str) -> str:
    """Choose everything where the dashboard lets one choose."""
    return expression.replace("$project", ".+").replace("$environment", ".+")


def test_an_outage_is_told_once_and_so_is_its_end(work: Workspace, host: Host) -> None:
    container = f"{work.project}-app-blue"
    host.docker("stop", "--time=1", container)
    wait_for("the alert to be told", lambda: "FairwayUnreachable" in _told(host, "firing"))
    _take_figures(work, host)
    same = 'ALERTS{alertname="FairwayNotReady",alertstate="firing"}'
    wait_for("what says the same", lambda: bool(_ask(host, same)))

    def held_back() -> bool:
        alerts = json.loads(host.sh("curl -sS http://127.0.0.1:9093/api/v2/alerts"))
        return {one["labels"]["alertname"] for one in alerts if one["status"]["inhibitedBy"]} == {
            "FairwayNotReady",
            "FairwayFrontDoorDown",
        }

    wait_for("what says the same to be held back", held_back)
    host.sh(f"rm {TEXTFILE}/*.prom")
    rest = 'ALERTS{alertname!="FairwayUnreachable",alertstate="firing"}'
    wait_for("figures to be gone", lambda: not _ask(host, rest))
    host.docker("start", container)
    wait_for("its end to be told", lambda: bool(_told(host, "resolved")))
    assert _told(host, "firing") == _told(host, "resolved") == ["FairwayUnreachable"]
    _take_figures(work, host)


def test_what_was_seen_outlives_an_upgrade(host: Host) -> None:
    before = _compose(host, "ps", "--quiet", "prometheus")
    _compose(host, "up", "--detach", "--wait", "--force-recreate", "prometheus")
    assert _compose(host, "ps", "--quiet", "prometheus") != before
    assert _ask(host, 'count_over_time(ALERTS{alertname="FairwayUnreachable",alertstate="firing"}[10m])')


def test_a_receiver_without_its_credential_is_noticed_before_it_is_needed(host: Host) -> None:
    name = _compose(host, "ps", "--quiet", "alertmanager")
    (kind, check) = json.loads(host.docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", name))
    assert kind == "CMD-SHELL"
    secret = f"{DIRECTORY}/secrets/alertmanager/webhook-url"
    asked = shlex.join(["docker", "exec", name, "sh", "-c", check])
    assert host.run(asked, check=False).returncode == 0
    host.sh(f"chown root {secret}")
    done = host.run(asked, check=False)
    assert done.returncode != 0
    assert "webhook-url is missing, empty, or not readable" in done.stdout
    assert TOKEN not in _compose(host, "logs") + host.docker("inspect", name)
