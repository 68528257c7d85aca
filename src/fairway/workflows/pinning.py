"""Images by digest beside their tag, as the registry tells it now."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fairway.engine.contract.errors import Failed
from fairway.engine.contract.names import Repository
from fairway.registry import Access, RegistryClient, connect

_HUB = "docker.io"


def pinned(images: Mapping[str, str], connect_to: Callable[[str, Access], RegistryClient] = connect) -> dict[str, str]:
    """Return official images with their digests, ``postgres:17@sha256:...``, under the same names.

    What the tag names is an index of every platform, so the digest holds on each. Raises
    ``Failed`` for an image that is not there, and what the registry's client raises.
    """
    found = {}
    with connect_to(_HUB, Access.PULL) as client:
        for name, image in images.items():
            path, _, tag = image.partition(":")
            descriptor = client.head_manifest(Repository(f"{_HUB}/library/{path}"), tag)
            if descriptor is None:
                raise Failed(f"there is no image {image} at {_HUB}", hint="leave out --pin, and pin it by hand")
            found[name] = f"{image}@{descriptor.digest}"
    return found
