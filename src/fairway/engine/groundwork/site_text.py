"""The text of nginx's site: from what is wished for to the file, and nothing else.

Sources: nginx's reference of ngx_http_proxy_module, ngx_http_ssl_module, ngx_http_v2_module.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from fairway.engine.groundwork.wish import Site, Tls, Wish

#: The first words of every file of ours; a file without them is never touched.
MARK = "# Written by Fairway: fairway bootstrap "
#: Where the running nginx tells this host, and nobody else, which text it has read.
SETTINGS_PATH = "/.well-known/fairway-site"
CHALLENGES = "/var/www/fairway-acme"
_PLACE = "@settings@"


@dataclass(frozen=True)
class Serving:
    """What the text depends on beside the wish: nginx's version, and what is there on the host."""

    version: tuple[int, ...] = (1, 26, 0)
    ipv6: bool = True
    #: Whether the certificate can be read by now; without it only what fetches one is served.
    certificate: bool = True


def file_name(wish: Wish) -> str:
    """Return the site's file: in a directory that both Debian's nginx and nginx's own packages read."""
    return f"/etc/nginx/conf.d/fairway-{wish.project}-{wish.environment}.conf"


def certificate_files(site: Site) -> tuple[str, str]:
    """Return the certificate with its chain, and its key."""
    if site.tls is Tls.CERTBOT:
        return f"/etc/letsencrypt/live/{site.name}/fullchain.pem", f"/etc/letsencrypt/live/{site.name}/privkey.pem"
    return site.certificate or "", site.certificate_key or ""


def settings_hash(text: str) -> str:
    """Return what the running nginx tells when this text is what it has read."""
    match = re.search(r'return 200 "([0-9a-f]{16})";', text)
    return match[1] if match else ""


def render(wish: Wish, site: Site, serving: Serving) -> str:
    """Return the whole file."""
    name = re.sub(r"[^a-z0-9]", "_", f"{wish.project}_{wish.environment}")
    secured = site.tls is not Tls.NONE
    lines = [
        f"{MARK}{wish.environment}",
        "# What is changed here is put back by the next bootstrap: change fairway.toml, or use a file of your own.",
        f"map $http_upgrade $fairway_{name}_connection {{",
        "    default upgrade;",
        # Nothing is said of the connection, so that it is kept for the next request.
        "    ''      '';",
        "}",
        f"upstream fairway_{name} {{",
        f"    server {wish.upstream};",
        "    keepalive 32;",
        "}",
        "server {",
        *_listen(80, serving, ""),
        f"    server_name {site.name};",
        *_told(),
    ]
    if site.tls is Tls.CERTBOT:
        lines += ["    location ^~ /.well-known/acme-challenge/ {", f"        root {CHALLENGES};", "    }"]
    if not secured:
        lines += [*_proxy(name, site), "}"]
    else:
        away = f"return 301 https://{site.name}$request_uri" if serving.certificate else "return 503"
        lines += ["    location / {", f"        {away};", "    }", "}"]
    if secured and serving.certificate:
        lines += _secured(name, site, serving)
    text = "\n".join(lines) + "\n"
    return text.replace(_PLACE, hashlib.sha256(text.encode()).hexdigest()[:16])


def _secured(name: str, site: Site, serving: Serving) -> list[str]:
    certificate, key = certificate_files(site)
    by_directive = serving.version >= (1, 25, 1)
    return [
        "server {",
        *_listen(443, serving, " ssl" if by_directive else " ssl http2"),
        # Over HTTP/1.1 a browser opens six connections to a site, and each stream keeps one.
        *(["    http2 on;"] if by_directive else []),
        f"    server_name {site.name};",
        f"    ssl_certificate {certificate};",
        f"    ssl_certificate_key {key};",
        "    ssl_protocols TLSv1.2 TLSv1.3;",
        f"    ssl_session_cache shared:fairway_{name}:2m;",
        "    ssl_session_timeout 1d;",
        "    ssl_session_tickets off;",
        '    add_header Strict-Transport-Security "max-age=31536000" always;',
        *_proxy(name, site),
        "}",
    ]


def _listen(port: int, serving: Serving, options: str) -> list[str]:
    addresses = ("", "[::]:") if serving.ipv6 else ("",)
    return [f"    listen {address}{port}{options};" for address in addresses]


def _told() -> list[str]:
    return [
        f"    location = {SETTINGS_PATH} {{",
        "        if ($remote_addr != 127.0.0.1) { return 404; }",
        "        default_type text/plain;",
        f'        return 200 "{_PLACE}";',
        "    }",
    ]


def _proxy(name: str, site: Site) -> list[str]:
    return [
        f"    client_max_body_size {site.max_body_mb}m;",
        "    location / {",
        f"        proxy_pass http://fairway_{name};",
        "        proxy_http_version 1.1;",
        "        proxy_set_header Host $host;",
        # Set, not added to: what a visitor claims to have come by is not believed.
        "        proxy_set_header X-Forwarded-For $remote_addr;",
        "        proxy_set_header X-Real-IP $remote_addr;",
        "        proxy_set_header X-Forwarded-Proto $scheme;",
        "        proxy_set_header X-Forwarded-Host $host;",
        "        proxy_set_header X-Forwarded-Port $server_port;",
        "        proxy_set_header Upgrade $http_upgrade;",
        f"        proxy_set_header Connection $fairway_{name}_connection;",
        # Live updates: each event goes on at once, and a stream may say nothing for long.
        "        proxy_buffering off;",
        "        proxy_cache off;",
        "        proxy_read_timeout 1h;",
        "        proxy_send_timeout 1h;",
        "    }",
    ]
