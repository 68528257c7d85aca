"""What changes where a release is to go: what a reviewer looks at before signing.

Everything here comes from others, so whatever a terminal would obey, or show as
something else than it is, is spelled out (:func:`plain`).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.manifest import NamedRelease, Release
from fairway.engine.contract.names import Digest, Tag
from fairway.release.bundle import unpack
from fairway.release.git import Commit, commits_between

if TYPE_CHECKING:
    from fairway.registry import ArchivedRelease

# Control characters but tab and line feed, and those that turn or hide text (https://trojansource.codes).
_NOT_PLAIN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# What every release has of its own, and what is shown apart from the settings.
_NO_SETTING = re.compile(
    r"(?:tag|commit|author|source|dirty|created_at|created_by|ci_run|fairway|images\..*|bundle\..*|migrations\.(?:files|shipped).*)"
)
_CONTEXT_LINES = 3


def plain(text: str) -> str:
    """Return text of others as a terminal may have it: escapes and invisible characters are spelled out."""
    return _NOT_PLAIN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class Releases(Protocol):
    """Where releases are taken from: the archive, or what is kept of it."""

    def get(self, tag: Tag) -> ArchivedRelease:
        """Return a release with its bundle."""
        ...


@dataclass(frozen=True)
class Commits:
    """The commits that come, and those of the old release that the new one does not have, newest first.

    ``unknown`` says why they cannot be listed, with what to do; it is empty when they are.
    """

    come: tuple[Commit, ...] = ()
    go: tuple[Commit, ...] = ()
    unknown: str = ""


@dataclass(frozen=True)
class Change:
    """One thing that differs, with its old and its new value; None where it is not there."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Judged:
    """A migration that the database has not had from the old release, and what it does to that.

    ``edited`` is one that the old release ships with other bytes under the same name.
    """

    id: str
    verdict: str
    judged: str
    words: str
    edited: bool = False


@dataclass(frozen=True)
class FileChange:
    """A file of the deploy bundle that differs, as a unified diff, or in a word where it is no text."""

    path: str
    diff: str


