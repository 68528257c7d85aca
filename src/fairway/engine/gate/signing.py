"""The host's evidence key: made here, never leaves, and signs what this host says."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from pathlib import Path

from fairway.engine.contract.errors import Failed
from fairway.engine.contract.statement import Signed, Statement
from fairway.engine.contract.trust import PublicKey, Role
from fairway.engine.files import sync_directory
from fairway.engine.layout import Layout
from fairway.engine.process import run

_ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]")


def host_name() -> str:
    """Return this host's name, as its statements carry it."""
    return _NOT_IN_A_NAME.sub("-", socket.gethostname())[:60].lstrip("._-") or "host"


def key_name_of(environment: str, host: str) -> str:
    """Return the name under which a host's evidence key is believed elsewhere."""
    return f"{environment}:{host}"


def make_evidence_key(layout: Layout) -> PublicKey:
    """Make the key where there is none; return its public half. Raises ``Failed`` without ``ssh-keygen``."""
    return public_key(layout) or renew_evidence_key(layout)


def renew_evidence_key(layout: Layout) -> PublicKey:
    """Put a new key in the place of the one there, in one rename; return its public half."""
    with tempfile.TemporaryDirectory(dir=layout.root, prefix=".evidence-") as directory:
        made = Path(directory) / "key"
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host_name(), "-f", str(made)]
        done = run(argv, env=_ENVIRONMENT, timeout_s=30)
        if done.returncode != 0:
            raise Failed("the host's evidence key could not be made", why=done.stderr.strip()[-300:])
        made.replace(layout.evidence_key)
    sync_directory(layout.root)
    found = public_key(layout)
    if found is None:
        raise Failed("the host's evidence key is gone as soon as it was made", why=str(layout.evidence_key))
    return found


def public_key(layout: Layout) -> PublicKey | None:
    """Return the public half, read out of the private one so that the two cannot differ; None without a key."""
    if not layout.evidence_key.exists():
        return None
    done = run(["ssh-keygen", "-y", "-P", "", "-f", str(layout.evidence_key)], env=_ENVIRONMENT, timeout_s=30)
    if done.returncode != 0:
        raise Failed(
            "the host's evidence key cannot be read",
            why=done.stderr.strip()[-300:],
            hint="make a new one: fairway keys rotate <environment> --host",
        )
    return PublicKey(done.stdout)


def sign(layout: Layout, statement: Statement) -> Signed:
    """Sign a statement as this host. Raises ``Failed`` when there is no key or it cannot be used."""
    if not layout.evidence_key.exists():
        raise Failed(
            "this host has no evidence key, so it can sign nothing", hint="make it: fairway bootstrap <environment>"
        )
    content = statement.to_bytes()
    # Without a file to sign, ssh-keygen signs its standard input and prints the signature (ssh-keygen(1), -Y sign).
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", Role.HOST.namespace, "-f", str(layout.evidence_key)]
    done = run(argv, env=_ENVIRONMENT, stdin=content.decode(), timeout_s=30)
    if done.returncode != 0:
        raise Failed("the host's evidence key cannot sign", why=done.stderr.strip()[-300:])
    return Signed(content, done.stdout)
