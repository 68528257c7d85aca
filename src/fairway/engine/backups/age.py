"""Encryption by age, the program: the host knows only whom it encrypts to.

The secret key comes from whoever asks for a decryption and reaches age through a
pipe: it is on no disk and in no argument.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from fairway.engine.backups.flow import Program, program
from fairway.engine.backups.postgres import Command
from fairway.engine.contract.errors import Failed, Invalid

HEADER = b"age-encryption.org/v1\n"
# A pipe takes this much before anybody reads it; a key has a hundred bytes, an SSH key some thousand.
_MAX_IDENTITY_BYTES = 32 * 1024


def require() -> None:
    """Raise ``Failed`` when the host has no age."""
    if shutil.which("age") is None:
        raise Failed(
            "age is not installed on this host",
            why="backups are encrypted with it",
            hint="apt-get install age, on the host",
        )


def encrypting(recipients: Sequence[str], env: Mapping[str, str]) -> Command:
    """Return how to encrypt standard input to standard output."""
    return Command(["age", "--encrypt", *(word for one in recipients for word in ("--recipient", one))], env)


@contextmanager
def decrypting(identity: str, source: int, sink: int, env: Mapping[str, str]) -> Iterator[Program]:
    """Decrypt a file to another descriptor with a secret key. Raises ``Invalid`` for what is none."""
    require()
    content = identity.strip().encode() + b"\n"
    if len(content) > _MAX_IDENTITY_BYTES or not (b"AGE-" in content or b"PRIVATE KEY-----" in content):
        raise Invalid(
            "what came on standard input is not an age identity",
            why="it begins with AGE-SECRET-KEY-1, or is an SSH private key without a passphrase",
        )
    reading, writing = os.pipe()
    try:
        os.write(writing, content)
        os.close(writing)
        command = Command(["age", "--decrypt", "--identity", f"/dev/fd/{reading}"], env)
        with program(command, stdin=source, stdout=sink, pass_fds=[reading]) as running:
            yield running
    finally:
        os.close(reading)


def not_decrypted(said: str) -> Failed:
    """Say in an operator's words why age did not decrypt."""
    if "no identity matched" in said:
        return Failed(
            "the identity does not open this backup",
            why="it is encrypted to other recipients",
            hint="give the secret key of one of its recipients: fairway backup list <environment> --json",
        )
    return Failed("the backup cannot be decrypted", why=said.strip()[-300:], hint="take another: fairway backup list")
