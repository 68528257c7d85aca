"""nginx's site in front of the edge, and its certificate."""

from __future__ import annotations

import re
import ssl
import time
from pathlib import PurePosixPath

from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.groundwork.machine import Machine, View
from fairway.engine.groundwork.site_text import (
    CHALLENGES,
    MARK,
    SETTINGS_PATH,
    Serving,
    certificate_files,
    file_name,
    render,
    settings_hash,
)
from fairway.engine.groundwork.wants import Look, Tell
from fairway.engine.groundwork.wish import Site, Tls, Wish
from fairway.engine.nginx.grammar import directives, listens

_RENEW_DAYS = 14
_INNER = ("127.", "::1")
_CERTBOT_PATIENCE_S = 300.0


class NginxSite:
    """Have nginx forward the site's visitors to the edge. Files that Fairway has not written are not touched."""

    name = "nginx"

    def asked(self, wish: Wish) -> bool:
        return wish.site is not None

    def look(self, machine: View, wish: Wish) -> Look:
        site, path = _site(wish), file_name(wish)
        if not machine.which("nginx"):
            taken = _taken(machine, site)
            if taken:
                return Look(
                    "nginx is not there yet",
                    blocked=f"another program has port {taken}, and nginx would fight with it at each boot",
                    hint="have that program forward to the edge, without a site in fairway.toml; or take it away",
                )
            return Look("nginx is not there yet", (*_ask_certificate(machine, site), _writing(path, wish, site)))
        blocked = _standing_in_the_way(machine, path, site)
        if blocked is not None:
            return blocked
        steps = list(_ask_certificate(machine, site))
        wanted = _text(machine, wish, certificate=True)
        there = machine.read(path)
        if there is None:
            steps.append(_writing(path, wish, site))
        elif there != wanted:
            steps.append(f"{_writing(path, wish, site)}, in the place of what it says now")
        elif not steps and machine.ask(site.name, SETTINGS_PATH).strip() != settings_hash(wanted):
            steps.append("have nginx take its files on: it does not serve by them")
        found = f"{site.url} -> {wish.upstream}" if not steps else f"{site.url} is not served"
        hidden = _hidden(machine, path, site)
        hint = "take the address out of the listen lines there, or forward from there to the edge" if hidden else ""
        return Look(found, tuple(steps), wrong=hidden, hint=hint)

    def do(self, machine: Machine, wish: Wish, tell: Tell) -> tuple[str, ...]:
        site, path = _site(wish), file_name(wish)
        blocked = _standing_in_the_way(machine, path, site)
        if blocked is not None:
            raise Failed(blocked.blocked, hint=blocked.hint)
        if _ask_certificate(machine, site):
            # Whoever hands certificates out looks for an answer at the site, so that comes first.
            machine.make_directory(CHALLENGES)
            before = machine.read(path)
            _put(machine, path, _text(machine, wish, certificate=False))
            try:
                _ask_for(machine, site, tell)
            except FairwayError:
                _put_back(machine, path, before)
                raise
        _put(machine, path, _text(machine, wish, certificate=True))
        return ()


class Certificate:
    """Look whether the certificate that visitors are shown is theirs, and for how long."""

    name = "certificate"

    def asked(self, wish: Wish) -> bool:
        return wish.site is not None and wish.site.tls is not Tls.NONE

    def look(self, machine: View, wish: Wish) -> Look:
        site = _site(wish)
        certificate, key = certificate_files(site)
        if site.tls is Tls.FILES:
            absent = [path for path in (certificate, key) if machine.find(machine.real(path)) is None]
            if absent:
                return Look(
                    "not there",
                    blocked=f"there is no {' and no '.join(absent)} on the host",
                    hint="put the certificate, with its chain, and its key there: fairway.toml names them",
                )
            # certbot's are links, and a link's own mode says nothing.
            found = machine.find(machine.real(key))
            if found is not None and found.mode & 0o004:
                return Look("", wrong=f"everybody on the host can read {key}", hint=f"chmod 600 {key}")
        shown = machine.served_certificate(site.name)
        if not shown:
            # Until the site is served there is nothing to be seen, and the site says so itself.
            return Look("nginx shows none yet")
        return _judged(machine, site, shown)

    def do(self, machine: Machine, wish: Wish, tell: Tell) -> tuple[str, ...]:
        return ()


def _judged(machine: View, site: Site, shown: str) -> Look:
    argv = ["openssl", "x509", "-noout", "-enddate", "-checkhost", site.name]
    said = machine.run(argv, stdin=shown).stdout
    ends = re.search(r"^notAfter=(.+)$", said, re.MULTILINE)
    if ends is None:
        return Look("openssl cannot read it")
    days = int((ssl.cert_time_to_seconds(ends[1]) - time.time()) // 86400)
    renewal = "certbot renew, on the host" if site.tls is Tls.CERTBOT else "put a new one there, then: nginx -s reload"
    if "does NOT match" in said:
        return Look("", wrong=f"the certificate that is shown is not for {site.name}", hint=renewal)
    if days < _RENEW_DAYS:
        left = f"ends in {days} days" if days >= 0 else "has ended"
        return Look("", wrong=f"the certificate of {site.name} {left} ({ends[1]})", hint=renewal)
    return Look(f"for {site.name}, {days} days left")


def _site(wish: Wish) -> Site:
    assert wish.site is not None
    return wish.site


def _text(machine: View, wish: Wish, *, certificate: bool) -> str:
    said = machine.run(["nginx", "-v"])
    match = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said.stderr + said.stdout)
    version = tuple(int(part) for part in match.groups()) if match else (1, 18, 0)
    return render(wish, _site(wish), Serving(version, machine.ipv6, certificate))


