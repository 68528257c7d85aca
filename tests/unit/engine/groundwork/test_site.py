from __future__ import annotations

from dataclasses import replace

import pytest

from fairway.engine.contract.errors import Failed
from fairway.engine.groundwork.machine import Found
from fairway.engine.groundwork.site import Certificate, NginxSite
from fairway.engine.groundwork.site_text import Serving, file_name, render, settings_hash
from fairway.engine.groundwork.wish import Site, Tls
from fairway.engine.nginx.grammar import directives, find_forwards
from tests.unit.engine.groundwork.machines import CERTBOT, FILES, PLAIN, SERVED, Machine, ready

FILE = "/etc/nginx/conf.d/fairway-shop-production.conf"
LIVE = "/etc/letsencrypt/live/www.example.com/fullchain.pem"


def _quiet(line: str) -> None:
    return None


def _words(text: str) -> list[tuple[tuple[str, ...], str]]:
    return [(one.within, " ".join(word.text for word in one.words)) for one in directives(text)]


def _text(site: Site, serving: Serving | None = None) -> str:
    return render(replace(SERVED, site=site), site, serving or Serving())


def test_a_stream_and_a_socket_come_through_at_once() -> None:
    proxied = {text for within, text in _words(_text(FILES)) if within[-2:] == ("server", "location")}
    assert {
        "proxy_http_version 1.1",
        "proxy_buffering off",
        "proxy_read_timeout 1h",
        "proxy_set_header Upgrade $http_upgrade",
        "proxy_set_header Connection $fairway_shop_production_connection",
        "proxy_set_header X-Forwarded-For $remote_addr",
        "proxy_set_header X-Forwarded-Proto $scheme",
        "proxy_set_header Host $host",
    } <= proxied


def test_where_it_forwards_to_is_found_as_in_any_other_file() -> None:
    assert [(f.address, f.known) for f in find_forwards(_text(FILES))] == [("127.0.0.1:3000", True)]
    wide = render(replace(SERVED, port="0.0.0.0:8080"), FILES, Serving())
    assert [f.address for f in find_forwards(wide)] == ["127.0.0.1:8080"]
    inner = render(replace(SERVED, port="10.0.0.5:8080"), FILES, Serving())
    assert [f.address for f in find_forwards(inner)] == ["10.0.0.5:8080"]


def test_https_is_promised_only_where_it_is_served() -> None:
    assert "Strict-Transport-Security" in _text(FILES)
    assert "return 301 https://www.example.com$request_uri" in _text(FILES)
    plain = _text(PLAIN)
    assert "Strict-Transport-Security" not in plain
    assert "443" not in plain
    assert "proxy_pass" in plain


def test_until_there_is_a_certificate_only_the_question_for_it_is_answered() -> None:
    text = _text(CERTBOT, Serving(certificate=False))
    assert "root /var/www/fairway-acme" in text
    assert "ssl_certificate" not in text
    assert "proxy_pass" not in text


@pytest.mark.parametrize(
    ("version", "http2"), [((1, 18, 0), "listen 443 ssl http2"), ((1, 22, 1), "listen 443 ssl http2"), ((1, 26, 3), "")]
)
def test_http2_is_said_as_the_version_wants_it(version: tuple[int, ...], http2: str) -> None:
    text = _text(FILES, Serving(version=version, ipv6=False))
    assert (http2 or "http2 on") in text
    assert "[::]" not in text


def test_the_running_nginx_tells_which_text_it_has() -> None:
    one, other = _text(FILES), _text(replace(FILES, max_body_mb=21))
    assert len(settings_hash(one)) == 16
    assert settings_hash(one) != settings_hash(other)


def _served(machine: Machine) -> Machine:
    NginxSite().do(machine, SERVED, _quiet)
    machine.serving = settings_hash(machine.files[FILE])
    return machine


def test_a_site_is_written_and_then_left_alone() -> None:
    machine = ready()
    assert file_name(SERVED) == FILE
    assert FILE in NginxSite().look(machine, SERVED).steps[0]
    _served(machine)
    assert NginxSite().look(machine, SERVED).steps == ()
    assert machine.reloads == 1


