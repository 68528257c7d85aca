"""What of its past a host keeps, and what goes: decided from what is there, without touching it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.engine.hostconfig import Retention
from fairway.engine.images import Image, User, bytes_freed


class Kind(enum.Enum):
    """The kinds of things that a host collects."""

    RELEASE = "release"
    IMAGE = "image"
    DEPLOYMENT = "deployment"
    ENGINE = "engine"


@dataclass(frozen=True)
class ReleaseThere:
    """A release's directory. ``name`` is the digest of its manifest, None when that cannot be read."""

    tag: str
    name: str | None
    images: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class DeploymentThere:
    """A deployment's directory. ``tags`` are the releases it is from and to, while it has not ended."""

    id: str
    ended: bool
    tags: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class EngineThere:
    """An engine's archive.

    ``held`` says that ``current`` names it or that it runs, ``ours`` that this user may
    remove it: where an administrator keeps the engines, bootstrap does.
    """

    name: str
    held: bool
    size_bytes: int
    ours: bool = True


@dataclass(frozen=True)
class There:
    """Everything the decision rests on.

    ``successes`` are the names of the releases that served here, the newest first,
    ``tried`` those that were tried since the last success. ``serving`` and
    ``previous`` are tags, ``recorded`` the ids of the deployments that put them there.
    """

    releases: tuple[ReleaseThere, ...]
    deployments: tuple[DeploymentThere, ...]
    engines: tuple[EngineThere, ...]
    images: tuple[Image, ...]
    users: tuple[User, ...]
    successes: tuple[str, ...]
    tried: frozenset[str]
    serving: str | None
    previous: str | None
    recorded: frozenset[str]


@dataclass(frozen=True)
class Item:
    """One thing, and why it goes or stays; an image counts in the whole only, as images share layers."""

    kind: Kind
    name: str
    why: str
    size_bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the item as a document."""
        return {"kind": self.kind.value, "name": self.name, "why": self.why, "size_bytes": self.size_bytes}


@dataclass(frozen=True)
class Plan:
    """What goes, what stays, and the images of each release that goes."""

    goes: tuple[Item, ...]
    stays: tuple[Item, ...]
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def named(self, kind: Kind) -> list[str]:
        """Return the names of one kind's things that go."""
        return [item.name for item in self.goes if item.kind is kind]

    def freed_bytes(self, images: tuple[Image, ...], sizes: Mapping[str, list[int]]) -> int:
        """Return the bytes that carrying this out frees; ``sizes`` are the layers' by image id."""
        files = sum(item.size_bytes for item in self.goes)
        return files + bytes_freed(images, set(self.named(Kind.IMAGE)), sizes)


def decide(there: There, retention: Retention) -> Plan:
    """Decide what goes. Whatever could still be needed to serve, to go back or to recover stays."""
    goes: list[Item] = []
    stays: list[Item] = []
    kept_images: set[str] = set()
    for release in there.releases:
        reason = _why_release_stays(release, there, retention)
        if reason:
            kept_images.update(release.images)
            stays.append(Item(Kind.RELEASE, release.tag, reason, release.size_bytes))
        else:
            served = release.name in there.successes
            why = f"older than the {retention.releases} newest that served" if served else "it never served here"
            goes.append(Item(Kind.RELEASE, release.tag, why, release.size_bytes))
    present = {reference for image in there.images for reference in image.references}
    leaving = {release.tag: release for release in there.releases}
    images = {
        item.name: tuple(r for r in dict.fromkeys(leaving[item.name].images) if r in present and r not in kept_images)
        for item in goes
    }
    for reference in dict.fromkeys(r for references in images.values() for r in references):
        goes.append(Item(Kind.IMAGE, reference, "only releases that go have it"))
    for reference in sorted(kept_images & present):
        stays.append(Item(Kind.IMAGE, reference, "a release that stays has it"))
    _decide_deployments(there, retention, goes, stays)
    for engine in there.engines:
        kept = "it is the current one, or runs" if engine.held else "it is an administrator's: it goes with a bootstrap"
        if engine.held or not engine.ours:
            stays.append(Item(Kind.ENGINE, engine.name, kept, engine.size_bytes))
        else:
            goes.append(Item(Kind.ENGINE, engine.name, "another one is current", engine.size_bytes))
    return Plan(tuple(goes), tuple(stays), images)


def _why_release_stays(release: ReleaseThere, there: There, retention: Retention) -> str | None:
    if release.tag == there.serving:
        return "it serves"
    if release.tag == there.previous:
        return "it served before"
    if release.name is None:
        return "its manifest cannot be read, so what belongs to it is not known"
    if any(release.tag in deployment.tags for deployment in there.deployments if not deployment.ended):
        return "a deployment that has not ended needs it"
    identities = {image.id for image in there.images if set(image.references) & set(release.images)}
    user = next((u.name for u in there.users if u.image_id in identities or u.release == release.name), None)
    if user is not None:
        return f"the container {user} uses it"
    if release.name in there.successes[: retention.releases]:
        return f"one of the {retention.releases} newest that served"
    if release.name in there.tried:
        return "it was tried since the last success"
    return None


def _decide_deployments(there: There, retention: Retention, goes: list[Item], stays: list[Item]) -> None:
    newest = sorted((deployment.id for deployment in there.deployments), reverse=True)[: retention.deployments]
    for deployment in there.deployments:
        if not deployment.ended:
            reason = "it has not ended"
        elif deployment.id in there.recorded:
            reason = "it put there what serves, or what served before"
        elif deployment.id in newest:
            reason = f"one of the {retention.deployments} newest"
        else:
            why = f"older than the {retention.deployments} newest"
            goes.append(Item(Kind.DEPLOYMENT, deployment.id, why, deployment.size_bytes))
            continue
        stays.append(Item(Kind.DEPLOYMENT, deployment.id, reason, deployment.size_bytes))