def _writing(path: str, wish: Wish, site: Site) -> str:
    tls = {
        Tls.CERTBOT: "TLS by certbot",
        Tls.FILES: f"TLS with {site.certificate}",
        Tls.NONE: "without TLS",
    }
    return f"write {path}: {site.name} -> {wish.upstream}, {tls[site.tls]}; nginx -t, then reload"


def _ask_certificate(machine: View, site: Site) -> tuple[str, ...]:
    if site.tls is not Tls.CERTBOT or machine.find(str(PurePosixPath(certificate_files(site)[0]))) is not None:
        return ()
    whom = site.acme_server or "Let's Encrypt"
    return (f"certbot: ask {whom} for a certificate of {site.name}, agreeing to its terms as {site.email}",)


def _standing_in_the_way(machine: View, path: str, site: Site) -> Look | None:
    """Return why the file cannot be written: another's, nginx's own broken, or the name is taken."""
    there = machine.read(path)
    if there is None and machine.find(path) is not None:
        return Look("", blocked=f"{path} is no file that can be read", hint="move it away")
    if there is not None and not there.startswith(MARK):
        return Look("", blocked=f"{path} is not one of Fairway's", hint="move it away, if it is not needed")
    problem = machine.nginx_problem()
    if problem and path not in problem:  # what was spoiled in this very file is mended with it
        return Look("", blocked="nginx refuses its own files", hint=f"mend them first: {problem}")
    for name, text in machine.nginx().texts.items():
        if name != path and site.name in _server_names(text):
            return Look(
                "",
                blocked=f"{name} is a site of {site.name} already",
                hint=f"take {site.name} out of it; or keep it, leave the site out of fairway.toml, and have it "
                "forward to the edge (fairway adopt says how)",
            )
    return _would_be_first(machine, path, site) if there is None else None


def _would_be_first(machine: View, path: str, site: Site) -> Look | None:
    """Return whose visitors a new site would get: those of a name that no site has go to the first that nginx reads."""
    directory = PurePosixPath(path).parent
    there = [(name, one) for name, text in machine.nginx().texts.items() for one in listens(text)]
    for port in _ports(site):
        for ipv6 in (False, True) if machine.ipv6 else (False,):
            beside = [
                (name, one.default) for name, one in there if (one.address, one.port, one.ipv6) == ("", port, ipv6)
            ]
            # Files of one directory are read by their names.
            before = any(PurePosixPath(name).parent == directory and name < path for name, _ in beside)
            if beside and not before and not any(default for _, default in beside):
                return Look(
                    "",
                    blocked=f"{beside[0][0]} serves every name on port {port} that no site has, "
                    "and nginx would give those to Fairway's site, which it reads before",
                    hint=f"add default_server there: listen {'[::]:' if ipv6 else ''}{port} default_server ...;",
                )
    return None


def _hidden(machine: View, path: str, site: Site) -> str:
    """Return by which address visitors find another site alone: where one listens at it, nginx looks no further."""
    for name, text in machine.nginx().texts.items():
        for one in listens(text):
            if name != path and one.port in _ports(site) and one.address and not one.address.startswith(_INNER):
                return (
                    f"{name} listens at {one.address}:{one.port}: who comes by that address does not find {site.name}"
                )
    return ""


def _ports(site: Site) -> tuple[int, ...]:
    return (80,) if site.tls is Tls.NONE else (80, 443)


def _taken(machine: View, site: Site) -> str:
    """Return which of nginx's ports another program listens on."""
    taken = {port for _, port in machine.listening()}
    return " and ".join(str(port) for port in _ports(site) if port in taken)


def _server_names(text: str) -> set[str]:
    named = (directive for directive in directives(text) if directive.name == "server_name")
    return {word.text.lower() for directive in named for word in directive.words[1:]}


def _put(machine: Machine, path: str, text: str) -> None:
    """Put a text there and have nginx serve by it; when nginx does not want it, what was there comes back."""
    before = machine.read(path)
    machine.write(path, text)
    try:
        problem = machine.nginx_problem()
        if problem:
            raise Failed("nginx refuses the site", why=problem, hint="what was there before is back")
        machine.reload_nginx()
    except FairwayError:
        _put_back(machine, path, before)
        raise


def _put_back(machine: Machine, path: str, before: str | None) -> None:
    if before is None:
        machine.remove(path)
    else:
        machine.write(path, before)
    if not machine.nginx_problem():
        machine.run(["nginx", "-s", "reload"])


def _ask_for(machine: Machine, site: Site, tell: Tell) -> None:
    said: list[str] = []

    def hear(line: str) -> None:
        said.append(line)
        tell(line)

    argv = ["certbot", "certonly", "--non-interactive", "--agree-tos", "--email", site.email or ""]
    argv += ["--webroot", "--webroot-path", CHALLENGES, "--cert-name", site.name, "--domain", site.name]
    argv += ["--server", site.acme_server] if site.acme_server else []
    # Runs after each renewal, which the package's own timer does.
    argv += ["--deploy-hook", "nginx -s reload"]
    if machine.stream(argv, hear, timeout_s=_CERTBOT_PATIENCE_S) != 0:
        raise Failed(
            f"certbot got no certificate for {site.name}",
            why="\n".join(line for line in said if line.strip())[-800:],
            hint=f"{site.name} must lead to this host, and port 80 be reachable from outside; then run this again",
        )