def test_a_file_that_was_edited_and_an_nginx_that_has_not_read_it_are_told() -> None:
    machine = _served(ready())
    machine.serving = ""
    assert "does not serve by them" in NginxSite().look(machine, SERVED).steps[0]
    machine.files[FILE] = machine.files[FILE].replace("off", "on")
    assert "in the place of what it says now" in NginxSite().look(machine, SERVED).steps[0]


def test_a_file_that_is_not_ours_is_never_touched() -> None:
    machine = ready()
    machine.files[FILE] = "# mine\n"
    assert NginxSite().look(machine, SERVED).blocked == f"{FILE} is not one of Fairway's"
    with pytest.raises(Failed):
        NginxSite().do(machine, SERVED, _quiet)
    assert machine.files[FILE] == "# mine\n"


def test_a_name_that_another_file_serves_is_not_taken() -> None:
    machine = ready(texts={"/etc/nginx/sites-enabled/shop": "server { listen 80; server_name WWW.example.com; }"})
    assert "is a site of www.example.com already" in NginxSite().look(machine, SERVED).blocked


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("server { root /srv; }", "80"),
        ("server { listen 80; server_name shop.example.com; }", "80"),
        ("server { listen 80 default_server; listen [::]:80; }", "[::]:80"),
        ("server { listen *:80 default_server; }\nserver { listen 0.0.0.0:443 ssl; server_name shop; }", "443"),
    ],
)
def test_a_site_that_others_come_to_by_a_name_of_no_site_keeps_them(text: str, port: str) -> None:
    machine = ready(texts={"/etc/nginx/sites-available/shop": text})
    look = NginxSite().look(machine, SERVED)
    assert "/etc/nginx/sites-available/shop serves every name" in look.blocked
    assert f"listen {port} default_server" in look.hint
    with pytest.raises(Failed):
        NginxSite().do(machine, SERVED, _quiet)
    assert FILE not in machine.files


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("/etc/nginx/sites-available/default", "server { listen 80 default_server; listen [::]:80 default_server; }"),
        ("/etc/nginx/conf.d/default.conf", "server { listen 80; server_name localhost; }"),
        ("/etc/nginx/sites-available/inner", "server { listen 127.0.0.1:80; listen unix:/run/x; listen 8443 ssl; }"),
        ("/etc/nginx/nginx.conf", "stream { server { listen 80; } } http { upstream x { server 10.0.0.1:80; } }"),
    ],
)
def test_a_site_that_loses_nobody_is_no_hindrance(name: str, text: str) -> None:
    assert NginxSite().look(ready(texts={name: text}), SERVED).blocked == ""


def test_once_the_site_is_there_it_is_not_held_up_by_later_ones() -> None:
    machine = _served(ready())
    machine.texts["/etc/nginx/sites-available/shop"] = "server { listen 80; }"
    assert NginxSite().look(machine, SERVED).blocked == ""


@pytest.mark.parametrize(
    ("listen", "hidden"),
    [("203.0.113.5:443 ssl", True), ("[2001:db8::1]:80", True), ("127.0.0.1:80", False), ("203.0.113.5:8443", False)],
)
def test_a_site_that_visitors_of_an_address_cannot_find_is_told(listen: str, hidden: bool) -> None:
    machine = ready(texts={"/etc/nginx/sites-available/shop": f"server {{ listen {listen}; server_name shop; }}"})
    look = NginxSite().look(machine, SERVED)
    assert look.blocked == ""
    assert ("does not find www.example.com" in look.wrong) is hidden


def test_nginx_is_not_installed_beside_another_program_on_its_port() -> None:
    bare = Machine(ports=[("", 22), ("", 443)])
    assert "another program has port 443" in NginxSite().look(bare, SERVED).blocked
    assert NginxSite().look(bare, replace(SERVED, site=PLAIN)).blocked == ""
    assert NginxSite().look(Machine(ports=[("", 22)]), SERVED).blocked == ""


def test_what_somebody_spoiled_in_the_site_itself_is_mended() -> None:
    machine = _served(ready())
    machine.files[FILE] += "}\n"
    machine.problems = [f'unexpected "}}" in {FILE}:60']
    assert "in the place of" in NginxSite().look(machine, SERVED).steps[0]


