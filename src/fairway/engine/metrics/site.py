"""The site that Fairway has made in nginx: under which name, and until when its certificate is valid."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.contract.errors import Failed
from fairway.engine.hostconfig import HostConfig
from fairway.engine.nginx.grammar import directives
from fairway.engine.process import run

SITES = Path("/etc/nginx/conf.d")


@dataclass(frozen=True)
class Site:
    """A name that nginx serves the application under."""

    name: str
    tls: bool


def sites_of(host: HostConfig) -> Iterator[Site]:
    """Yield the host's site; nothing where nginx is the operator's own."""
    try:
        text = (SITES / f"fairway-{host.project}-{host.environment}.conf").read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    yield from read_sites(text)


def read_sites(text: str) -> list[Site]:
    """Return what nginx's file serves."""
    found = list(directives(text))
    tls = any(one.name == "ssl_certificate" for one in found)
    named = {word.text for one in found if one.name == "server_name" for word in one.words[1:]}
    return [Site(name, tls) for name in sorted(named) if name not in ("_", "")]


def certificate_ends(host: HostConfig) -> Iterator[tuple[str, float]]:
    """Yield the site's name and when its certificate ends, as a visitor is shown it.

    Raises ``Failed`` when none is shown where one should be.
    """
    for site in sites_of(host):
        if not site.tls:
            continue
        # Only hosts with a certificate pay for it.
        from fairway.engine.groundwork.machine import ThisMachine
        from fairway.engine.nginx.server import PATH

        shown = ThisMachine().served_certificate(site.name)
        if not shown:
            raise Failed(f"no certificate is shown for {site.name}", hint="nginx -t, on the host")
        said = run(["openssl", "x509", "-noout", "-enddate"], env={"PATH": PATH, "LC_ALL": "C"}, stdin=shown).stdout
        yield site.name, read_end(said)


def read_end(said: str) -> float:
    """Return the time in what openssl says. Raises ``Failed``."""
    ends = re.search(r"^notAfter=(.+)$", said, re.MULTILINE)
    if ends is None:
        raise Failed("openssl cannot read the certificate")
    return float(ssl.cert_time_to_seconds(ends[1]))
