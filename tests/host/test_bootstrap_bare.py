"""From a host with sshd and nothing else to one that serves over TLS, by one command; and what the doctor sees."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from fairway.engine.contract.environment import EnvironmentFile
from fairway.engine.groundwork.site_text import Serving, render
from fairway.engine.groundwork.wish import Site, Tls, Wish
from testbed import images
from testbed.bed import Testbed
from testbed.host import Host
from testbed.process import run
from testbed.visitor import ADMINISTRATOR
from testbed.workspace import Workspace
from tests.host.asking import release

SITE = "www.example.test"
PORT = "127.0.0.1:3000"
CERTIFICATE, KEY = "/etc/ssl/site.crt", "/etc/ssl/private/site.key"
# The bed's mirror stands for the public registry; a drop-in, so that what Docker is told of by files stays open.
MIRROR = "[Service]\nEnvironment=DOCKER_OPTS='--registry-mirror={mirror} --dns=172.17.0.1'\n"
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Prepared:
    """A host that was bare, the project on it, and what was said while it was made ready."""

    work: Workspace
    host: Host
    ca: Path
    plan: dict[str, Any]
    changed_by_plan: str
    said: str

    def configure(self, site: dict[str, Any]) -> None:
        """Change the site in ``fairway.toml``."""
        self.work.configure(environments={"staging": {"admin": "root", "port": PORT, "site": site}})

    def bootstrap(self, *options: str, check: bool = True) -> str:
        done = self.work.fairway("bootstrap", "staging", *options, check=check)
        return done.stdout + done.stderr

    def doctor(self) -> dict[str, dict[str, Any]]:
        """Return the doctor's checks of the host by name."""
        said = self.work.fairway("doctor", "staging", "--json", check=False).stdout
        return {check["name"]: check for check in json.loads(said)["staging"]}

    def connect(self) -> ssl.SSLSocket:
        """Connect as a visitor who trusts the site's CA."""
        context = ssl.create_default_context(cafile=str(self.ca))
        plain = socket.create_connection((self.host.address, 443), timeout=20)
        return context.wrap_socket(plain, server_hostname=SITE)

    def ask(self, method: str, path: str, form: dict[str, str] | None = None, cookie: str = "") -> HTTPResponse:
        """Ask the site over TLS; the body can be read."""
        connection = self.connect()
        body = urlencode(form or {}).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {SITE}\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/x-www-form-urlencoded\r\n"
        connection.sendall((head + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n").encode() + body)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer


def _make_certificates(directory: Path, *names: str) -> Path:
    """Make a CA of one's own and, by it, a certificate for each name; return the CA's file."""
    ca, ca_key = directory / "ca.crt", directory / "ca.key"
    run(["openssl", "req", "-x509", *_EC, "-days", "30", "-subj", "/CN=Own CA", "-keyout", ca_key, "-out", ca])
    for name in names:
        key, request, extensions = (directory / f"{name}.{ending}" for ending in ("key", "csr", "ext"))
        run(["openssl", "req", "-new", *_EC, "-subj", f"/CN={name}", "-keyout", key, "-out", request])
        extensions.write_text(f"subjectAltName=DNS:{name}\n")
        by: list[str | Path] = ["-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-extfile", extensions]
        run(["openssl", "x509", "-req", "-days", "30", "-in", request, *by, "-out", directory / f"{name}.crt"])
    return ca


@pytest.fixture(scope="module")
def prepared(bed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """One bare host, which ``fairway bootstrap`` made ready; the tests go through its life in order."""
    host = bed.add_host(f"bare-{secrets.token_hex(3)}", image=images.provide_bare())
    work = Workspace(bed, project=f"t-{secrets.token_hex(4)}", environments={"staging": host.name})
    try:
        directory = tmp_path_factory.mktemp("site")
        ca = _make_certificates(directory, SITE, "localhost")
        site = {"name": SITE, "tls": "files", "certificate": CERTIFICATE, "certificate_key": KEY}
        work.configure(environments={"staging": {"admin": "root", "port": PORT, "site": site}})
        # A header by which the application itself turns nginx's buffers off: here the site must.
        work.edit("capakraken/web/api.py", ', "X-Accel-Buffering": "no"', "")
        work.commit("Name an administrator and a site")
        # What an operator brings by hand: the certificate, and the CA of a registry of their own.
        host.sh("mkdir -p /etc/ssl/private /etc/systemd/system/docker.service.d /etc/docker/certs.d")
        host.put(CERTIFICATE, (directory / f"{SITE}.crt").read_text())
        host.put(KEY, (directory / f"{SITE}.key").read_text(), mode=0o600)
        host.sh("cp -r /fairway/certs.d /etc/docker/")
        mirror = json.loads(host.get("/fairway/daemon.json"))["registry-mirrors"][0]
        host.put("/etc/systemd/system/docker.service.d/mirror.conf", MIRROR.format(mirror=mirror))
        host.sh("touch /root/before")
        plan = json.loads(work.fairway("bootstrap", "staging", "--plan", "--json").stdout)
        changed = host.sh("find / -xdev -newer /root/before -type f -not -path '/proc/*' -not -path '/var/log/*'")
        key = bed.state / "id_ed25519.pub"
        done = work.fairway("bootstrap", "staging", "--yes", "--deploy-key", str(key), check=False, timeout_s=900)
        yield Prepared(work, host, ca, plan, changed, done.stdout + done.stderr)
    finally:
        bed.remove_host(host.name)
        work.remove()


def _steps(plan: dict[str, Any]) -> str:
    return "\n".join(step for want in plan["host"]["wants"] for step in want["steps"])


def test_a_plan_for_a_bare_host_names_everything_and_changes_nothing(prepared: Prepared) -> None:
    steps = _steps(prepared.plan)
    assert prepared.plan["host"]["python3"] is False
    assert "apt-get install docker.io docker-cli iptables docker-compose" in steps
    assert "make the user deploy" in steps
    assert "POSTGRES_PASSWORD, NEXTAUTH_SECRET made up on the host" in steps
    assert f"{SITE} -> 127.0.0.1:3000, TLS with {CERTIFICATE}" in steps
    assert prepared.changed_by_plan == ""


def test_one_command_makes_a_bare_host_ready(prepared: Prepared) -> None:
    host, path = prepared.host, prepared.work.deploy_path
    assert "✗" not in prepared.said, prepared.said
    assert host.sh("stat -c '%U %G %a' " + path) == "root deploy 1775"
    assert host.sh(f"stat -c '%U %a' {path}/.env.production") == "deploy 600"
    assert host.sh("getent shadow deploy | cut -d: -f2") == "*"
    assert "max-size" in host.get("/etc/docker/daemon.json")
    assert host.get("/home/deploy/.ssh/authorized_keys").count('restrict,command="python3 -I') == 1
    settings = host.get(f"{path}/.env.production")
    assert f"NEXTAUTH_URL=https://{SITE}\n" in settings
    # Made there, they are in nothing that came back.
    made = [
        line.partition("=")[2]
        for line in settings.splitlines()
        if line.startswith(("POSTGRES_PASSWORD=", "NEXTAUTH_SECRET="))
    ]
    assert [len(value) for value in made] == [64, 64]
    assert all(value not in prepared.said for value in made)


def test_it_serves_through_nginx_over_tls(prepared: Prepared) -> None:
    work, host = prepared.work, prepared.host
    for name, value in ADMINISTRATOR.items():
        host.sh(f"sed -i 's/^{name}=$/{name}={value}/' {work.deploy_path}/.env.production")
    tag = release(work)
    work.fairway("deploy", "staging", tag)
    answer = prepared.ask("GET", "/api/health")
    assert (answer.status, answer.headers["X-Release"]) == (200, tag)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host.address, 3000), timeout=2)


def test_a_stream_comes_through_at_once(prepared: Prepared) -> None:
    follow = "INSERT INTO project_members SELECT projects.id, users.id FROM projects, users ON CONFLICT DO NOTHING"
    database = prepared.host.docker("ps", "--quiet", "--filter", "label=com.docker.compose.service=postgres")
    prepared.host.docker("exec", database, "psql", "--username", "capakraken", "--command", follow)
    form = {"email": ADMINISTRATOR["ADMIN_EMAIL"], "password": ADMINISTRATOR["ADMIN_PASSWORD"]}
    cookie = str(prepared.ask("POST", "/sign-in", form).headers["Set-Cookie"]).partition(";")[0]
    stream = prepared.ask("GET", "/api/sse/timeline", cookie=cookie)
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert stream.readline() == b"retry: 1000\n"
    # A first comment says that the application listens for what is to be told.
    assert [stream.readline() for _ in range(3)] == [b"\n", b": quiet\n", b"\n"]
    moved = {"person": "1", "project": "1", "week": "2026-01-05", "hours": "8"}
    assert prepared.ask("POST", "/allocations", moved, cookie).status == 200
    assert stream.readline() == b"event: allocation\n"


def test_run_again_there_is_nothing_to_do(prepared: Prepared) -> None:
    # What the watcher sees each minute is written there meanwhile.
    left_out = "-not -name authorized_keys -not -path '*/.fairway/watch/*'"
    looked = f"find /etc /opt /home -xdev -type f {left_out} | sort | xargs sha256sum"
    before = prepared.host.sh(looked)
    assert "nothing to do on the host itself" in prepared.bootstrap("--plan")
    prepared.bootstrap()
    assert prepared.host.sh(looked).splitlines() == before.splitlines()


def test_the_doctor_finds_it_well(prepared: Prepared) -> None:
    checks = prepared.doctor()
    assert [check for check in checks.values() if not check["ok"]] == []
    assert checks["nginx"]["found"] == f"https://{SITE} -> 127.0.0.1:3000"
    assert f"for {SITE}, 29 days left" in checks["certificate"]["found"]


BROKEN = {
    "settings": "chmod 644 {path}/.env.production",
    "deploy user": "gpasswd --delete deploy docker",
    "forced command": "sed -i s/restrict,// /home/deploy/.ssh/authorized_keys",
    "nginx": "sed -i 's/proxy_buffering off/proxy_buffering on/' /etc/nginx/conf.d/fairway-*.conf",
    "open ports": "docker run --detach --name wide --publish 5432:5432 redis:8",
    "recovery at boot": "systemctl disable fairway-{project}-staging.service",
}


def test_the_doctor_says_what_was_broken_and_bootstrap_mends_what_is_its_own(prepared: Prepared) -> None:
    host, work = prepared.host, prepared.work
    before = prepared.doctor()
    for name, breaking in BROKEN.items():
        host.sh(breaking.format(path=work.deploy_path, project=work.project))
        broken = prepared.doctor()[name]
        assert broken["found"] != before[name]["found"], name
        # What a reboot alone shows is told, and is no failure.
        assert not broken["ok"] or name == "recovery at boot", name
    said = prepared.bootstrap("--yes", check=False)
    assert f"chmod 600 {work.deploy_path}/.env.production" in said
    assert "5432 (PostgreSQL)" in said
    host.sh(f"chmod 600 {work.deploy_path}/.env.production; docker rm --force wide; systemctl stop nginx")
    assert not prepared.doctor()["nginx"]["ok"]
    prepared.bootstrap("--yes")
    after = prepared.doctor()
    assert {name: after[name] for name in BROKEN} == {name: before[name] for name in BROKEN}


def test_what_a_person_has_to_decide_is_told_before_anything_is_done(prepared: Prepared) -> None:
    host = prepared.host
    ours, other = f"/etc/nginx/conf.d/fairway-{prepared.work.project}-staging.conf", "/etc/nginx/sites-enabled/other"
    host.put("/etc/ssh/sshd_config.d/90-only.conf", "AllowUsers root\n")
    host.put(other, f"server {{ listen 443 ssl; ssl_certificate {CERTIFICATE}; ssl_certificate_key {KEY}; }}\n")
    host.sh(f"mv {ours} /root/ours")
    try:
        assert "sshd does not let deploy in: AllowUsers root" in prepared.doctor()["deploy user"]["found"]
        assert f"{other} serves every name on port 443" in prepared.bootstrap("--yes", check=False)
    finally:
        host.sh(f"mv /root/ours {ours}; rm {other} /etc/ssh/sshd_config.d/90-only.conf")
    assert prepared.ask("GET", "/api/health").status == 200


def test_a_site_that_nginx_refuses_leaves_the_old_one_serving(prepared: Prepared) -> None:
    work, host = prepared.work, prepared.host
    file = f"/etc/nginx/conf.d/fairway-{work.project}-staging.conf"
    before = host.get(file)
    host.put("/etc/ssl/other.crt", "no certificate\n")
    prepared.configure({"certificate": "/etc/ssl/other.crt"})
    try:
        said = prepared.bootstrap("--yes", check=False)
    finally:
        work.git("checkout", "--quiet", "fairway.toml")
    assert "nginx refuses the site" in said
    assert host.get(file) == before
    assert prepared.ask("GET", "/api/health").status == 200


def test_nginx_takes_every_form_that_a_site_can_have(prepared: Prepared) -> None:
    wish = Wish("forms", "staging", "deploy", "/opt/forms", "3000", EnvironmentFile(".env", ()))
    for site in (Site("forms.test", Tls.NONE), Site("forms.test", Tls.CERTBOT, email="ops@forms.test")):
        prepared.host.put("/etc/nginx/conf.d/forms.conf", render(wish, site, Serving(certificate=False)))
        try:
            prepared.host.sh("nginx -t -q")
        finally:
            prepared.host.sh("rm /etc/nginx/conf.d/forms.conf")


def test_a_site_of_somebody_elses_is_not_touched(prepared: Prepared) -> None:
    host, file = prepared.host, "/etc/nginx/conf.d/by-hand.conf"
    host.put(file, f"server {{ listen 8080; server_name {SITE}; return 204; }}\n")
    try:
        said = prepared.bootstrap("--yes", check=False)
        assert f"{file} is a site of {SITE} already" in said
        assert "return 204" in host.get(file)
    finally:
        host.sh(f"rm {file}; nginx -s reload")


# An ACME authority on the host itself, which asks nginx for the answer as Let's Encrypt would.
PEBBLE = {
    "listenAddress": "127.0.0.1:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": "/etc/pebble.crt",
    "privateKey": "/etc/pebble.key",
    "httpPort": 80,
    "tlsPort": 443,
}


def test_certbot_gets_a_certificate_and_the_site_serves_with_it(prepared: Prepared) -> None:
    work, host = prepared.work, prepared.host
    host.sh("DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pebble", timeout_s=300)
    host.put("/etc/pebble.json", json.dumps({"pebble": PEBBLE}))
    for ending in ("crt", "key"):
        host.put(f"/etc/pebble.{ending}", (prepared.ca.parent / f"localhost.{ending}").read_text())
    host.put("/usr/local/share/ca-certificates/own.crt", prepared.ca.read_text())
    host.sh(f"update-ca-certificates; echo '127.0.0.1 {SITE}' >>/etc/hosts")
    host.sh("systemd-run --unit=pebble --setenv=PEBBLE_VA_NOSLEEP=1 pebble -config /etc/pebble.json")
    certbot = {"tls": "certbot", "email": "ops@example.test", "acme_server": "https://localhost:14000/dir"}
    prepared.configure({**certbot, "certificate": None, "certificate_key": None})
    try:
        assert "✗" not in prepared.bootstrap("--yes")
        assert "days left" in prepared.doctor()["certificate"]["found"]
        assert "nothing to do on the host itself" in prepared.bootstrap("--plan")
    finally:
        work.git("checkout", "--quiet", "fairway.toml")
    shown = ssl.get_server_certificate((host.address, 443))
    assert "Pebble" in run(["openssl", "x509", "-noout", "-issuer"], stdin=shown).stdout
