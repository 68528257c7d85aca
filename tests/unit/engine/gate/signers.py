"""People and hosts who sign, with real keys made once for a run of the tests."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from fairway.engine.contract.names import Digest, Tag
from fairway.engine.contract.statement import Kind, Signed, Statement, said_by_a_host
from fairway.engine.contract.trust import Key, Keys, PublicKey, Role

RELEASE = Digest.of(b"the release")
OLD = Digest.of(b"the release before")
TAG = Tag("sha-4f2a9c1")
AT = "2026-01-31T12:00:00.000Z"
LATER = "2026-02-02T12:00:00.000Z"


@cache
def private_key(owner: str) -> Path:
    """Return the private key of somebody, made when first asked for."""
    path = Path(tempfile.mkdtemp(prefix="fairway-signers-")) / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", owner, "-f", path], check=True)
    return path


def public_key(owner: str) -> PublicKey:
    """Return the public key of somebody."""
    return PublicKey(private_key(owner).with_suffix(".pub").read_text(encoding="ascii"))


def key(owner: str, role: Role, **changes: str) -> Key:
    """Return the entry by which somebody is believed; a host's owner is like ``staging:one``."""
    environment = owner.split(":", maxsplit=1)[0] if role is Role.HOST else None
    made = Key(name=owner, role=role, public=public_key(owner), added=AT, environment=environment)
    return replace(made, **changes)  # type: ignore[arg-type]


def keys(*entries: Key) -> Keys:
    """Return these entries; by default a staging host, two reviewers and an administrator."""
    usual = (
        key("staging:one", Role.HOST),
        key("ann@example.com", Role.REVIEWER),
        key("ben@example.com", Role.REVIEWER),
        key("root@example.com", Role.ADMIN),
    )
    return Keys(entries or usual)


def statement(kind: Kind, **changes: object) -> Statement:
    """Return a statement that fits: the release was on staging, or may go to production."""
    said = Statement(kind, RELEASE, TAG, "capakraken", "staging" if said_by_a_host(kind) else "production", AT)
    if said_by_a_host(kind):
        said = replace(said, host="one", deployment="20260131-115900-000000")
    if kind is Kind.SOAKED:
        said = replace(said, soaked_s=900)
    if kind in (Kind.APPROVED, Kind.DEPLOYED):
        said = replace(said, replaces=OLD)
    if kind in (Kind.APPROVED, Kind.OVERRIDDEN):
        said = replace(said, expires=LATER)
    if kind in (Kind.REJECTED, Kind.OVERRIDDEN):
        said = replace(said, reason="because")
    return replace(said, **changes)  # type: ignore[arg-type]


def sign(content: bytes, owner: str, namespace: str) -> Signed:
    """Have somebody sign these bytes."""
    return sign_with(private_key(owner), content, namespace)


def sign_with(key: Path, content: bytes, namespace: str) -> Signed:
    """Sign these bytes with a private key."""
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key)]
    done = subprocess.run(argv, input=content, capture_output=True, check=True)
    return Signed(content, done.stdout.decode("ascii"))


def signed(said: Statement, owner: str, role: Role) -> Signed:
    """Have somebody sign a statement in a role."""
    return sign(said.to_bytes(), owner, role.namespace)
