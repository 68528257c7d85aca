"""``fairway release --rebuild-check``: build the released commit again, and say what comes out differently.

Nothing is pushed, nothing is released, and no tag is left behind.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

from fairway import process
from fairway.config import Config
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.fields import parse_json
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Digest, PinnedImage
from fairway.registry import Access, Archive, RegistryClient, connect
from fairway.release import git
from fairway.release.build import build_command, check_dockerfile, run_build
from fairway.release.docker import Docker, find_docker
from fairway.release.progress import Reporter
from fairway.release.release import check_unchanged, read_source

_MAX_CONFIG_BYTES = 4 * 1024 * 1024
_SCRATCH = "fairway-rebuild"


@dataclass(frozen=True)
class Contents:
    """What an image is made of.

    ``layers`` are the digests of their content as it is unpacked, which do not depend on
    who packed it. ``made_by`` says for each what made it, where that is known.
    ``settings`` are what a container starts with: environment, command, labels and so on.
    """

    config: Digest
    layers: tuple[Digest, ...]
    made_by: tuple[str, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """One part of an image, as it was released and as it came out again; ``None`` where there is none."""

    name: str
    released: Digest | None
    rebuilt: Digest | None
    made_by: str = ""

    @property
    def same(self) -> bool:
        """Whether both have the same digest."""
        return self.released == self.rebuilt

    def as_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        digests = {"released": self.released, "rebuilt": self.rebuilt}
        return {"part": self.name, "same": self.same, **digests, "made_by": self.made_by}


@dataclass(frozen=True)
class RebuiltImage:
    """One image and its parts side by side, the configuration first.

    ``settings`` names the settings that differ.
    """

    name: str
    pinned: PinnedImage
    parts: tuple[Part, ...]
    settings: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether it is the same image."""
        return all(part.same for part in self.parts)

    def as_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return {
            "image": self.pinned.reference,
            "same": self.same,
            "settings": list(self.settings),
            "parts": [part.as_json() for part in self.parts],
        }


@dataclass(frozen=True)
class RebuildCheck:
    """A release beside what its commit gives now."""

    named: NamedRelease
    images: tuple[RebuiltImage, ...]

    @property
    def same(self) -> bool:
        """Whether both images came out the same."""
        return all(image.same for image in self.images)

    def as_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return {
            "tag": self.named.release.tag,
            "release": self.named.name,
            "same": self.same,
            "images": {image.name: image.as_json() for image in self.images},
            "meaning": explain(self),
        }


def check_rebuild(
    config: Config,
    *,
    allow_dirty: bool,
    reporter: Reporter,
    connect_to: Callable[[str, Access], RegistryClient] = connect,
) -> RebuildCheck:
    """Build both images of this commit's release again, without a cache, and compare them with it.

    Raises ``Failed`` when the commit was not released or a build fails, ``Invalid`` for a
    dirty tree that was not allowed.
    """
    with reporter.step("check"):
        checkout = read_source(config, allow_dirty=allow_dirty)
        tag = git.release_tag(checkout)
        docker = find_docker()
        check_dockerfile(config)
    with ExitStack() as stack:

        @cache
        def client_of(registry: str) -> RegistryClient:
            return stack.enter_context(connect_to(registry, Access.PULL))

        with reporter.step("archive: read"):
            named = Archive(client_of(config.release_repository.registry), config.release_repository).read(tag)
        wanted = (
            ("application", config.build.app_target, named.release.app),
            ("migrator", config.build.migrator_target, named.release.migrator),
        )
        images = []
        for name, target, pinned in wanted:
            with reporter.step(f"rebuild {target}"):
                rebuilt, platform = _rebuild(docker, config, checkout, target, reporter)
            with reporter.step(f"compare {target}"):
                released = read_released(client_of(pinned.repository.registry), pinned, platform)
            images.append(compare(name, pinned, released, rebuilt))
        check_unchanged(checkout, tag)
    return RebuildCheck(named, tuple(images))


def compare(name: str, pinned: PinnedImage, released: Contents, rebuilt: Contents) -> RebuiltImage:
    """Put the parts of two images side by side."""
    parts = [Part("configuration", released.config, rebuilt.config)]
    known = zip_longest(released.made_by, rebuilt.made_by, fillvalue="")
    made_by = [before or now for before, now in known]
    for number, (before, now) in enumerate(zip_longest(released.layers, rebuilt.layers)):
        parts.append(Part(f"layer {number + 1}", before, now, made_by[number] if number < len(made_by) else ""))
    keys = sorted({*released.settings, *rebuilt.settings})
    settings = tuple(key for key in keys if released.settings.get(key) != rebuilt.settings.get(key))
    return RebuiltImage(name, pinned, tuple(parts), settings)


