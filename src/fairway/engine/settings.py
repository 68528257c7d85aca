"""What can be told of a host's settings without telling one: which keys there are, and fingerprints of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Collection, Mapping
from typing import Any, Callable

from fairway.engine.contract.environment import EnvironmentFile
from fairway.engine.contract.envtext import parse_env, scan_env
from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.names import Digest
from fairway.engine.contract.protocol import Outcome
from fairway.engine.envfile import host_recipient, open_sealed, read_source
from fairway.engine.files import write_atomically
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.releases import load_release
from fairway.engine.state import read_state

# A comparison crosses hosts, so that its key is the client's; it must not make guessing at a short value cheap.
_ROUNDS = 20_000
_KEY_BYTES = 32
# 20 bits: enough to tell two values apart, too few to tell a guessed value from a million others.
_COMPARABLE_DIGITS = 5

Mark = Callable[[str, str], str]


def fingerprint_key(layout: Layout) -> bytes:
    """Return this host's own key for fingerprints; it never leaves the host."""
    path = layout.root / "fingerprint.key"
    if not path.exists():
        write_atomically(path, os.urandom(32))
    return path.read_bytes()


def describe(layout: Layout, environment: EnvironmentFile) -> dict[str, Any]:
    """Return each key that the file has or that is declared, and every line that cannot be taken.

    Keys that are not declared are only counted (``unnamed``) while a line cannot be taken.
    Of a value: whether it is there, its length, and a fingerprint, which is of use on
    this host alone.
    """
    return _described(layout, environment, _own(fingerprint_key(layout)))


def describe_for_comparison(layout: Layout, environment: EnvironmentFile, key: bytes) -> dict[str, Any]:
    """Return the same with fingerprints that can be held against another host's, made with a key for this once.

    They are short, and come without lengths. Asked again with other keys they tell enough to go on
    guessing elsewhere at a value that is not a long random one: where an administrator keeps the
    host, only they may ask.

    Raises ``Invalid`` for a key of another size, and ``Refused`` to compare another file than
    that of the release which serves.
    """
    _refuse_comparing(layout, environment, key)
    found = _described(layout, environment, _comparable(key))
    for row in found["keys"]:
        del row["length"]
    return found


def _described(layout: Layout, environment: EnvironmentFile, mark: Mark) -> dict[str, Any]:
    source = read_source(layout, environment.file)
    found = scan_env(source.text)
    others = tuple(key for key in found.values if key not in environment.declared)
    # Where a value runs on over several lines, one of those may look like a key.
    named = () if found.problems else others
    rows = [_row(key, environment, found.values, mark) for key in (*environment.declared, *named)]
    return {
        "file": source.path.name,
        "encrypted": source.sealed,
        "keys": rows,
        "unnamed": len(others) - len(named),
        "problems": [dict(vars(problem)) for problem in found.problems],
    }


def _row(key: str, environment: EnvironmentFile, values: Mapping[str, str], mark: Mark) -> dict[str, Any]:
    value = values.get(key)
    return {
        "key": key,
        "state": "missing" if value is None else "present" if value else "empty",
        "rule": _rule(key, environment),
        "needed": environment.why_required(key, values),
        "length": len(value) if value else 0,
        "fingerprint": mark(key, value) if value else "",
    }


def _rule(key: str, environment: EnvironmentFile) -> str:
    if key in environment.required:
        return "required"
    conditions = [str(one) for one in environment.when if one.key == key]
    if conditions:
        return "; ".join(conditions)
    return "optional" if key in environment.optional else "not declared"


def _own(key: bytes) -> Mark:
    return lambda name, value: hmac.new(key, f"{name}\0{value}".encode(), hashlib.sha256).hexdigest()[:12]


def _comparable(key: bytes) -> Mark:
    def mark(name: str, value: str) -> str:
        return hashlib.pbkdf2_hmac("sha256", value.encode(), key + name.encode(), _ROUNDS).hex()[:_COMPARABLE_DIGITS]

    return mark


def _refuse_comparing(layout: Layout, environment: EnvironmentFile, key: bytes) -> None:
    if len(key) != _KEY_BYTES:
        raise Invalid(f"a key for a comparison has {_KEY_BYTES} bytes, not {len(key)}")
    active = read_state(layout.state).active
    if active is None:
        return
    own = load_release(layout, active.tag).release.env.file
    if own != environment.file:
        raise Refused(
            f"{environment.file} is not compared",
            why=f"the release that serves on this host reads {own}",
            hint="deploy a release that reads the other one first",
        )


def sealed_now(layout: Layout, environment: EnvironmentFile) -> dict[str, Any]:
    """Return the encrypted file as it is, and the key that whoever changes it encrypts it to, besides their own.

    Raises ``Refused`` where the file is a plain one: that is the operator's.
    """
    _refuse_plain(layout, environment)
    path = layout.deploy_path / environment.sealed_file
    content = path.read_bytes() if path.exists() else None
    return {
        "content": base64.b64encode(content).decode() if content is not None else None,
        "recipient": host_recipient(layout),
    }


def replace_sealed(
    layout: Layout, environment: EnvironmentFile, content: bytes, *, replaces: str | None, by: str
) -> dict[str, Any]:
    """Put another encrypted file in the place of this one, on the record. Call with the host's lock held.

    ``replaces`` is the digest of the one it was made from, None where there was none.
    Raises ``Refused`` when it is another one now, and ``Invalid`` for what this host cannot
    open or read, or that no longer has a key it needs; one that it never had is only told,
    so that a file can grow key by key. The record names the keys that changed, never a value.
    """
    _refuse_plain(layout, environment)
    path = layout.deploy_path / environment.sealed_file
    present = path.read_bytes() if path.exists() else None
    if (Digest.of(present) if present is not None else None) != replaces:
        raise Refused(
            f"{path.name} was changed by somebody else meanwhile",
            why="what was sent was made from another file than this host has now",
            hint="do it again: it then begins with the present file",
        )
    name = f"the new {path.name}"
    after = parse_env(open_sealed(layout, content, name), name)
    before = _values_before(layout, present, str(path), {*environment.declared, *after})
    changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    lacking = environment.lacking(after)
    lost = {key: reason for key, reason in lacking.items() if key not in environment.lacking(before)}
    if lost:
        told = "; ".join(f"{key}: {reason}" for key, reason in lost.items())
        raise Invalid(f"{name} lacks {', '.join(lost)}", why=told, hint="give them values; nothing was changed")
    write_atomically(path, content)
    Ledger(layout.ledger).append(action="env", by=by, file=path.name, changed=changed, outcome=Outcome.SUCCEEDED.value)
    return {"file": path.name, "changed": changed, "lacking": lacking}


def _values_before(layout: Layout, present: bytes | None, name: str, known: Collection[str]) -> Mapping[str, str]:
    """Return what the file said; one that cannot be opened is just what is to be mended, so it said nothing.

    Of one with lines that cannot be taken: only the keys that are known, for the others may be parts of a value.
    """
    if present is None:
        return {}
    try:
        found = scan_env(open_sealed(layout, present, name))
    except Invalid:
        return {}
    if not found.problems:
        return found.values
    return {key: value for key, value in found.values.items() if key in known}


def _refuse_plain(layout: Layout, environment: EnvironmentFile) -> None:
    plain = layout.deploy_path / environment.file
    if plain.exists():
        raise Refused(
            f"{plain} is a plain file, which is the operator's to write",
            why="Fairway changes only files that are encrypted with age",
            hint="edit it on the host; or move it away and give its text to: fairway env edit <environment>",
        )
