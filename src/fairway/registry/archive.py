"""The archive: every release as an OCI artifact beside its images, under its own tag.

Two layers, ``release.json`` and the deploy bundle. Losing or altering the archive can
stop a deployment, never cause one: what comes out is checked end to end, and a host
checks it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fairway.engine.contract.errors import Failed, FairwayError, Invalid, Refused
from fairway.engine.contract.manifest import MAX_BUNDLE_BYTES, NamedRelease
from fairway.engine.contract.names import Digest, Repository, Tag
from fairway.registry.artifacts import EMPTY, artifact, layer
from fairway.registry.client import RegistryClient
from fairway.registry.documents import Descriptor, Manifest, MediaType
from fairway.registry.statements import StatementArchive

MAX_RELEASE_BYTES = 1024 * 1024
_PREFIX = re.compile(r"(?:sha-)?([0-9a-f]{4,64})")
_WHOLE = (40, 64)
_READERS = 8


@dataclass(frozen=True)
class ArchivedRelease:
    """A release as it came out of the archive, every part checked against its digest."""

    named: NamedRelease
    manifest_bytes: bytes
    bundle: bytes


@dataclass(frozen=True)
class Entry:
    """One tag of the archive: the release it names, or why that cannot be read."""

    tag: Tag
    named: NamedRelease | None
    error: FairwayError | None = None


class Archive:
    """The releases in one repository.

    >>> archive = Archive(client, Repository("ghcr.io/acme/capakraken-release"))   # doctest: +SKIP
    >>> archive.get(archive.resolve("4f2a9c1")).named.release.commit               # doctest: +SKIP
    """

    def __init__(self, client: RegistryClient, repository: Repository) -> None:
        self._client = client
        self.repository = repository
        #: What was said of the releases, beside them.
        self.statements = StatementArchive(client, repository)

    def find(self, tag: Tag) -> Digest | None:
        """Return the digest of the artifact a tag names, or ``None``."""
        descriptor = self._client.head_manifest(self.repository, tag)
        return descriptor.digest if descriptor else None

    def put(self, manifest_bytes: bytes, bundle: bytes) -> Digest:
        """Archive a release under its tag and return the artifact's digest.

        Archiving the same bytes again changes nothing. Raises ``Refused`` when the tag
        names another release, ``Invalid`` when the bundle is not the release's own.
        """
        named = NamedRelease.read(manifest_bytes)
        _check_bundle(named, bundle)
        if len(manifest_bytes) > MAX_RELEASE_BYTES:
            raise Invalid("release.json is too large", why=f"{len(manifest_bytes)} bytes, at most {MAX_RELEASE_BYTES}")
        content = _artifact(named, manifest_bytes, bundle)
        digest, tag = Digest.of(content), named.release.tag
        if self._taken(tag, digest):
            return digest
        for blob in (EMPTY, manifest_bytes, bundle):
            self._client.put_blob(self.repository, blob)
        if not self._taken(tag, digest):  # asked again: the uploads took a while
            self._client.put_manifest(self.repository, tag, MediaType.OCI_MANIFEST, content)
        stored = self.find(tag)
        if stored != digest:
            raise Refused(
                f"somebody else archived {tag.short} at the same time",
                why=f"it has {stored.short if stored else 'nothing'} there, not {digest.short}",
                hint=f"see which one it is: fairway releases {tag.short}",
            )
        return digest

    def _taken(self, tag: Tag, digest: Digest) -> bool:
        """Say whether the tag already names this artifact. Raises ``Refused`` when it names another."""
        present = self.find(tag)
        if present is not None and present != digest:
            raise Refused(
                f"the tag {tag.short} already names another release",
                why=f"{self.repository} has {present.short} there, this release is {digest.short}",
                hint="a tag is never moved: release from a commit of its own",
            )
        return present is not None

    def read(self, tag: Tag) -> NamedRelease:
        """Return a release without its bundle. Raises ``Failed`` when there is none, or it was altered."""
        return self._release(tag, self._parts(tag)[0])[0]

    def get(self, tag: Tag) -> ArchivedRelease:
        """Return a release with its bundle, verified end to end.

        Raises ``Failed`` when there is none under the tag, or when any part is not what
        the part above it names.
        """
        release_layer, bundle_layer = self._parts(tag)
        named, manifest_bytes = self._release(tag, release_layer)
        bundle = self._client.get_blob(self.repository, bundle_layer.digest, limit_bytes=MAX_BUNDLE_BYTES)
        try:
            _check_bundle(named, bundle)
        except FairwayError as error:
            raise self._altered(tag, error.what) from None
        return ArchivedRelease(named, manifest_bytes, bundle)

    def tags(self) -> list[Tag]:
        """Return the tags of all releases, in no particular order."""
        return release_tags(self.names())

    def names(self) -> list[str]:
        """Return all there is in the repository by its tag: releases, and what was said of them."""
        return list(self._client.list_tags(self.repository))

    def read_all(self, tags: Iterable[Tag]) -> list[Entry]:
        """Read many releases at the same time, newest first; the unreadable come last, with the reason."""

        def entry(tag: Tag) -> Entry:
            try:
                return Entry(tag, self.read(tag))
            except (Failed, Invalid) as error:
                return Entry(tag, None, error)

        with ThreadPoolExecutor(max_workers=_READERS) as pool:
            entries = list(pool.map(entry, tags))
        return sorted(
            entries,
            key=lambda e: (e.named is not None, e.named.release.created_at if e.named else "", e.tag),
            reverse=True,
        )

    def resolve(self, prefix: str) -> Tag:
        """Return the one tag that ``sha-4f2a9c1``, ``4f2a9c1`` or a whole tag means.

        Raises ``Invalid`` when it is not written like one or means several, ``Failed``
        when there is none.
        """
        match = _PREFIX.fullmatch(prefix.strip())
        if not match:
            raise Invalid(
                f"not a release tag: {prefix[:80]!r}",
                why="a tag is sha- and the commit, of which four digits or more may be given",
                hint="list the releases with: fairway releases",
            )
        start = f"sha-{match[1]}"
        if len(match[1]) in _WHOLE and self.find(Tag(start)):
            return Tag(start)
        found = sorted(tag for tag in self.tags() if tag.startswith(start))
        if not found:
            raise Failed(
                f"there is no release {start[:20]}",
                why=f"{self.repository} has no tag that starts like that",
                hint="list the releases with: fairway releases; make one with: fairway release",
            )
        if len(found) > 1 and start not in found:
            shown = ", ".join(tag[:20] for tag in found[:5])
            raise Invalid(f"{start} means {len(found)} releases: {shown}", hint="give more of the commit")
        return Tag(start) if start in found else found[0]

    def _parts(self, tag: Tag) -> tuple[Descriptor, Descriptor]:
        manifest = self._client.find_manifest(self.repository, tag)
        if manifest is None:
            raise Failed(
                f"there is no release {tag.short}",
                why=f"{self.repository} has no tag {tag}",
                hint="list the releases with: fairway releases; make this one with: fairway release",
            )
        return self._layers(tag, manifest)

    def _layers(self, tag: Tag, manifest: Manifest) -> tuple[Descriptor, Descriptor]:
        document = manifest.document
        layers = manifest.layers if document.get("artifactType") == MediaType.RELEASE else ()
        if tuple(layer.media_type for layer in layers) != (MediaType.RELEASE, MediaType.BUNDLE):
            raise Failed(
                f"what {self.repository} holds under {tag.short} is not a release",
                why="it is not an artifact that fairway release wrote",
                hint="see images.release in fairway.toml",
            )
        return layers[0], layers[1]

    def _release(self, tag: Tag, layer: Descriptor) -> tuple[NamedRelease, bytes]:
        content = self._client.get_blob(self.repository, layer.digest, limit_bytes=MAX_RELEASE_BYTES)
        named = NamedRelease.read(content)
        if named.release.tag != tag:
            raise self._altered(tag, f"its release.json is that of {named.release.tag.short}")
        return named, content

    def _altered(self, tag: Tag, why: str) -> Failed:
        return Failed(
            f"the archived release {tag.short} was altered",
            why=why,
            hint=f"nothing was used; see who can write to {self.repository}",
        )


def release_tags(names: Iterable[str]) -> list[Tag]:
    """Return those of the names that are tags of releases; other things are archived beside them."""
    tags = []
    for text in names:
        try:
            tags.append(Tag(text))
        except FairwayError:
            continue
    return tags


def _check_bundle(named: NamedRelease, bundle: bytes) -> None:
    expected = named.release.bundle
    if len(bundle) != expected.size_bytes or Digest.of(bundle) != expected.digest:
        raise Invalid(
            "the deploy bundle is not the one release.json names",
            why=f"it has {Digest.of(bundle).short}, release.json says {expected.digest.short}",
        )


def _artifact(named: NamedRelease, manifest_bytes: bytes, bundle: bytes) -> bytes:
    release = named.release
    annotations = {
        "org.opencontainers.image.created": release.created_at,
        "org.opencontainers.image.revision": release.commit,
    }
    if release.source:
        annotations["org.opencontainers.image.source"] = release.source
    layers = (
        layer(MediaType.RELEASE, manifest_bytes, "release.json"),
        layer(MediaType.BUNDLE, bundle, "bundle.tar.gz"),
    )
    return artifact(MediaType.RELEASE, layers, annotations=annotations)
