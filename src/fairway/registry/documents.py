"""The documents a registry keeps: descriptors and manifests, as far as Fairway reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.fields import parse_json
from fairway.engine.contract.names import Digest

MAX_MANIFEST_BYTES = 4 * 1024 * 1024  # the size every registry must accept (OCI Distribution 1.1)
MAX_SIZE_BYTES = 2**50


class MediaType:
    """The media types that matter here."""

    OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
    OCI_INDEX = "application/vnd.oci.image.index.v1+json"
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
    DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
    EMPTY = "application/vnd.oci.empty.v1+json"
    RELEASE = "application/vnd.fairway.release.v1+json"
    STATEMENT = "application/vnd.fairway.statement.v1+json"
    BUNDLE = "application/vnd.fairway.bundle.v1.tar+gzip"

    MANIFESTS = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
    INDEXES = (OCI_INDEX, DOCKER_LIST)


@dataclass(frozen=True)
class Descriptor:
    """What points to content: its type, digest and size."""

    media_type: str
    digest: Digest
    size_bytes: int

    def as_json(self) -> dict[str, Any]:
        """Return the descriptor as OCI writes it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size_bytes}


@dataclass(frozen=True)
class Manifest:
    """A manifest whose bytes have the digest of its descriptor."""

    descriptor: Descriptor
    content: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The manifest's JSON object. Raises ``Failed`` when it is none."""
        try:
            document = parse_json(self.content, "the manifest")
        except FairwayError as error:
            raise Failed(error.what, why=error.why) from None
        if not isinstance(document, dict):
            raise Failed("the registry sent a manifest that is not an object")
        return document

    @property
    def is_index(self) -> bool:
        """Whether this names other manifests, one a platform, instead of layers."""
        return self.descriptor.media_type in MediaType.INDEXES

    @property
    def config(self) -> Descriptor:
        """The image's configuration. Raises ``Failed`` when the manifest names none."""
        return read_descriptor(self.document.get("config"), "config")

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The image's layers. Raises ``Failed`` when the manifest names none properly."""
        return self._descriptors("layers")

    @property
    def manifests(self) -> tuple[Descriptor, ...]:
        """The manifests an index names."""
        return self._descriptors("manifests")

    @property
    def platforms(self) -> dict[str, Digest]:
        """The images an index names, by platform; none where this is an image itself.

        Attestations, which stand beside them with an unknown platform, are left out. Of
        two for one platform the first counts, as it does for Docker.
        """
        found: dict[str, Digest] = {}
        if self.is_index:
            for descriptor, entry in zip(self.manifests, self.document["manifests"], strict=True):
                name = _platform(entry.get("platform"))
                if name:
                    found.setdefault(name, descriptor.digest)
        return found

    @property
    def content_size_bytes(self) -> int:
        """What pulling it transfers at most: its configuration and all layers."""
        return self.config.size_bytes + sum(layer.size_bytes for layer in self.layers)

    def _descriptors(self, key: str) -> tuple[Descriptor, ...]:
        entries = self.document.get(key)
        if not isinstance(entries, list) or len(entries) > 1000:
            raise Failed(f"the registry sent a manifest without proper {key}")
        return tuple(read_descriptor(entry, key) for entry in entries)


def _platform(value: Any) -> str:
    """Return a platform as containerd writes it: ``linux/arm/v7``, ``windows(10.0.17763.1)/amd64``; empty for none."""
    fields = {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}
    system, architecture = fields.get("os", ""), fields.get("architecture", "")
    if not system or not architecture or "unknown" in (system, architecture):
        return ""
    version = f"({fields['os.version']})" if fields.get("os.version") else ""
    variant = f"/{fields['variant']}" if fields.get("variant") else ""
    return f"{system}{version}/{architecture}{variant}"


def read_descriptor(value: Any, name: str) -> Descriptor:
    """Read a descriptor of a manifest. Raises ``Failed`` naming the part that is wrong."""
    fields = value if isinstance(value, dict) else {}
    media_type, digest, size = fields.get("mediaType"), fields.get("digest"), fields.get("size")
    if (
        not isinstance(media_type, str)
        or not isinstance(digest, str)
        or not isinstance(size, int)
        or isinstance(size, bool)
        or not 0 <= size <= MAX_SIZE_BYTES
    ):
        raise Failed(f"the registry sent a manifest whose {name} is not a proper descriptor")
    try:
        return Descriptor(media_type, Digest(digest), size)
    except FairwayError as error:
        raise Failed(f"the registry sent a manifest whose {name} has no sha256 digest", why=error.what) from None
