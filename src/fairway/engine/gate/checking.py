"""Whose word a signed statement is, and whether this host believes it.

Everything about a statement is untrusted, the name of its signer too: which key signed
it is read out of the signature only to look it up among the keys this host was given,
and ``ssh-keygen`` then verifies the exact bytes with that key, under that key's name and
the namespace of its role. Source: OpenSSH, PROTOCOL.sshsig and ssh-keygen(1), ALLOWED SIGNERS.
"""

from __future__ import annotations

import base64
import binascii
import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from fairway.engine import clock
from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.contract.statement import Kind, Signed, Statement, parse_statement, said_by_a_host
from fairway.engine.contract.trust import Key, Keys, Role
from fairway.engine.gate.signing import key_name_of
from fairway.engine.process import run

_ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_VERSION = 1
# Clocks of two hosts differ a little; a statement from further ahead is not from now.
_SKEW = timedelta(minutes=5)
# Each verification is a process of some milliseconds, mostly waiting.
_AT_ONCE = 4


@dataclass(frozen=True)
class Judged:
    """A signed statement with this host's judgement: whose it is, or why it is not believed."""

    signed: Signed
    statement: Statement | None
    key: Key | None
    why: str = ""

    @property
    def valid(self) -> bool:
        """Say whether it is believed."""
        return not self.why

    @property
    def who(self) -> str:
        """Who said it, as the keys name them; nobody's word otherwise."""
        return self.key.name if self.key else "nobody known"


def role_for(kind: Kind) -> Role:
    """Return the role in which this can be said."""
    if said_by_a_host(kind):
        return Role.HOST
    return Role.ADMIN if kind is Kind.OVERRIDDEN else Role.REVIEWER


def judge(keys: Keys, signed: Sequence[Signed], now: datetime) -> list[Judged]:
    """Judge statements, in their order. Nothing about one can spoil another."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return list(pool.map(lambda one: _judge(keys, one, now), signed))


def _judge(keys: Keys, signed: Signed, now: datetime) -> Judged:
    statement, key = None, None
    try:
        statement = parse_statement(signed.statement)
        role = role_for(statement.kind)
        blob, namespace = read_signature(signed.signature)
        key = _known(keys, blob, role)
        _refuse_foreign(statement, key, namespace, now)
        _verify(signed, key)
    except FairwayError as error:
        return Judged(signed, statement, key, f"{error.what}: {error.why}" if error.why else error.what)
    return Judged(signed, statement, key)


def _known(keys: Keys, blob: bytes, role: Role) -> Key:
    key = keys.of(blob, role)
    if key is not None:
        return key
    elsewhere = [other for other in Role if keys.of(blob, other) is not None]
    if elsewhere:
        found = keys.of(blob, elsewhere[0])
        assert found is not None
        raise Invalid(f"the key of {found.name} is believed as {elsewhere[0].value}, not as {role.value}")
    raise Invalid("signed with a key that this host does not know")


def _refuse_foreign(statement: Statement, key: Key, namespace: str, now: datetime) -> None:
    """Refuse what a good signature does not mend: a key that ended, another namespace, another's environment."""
    if key.revoked is not None:
        raise Invalid(f"the key of {key.name} was revoked on {key.revoked[:10]}", why=key.why or "")
    if key.until is not None and statement.at > key.until:
        raise Invalid(f"this key of {key.name} ended on {key.until[:10]}, and the statement is of {statement.at[:10]}")
    if namespace != key.role.namespace:
        raise Invalid(f"signed in the namespace {namespace[:60]!r}, not {key.role.namespace!r}")
    if key.role is Role.HOST and key.name != key_name_of(statement.environment, str(statement.host)):
        raise Invalid(f"it speaks for {statement.environment}:{statement.host}, but the key is that of {key.name}")
    if moment(statement.at) > now + _SKEW:
        raise Invalid(f"it is of {statement.at}, which is still to come", why="see the clocks of both hosts")


def moment(text: str) -> datetime:
    """Return a time of a statement that was parsed."""
    return clock.parse(text)


def _verify(signed: Signed, key: Key) -> None:
    """Have ``ssh-keygen`` verify the exact bytes with the one key that is looked for."""
    with tempfile.TemporaryDirectory(prefix="fairway-verify-") as directory:
        signers, signature = Path(directory) / "allowed_signers", Path(directory) / "signature"
        signers.write_text(f'{key.name} namespaces="{key.role.namespace}" {key.public}\n', encoding="ascii")
        signature.write_text(signed.signature, encoding="ascii")
        argv = ["ssh-keygen", "-q", "-Y", "verify", "-f", str(signers), "-I", key.name]
        argv += ["-n", key.role.namespace, "-s", str(signature)]
        done = run(argv, env=_ENVIRONMENT, stdin=signed.statement.decode("utf-8"), timeout_s=30)
    if done.returncode != 0:
        raise Invalid("the signature is not one over these bytes by that key", why=done.stderr.strip()[-200:])


def read_signature(armored: str) -> tuple[bytes, str]:
    """Return the public key's blob and the namespace that stand in a signature; neither is believed for that.

    Raises ``Invalid`` when it is not an SSH signature.
    """
    lines = armored.strip().splitlines()
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END or not armored.isascii():
        raise Invalid("not an SSH signature")
    try:
        content = base64.b64decode("".join(lines[1:-1]), validate=True)
        if not content.startswith(_MAGIC) or struct.unpack_from(">I", content, len(_MAGIC)) != (_VERSION,):
            raise ValueError("another format")
        parts = _strings(content, len(_MAGIC) + 4)
        return next(parts), next(parts).decode("ascii")
    except (binascii.Error, struct.error, ValueError, StopIteration):
        raise Invalid("not an SSH signature") from None


def _strings(content: bytes, offset: int) -> Iterator[bytes]:
    """Yield the strings of an SSH message (RFC 4251, section 5)."""
    while True:
        (length,) = struct.unpack_from(">I", content, offset)
        offset += 4
        if offset + length > len(content):
            raise ValueError("it is cut short")
        yield content[offset : offset + length]
        offset += length
