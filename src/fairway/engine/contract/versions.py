"""Which of two versions of Fairway is the older one, and what is said of a document from another one."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fairway
from fairway.engine.contract.errors import Invalid, OtherVersion

UPGRADE = "uv tool upgrade fairway, or pip install --upgrade fairway"
#: The key under which a file that Fairway writes says which version wrote it.
WRITTEN_BY = "engine"

_VERSION = re.compile(r"(\d{1,9}(?:\.\d{1,9}){0,5})(.*)", re.DOTALL)
# What comes before the release of the same number (PEP 440).
_BEFORE = re.compile(r"[.\-_]?(a|b|c|rc|alpha|beta|pre|preview|dev)", re.IGNORECASE)


class Relation(enum.Enum):
    """What one version is to another."""

    OLDER = "older"
    SAME = "same"
    NEWER = "newer"
    UNKNOWN = "unknown"


def compare(version: object, other: str) -> Relation:
    """Say what ``version`` is to ``other``: unknown when it is none."""
    mine, theirs = _key(version), _key(other)
    if mine is None or theirs is None:
        return Relation.UNKNOWN
    if mine == theirs:
        return Relation.SAME
    return Relation.OLDER if mine < theirs else Relation.NEWER


def _key(version: object) -> tuple[tuple[int, ...], int] | None:
    match = _VERSION.match(version) if isinstance(version, str) else None
    if match is None:
        return None
    numbers = [int(number) for number in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), 0 if _BEFORE.match(match[2]) else 1


@contextmanager
def reading(name: str, written_by: object) -> Iterator[None]:
    """Read a document that says which version wrote it: what cannot be read in a newer one's is not a mistake.

    Raises ``OtherVersion`` in place of ``Invalid`` when the writer is newer than this.
    """
    try:
        yield
    except Invalid as error:
        if compare(written_by, fairway.__version__) is not Relation.NEWER:
            raise
        raise OtherVersion(
            f"{name} was written by a newer Fairway",
            why=f"that one is {written_by}, this one {fairway.__version__}; {error.what}",
            hint=f"bring this side to {written_by} or newer: {UPGRADE}; a host by fairway bootstrap <environment>",
            made_by=str(written_by)[:50],
        ) from None


def take_writer(document: Any) -> object:
    """Take out of a document which version wrote it, before anything else in it is believed."""
    return document.pop(WRITTEN_BY, None) if isinstance(document, dict) else None