def explain(check: RebuildCheck) -> list[str]:
    """Say in words what the comparison means, a paragraph each."""
    if check.same:
        return ["The same: built again, this commit gives the very images that were released."]
    said: list[str] = []
    parts = [part for image in check.images for part in image.parts if not part.same]
    if any(part.name != "configuration" for part in parts):
        said.append(
            "A layer that differs holds other files, or the same files with other times. Times are the usual cause, "
            "and harmless: what a RUN step writes has the time of the build. Next come packages that were updated "
            "since, and a base image whose tag was moved; naming both exactly, by version and by digest, ends that."
        )
        said.append("A configuration lists its layers, so it differs wherever one of them does.")
    for image in check.images:
        if image.settings:
            said.append(f"The {image.name} would start with other settings: {', '.join(image.settings)}.")
        elif [part.name for part in image.parts if not part.same] == ["configuration"]:
            said.append(
                f"All layers and settings of the {image.name} are the same; its configuration differs in its history "
                "or its times only, as it does when the versions of BuildKit differ."
            )
    return said


def read_released(client: RegistryClient, pinned: PinnedImage, platform: str) -> Contents:
    """Read what a released image is made of; of an index, the image of this platform. Raises ``Failed``."""
    manifest = client.get_manifest(pinned.repository, pinned.digest)
    if manifest.is_index:
        digest = manifest.platforms.get(platform)
        if digest is None:
            raise Failed(
                f"{pinned.repository} was not released for {platform}, which is what this machine builds",
                why=f"it was for {', '.join(manifest.platforms) or 'no platform'}",
                hint="run the check on a machine of one of these",
            )
        manifest = client.get_manifest(pinned.repository, digest)
    content = client.get_blob(pinned.repository, manifest.config.digest, limit_bytes=_MAX_CONFIG_BYTES)
    return parse_config(content, manifest.config.digest)


def parse_config(content: bytes, digest: Digest) -> Contents:
    """Read an image's configuration (OCI image specification, "config.md"). Raises ``Failed`` when it is none."""
    try:
        document = parse_json(content, "the image's configuration")
        made_by = tuple(
            str(entry.get("created_by", "")) for entry in document.get("history") or () if not entry.get("empty_layer")
        )
        layers = tuple(Digest(layer) for layer in document["rootfs"]["diff_ids"])
        return Contents(digest, layers, made_by, _settings(document.get("config")))
    except (FairwayError, LookupError, TypeError, AttributeError):
        raise Failed(f"the configuration {digest.short} is not that of an image") from None


def parse_inspection(text: str, digest: Digest) -> tuple[Contents, str]:
    """Read what ``docker image inspect`` says of one image: its contents and its platform. Raises ``Failed``."""
    try:
        (document,) = json.loads(text)
        layers = tuple(Digest(layer) for layer in document["RootFS"].get("Layers") or ())
        names = (document["Os"], document["Architecture"], document.get("Variant", ""))
        return Contents(digest, layers, (), _settings(document["Config"])), "/".join(filter(None, names))
    except (FairwayError, ValueError, LookupError, TypeError, AttributeError):
        raise Failed("Docker does not tell what the image is made of") from None


def _settings(value: Any) -> dict[str, Any]:
    """Return what is set: Docker shows keys that are not, a registry's copy has none of them."""
    return {key: setting for key, setting in (value or {}).items() if setting}


def _rebuild(
    docker: Docker, config: Config, checkout: git.Checkout, target: str, reporter: Reporter
) -> tuple[Contents, str]:
    """Build one target anew; return its contents and the platform it is for."""
    # A name of its own: the image may be the released one, whose names must stay as they are.
    reference = f"{_SCRATCH}:{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory(prefix="fairway-") as scratch:
        metadata = Path(scratch) / "metadata.json"
        options = ("--no-cache", "--metadata-file", str(metadata))
        try:
            run_build(
                build_command(docker, config, checkout, *options, target=target, reference=reference),
                config,
                target,
                reporter,
            )
            inspected = process.run(docker("image", "inspect", reference))
            text = inspected.or_fail(f"the image of {target!r} is not in the local image store after its build")
            return parse_inspection(text, _config_digest(metadata))
        finally:
            process.run(docker("image", "rm", "--force", reference))


def _config_digest(metadata: Path) -> Digest:
    try:
        return Digest(json.loads(metadata.read_bytes())["containerimage.config.digest"])
    except (OSError, ValueError, LookupError, TypeError, FairwayError):
        raise Failed(
            "the build did not say which configuration the image has",
            hint="a newer buildx does: docker buildx version",
        ) from None
