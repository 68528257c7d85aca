"""What a host goes by when it decides: its policy, and the keys it believes.

Both are written by an administrator, or by the deploy user where there is none, and
read by the engine alone. A key has one role; a person with two roles has two entries.
"""

from __future__ import annotations

import base64
import binascii
import enum
import json
import re
import struct
from dataclasses import dataclass, replace
from typing import Any

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields, parse_json

MAX_KEYS = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+:-]{0,100}")
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,40}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,60}")
_ALLOWANCE = re.compile(r"[a-z-]+:[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?::[^\x00-\x20\x7f]{1,500})?")
_ALGORITHMS = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Role(enum.Enum):
    """What a key may say.

    ``DEPLOY`` and ``VIEWER`` sign nothing: they open a connection that speaks the protocol
    alone, and ``VIEWER`` of that no more than questions.
    """

    HOST = "host"
    REVIEWER = "reviewer"
    ADMIN = "admin"
    DEPLOY = "deploy"
    VIEWER = "viewer"

    @property
    def namespace(self) -> str:
        """The SSH signature's namespace: a signature made in one role is none in another."""
        return f"{self.value}@fairway.dev"


class PublicKey(str):
    """An SSH public key, ``ssh-ed25519 AAAA...``, without a comment."""

    def __new__(cls, value: str) -> PublicKey:
        parts = value.split()
        if len(parts) < 2 or parts[0] not in _ALGORITHMS or not _is_blob_of(parts[1], parts[0]):
            raise Invalid(
                "not an SSH public key",
                why="one line: the algorithm and the key in base64, as in id_ed25519.pub",
                hint=f"algorithms: {', '.join(_ALGORITHMS)}",
            )
        return super().__new__(cls, f"{parts[0]} {parts[1]}")

    @property
    def blob(self) -> bytes:
        """The key as it stands in a signature (RFC 4253, section 6.6)."""
        return base64.b64decode(self.split()[1])


def _is_blob_of(text: str, algorithm: str) -> bool:
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(blob) <= 8192 and blob.startswith(struct.pack(">I", len(algorithm)) + algorithm.encode())


def key_name(value: str) -> str:
    """Check the name under which a key is believed: a person's address, or a host's name."""
    if not _NAME.fullmatch(value):
        raise Invalid(
            f"not a name for a key: {value[:100]!r}", why="letters, digits and @ . _ + : -, for example ann@example.com"
        )
    return value


@dataclass(frozen=True)
class Key:
    """A key and what it is believed for.

    ``environment`` is a host's own. ``until`` is when a rotated key ended: what it said before stays valid.
    ``revoked`` is when it was revoked: nothing it ever said is believed. ``why`` goes with either.
    """

    name: str
    role: Role
    public: PublicKey
    added: str
    environment: str | None = None
    until: str | None = None
    revoked: str | None = None
    why: str | None = None

    @property
    def valid(self) -> bool:
        """Say whether new words of this key are believed."""
        return self.until is None and self.revoked is None

    def as_json(self) -> dict[str, Any]:
        """Return the key as a document, without what it does not have."""
        fields = {**vars(self), "role": self.role.value}
        return {name: value for name, value in fields.items() if value is not None}

    @classmethod
    def parse(cls, fields: Fields) -> Key:
        """Take a key out of a document. Raises ``Invalid`` naming the field."""

        def time(key: str) -> str | None:
            return fields.matching(key, _TIME, "a UTC time") if fields.has(key) else None

        role = fields.parsed("role", Role)
        key = cls(
            name=fields.parsed("name", key_name),
            role=role,
            public=fields.parsed("public", PublicKey, max_length=12_000),
            added=fields.matching("added", _TIME, "a UTC time"),
            environment=fields.matching("environment", _ENVIRONMENT, "an environment name")
            if role is Role.HOST
            else None,
            until=time("until"),
            revoked=time("revoked"),
            why=fields.text("why", max_length=500) if fields.has("why") else None,
        )
        fields.end()
        return key


@dataclass(frozen=True)
class Requirement:
    """An environment that a release must have passed: how long it served there, and how old the proof may be."""

    environment: str
    soak_s: int = 0
    max_age_s: int = 30 * 86400

    @classmethod
    def parse(cls, fields: Fields) -> Requirement:
        """Take it out of a document. Raises ``Invalid`` naming the field."""
        requirement = cls(
            fields.matching("environment", _ENVIRONMENT, "an environment name"),
            fields.integer("soak_s", maximum=10**8),
            fields.integer("max_age_s", minimum=1, maximum=10**9),
        )
        fields.end()
        return requirement


@dataclass(frozen=True)
class Window:
    """When nothing may be deployed: on these days, from one time of day to another, in a time zone.

    ``start`` and ``end`` are like ``16:00``; an end that is not later than the start
    is on the following day.
    """

    days: tuple[str, ...]
    start: str
    end: str
    zone: str = "UTC"

    @classmethod
    def parse(cls, fields: Fields) -> Window:
        """Take it out of a document. Raises ``Invalid`` naming the field."""
        window = cls(
            fields.texts("days", max_items=7),
            fields.matching("start", _CLOCK, "a time of day like 16:00"),
            fields.matching("end", _CLOCK, "a time of day like 24:00"),
            fields.matching("zone", _ZONE, "a time zone like Europe/Berlin"),
        )
        fields.end()
        if not window.days or set(window.days) - set(DAYS):
            raise Invalid(f"a frozen window's days are some of {', '.join(DAYS)}")
        return window


