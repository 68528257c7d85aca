"""A host where the application already runs by hand: Fairway beside it, traffic moved to it and back."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.bed import Testbed
from testbed.host import Host
from testbed.load import Load
from testbed.visitor import ADMINISTRATOR, sign_in
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import allow_on, history, release, status

SITE = "/etc/nginx/sites-available/capakraken"
WEB, OLD, NEW = 8080, 3000, 3100
NGINX = """\
# Visitors. The old way was 127.0.0.1:2999; see the runbook.
upstream capakraken {
    server 127.0.0.1:3000;   # the hand-made one
    keepalive 8;
}
server {
    listen 8080 default_server;
    location / { proxy_pass http://capakraken; }
    location /api/ {
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_pass http://localhost:3000;
    }
}
"""
COMPOSE = """\
services:
  app:
    build: .
    env_file: .env
    environment: &connections
      POSTGRES_HOST: postgres
      POSTGRES_USER: capakraken
      POSTGRES_DB: capakraken
      REDIS_URL: redis://redis:6379/0
      FAIRWAY_RELEASE: by-hand
    ports: ["127.0.0.1:3000:3000"]
    depends_on: {migrate: {condition: service_completed_successfully}}
    restart: unless-stopped
  migrate:
    image: MIGRATOR
    env_file: .env
    environment: *connections
    depends_on: {postgres: {condition: service_healthy}}
  postgres:
    image: postgres:17
    environment: {POSTGRES_USER: capakraken, POSTGRES_DB: capakraken, POSTGRES_PASSWORD: "${POSTGRES_PASSWORD}"}
    volumes: ["db:/var/lib/postgresql/data"]
    healthcheck:
      test: ["CMD", "pg_isready", "--username", "capakraken", "--host", "127.0.0.1"]
      interval: 1s
      retries: 60
    restart: unless-stopped
  redis: {image: "redis:8", restart: unless-stopped}
volumes: {db: }
"""


class Site:
    """The hand-made set-up on a host of its own, and the workspace that comes beside it."""

    def __init__(self, host: Host, work: Workspace, password: str) -> None:
        self.host = host
        self.work = work
        self.password = password
        self.project = f"{work.project}-prod"
        self.directory = "/srv/capakraken"

    def traffic(self, *arguments: str, check: bool = True, user: str = "root") -> subprocess.CompletedProcess[str]:
        engine = f"{self.work.deploy_path}/.fairway/engine/current"
        return self.host.run(f"SUDO_USER=ada python3 -I {engine} traffic {' '.join(arguments)}", check=check, user=user)

    def adopt(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        done = self.work.fairway("adopt", "staging", "--json", *arguments, check=False)
        return done.returncode, json.loads(done.stdout)

    def untouched(self) -> str:
        """Return what must be the same whenever it is looked at: the manual files, containers, network and volume."""
        return self.host.sh(f"""
            set -e
            find {self.directory} -type f -exec sha256sum {{}} + | sort
            find {self.directory} -printf '%p %u %m %T@\\n' | sort
            ids=$(docker ps -aq --no-trunc --filter label=com.docker.compose.project={self.project} | sort)
            docker inspect --format '{{{{.Id}}}} {{{{.Name}}}} {{{{.State.StartedAt}}}} {{{{.RestartCount}}}} \\
{{{{range $k, $v := .NetworkSettings.Networks}}}}{{{{$k}}}} {{{{$v.IPAddress}}}}{{{{end}}}}' $ids
            docker volume ls --filter label=com.docker.compose.project={self.project}
            docker network ls --no-trunc --filter label=com.docker.compose.project={self.project}
        """)

    def nginx_files(self) -> str:
        return self.host.sh(
            "find /etc/nginx -type f -exec sha256sum {} + | sort; find /etc/nginx -printf '%p %u %g %m\\n' | sort"
        )

    def places(self) -> str:
        """Return what lies where Fairway would put something; runc's own files there come and go."""
        return self.host.sh("ls -a --ignore='runc-process*' /tmp /opt /home/deploy")

    def answers(self) -> str:
        """Return which release nginx gives to a visitor."""
        headers = self.host.sh(f"curl -fsS -o /dev/null -D - localhost:{WEB}/api/health")
        return next(line.split()[1] for line in headers.splitlines() if line.lower().startswith("x-release:"))

    def url(self, path: str = "/") -> str:
        return self.host.http(WEB) + path


@pytest.fixture(scope="module")
def site(bed: Testbed) -> Iterator[Site]:
    """A host with the application built and started by hand, and nginx in front of it."""
    name = f"adopted-{secrets.token_hex(3)}"
    host = bed.add_host(name)
    work = Workspace(bed, project=f"t-{secrets.token_hex(4)}", port=NEW, environments={"staging": name})
    try:
        tag = release(work)
        yield _by_hand(host, work, tag)
    finally:
        bed.remove_host(name)
        work.remove()


def _by_hand(host: Host, work: Workspace, tag: str) -> Site:
    made = Site(host, work, secrets.token_hex(16))
    images, registry = work.config["images"], work.bed.registry
    host.sh(f"install -d {made.directory}")
    host.put(f"{made.directory}/docker-compose.prod.yml", COMPOSE.replace("MIGRATOR", f"{images['migrator']}:{tag}"))
    host.put(f"{made.directory}/Dockerfile", f"FROM {images['app']}:{tag}\nLABEL built=by-hand\n")
    settings = {
        "POSTGRES_PASSWORD": made.password,
        "NEXTAUTH_SECRET": secrets.token_hex(24),
        "NEXTAUTH_URL": made.url(),
        **ADMINISTRATOR,
    }
    host.put(f"{made.directory}/.env", "".join(f"{k}={v}\n" for k, v in settings.items()), mode=0o600)
    host.run(
        f"docker login --username {registry.username} --password-stdin {registry.address}", stdin=registry.password
    )
    host.sh(
        f"cd {made.directory} && docker compose --project-name {made.project} --file docker-compose.prod.yml"
        " up --detach --build --quiet-pull",
        timeout_s=300,
    )
    host.sh("rm -f /etc/nginx/sites-enabled/default /root/.docker/config.json")
    host.put(SITE, NGINX)
    # nginx comes last: each of its workers would count a refused connection for itself and answer 502 for 10 s.
    wait_for("the hand-made set-up", lambda: _answers_ready(host, OLD))
    host.sh(f"ln -s {SITE} /etc/nginx/sites-enabled/ && nginx")
    wait_for("nginx in front of it", lambda: _answers_ready(host, WEB))
    return made


def _answers_ready(host: Host, port: int) -> bool:
    return host.run(f"curl -fsS localhost:{port}/api/ready", check=False).returncode == 0


@pytest.fixture(autouse=True)
def _left_alone(site: Site) -> Iterator[None]:
    """Whatever a test does, the manual set-up is the same after it, and nginx's files are."""
    manual, nginx = site.untouched(), site.nginx_files()
    yield
    assert site.untouched() == manual
    assert site.nginx_files() == nginx


@pytest.fixture
def beside(site: Site) -> str:
    """The tag that serves beside the manual set-up, on the same database."""
    work = site.work
    if not site.host.sh(f"ls {work.deploy_path}/.fairway/state.json 2>/dev/null || true"):
        _, report = site.adopt()
        _use_the_same_database(work, report["same_database"])
        settings = {"POSTGRES_PASSWORD": site.password, "NEXTAUTH_URL": site.url()}
        work.prepare_host("staging", settings)
        work.fairway("bootstrap", "staging")
        network = f"external-network:manual:{report['same_database']['network']}"
        allow_on(work, "staging", "undigested-image:redis", network)
        work.fairway("deploy", "staging", release(work))
    found = status(work, "staging")
    return str(found["serving"]["tag"])


def _use_the_same_database(work: Workspace, database: dict[str, Any]) -> None:
    """Edit the compose file as ``fairway adopt --same-database`` says."""
    file = work.path / "docker-compose.cicd.yml"
    text = file.read_text()
    start, end = text.index("  postgres:\n"), text.index("  redis:\n")
    text = text[:start] + text[end : text.index("\nvolumes:")]
    text = text.replace("      postgres: {condition: service_healthy}\n", "")
    text = text.replace("    depends_on:\n    restart", "    restart")
    text = text.replace("POSTGRES_HOST: postgres", f"POSTGRES_HOST: {database['host']}")
    text = text.replace("redis://redis:", f"redis://{work.project}-redis-1:")
    for image in ("MIGRATOR_IMAGE", "APP_IMAGE"):
        text = text.replace(f"    image: ${{{image}", f"    networks: [default, manual]\n    image: ${{{image}")
    text += f"\nnetworks:\n  manual:\n    external: true\n    name: {database['network']}\n"
    file.write_text(text)
    work.commit("Use the database that runs already")


def _wait_for_only(load: Load, release: str, answers: int = 40) -> None:
    """Wait until nobody else answers: what the old workers had taken on is answered by where it went."""
    counts = load.report.by_release

    def others() -> int:
        return sum(count for name, count in counts.items() if name != release)

    def only() -> bool:
        before, strangers = counts[release], others()
        wait_for(f"answers of {release}", lambda: counts[release] >= before + answers)
        return others() == strangers

    wait_for(f"{release} alone", only)


def test_what_runs_is_found_and_nothing_is_left_on_the_host(site: Site) -> None:
    before = site.places()
    code, report = site.adopt()
    assert code == 0, report["collisions"]
    application = report["application"]
    assert (application["project"], application["service"], application["port"]) == (site.project, "app", OLD)
    assert report["serves"] == "manual"
    services = {s["name"]: s for p in report["survey"]["projects"] for s in p["services"]}
    assert services["app"]["built_here"] is True
    assert services["postgres"]["built_here"] is False
    assert services["postgres"]["mounts"][0]["source"] == f"{site.project}_db"
    forwards = [(f["file"], f["line"], f["address"]) for f in report["survey"]["nginx"]["forwards"]]
    assert forwards == [(SITE, 3, "127.0.0.1:3000"), (SITE, 12, "localhost:3000")]
    assert [edit["new"] for edit in report["manual_edits"]] == [
        "server 127.0.0.1:3100;   # the hand-made one",
        "proxy_pass http://127.0.0.1:3100;",
    ]
    database = report["same_database"]
    assert (database["network"], database["host"]) == (f"{site.project}_default", f"{site.project}-postgres-1")
    assert database["env"] == [f"POSTGRES_HOST={site.project}-postgres-1"]
    assert database["leave_out"] == ["postgres"]
    said = site.work.fairway("adopt", "staging", "--same-database").stdout
    for text in (site.project, f"{SITE}:3", "external: true", "traffic to-fairway --from 3000", "traffic to-manual"):
        assert text in said
    assert site.password not in said + json.dumps(report)
    assert site.places() == before


def test_a_collision_is_told_with_the_way_out(site: Site) -> None:
    work = site.work
    staging = {"port": OLD, "deploy_path": site.directory}
    work.configure(project=site.project, environments={"staging": staging})
    try:
        done = work.fairway("adopt", "staging", check=False)
        code, report = site.adopt()
    finally:
        work.git("checkout", "--quiet", "fairway.toml")
    assert done.returncode == code == 3
    assert [c["what"] for c in report["collisions"]] == [
        f"the Compose project {site.project} is there already",
        f"the port {OLD} is taken",
        f"the deploy path {site.directory} is where {site.project} lives",
    ]
    assert 'port = "127.0.0.1:3101"' in done.stdout or 'port = "127.0.0.1:3100"' in done.stdout


def test_traffic_is_not_moved_to_where_nothing_serves(site: Site) -> None:
    work = site.work
    work.prepare_host("staging", {"POSTGRES_PASSWORD": site.password})
    work.fairway("bootstrap", "staging")
    refused = site.traffic("to-fairway", check=False)
    assert refused.returncode == 3
    assert "nothing serves on Fairway's path yet" in refused.stderr
    unprivileged = site.traffic("to-fairway", check=False, user="deploy")
    assert unprivileged.returncode == 3
    assert "only root" in unprivileged.stderr


def test_traffic_goes_to_the_new_path_and_back_without_a_dropped_request(site: Site, beside: str) -> None:
    host, work = site.host, site.work
    files = site.nginx_files()
    own = host.docker("ps", "--format", "{{.Names}}", "--filter", f"label=com.docker.compose.project={work.project}")
    assert "postgres" not in own
    assert sign_in(host.http(NEW)), "an account made by the hand-made set-up is known on the new path"

    plan = site.traffic("to-fairway", "--plan", user="deploy").stdout
    assert "-    server 127.0.0.1:3000;   # the hand-made one" in plan
    assert "+    server 127.0.0.1:3100;   # the hand-made one" in plan
    assert site.nginx_files() == files

    # Each request on a connection of its own: nginx closes idle kept ones when it reloads, whoever reloads it.
    with Load(site.url("/api/health"), connections=8, rate_per_s=100, headers={"Connection": "close"}) as load:
        _wait_for_only(load, "by-hand")
        moved = site.traffic("to-fairway").stdout
        _wait_for_only(load, beside)
        assert "traffic goes to Fairway" in moved
        assert "changed" in site.traffic("to-fairway").stdout
        _, report = site.adopt()
        assert report["serves"] == "fairway"
        assert report["application"]["project"] == site.project
        back = site.traffic("to-manual").stdout
        _wait_for_only(load, "by-hand")
    assert f"{SITE}: byte for byte what it was" in back
    assert "changed" in site.traffic("to-manual").stdout
    assert load.report.reasons == {}
    assert load.report.total > 200
    assert site.nginx_files() == files

    moves = [e for e in history(work, "staging") if e["action"] == "traffic" and e["outcome"] == "succeeded"]
    assert [(e["to"], e["by"]) for e in moves] == [(to, f"ada@{host.name} (sudo)") for to in ("fairway", "manual")]
    assert moves[0]["changes"] == [
        {"file": SITE, "line": 3, "from": "127.0.0.1:3000", "to": "127.0.0.1:3100"},
        {"file": SITE, "line": 12, "from": "localhost:3000", "to": "127.0.0.1:3100"},
    ]
    assert "to fairway" in work.fairway("history", "staging").stdout
    foreign = host.sh(f"find {work.deploy_path} ! -user deploy ! -path '*/.fairway/traffic/*'")
    assert foreign == ""
    # What the host is and goes by holds no secret: where root keeps it, the deploy user reads it.
    open_to_read = "! -name haproxy.cfg ! -name host.json ! -path '*/.fairway/trust/*'"
    assert host.sh(f"find {work.deploy_path}/.fairway -type f -perm /077 {open_to_read}") == ""
    work.fairway("deploy", "staging", beside)
    assert status(work, "staging")["drift"] == []


def test_the_names_of_the_manual_project_go_on_meaning_what_they_meant(site: Site, beside: str) -> None:
    network = f"{site.project}_default"
    names = site.host.docker("network", "inspect", network, "--format", "{{range .Containers}}{{.Name}} {{end}}")
    assert f"{site.work.project}-edge" not in names.split()
    inside = f"{site.project}-redis-1"
    answers = {site.host.docker("exec", inside, "getent", "hosts", "app").split()[0] for _ in range(10)}
    address = site.host.docker(
        "inspect",
        "--format",
        f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}',
        f"{site.project}-app-1",
    )
    assert answers == {address}


