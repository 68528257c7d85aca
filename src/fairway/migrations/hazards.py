"""The locks that a migration's statements take, as squawk tells them from the text."""

from __future__ import annotations

import json
import re
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fairway import process
from fairway.engine.contract.errors import Failed
from fairway.migrations.reading import Unreadable, without_comments

_TIMEOUT_S = 60.0
_IGNORE = re.compile("squawk-ignore", re.IGNORECASE)
#: Of squawk's rules those that speak of locks, scans and rewrites; its taste in types and names is not asked for.
_RULES = frozenset(
    [
        "adding-field-with-default",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "adding-serial-primary-key-field",
        "ban-concurrent-index-creation-in-transaction",
        "changing-column-type",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "require-concurrent-index-creation",
        "require-concurrent-index-deletion",
        "require-concurrent-detach-partition",
        "require-concurrent-partition-detach",
        "require-concurrent-reindex",
        "ban-truncate-cascade",
        "transaction-nesting",
    ]
)


@dataclass(frozen=True)
class Hazard:
    """A statement that may hold up the running release for as long as it takes. ``line`` counts from 1."""

    line: int
    rule: str
    message: str
    hint: str


def find_binary() -> str:
    """Return the ``squawk`` that was installed with Fairway, else the one on PATH. Raises ``Failed``."""
    for place in (str(Path(sys.executable).parent), sysconfig.get_path("scripts"), None):
        if found := shutil.which("squawk", path=place):
            return found
    raise Failed("squawk is not installed", hint="it comes with Fairway: pip install squawk-cli")


def lock_hazards(sql: str) -> tuple[Hazard, ...]:
    """Find the lock hazards of a migration, in the order of its lines.

    Nothing in the text, and no configuration of squawk's, can turn a hazard off. A text that cannot be
    read has none that are known: its verdict says so. Raises ``Failed`` when squawk cannot be run.
    """
    try:
        bare = without_comments(sql)
    except Unreadable:
        return ()
    bare = _IGNORE.sub("squawk_ignore", bare)
    with tempfile.TemporaryDirectory(prefix="fairway-squawk-") as name:
        Path(name, "squawk.toml").write_text("", encoding="utf-8")
        argv = [find_binary(), "--config", "squawk.toml", "--reporter", "json", "--stdin-filepath", "migration.sql"]
        done = process.run(argv, input=bare, cwd=Path(name), timeout_s=_TIMEOUT_S)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise Failed("squawk failed", why=done.tail or f"exit code {done.returncode}") from None
    hazards = [
        Hazard(int(one["line"]) + 1, str(one["rule_name"]), _plain(one["message"]), _plain(one["help"] or ""))
        for one in found
        if one["rule_name"] in _RULES
    ]
    return tuple(sorted(hazards, key=lambda one: (one.line, one.rule)))


def _plain(text: str) -> str:
    return " ".join(str(text).split())