def test_an_nginx_that_is_broken_already_is_mended_first() -> None:
    assert "its own files" in NginxSite().look(ready(problems=["unknown directive"]), SERVED).blocked


@pytest.mark.parametrize("before", [None, "# Written by Fairway: fairway bootstrap production\n# old\n"])
def test_when_nginx_refuses_the_site_what_was_there_is_back(before: str | None) -> None:
    machine = ready(problems=["", "cannot load certificate"])
    if before is not None:
        machine.files[FILE] = before
    with pytest.raises(Failed, match="nginx refuses the site"):
        NginxSite().do(machine, SERVED, _quiet)
    assert machine.files.get(FILE) == before


def test_a_certificate_is_asked_for_once_the_question_can_be_answered() -> None:
    wish = replace(SERVED, site=CERTBOT)
    machine = ready()
    assert "agreeing to its terms as ops@example.com" in NginxSite().look(machine, wish).steps[0]
    machine.answers["certbot"] = ""
    NginxSite().do(machine, wish, _quiet)
    asked = next(argv for argv in machine.ran if argv[0] == "certbot")
    assert asked[asked.index("--domain") + 1] == "www.example.com"
    assert machine.reloads == 2
    machine.files[LIVE] = "there"
    machine.ran.clear()
    assert len(NginxSite().look(machine, wish).steps) == 1  # what nginx serves by, not the certificate
    NginxSite().do(machine, wish, _quiet)
    assert not any(argv[0] == "certbot" for argv in machine.ran)


def test_when_no_certificate_comes_the_reason_is_said() -> None:
    machine = ready()
    machine.files[FILE] = "# Written by Fairway: fairway bootstrap production\n# old\n"
    with pytest.raises(Failed, match="certbot got no certificate") as caught:
        NginxSite().do(machine, replace(SERVED, site=CERTBOT), _quiet)
    assert "port 80" in caught.value.hint
    assert machine.files[FILE].endswith("# old\n")


# -- the certificate


def test_files_that_are_not_there_are_named_before_anything_is_done() -> None:
    assert "no /etc/ssl/site.crt and no /etc/ssl/private/site.key" in Certificate().look(ready(), SERVED).blocked


@pytest.mark.parametrize(
    ("ends", "matches", "wrong"),
    [
        ("Jan  1 00:00:00 2099 GMT", True, ""),
        ("Jan  1 00:00:00 2099 GMT", False, "is not for www.example.com"),
        ("Jan  1 00:00:00 2020 GMT", True, "has ended"),
    ],
)
def test_what_visitors_are_shown_is_judged(ends: str, matches: bool, wrong: str) -> None:
    machine = ready(certificate="PEM")
    for path in (FILES.certificate, FILES.certificate_key):
        machine.found[str(path)] = Found(0, 0, 0o600, False)
    said = "does match" if matches else "does NOT match"
    machine.answers["openssl x509"] = f"notAfter={ends}\nHostname www.example.com {said} certificate\n"
    look = Certificate().look(machine, SERVED)
    assert wrong in look.wrong
    assert bool(look.wrong) is bool(wrong)


def test_a_key_that_everybody_can_read_is_told() -> None:
    machine = ready()
    for path in (FILES.certificate, FILES.certificate_key):
        machine.found[str(path)] = Found(0, 0, 0o644, False)
    assert "everybody on the host can read" in Certificate().look(machine, SERVED).wrong
    kept = "/etc/letsencrypt/archive/www.example.com/privkey1.pem"
    key = str(FILES.certificate_key)
    machine.links, machine.found[key] = {key: kept}, Found(0, 0, 0o777, directory=False, plain=False)
    machine.found[kept] = Found(0, 0, 0o600, directory=False)
    assert Certificate().look(machine, SERVED).wrong == ""
    del machine.found[kept]
    assert f"no {key}" in Certificate().look(machine, SERVED).blocked
    assert not Certificate().asked(replace(SERVED, site=PLAIN))
    assert PLAIN.tls is Tls.NONE
