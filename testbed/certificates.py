"""The registry's certificate: made with openssl, trusted where the testbed needs it, and nowhere else."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from testbed.docker import LABEL, docker
from testbed.images import HOST
from testbed.process import run

CA_NAME = "Fairway testbed CA"
CERTS_D = Path("/etc/docker/certs.d")
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make(directory: Path, address: str) -> None:
    """Write ``ca.crt``, ``registry.crt`` and ``registry.key`` for an IP address to ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    mask = os.umask(0o077)
    try:
        run(
            [
                *("openssl", "req", "-x509", *_EC, "-days", "30", "-subj", f"/CN={CA_NAME}"),
                *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"),
                *("-keyout", directory / "ca.key", "-out", directory / "ca.crt"),
            ]
        )
        request = directory / "registry.csr"
        run(
            [
                *("openssl", "req", "-new", *_EC, "-subj", f"/CN={address}"),
                *("-keyout", directory / "registry.key", "-out", request),
            ]
        )
        extensions = directory / "registry.ext"
        extensions.write_text(
            f"subjectAltName=IP:{address}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n"
            "keyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n",
            encoding="ascii",
        )
        run(
            [
                *("openssl", "x509", "-req", "-days", "30", "-in", request, "-extfile", extensions),
                *("-CA", directory / "ca.crt", "-CAkey", directory / "ca.key", "-CAcreateserial"),
                *("-out", directory / "registry.crt"),
            ]
        )
        # Nothing else is ever signed with it.
        (directory / "ca.key").unlink()
    finally:
        os.umask(mask)


def bundle(ca_file: Path) -> str:
    """Return what this machine trusts and our CA, in one: for programs that take one file."""
    paths = ssl.get_default_verify_paths()
    named = (os.environ.get("SSL_CERT_FILE"), paths.cafile, "/etc/ssl/certs/ca-certificates.crt")
    system = next((Path(name) for name in named if name and Path(name).is_file()), None)
    own = ca_file.read_text(encoding="ascii")
    return own if system is None else f"{system.read_text(encoding='utf-8')}\n{own}"


def trust(registry: str, ca_file: Path) -> None:
    """Make the machine's Docker daemon trust the registry at ``registry`` (ip:port); no restart is needed."""
    if os.geteuid() == 0:
        directory = CERTS_D / registry
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "ca.crt").write_bytes(ca_file.read_bytes())
        return
    _as_root(
        f"mkdir -p '/certs.d/{registry}' && cat >'/certs.d/{registry}/ca.crt'", ca_file.read_text(encoding="ascii")
    )


def distrust(registry: str) -> None:
    """Take back what ``trust`` did."""
    if not (CERTS_D / registry).exists():
        return
    if os.geteuid() == 0:
        (CERTS_D / registry / "ca.crt").unlink(missing_ok=True)
        (CERTS_D / registry).rmdir()
        return
    _as_root(f"rm -f '/certs.d/{registry}/ca.crt' && rmdir '/certs.d/{registry}'")


def trusted() -> list[str]:
    """Return the registries of testbeds, running or left behind, that the daemon trusts."""
    found = []
    for file in CERTS_D.glob("*:*/ca.crt"):
        issuer = run(["openssl", "x509", "-in", file, "-noout", "-issuer"], check=False).stdout
        if CA_NAME in issuer:
            found.append(file.parent.name)
    return found


def _as_root(script: str, stdin: str | None = None) -> None:
    """Change the daemon's directory of certificates as a user who may use Docker but is not root."""
    docker(
        *("run", "--rm", "--interactive", f"--label={LABEL}=1", f"--volume={CERTS_D}:/certs.d"),
        *("--network=none", "--entrypoint=/bin/sh", HOST.name, "-c", script),
        stdin=stdin,
    )
