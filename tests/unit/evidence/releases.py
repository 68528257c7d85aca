"""Releases with a real bundle, as the archive gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fairway.engine.contract.manifest import NamedRelease
from fairway.registry import ArchivedRelease
from fairway.release.bundle import pack
from tests.unit.registry.test_archive import release

COMPOSE = "docker-compose.cicd.yml"
FILES: Mapping[str, bytes] = {COMPOSE: b"services:\n  app:\n    image: ${APP_IMAGE}\n"}


def archived(files: Mapping[str, bytes] = FILES, *, commit: str = "4f" * 20, **changes: Any) -> ArchivedRelease:
    """Return a release of these files; ``changes`` are to its manifest."""
    packed = pack(files)
    content = replace(release(commit), bundle=packed.description, **changes).to_bytes()
    return ArchivedRelease(NamedRelease.read(content), content, packed.content)
