"""Encrypt and open environment files with age, here and in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fairway.engine.contract.errors import Invalid

Identities = Sequence[Any]  # pyrage does not say of which types


def read_identities(path: Path) -> Identities:
    """Read the private keys in a file: age's own, one a line, or one OpenSSH key without a passphrase.

    Raises ``Invalid`` when there are none that can be used.
    """
    # It is a compiled module, and only these commands use it.
    import pyrage  # type: ignore[import-untyped]

    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        raise Invalid(
            f"your age key cannot be read: {path}",
            why=error.strerror or "",
            hint="name its file with --identity or FAIRWAY_AGE_IDENTITY; a new one: age-keygen -o FILE",
        ) from None
    try:
        if b"PRIVATE KEY-----" in content:
            return [pyrage.ssh.Identity.from_buffer(content)]
        lines = content.decode("ascii", errors="replace").split()
        found = [pyrage.x25519.Identity.from_str(word) for word in lines if word.startswith("AGE-SECRET-KEY-1")]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise Invalid(
            f"{path} holds no key that can be used",
            why="an age key (AGE-SECRET-KEY-1...) or an OpenSSH key without a passphrase is needed",
        )
    return found


def unseal(content: bytes, identities: Identities, name: str) -> str:
    """Open an encrypted file. Raises ``Invalid`` when it is not encrypted to one of these keys, or was altered."""
    import pyrage

    try:
        return bytes(pyrage.decrypt(content, list(identities))).decode("utf-8")
    except (pyrage.DecryptError, UnicodeDecodeError, ValueError):
        raise Invalid(
            f"{name} cannot be opened with your key",
            why="it is not encrypted to it, or was altered",
            hint="somebody who can open it adds you: env.recipients in fairway.toml, then fairway env edit",
        ) from None


def seal(text: str, recipients: Iterable[str]) -> bytes:
    """Encrypt a text to everybody named, armored. Raises ``Invalid`` for a recipient age does not know."""
    import pyrage

    keys = []
    for recipient in dict.fromkeys(recipients):
        kind = pyrage.ssh.Recipient if recipient.startswith("ssh-") else pyrage.x25519.Recipient
        try:
            keys.append(kind.from_str(recipient))
        except pyrage.RecipientError:
            raise Invalid(f"not a recipient age can encrypt to: {recipient[:60]!r}", hint="env.recipients") from None
    return bytes(pyrage.encrypt(text.encode(), keys, armored=True))
