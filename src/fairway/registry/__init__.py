"""The registry: an OCI Distribution client, and the archive of releases kept in it."""

from __future__ import annotations

from fairway.registry.archive import Archive, ArchivedRelease, Entry
from fairway.registry.client import Access, RegistryClient, connect
from fairway.registry.credentials import Credentials, find_credentials
from fairway.registry.documents import Descriptor, Manifest, MediaType

__all__ = [
    "Access",
    "Archive",
    "ArchivedRelease",
    "Credentials",
    "Descriptor",
    "Entry",
    "Manifest",
    "MediaType",
    "RegistryClient",
    "connect",
    "find_credentials",
]
