"""The releases this host has been given: each manifest with its bundle, checked on the way in and out."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.contract.errors import FairwayError, Invalid, Refused
from fairway.engine.contract.manifest import MAX_BUNDLE_BYTES, Bundle, NamedRelease, Release
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.files import write_atomically
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger


@dataclass(frozen=True)
class StoredRelease:
    """A release on this host: its name, its manifest, and its bundle's files by path."""

    name: Digest
    release: Release
    files: dict[str, bytes]

    @property
    def compose_text(self) -> str:
        """The text of the release's compose file."""
        return self.files[self.release.compose.file].decode("utf-8", errors="replace")


def store_release(layout: Layout, manifest: bytes, bundle: bytes) -> StoredRelease:
    """Check a release and keep it under its tag.

    Raises ``Invalid`` when a part does not have the digest the manifest gives it,
    and ``Refused`` when the tag names another release that ran here. One that never
    did is replaced: whoever was refused with it must not be able to keep the tag.
    """
    stored = check_release(manifest, bundle)
    directory = layout.release(stored.release.tag)
    known = directory / "release.json"
    before = Digest.of(known.read_bytes()) if known.exists() else stored.name
    if before != stored.name and Ledger(layout.ledger).has_run(before):
        raise Refused(
            f"the tag {stored.release.tag.short} names another release on this host",
            why=f"{before.short} ran here, the archive now says {stored.name.short}",
            hint="a tag is never moved: build the change from a commit of its own",
        )
    write_atomically(directory / "bundle.tar.gz", bundle)
    write_atomically(known, manifest)
    return stored


def load_release(layout: Layout, tag: Tag) -> StoredRelease:
    """Read a release this host was given. Raises ``Refused`` when it was not, ``Invalid`` when it was altered."""
    directory = layout.release(tag)
    try:
        return check_release((directory / "release.json").read_bytes(), (directory / "bundle.tar.gz").read_bytes())
    except FileNotFoundError:
        raise Refused(
            f"this host does not have the release {tag.short}",
            why="it was never deployed here, or is older than what this host keeps",
            hint=f"ship it again: fairway deploy <environment> {tag.short}, or fairway promote {tag.short}",
        ) from None
    except FairwayError as error:
        raise Invalid(f"the release kept in {directory} was altered: {error.what}", why=error.why) from None


def check_release(manifest: bytes, bundle: bytes) -> StoredRelease:
    """Check a release against its digests, without keeping it. Raises ``Invalid`` for a part that does not fit."""
    named = NamedRelease.read(manifest)
    return StoredRelease(named.name, named.release, open_bundle(named.release.bundle, bundle))


def open_bundle(expected: Bundle, content: bytes) -> dict[str, bytes]:
    """Return a bundle's files after checking the archive and each file against the manifest.

    Only plain files that the manifest lists are taken; nothing is unpacked to disk
    here. Raises ``Invalid`` for anything else.
    """
    if len(content) > MAX_BUNDLE_BYTES:
        raise Invalid(f"the deploy bundle is larger than {MAX_BUNDLE_BYTES} bytes")
    if Digest.of(content) != expected.digest:
        raise Invalid(
            "the deploy bundle is not the one the release names",
            why=f"its digest is {Digest.of(content).short}, release.json says {expected.digest.short}",
            hint="it was altered in the registry or on the way; release again from the commit",
        )
    files: dict[str, bytes] = {}
    remaining = MAX_BUNDLE_BYTES
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                wanted = expected.files.get(member.name)
                if wanted is None or not member.isfile() or member.name in files or member.size > remaining:
                    raise Invalid(f"the deploy bundle holds an unexpected entry: {member.name[:100]!r}")
                remaining -= member.size
                source = archive.extractfile(member)
                body = source.read() if source else b""
                if Digest.of(body) != wanted:
                    raise Invalid(f"the deploy bundle's {member.name} is not the one the release names")
                files[member.name] = body
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise Invalid("the deploy bundle is not a readable archive", why=str(error)[:200]) from None
    missing = sorted(set(expected.files) - set(files))
    if missing:
        raise Invalid(f"the deploy bundle lacks {missing[0]}")
    return files


def install_files(stored: StoredRelease, deploy_path: Path) -> None:
    """Put the running release's bundle where the operator looks for it."""
    for name, body in stored.files.items():
        write_atomically(deploy_path / name, body, mode=0o644)
