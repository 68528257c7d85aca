"""Read a host's environment file: a plain one of the operator's, or one that is encrypted with age.

A plain file is ``0600`` and the operator's alone. An encrypted one has ``.age`` after
its name and is opened with a key of this host's, in memory; what it says is never on
its disk. Where both are there nobody can tell which holds, so that neither is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.contract.environment import SEALED, EnvironmentFile
from fairway.engine.contract.envtext import parse_env
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.manifest import bundle_path
from fairway.engine.files import write_atomically
from fairway.engine.layout import Layout
from fairway.engine.process import run

__all__ = ["Source", "host_recipient", "open_sealed", "parse_env", "read_env", "read_settings", "read_source"]

# Long enough for any machine; age itself takes milliseconds.
_AGE_PATIENCE_S = 20.0
_PUBLIC = re.compile(r"age1[02-9ac-hj-np-z]{58}")


@dataclass(frozen=True)
class Source:
    """Where a host's settings stand, and their text."""

    path: Path
    text: str
    sealed: bool


def read_source(layout: Layout, file: str) -> Source:
    """Return the text of a host's environment file, unparsed.

    Raises ``Invalid`` when there is none or two, when others can read it, and when it
    cannot be opened.
    """
    path = layout.deploy_path / bundle_path(file)
    sealed = path.with_name(path.name + SEALED)
    if not sealed.exists():
        return Source(path, _plain_text(path), sealed=False)
    if path.exists():
        raise Invalid(
            f"there are both {path} and {sealed.name}",
            why="nobody can tell which of the two holds",
            hint="remove the one that does not: shred --remove, for the plain one",
        )
    try:
        _refuse_readable(sealed)
        content = sealed.read_bytes()
    except PermissionError:
        raise _unreadable(sealed) from None
    return Source(sealed, open_sealed(layout, content, str(sealed)), sealed=True)


def read_settings(layout: Layout, environment: EnvironmentFile) -> dict[str, str]:
    """Read a host's settings and check that every key has a value that must have one.

    Raises ``Invalid`` when the file is missing, readable by others, outside the
    subset, or lacks a required key; names the file, line or key, never a value.
    """
    source = read_source(layout, environment.file)
    values = parse_env(source.text, str(source.path))
    lacking = environment.lacking(values)
    if lacking:
        told = "; ".join(f"{key}: {reason}" for key, reason in lacking.items())
        raise Invalid(
            f"{source.path} lacks {', '.join(lacking)}",
            why=f"by env in fairway.toml, {told}",
            hint="give them values; nothing was changed on this host",
        )
    return values


def read_env(layout: Layout, file: str, *, required: Iterable[str]) -> dict[str, str]:
    """Read a file of settings in a deploy path, as :func:`read_settings` does."""
    return read_settings(layout, EnvironmentFile(file, tuple(required)))


def open_sealed(layout: Layout, content: bytes, name: str) -> str:
    """Decrypt an encrypted environment file with this host's key; ``name`` is what errors call it."""
    if not layout.env_identity.exists():
        raise Invalid(
            f"{name} cannot be opened: this host has no key for it",
            hint="fairway env edit <environment> gives it one, and encrypts the file to it",
        )
    argv = ["age", "--decrypt", "--identity", str(layout.env_identity)]
    try:
        armored = content.decode("ascii")
    except UnicodeDecodeError:
        raise Invalid(f"{name} is not an armored age file", hint="age --armor, or: fairway env edit") from None
    done = run(argv, env=_age_environment(), stdin=armored, timeout_s=_AGE_PATIENCE_S)
    if done.returncode != 0:
        raise Invalid(
            f"{name} cannot be opened with this host's key",
            why=_said(done.stderr),
            hint="encrypt it to this host, too: fairway env edit <environment>",
        )
    if "\ufffd" in done.stdout:
        raise Invalid(f"{name} does not hold UTF-8 text", hint="fairway env edit <environment>")
    return done.stdout


def host_recipient(layout: Layout) -> str:
    """Return the public half of this host's key for environment files; make the key where there is none."""
    identity = layout.env_identity
    if not identity.exists():
        made = run(["age-keygen"], env=_age_environment(), timeout_s=_AGE_PATIENCE_S)
        if made.returncode != 0:
            raise Failed("age-keygen did not make a key for this host", why=_said(made.stderr))
        write_atomically(identity, made.stdout.encode())
    shown = run(["age-keygen", "-y", str(identity)], env=_age_environment(), timeout_s=_AGE_PATIENCE_S)
    public = shown.stdout.strip()
    if shown.returncode != 0 or not _PUBLIC.fullmatch(public):
        raise Failed(f"{identity} is not a key of age's", why=_said(shown.stderr))
    return public


def _plain_text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8")
        _refuse_readable(path)
    except FileNotFoundError:
        raise Invalid(
            f"{path} is missing",
            why="it holds the long-lived settings of this environment and is the operator's to write",
            hint=f"copy .env.production.example there, fill it in, then: chmod 600 {path}",
        ) from None
    except UnicodeDecodeError:
        raise Invalid(f"{path} is not UTF-8 text", hint="save it again as UTF-8") from None
    except PermissionError:
        raise _unreadable(path) from None
    return text


def _unreadable(path: Path) -> Invalid:
    return Invalid(
        f"{path} cannot be read by the deploy user",
        hint=f"make it the deploy user's own: chown it, chmod 600 {path}",
    )


def _refuse_readable(path: Path) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise Invalid(f"{path} can be read by others (mode {mode:04o})", hint=f"chmod 600 {path}")


def _age_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath)}


def _said(stderr: str) -> str:
    return stderr.strip().replace("\n", " ")[-300:]