def test_files_are_put_back_when_nginx_does_not_accept_the_change(site: Site, beside: str) -> None:
    # With an upstream of this name nginx takes a proxy_pass to localhost:3000, but none to 127.0.0.1:3100.
    host, odd = site.host, "/etc/nginx/conf.d/odd.conf"
    host.put(odd, "upstream 127.0.0.1 { server unix:/run/odd.sock; }\n")
    files = site.nginx_files()
    try:
        refused = site.traffic("to-fairway", check=False)
        assert site.nginx_files() == files
    finally:
        host.sh(f"rm {odd}")
    assert refused.returncode == 1
    assert "its files are as they were" in refused.stderr
    assert 'upstream "127.0.0.1" may not have port 3100' in refused.stderr
    last = history(site.work, "staging")[-1]
    assert (last["action"], last["outcome"], last["to"]) == ("traffic", "failed", "fairway")
    assert "nothing was changed" in site.traffic("to-manual").stdout


def test_a_file_that_was_edited_meanwhile_keeps_the_edit(site: Site, beside: str) -> None:
    host = site.host
    site.traffic("to-fairway")
    host.sh(f"sed -i '1i # Reviewed.' {SITE} && sed -i 's/:3100;  /:3100 max_fails=2;  /' {SITE}")
    try:
        back = site.traffic("to-manual").stdout
        assert "was edited since, so only its forwards are changed back" in back
        expected = "# Reviewed.\n" + NGINX.replace(":3000;  ", ":3000 max_fails=2;  ")
        assert host.get(SITE) == expected
        assert site.answers() == "by-hand"
    finally:
        host.put(SITE, NGINX)
        host.sh("nginx -s reload")


