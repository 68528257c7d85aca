"""The images that are on this host: what they are called, who uses them, what removing some of them frees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairway.engine import docker
from fairway.engine.contract.errors import Failed, Unreachable
from fairway.engine.layout import Layout
from fairway.engine.model import LABEL
from fairway.engine.process import Completed, run

# Instructions that only describe: an image has no layer of them. Any other has one, even when it is empty.
_DESCRIBING = (
    "ARG",
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
)
_CLASSIC = "/bin/sh -c #(nop)"


@dataclass(frozen=True)
class Image:
    """One image: every name it has, and its layers from the lowest up."""

    id: str
    references: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True)
class User:
    """A container that uses an image, running or not; ``release`` is the one that Fairway started it for."""

    name: str
    image_id: str
    release: str | None


def familiar(reference: str) -> str:
    """Return a reference as Docker lists it: Docker Hub's own name is left out."""
    return (
        reference.removeprefix("docker.io/").removeprefix("library/")
        if reference.startswith("docker.io/")
        else reference
    )


def layer_sizes(history: Sequence[str], layers: int) -> list[int] | None:
    """Return the bytes of each layer, the lowest first, from ``docker history``'s lines, which are last first.

    None when the lines do not tell which of them are layers.
    """
    sizes = []
    for line in reversed(history):
        size, _, instruction = line.partition(" ")
        try:
            words = str(json.loads(instruction)).replace(_CLASSIC, "", 1).split()
        except ValueError:
            return None
        if not size.isdigit():
            return None
        if int(size) or not words or words[0] not in _DESCRIBING:
            sizes.append(int(size))
    return sizes if len(sizes) == layers else None


def bytes_freed(images: Iterable[Image], going: set[str], sizes: Mapping[str, Sequence[int]]) -> int:
    """Return what removing these references frees: the layers that no image has any more.

    ``sizes`` are the layers' by image id; an image that is not in it counts nothing.
    """
    kept: set[tuple[str, ...]] = set()
    gone: dict[tuple[str, ...], int] = {}
    for image in images:
        stacks = [image.layers[: height + 1] for height in range(len(image.layers))]
        if image.references and set(image.references) <= going:
            gone.update(zip(stacks, sizes.get(image.id, ())))
        else:
            kept.update(stacks)
    return sum(size for stack, size in gone.items() if stack not in kept)


class ImageStore:
    """The host's images, through its Docker."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def images(self) -> list[Image]:
        """Return every image on the host."""
        identities = sorted(set(self._run(docker.list_images()).stdout.split()))
        return [_image(document) for document in self._inspect(docker.inspect_images(identities), identities)]

    def users(self) -> list[User]:
        """Return every container on the host, whoever made it."""
        identities = self._run(docker.list_containers()).stdout.split()
        return [_user(document) for document in self._inspect(docker.inspect_containers(identities), identities)]

    def layer_sizes(self, image: Image) -> list[int] | None:
        """Return the bytes of each of an image's layers, None when Docker does not tell them apart."""
        done = self._run(docker.history(image.id))
        return layer_sizes(done.stdout.splitlines(), len(image.layers)) if done.returncode == 0 else None

    def remove(self, reference: str) -> None:
        """Remove one reference, and with the last one the image. Raises ``Failed`` when Docker will not."""
        done = self._run(docker.remove_image(reference))
        if done.returncode != 0 and "o such image" not in done.stderr:
            raise Failed(f"{reference} could not be removed", why=done.stderr.strip()[-300:])

    def _inspect(self, argv: list[str], identities: list[str]) -> list[dict[str, Any]]:
        done = self._run(argv) if identities else Completed(0, "[]", "")
        try:
            found = json.loads(done.stdout or "[]")
        except ValueError:
            found = None
        # Something may go between being listed and being looked at.
        if not isinstance(found, list) or (done.returncode != 0 and "o such" not in done.stderr):
            raise Unreachable("the Docker daemon does not answer", why=done.stderr.strip()[-300:], hint="docker info")
        return found

    def _run(self, argv: list[str]) -> Completed:
        done = run(argv, env=docker.environment(self._layout.docker_config))
        if done.returncode != 0 and "o such" not in done.stderr and "annot connect" in done.stderr:
            raise Unreachable("the Docker daemon does not answer", why=done.stderr.strip()[-300:], hint="docker info")
        return done


def _image(document: dict[str, Any]) -> Image:
    references = [*(document.get("RepoDigests") or []), *(document.get("RepoTags") or [])]
    layers = (document.get("RootFS") or {}).get("Layers") or []
    return Image(str(document["Id"]), tuple(map(str, references)), tuple(map(str, layers)))


def _user(document: dict[str, Any]) -> User:
    labels = document["Config"].get("Labels") or {}
    return User(str(document["Name"]).lstrip("/"), str(document["Image"]), labels.get(LABEL + "release"))
