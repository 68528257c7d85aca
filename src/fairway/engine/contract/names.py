"""The names that things have: digests, tags, image references, slots.

Each is checked where it enters and trusted afterwards, so a value of one of these
types can go on a command line without another look.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fairway.engine.contract.errors import Invalid

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"sha-[0-9a-f]{7,64}")
# The registry's host may carry a port; each path component is lower case (OCI Distribution 1.1, "Pulling manifests").
_REPOSITORY = re.compile(
    r"(?P<registry>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?)"
    r"/(?P<path>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"
)
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Digest(str):
    """A content digest, ``sha256:`` and 64 hexadecimal digits."""

    def __new__(cls, value: str) -> Digest:
        if not _DIGEST.fullmatch(value):
            raise Invalid(f"not a sha256 digest: {value[:100]!r}")
        return super().__new__(cls, value)

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """Return the digest of these bytes."""
        return cls("sha256:" + hashlib.sha256(content).hexdigest())

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self[7:19]


class Tag(str):
    """A release tag, ``sha-`` and the commit it was built from."""

    def __new__(cls, value: str) -> Tag:
        if not _TAG.fullmatch(value):
            raise Invalid(
                f"not a release tag: {value[:100]!r}",
                why="a tag is sha- and the commit, for example sha-4f2a9c1",
                hint="list the releases with: fairway releases",
            )
        return super().__new__(cls, value)

    @property
    def short(self) -> str:
        """``sha-`` and the first seven digits, for people."""
        return self[:11]


class Repository(str):
    """Where an image lives, without a tag: ``ghcr.io/acme/capakraken-app``."""

    registry: str
    path: str

    def __new__(cls, value: str) -> Repository:
        match = _REPOSITORY.fullmatch(value)
        if not match or len(value) > 255:
            raise Invalid(
                f"not an image repository: {value[:100]!r}",
                why="a repository is a registry's host and a lower-case path, without a tag",
                hint="for example ghcr.io/acme/capakraken-app",
            )
        self = super().__new__(cls, value)
        self.registry = match["registry"]
        self.path = match["path"]
        return self


@dataclass(frozen=True)
class PinnedImage:
    """An image by digest: the only form in which a release names one.

    ``digest`` is what was pushed, and alone decides what is pulled. ``config`` is the
    digest of the image's configuration. An index has none; ``platforms`` then names the
    image of each platform, such as ``linux/amd64``.
    """

    repository: Repository
    digest: Digest
    size_bytes: int
    config: Digest | None = None
    platforms: Mapping[str, Digest] = field(default_factory=dict, hash=False)

    @property
    def reference(self) -> str:
        """``repository@sha256:...``, as Docker takes it."""
        return f"{self.repository}@{self.digest}"


class Slot(enum.Enum):
    """One of the two places an application container can run in."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Slot:
        """The slot beside this one."""
        return Slot.GREEN if self is Slot.BLUE else Slot.BLUE


def project_name(value: str) -> str:
    """Check a project name against what Compose accepts and return it."""
    if not _PROJECT.fullmatch(value):
        raise Invalid(
            f"not a project name: {value[:100]!r}",
            why="lower-case letters, digits, '-' and '_', starting with a letter or digit, at most 63",
        )
    return value