def test_forwards_of_somebody_else_are_left_to_them(site: Site, beside: str) -> None:
    host = site.host
    site.traffic("to-fairway")
    host.sh(f"sed -i 's/127.0.0.1:3100/[::1]:3100/' {SITE}")
    try:
        refused = site.traffic("to-manual", check=False)
        assert refused.returncode == 3
        assert f"{SITE}:3" in refused.stderr
    finally:
        host.put(SITE, NGINX)
        host.sh("nginx -s reload")


def test_traffic_does_not_go_back_to_an_application_that_is_silent(site: Site, beside: str) -> None:
    host = site.host
    site.traffic("to-fairway")
    # Not the application itself is stopped, but its port is cut off: nothing of the manual set-up is touched.
    cut = f"OUTPUT -o lo -p tcp --dport {OLD} -j REJECT"
    host.sh(f"iptables -w -I {cut}")
    try:
        refused = site.traffic("to-manual", check=False)
        assert refused.returncode == 3
        assert "is not fit for visitors" in refused.stderr
        assert "--anyway" in refused.stderr
        site.traffic("to-manual", "--anyway")
    finally:
        host.sh(f"iptables -w -D {cut}")


def test_a_path_that_is_not_ready_gets_no_traffic(site: Site, beside: str) -> None:
    host = site.host
    container = f"{site.work.project}-redis-1"
    host.docker("stop", container)
    try:
        refused = site.traffic("to-fairway", check=False)
    finally:
        host.docker("start", container)
    assert refused.returncode == 3
    assert "is not ready" in refused.stderr
    assert "503" in refused.stderr


