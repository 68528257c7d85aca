"""OCI artifacts: an image manifest that names no image, in the form every registry takes.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fairway.engine.contract.names import Digest
from fairway.registry.documents import Descriptor, MediaType

#: The configuration of something that has none. It is a blob, and has to be there.
EMPTY = b"{}"
TITLE = "org.opencontainers.image.title"


def layer(media_type: str, content: bytes, title: str) -> dict[str, Any]:
    """Describe a layer; ``title`` is the file name that tools such as oras give it."""
    return {**Descriptor(media_type, Digest.of(content), len(content)).as_json(), "annotations": {TITLE: title}}


def artifact(
    artifact_type: str,
    layers: Sequence[Mapping[str, Any]],
    *,
    annotations: Mapping[str, str],
    subject: Descriptor | None = None,
) -> bytes:
    """Return the artifact's manifest; equal parts give equal bytes."""
    document = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": {**Descriptor(MediaType.EMPTY, Digest.of(EMPTY), len(EMPTY)).as_json(), "data": "e30="},
        "layers": list(layers),
        **({"subject": subject.as_json()} if subject else {}),
        "annotations": dict(annotations),
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
