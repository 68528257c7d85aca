"""Push an image under a tag that never moves, and pin what the registry then has."""

from __future__ import annotations

import re

from fairway import process
from fairway.engine.contract.errors import Failed, Refused
from fairway.engine.contract.names import Digest, PinnedImage, Repository
from fairway.registry import Manifest, RegistryClient
from fairway.release.build import Built
from fairway.release.docker import Docker
from fairway.release.progress import Reporter

_PUSHED = re.compile(r"\bdigest: (sha256:[0-9a-f]{64})\b")


def find_present(client: RegistryClient, built: Built) -> Manifest | None:
    """Return what the registry has under an image's tag: the image that was built, or nothing.

    Raises ``Refused`` when the tag names another image.
    """
    image = built.image
    present = client.find_manifest(image.repository, image.tag)
    if present is not None and not same_image(present, built.id):
        raise Refused(
            f"the tag {image.tag.short} of {image.repository} already names another image",
            why=f"the registry has {present.descriptor.digest} there, and this build is the image {built.id}: "
            "an earlier run that was interrupted, or somebody else, pushed it",
            hint="a tag is never moved: release from a new commit (git commit --allow-empty), "
            "or delete the tag in the registry if you know that it is yours",
        )
    return present


def publish(docker: Docker, client: RegistryClient, built: Built, reporter: Reporter) -> PinnedImage:
    """Push one built image unless the registry has it under the tag, and return it by digest.

    Registries let anyone with a login move a tag, so Fairway asks first and looks again
    afterwards. Raises ``Refused`` when the tag names another image, before or after.
    """
    image = built.image
    stored = find_present(client, built)
    if stored is not None:
        reporter.line(f"{image.reference} is there already, with the same image")
        return _pin(client, image.repository, stored)
    pushed = _push(docker, built, reporter)
    stored = client.get_manifest(image.repository, image.tag)
    if stored.descriptor.digest != pushed or not same_image(stored, built.id):
        raise Refused(
            f"the tag {image.tag.short} of {image.repository} was moved while it was pushed",
            why=f"{pushed.short} was pushed, the registry now has {stored.descriptor.digest.short}",
            hint="see who else pushes there; nothing was released",
        )
    return _pin(client, image.repository, stored)


def same_image(manifest: Manifest, local_id: Digest) -> bool:
    """Say whether a manifest in the registry is that of an image in the local store.

    The containerd store's id is the manifest's digest. The classic store's is the digest
    of the image's configuration, which lists every layer by the digest of its content.
    """
    if manifest.descriptor.digest == local_id:
        return True
    return not manifest.is_index and manifest.config.digest == local_id


def _push(docker: Docker, built: Built, reporter: Reporter) -> Digest:
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        if line.endswith(": Pushed") or _PUSHED.search(line):
            reporter.line(line)

    registry = built.image.repository.registry
    done = process.stream(docker("push", built.image.reference), on_line)
    done.or_fail(
        f"pushing {built.image.reference} failed",
        hint=f"does Docker know the login? docker login {registry}. Then run fairway release again",
    )
    for line in reversed(lines):
        if match := _PUSHED.search(line):
            return Digest(match[1])
    raise Failed(f"docker push did not say which digest {built.image.reference} has", why=done.tail)


def _pin(client: RegistryClient, repository: Repository, manifest: Manifest) -> PinnedImage:
    digest = manifest.descriptor.digest
    if not manifest.is_index:
        return PinnedImage(repository, digest, manifest.content_size_bytes, config=manifest.config.digest)
    sizes = [client.get_manifest(repository, entry.digest).content_size_bytes for entry in manifest.manifests]
    return PinnedImage(repository, digest, max(sizes, default=0), platforms=manifest.platforms)