def test_a_move_that_was_interrupted_is_ended_by_the_next_one(site: Site, beside: str) -> None:
    record = f"{site.work.deploy_path}/.fairway/traffic.json"
    site.traffic("to-fairway")
    # As a power cut leaves it between the change and the end of the reload.
    site.host.sh(f"""sed -i 's/"moving": false/"moving": true/' {record}""")
    said = site.traffic("to-manual").stdout
    assert "an interrupted move to fairway was ended" in said
    assert "nothing was changed" in said
    last = history(site.work, "staging")[-1]
    assert (last["outcome"], last["to"], last["error"]["what"]) == ("failed", "fairway", "the move was interrupted")


def test_visitors_are_served_whenever_the_move_is_killed(site: Site, beside: str) -> None:
    engine = f"{site.work.deploy_path}/.fairway/engine/current"
    with Load(site.url("/api/health"), connections=4, rate_per_s=50, headers={"Connection": "close"}) as load:
        for side in ("to-fairway", "to-manual") * 2:
            for tenths in (1, 2, 3, 4, 6):
                site.host.run(f"timeout -s KILL 0.{tenths} python3 -I {engine} traffic {side}", check=False)
        said = site.traffic("to-manual").stdout
    assert load.report.reasons == {}, said
    assert load.report.releases[-1] == "by-hand"


def test_traffic_is_not_moved_while_a_deployment_runs(site: Site, beside: str) -> None:
    engine = f"{site.work.deploy_path}/.fairway/engine"
    locked = site.host.run(f"flock {engine}/../lock python3 -I {engine}/current traffic to-fairway", check=False)
    assert locked.returncode == 4
    assert "another deployment is running" in locked.stderr
