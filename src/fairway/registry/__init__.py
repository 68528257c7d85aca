"""The registry: an OCI Distribution client, and the archive of releases and statements kept in it."""

from __future__ import annotations

from fairway.registry.archive import Archive, ArchivedRelease, Entry, release_tags
from fairway.registry.client import Access, RegistryClient, connect
from fairway.registry.credentials import Credentials, find_credentials
from fairway.registry.documents import Descriptor, Manifest, MediaType
from fairway.registry.statements import (
    ArchivedEvidence,
    ArchivedStatement,
    StatementArchive,
    UnusableStatement,
    tags_about,
)

__all__ = [
    "Access",
    "Archive",
    "ArchivedEvidence",
    "ArchivedRelease",
    "ArchivedStatement",
    "Credentials",
    "Descriptor",
    "Entry",
    "Manifest",
    "MediaType",
    "RegistryClient",
    "StatementArchive",
    "UnusableStatement",
    "connect",
    "find_credentials",
    "release_tags",
    "tags_about",
]
