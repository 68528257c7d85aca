"""The archive of statements: each under a tag of its own, which its content gives it.

A tag a statement, because what the specification offers instead is one list of them for
each release, kept by the clients: of writers at the same time only some survive, and
what nothing but that list names is removed by a registry that collects garbage.
``subject`` is set for tools that show what belongs to what; nothing here relies on it.

Nothing here judges a signature. What comes out is whole, is about the release that was
asked for, and is for a host to believe or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.contract.names import Digest, Repository
from fairway.engine.contract.statement import (
    MAX_SIGNATURE_BYTES,
    MAX_STATEMENT_BYTES,
    MAX_STATEMENTS,
    Kind,
    Signed,
    Statement,
    parse_signed,
    parse_statement,
)
from fairway.registry.artifacts import EMPTY, artifact, layer
from fairway.registry.client import RegistryClient
from fairway.registry.documents import Descriptor, Manifest, MediaType
from fairway.registry.failures import NotTaken

#: A statement and its signature as JSON strings, where a character may take six.
MAX_SIGNED_BYTES = 6 * (MAX_STATEMENT_BYTES + MAX_SIGNATURE_BYTES) + 1024
_DIGITS = 32
_READERS = 8
_MOST_READ = 10 * MAX_STATEMENTS
# What people decided comes first: hosts say again that a release has served, people do not.
_ORDER = (Kind.APPROVED, Kind.OVERRIDDEN, Kind.REJECTED, Kind.READY, Kind.DEPLOYED, Kind.SOAKED)
_TAG = re.compile(rf"ev-[0-9a-f]{{{_DIGITS}}}-({'|'.join(kind.value for kind in _ORDER)})-[0-9a-f]{{{_DIGITS}}}")


@dataclass(frozen=True)
class ArchivedStatement:
    """A statement as it came out of the archive, whole, and about the release that was asked for."""

    tag: str
    signed: Signed
    statement: Statement


@dataclass(frozen=True)
class UnusableStatement:
    """What stands under the tag of a statement and is none, and why."""

    tag: str
    error: FairwayError


@dataclass(frozen=True)
class ArchivedEvidence:
    """What the archive has about one release, the oldest statement first.

    ``left_off`` is how many tags were not looked at, as there were enough.
    """

    statements: tuple[ArchivedStatement, ...]
    unusable: tuple[UnusableStatement, ...]
    left_off: int


class StatementArchive:
    """The statements about the releases in one repository.

    >>> archive.statements.put(signed)                         # doctest: +SKIP
    >>> for found in archive.statements.about(named.name).statements:   # doctest: +SKIP
    ...     print(found.statement.kind, found.statement.at)
    """

    def __init__(self, client: RegistryClient, repository: Repository) -> None:
        self._client = client
        self._repository = repository

    def put(self, signed: Signed) -> str:
        """Archive a statement and return its tag. Archiving it again, also at the same time, changes nothing.

        Raises ``Invalid`` when it is none.
        """
        statement = parse_statement(signed.statement)
        tag, content = statement_tag(statement, signed), signed.to_bytes()
        if self._holds(tag, content):
            return tag
        for blob in (EMPTY, content):
            self._client.put_blob(self._repository, blob)
        subject = self._client.head_manifest(self._repository, statement.tag)
        try:
            self._put_artifact(tag, content, statement, subject)
        except NotTaken:
            if self._holds(tag, content):  # somebody was faster, and tags cannot be written twice here
                return tag
            if subject is None:
                raise
            self._put_artifact(tag, content, statement, None)  # Docker Hub answered 404 to a subject
        return tag

    def about(self, release: Digest) -> ArchivedEvidence:
        """Return all that is archived about a release, every byte checked against its digest.

        At most ``MAX_STATEMENTS``. One that is about another release, or was altered, or is
        none, is reported beside the others and takes no place of theirs.
        """
        tags = self._tags_about(release)
        statements: list[ArchivedStatement] = []
        unusable: list[UnusableStatement] = []
        looked_at = 0
        for outcome in self._read_all(tags[:_MOST_READ], release):
            looked_at += 1
            if isinstance(outcome, UnusableStatement):
                unusable.append(outcome)
            else:
                statements.append(outcome)
            if len(statements) == MAX_STATEMENTS:
                break
        statements.sort(key=lambda found: (found.statement.at, found.tag))
        return ArchivedEvidence(tuple(statements), tuple(unusable), len(tags) - looked_at)

    def _tags_about(self, release: Digest) -> list[str]:
        return tags_about(release, self._client.list_tags(self._repository))

    def _read_all(self, tags: list[str], release: Digest) -> Iterator[ArchivedStatement | UnusableStatement]:
        """Read many at the same time, and no further than the caller goes on."""
        with ThreadPoolExecutor(max_workers=_READERS) as pool:
            for start in range(0, len(tags), _READERS):
                yield from pool.map(lambda tag: self.read(tag, release), tags[start : start + _READERS])

    def read(self, tag: str, release: Digest) -> ArchivedStatement | UnusableStatement:
        """Return the statement about a release that stands under one tag, or why it is none."""
        try:
            return self._checked(tag, release)
        except (Failed, Invalid) as error:
            why = "; ".join(part for part in (error.what, error.why) if part)
            unusable = Failed(f"what is archived as {tag} is not used", why=why, hint="it counts as not there")
            return UnusableStatement(tag, unusable)

    def _checked(self, tag: str, release: Digest) -> ArchivedStatement:
        if not _TAG.fullmatch(tag):
            raise Failed("its tag is not that of a statement")
        manifest = self._client.get_manifest(self._repository, tag)
        content = self._client.get_blob(self._repository, _layer(manifest).digest, limit_bytes=MAX_SIGNED_BYTES)
        signed = parse_signed(content)
        statement = parse_statement(signed.statement)
        if statement.release != release:
            raise Failed(f"it is about another release: {statement.tag.short}, {statement.release.short}")
        if statement_tag(statement, signed) != tag:
            raise Failed("it is another statement than its tag says")
        return ArchivedStatement(tag, signed, statement)

    def _holds(self, tag: str, content: bytes) -> bool:
        try:
            manifest = self._client.find_manifest(self._repository, tag)
            if manifest is None or _layer(manifest).digest != Digest.of(content):
                return False
        except Failed:
            return False  # the tag says what belongs there, and that is no manifest of it
        return self._client.has_blob(self._repository, Digest.of(content))

    def _put_artifact(self, tag: str, content: bytes, statement: Statement, subject: Descriptor | None) -> None:
        made = artifact(
            MediaType.STATEMENT,
            (layer(MediaType.STATEMENT, content, f"{statement.kind.value}.json"),),
            annotations={"org.opencontainers.image.created": statement.at},
            subject=subject,
        )
        self._client.put_manifest(self._repository, tag, MediaType.OCI_MANIFEST, made)


def statement_tag(statement: Statement, signed: Signed) -> str:
    """Return the tag a statement is archived under: ``ev-<release>-<kind>-<content>``, 32 digits of each digest."""
    return f"ev-{_digits(statement.release)}-{statement.kind.value}-{_digits(signed.name)}"


def tags_about(release: Digest, tags: Iterable[str]) -> list[str]:
    """Return those of the tags that are of statements about a release, what people decided first."""
    start = f"ev-{_digits(release)}-"
    return sorted((tag for tag in tags if tag.startswith(start)), key=_rank)


def _digits(digest: Digest) -> str:
    return digest.removeprefix("sha256:")[:_DIGITS]


def _rank(tag: str) -> tuple[int, str]:
    match = _TAG.fullmatch(tag)
    return (_ORDER.index(Kind(match[1])) if match else len(_ORDER)), tag


def _layer(manifest: Manifest) -> Descriptor:
    layers = manifest.layers if manifest.document.get("artifactType") == MediaType.STATEMENT else ()
    if [found.media_type for found in layers] != [MediaType.STATEMENT]:
        raise Failed("it is not an artifact that holds a statement")
    return layers[0]