@dataclass(frozen=True)
class Review:
    """The difference between what serves and a release.

    ``before`` is None when nothing serves there, or when it cannot be read; ``unknown``
    then says why.
    """

    release: NamedRelease
    before: NamedRelease | None
    commits: Commits
    files: tuple[FileChange, ...]
    migrations: tuple[Change, ...]
    images: tuple[Change, ...]
    settings: tuple[Change, ...]
    unknown: str = ""
    judged: tuple[Judged, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""

        def name(named: NamedRelease | None) -> dict[str, Any] | None:
            if named is None:
                return None
            release = named.release
            return {
                "tag": release.tag,
                "release": named.name,
                "commit": release.commit,
                "author": release.author,
                "created_at": release.created_at,
                "created_by": release.created_by,
                "ci_run": release.ci_run,
            }

        return {
            "release": name(self.release),
            "before": name(self.before),
            "commits": asdict(self.commits),
            "files": [asdict(change) for change in self.files],
            "migrations": [asdict(change) for change in self.migrations],
            "judged": [asdict(one) for one in self.judged],
            "images": [asdict(change) for change in self.images],
            "settings": [asdict(change) for change in self.settings],
            "unknown": self.unknown,
        }


def review(root: Path, new: ArchivedRelease, old: ArchivedRelease | None, *, unknown: str = "") -> Review:
    """Compare a release with the one that serves; ``root`` is the repository that the commits are looked up in."""
    commits = Commits()
    if old is not None:
        commits = read_commits(root, old.named.release, new.named.release)
    before = old.named.release if old is not None else None
    after = new.named.release
    return Review(
        release=new.named,
        before=old.named if old is not None else None,
        commits=commits,
        files=compare_files(_files(old), _files(new)),
        migrations=compare(before.migrations.files if before else {}, after.migrations.files),
        images=compare(_images(before), _images(after)),
        settings=compare(_settings(before), _settings(after)) if before else (),
        unknown=unknown,
        judged=compare_shipped(before, after),
    )


def review_serving(root: Path, archive: Releases, new: ArchivedRelease, answer: Mapping[str, Any]) -> Review:
    """Compare a release with the one that serves, as the gate's ``answer`` names it and the archive has it."""
    tag, serving = answer.get("replaces_tag"), answer.get("replaces")
    if tag is None:
        return review(root, new, None)
    try:
        old = archive.get(Tag(str(tag)))
    except FairwayError as error:
        return review(root, new, None, unknown=f"what serves, {tag}, cannot be read: {error.what}")
    if old.named.name != serving:
        why = f"the archive has {old.named.name.short} as {old.named.release.tag.short}, but {serving} serves"
        return review(root, new, None, unknown=why)
    return review(root, new, old)


def read_commits(root: Path, old: Release, new: Release) -> Commits:
    """Return the commits between two releases, as far as this machine has them."""
    come = commits_between(root, old.commit, new.commit)
    go = commits_between(root, new.commit, old.commit)
    if come is None or go is None:
        source = f" (from {new.source})" if new.source else ""
        missing = f"this machine does not have both {old.commit[:7]} and {new.commit[:7]}"
        return Commits(unknown=f"{missing}: git fetch{source}, then again")
    return Commits(come, go)


def compare(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Change, ...]:
    """Return what differs between two sets of named values, by name."""
    names = sorted(old.keys() | new.keys())
    return tuple(Change(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name))


def compare_shipped(old: Release | None, new: Release) -> tuple[Judged, ...]:
    """Return the migrations of a release that the old one does not ship, in the order they are applied.

    An old release that names its migrations by file only is held against by their bytes.
    """
    ids = {one.id: one.digest for one in old.migrations.shipped} if old else {}
    files = set(old.migrations.files.values()) if old and not ids else set()
    return tuple(
        Judged(one.id, one.verdict.value, one.judged.value, one.words, edited=one.id in ids)
        for one in new.migrations.shipped
        if ids.get(one.id) != one.digest and one.digest not in files
    )


def compare_files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> tuple[FileChange, ...]:
    """Return how the files differ, by path."""
    paths = sorted(old.keys() | new.keys())
    return tuple(
        FileChange(path, _diff(path, old.get(path), new.get(path))) for path in paths if old.get(path) != new.get(path)
    )


def _diff(path: str, old: bytes | None, new: bytes | None) -> str:
    try:
        before, after = _lines(old), _lines(new)
    except UnicodeDecodeError:
        return f"not text: {_described(old)} -> {_described(new)}"
    names = (f"a/{path}" if old is not None else "/dev/null", f"b/{path}" if new is not None else "/dev/null")
    return "\n".join(difflib.unified_diff(before, after, *names, n=_CONTEXT_LINES, lineterm=""))


def _lines(body: bytes | None) -> list[str]:
    """Return the lines as Git and diff count them: at line feeds only."""
    lines = (body or b"").decode("utf-8").split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def _described(body: bytes | None) -> str:
    return f"{len(body)} bytes, {Digest.of(body).short}" if body is not None else "none"


def _files(released: ArchivedRelease | None) -> dict[str, bytes]:
    return unpack(released.named.release.bundle, released.bundle) if released is not None else {}


def _images(release: Release | None) -> dict[str, str]:
    if release is None:
        return {}
    return {"application": release.app.reference, "migrator": release.migrator.reference}


def _settings(release: Release) -> dict[str, str]:
    """Return what a release says of how it is run, flat, by dotted names."""
    flat: dict[str, str] = {}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{name}.{key}" if name else str(key))
        elif not _NO_SETTING.fullmatch(name):
            flat[name] = json.dumps(value, ensure_ascii=False)

    walk(json.loads(release.to_bytes()), "")
    return flat