@dataclass(frozen=True)
class Policy:
    """What must hold before this host runs a release.

    ``approvals`` is of how many reviewers; ``approvers`` narrows who counts, None means every
    reviewer whose key is believed. ``allow`` are the exceptions to what a compose file
    may ask of the host, each by name (:mod:`fairway.engine.gate.compose_policy`).
    """

    requires: tuple[Requirement, ...] = ()
    approvals: int = 0
    approvers: tuple[str, ...] | None = None
    author_may_approve: bool = True
    frozen: tuple[Window, ...] = ()
    allow: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the policy as the file that holds it."""
        return _pretty(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """Return the policy as a document."""
        return {
            "requires": [dict(vars(requirement)) for requirement in self.requires],
            "approvals": self.approvals,
            "approvers": None if self.approvers is None else list(self.approvers),
            "author_may_approve": self.author_may_approve,
            "frozen": [{**vars(window), "days": list(window.days)} for window in self.frozen],
            "allow": list(self.allow),
        }

    @classmethod
    def parse(cls, fields: Fields) -> Policy:
        """Take a policy out of a document. Raises ``Invalid`` naming the field."""
        policy = cls(
            requires=tuple(Requirement.parse(item) for item in fields.objects("requires", max_items=20)),
            approvals=fields.integer("approvals", maximum=20),
            approvers=fields.nullable("approvers", lambda: fields.texts("approvers", max_items=MAX_KEYS)),
            author_may_approve=fields.boolean("author_may_approve"),
            frozen=tuple(Window.parse(item) for item in fields.objects("frozen", max_items=50)),
            allow=fields.texts("allow", max_items=200),
        )
        fields.end()
        for name in policy.approvers or ():
            key_name(name)
        for allowance in policy.allow:
            if not _ALLOWANCE.fullmatch(allowance):
                raise Invalid(f"policy: allow must be like 'privileged:worker', not {allowance[:100]!r}")
        return policy


@dataclass(frozen=True)
class Keys:
    """All the keys that a host has been given; a revoked one stays, so that it stays known as such."""

    keys: tuple[Key, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the keys as the file that holds them."""
        return _pretty(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """Return the keys as a document."""
        return {"keys": [key.as_json() for key in self.keys]}

    @classmethod
    def parse(cls, fields: Fields) -> Keys:
        """Take keys out of a document. Raises ``Invalid`` for one that is wrong or there twice."""
        found = cls(tuple(Key.parse(item) for item in fields.objects("keys", max_items=MAX_KEYS)))
        fields.end()
        found.refuse_ambiguous()
        return found

    def refuse_ambiguous(self) -> None:
        """Raise ``Invalid`` when a key stands in two roles, or a name has two valid keys in one role."""
        roles: dict[PublicKey, Role] = {}
        names: set[tuple[str, Role]] = set()
        for key in self.keys:
            if roles.setdefault(key.public, key.role) is not key.role:
                raise Invalid(f"the key of {key.name} already has the role {roles[key.public].value}")
            if key.valid:
                if (key.name, key.role) in names:
                    raise Invalid(f"{key.name} has two keys as {key.role.value}", hint="rotate or revoke the first")
                names.add((key.name, key.role))

    def of(self, blob: bytes, role: Role) -> Key | None:
        """Return the key with this blob in this role; a revoked entry goes before any other."""
        found = [key for key in self.keys if key.role is role and key.public.blob == blob]
        return min(found, key=lambda key: key.revoked is None, default=None)

    def with_key(self, key: Key) -> Keys:
        """Return these keys and one more. Raises ``Invalid`` when it does not go with them."""
        if any(known.public == key.public and known.revoked for known in self.keys):
            raise Invalid(f"this key of {key.name} was revoked", hint="make a new one: ssh-keygen -t ed25519")
        grown = Keys((*self.keys, key))
        grown.refuse_ambiguous()
        return grown

    def ended(
        self, name: str, role: Role, *, until: str | None = None, revoked: str | None = None, why: str | None = None
    ) -> Keys:
        """Return these keys with the valid one of this name and role rotated out (``until``) or revoked.

        Raises ``Invalid`` when there is none.
        """
        if not any(key.valid and (key.name, key.role) == (name, role) for key in self.keys):
            known = ", ".join(key.name for key in self.keys if key.valid and key.role is role) or "none"
            raise Invalid(f"there is no valid key of {name} as {role.value}", why=f"valid as {role.value}: {known}")

        def end(key: Key) -> Key:
            if key.valid and (key.name, key.role) == (name, role):
                return replace(key, until=until, revoked=revoked, why=why)
            return key

        return Keys(tuple(end(key) for key in self.keys))


def parse_policy(content: bytes) -> Policy:
    """Parse the bytes of ``policy.json``. Raises ``Invalid``."""
    return Policy.parse(Fields(parse_json(content, "policy.json"), "policy.json"))


def parse_keys(content: bytes) -> Keys:
    """Parse the bytes of ``keys.json``. Raises ``Invalid``."""
    return Keys.parse(Fields(parse_json(content, "keys.json"), "keys.json"))


def _pretty(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
