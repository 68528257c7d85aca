"""Which certificate authorities a registry is checked against: the system's, and Docker's for that host."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from fairway.engine.contract.errors import Invalid


def docker_certificate_directories(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return where Docker looks for ``<host>/ca.crt``: the daemon, rootless Docker, Docker Desktop."""
    home = Path(environ.get("HOME") or "~").expanduser()
    return (Path("/etc/docker/certs.d"), home / ".config/docker/certs.d", home / ".docker/certs.d")


def context(registry: str, directories: Iterable[Path]) -> ssl.SSLContext:
    """Build the TLS context for a registry (``host`` or ``host:port``).

    The defaults of OpenSSL come first, and they honour ``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR``. A Python that knows no system store takes certifi's. Then every
    ``*.crt`` that Docker trusts for this host is added. Raises ``Invalid`` for a
    file that cannot be used.
    """
    try:
        tls = ssl.create_default_context()
    except OSError as error:
        raise Invalid(
            "the certificate authorities cannot be read", why=str(error)[:200], hint="see SSL_CERT_FILE"
        ) from None
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None and paths.capath is None:  # e.g. python.org's macOS builds
        import certifi

        tls.load_verify_locations(certifi.where())
    for directory in directories:
        for certificate in _certificates(directory / registry):
            try:
                tls.load_verify_locations(certificate)
            except OSError as error:  # ssl.SSLError is one
                raise Invalid(f"the certificate {certificate} cannot be used", why=str(error)[:200]) from None
    return tls


def _certificates(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == ".crt")
    except OSError:
        return []
