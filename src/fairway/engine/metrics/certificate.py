"""Until when the certificate of the site that Fairway has made in nginx is valid: as a visitor is shown it."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path

from fairway.engine.contract.errors import Failed
from fairway.engine.groundwork.machine import ThisMachine
from fairway.engine.hostconfig import HostConfig
from fairway.engine.nginx.grammar import directives
from fairway.engine.nginx.server import PATH
from fairway.engine.process import run

SITES = Path("/etc/nginx/conf.d")


def certificate_ends(host: HostConfig) -> Iterator[tuple[str, float]]:
    """Yield the site's name and when its certificate ends; nothing without a site, or without TLS.

    Raises ``Failed`` when none is shown where one should be.
    """
    try:
        text = (SITES / f"fairway-{host.project}-{host.environment}.conf").read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    for name in secured_names(text):
        shown = ThisMachine().served_certificate(name)
        if not shown:
            raise Failed(f"no certificate is shown for {name}", hint="nginx -t, on the host")
        said = run(["openssl", "x509", "-noout", "-enddate"], env={"PATH": PATH, "LC_ALL": "C"}, stdin=shown).stdout
        yield name, read_end(said)


def secured_names(text: str) -> list[str]:
    """Return the names that a site is served under with a certificate."""
    found = list(directives(text))
    if not any(one.name == "ssl_certificate" for one in found):
        return []
    named = (word.text for one in found if one.name == "server_name" for word in one.words[1:])
    return sorted({name for name in named if name not in ("_", "")})


def read_end(said: str) -> float:
    """Return the time in what openssl says. Raises ``Failed``."""
    ends = re.search(r"^notAfter=(.+)$", said, re.MULTILINE)
    if ends is None:
        raise Failed("openssl cannot read the certificate")
    return float(ssl.cert_time_to_seconds(ends[1]))
