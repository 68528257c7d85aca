"""Statements: what a host or a person says of one release, as in-toto statements that are signed.

``ready`` and ``soaked`` are simple verification results
(https://github.com/in-toto/attestation/blob/main/spec/predicates/svr.md); the others
have predicates of Fairway's own. A statement is decided on by its exact bytes, and
parsed strictly: in-toto would have a reader pass over what it does not know, but a
field that narrows a meaning must not be passed over here.
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable

from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.names import Digest, Tag, project_name

MAX_STATEMENT_BYTES = 64 * 1024
MAX_SIGNATURE_BYTES = 16 * 1024
#: More than a release can honestly have; a host looks at no more than this.
MAX_STATEMENTS = 200

_TYPE = "https://in-toto.io/Statement/v1"
_SVR = "https://in-toto.io/attestation/svr/v0.1"
_OWN = "https://fairway.dev/evidence/"
_VERIFIER = _OWN + "host/v1"
#: in-toto's convention for a field of one's own: its name is a URI.
_RUN = _OWN + "run/v1"
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,40}")
_DEPLOYMENT = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}")
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]{1,500}")


class Kind(enum.Enum):
    """What a statement says.

    ``READY``: a host found the release ready, ``SOAKED``: it has served there for so
    long, ``DEPLOYED``: it serves now (a receipt). ``APPROVED`` and ``REJECTED``: what a
    reviewer decided. ``OVERRIDDEN``: an administrator lets it pass a frozen window.
    """

    READY = "ready"
    SOAKED = "soaked"
    DEPLOYED = "deployed"
    APPROVED = "approved"
    REJECTED = "rejected"
    OVERRIDDEN = "overridden"


_SVR_PROPERTY = {Kind.READY: "FAIRWAY_READY", Kind.SOAKED: "FAIRWAY_SOAKED"}
_BY_A_HOST = (Kind.READY, Kind.SOAKED, Kind.DEPLOYED)


@dataclass(frozen=True)
class Statement:
    """One statement about one release.

    ``environment`` is where the release ran (``READY``, ``SOAKED``, ``DEPLOYED``) or
    where it may or may not go. ``replaces`` is the release that serves there, None when
    none does. ``soaked_s`` are whole seconds; times are UTC like ``2026-01-31T12:00:00.000Z``.
    """

    kind: Kind
    release: Digest
    tag: Tag
    project: str
    environment: str
    at: str
    host: str | None = None
    deployment: str | None = None
    soaked_s: int | None = None
    replaces: Digest | None = None
    expires: str | None = None
    reason: str | None = None

    def to_bytes(self) -> bytes:
        """Return the exact bytes that are signed; equal statements give equal bytes."""
        document = {
            "_type": _TYPE,
            "subject": [{"name": self.tag, "digest": {"sha256": self.release[len("sha256:") :]}}],
            "predicateType": _SVR if self.kind in _SVR_PROPERTY else f"{_OWN}{self.kind.value}/v1",
            "predicate": self._predicate(),
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def _predicate(self) -> dict[str, Any]:
        where = {"project": self.project, "environment": self.environment}
        run: dict[str, Any] = {**where, "host": self.host, "deployment": self.deployment}
        if self.kind in _SVR_PROPERTY:
            if self.kind is Kind.SOAKED:
                run["soaked_s"] = self.soaked_s
            return {
                "verifier": {"id": _VERIFIER},
                "timeCreated": self.at,
                "properties": [_SVR_PROPERTY[self.kind]],
                _RUN: run,
            }
        if self.kind is Kind.DEPLOYED:
            return {**run, "at": self.at, "replaces": self.replaces}
        decided: dict[str, Any] = {**where, "at": self.at, "reason": self.reason}
        if self.kind is Kind.APPROVED:
            decided["replaces"] = self.replaces
        if self.kind is not Kind.REJECTED:
            decided["expires"] = self.expires
        return decided


def parse_statement(content: bytes) -> Statement:
    """Parse the exact bytes of a statement. Raises ``Invalid`` naming the key that is wrong."""
    if len(content) > MAX_STATEMENT_BYTES:
        raise Invalid("the statement is too large", why=f"{len(content)} bytes, at most {MAX_STATEMENT_BYTES}")
    fields = Fields(parse_json(content, "the statement"), "statement")
    if (kind_of := fields.text("_type")) != _TYPE:
        raise Invalid(f"statement: _type must be {_TYPE}, not {kind_of[:80]!r}")
    tag, release = _subject(fields)
    predicate_type = fields.text("predicateType")
    predicate = fields.object("predicate")
    fields.end()
    read = _read_svr if predicate_type == _SVR else _READERS.get(predicate_type)
    if read is None:
        raise Invalid(f"statement: predicateType is none that Fairway knows: {predicate_type[:100]!r}")
    statement = read(predicate, tag, release)
    predicate.end()
    return statement


def _subject(fields: Fields) -> tuple[Tag, Digest]:
    subjects = fields.objects("subject", max_items=1)
    if len(subjects) != 1:
        raise Invalid("statement: subject must name exactly one release")
    subject = subjects[0]
    digest = subject.object("digest")
    found = subject.parsed("name", Tag), digest.parsed("sha256", lambda text: Digest(f"sha256:{text}"))
    digest.end()
    subject.end()
    return found


def _read_svr(predicate: Fields, tag: Tag, release: Digest) -> Statement:
    verifier = predicate.object("verifier")
    if (verified_by := verifier.text("id")) != _VERIFIER:
        raise Invalid(f"statement: the verifier is none that Fairway knows: {verified_by[:100]!r}")
    verifier.end()
    at = _time(predicate, "timeCreated")
    properties = predicate.texts("properties", max_items=10)
    kinds = [kind for kind, name in _SVR_PROPERTY.items() if properties == (name,)]
    if not kinds:
        raise Invalid(f"statement: properties must be one of {', '.join(_SVR_PROPERTY.values())}")
    run = predicate.object(_RUN)
    statement = Statement(
        kind=kinds[0],
        release=release,
        tag=tag,
        at=at,
        **_where(run),
        **_ran(run),
        soaked_s=run.integer("soaked_s", maximum=10**9) if kinds[0] is Kind.SOAKED else None,
    )
    run.end()
    return statement


def _read_deployed(predicate: Fields, tag: Tag, release: Digest) -> Statement:
    return Statement(
        kind=Kind.DEPLOYED,
        release=release,
        tag=tag,
        at=_time(predicate, "at"),
        **_where(predicate),
        **_ran(predicate),
        replaces=_replaced(predicate),
    )


def _decision(kind: Kind) -> Callable[[Fields, Tag, Digest], Statement]:
    def read(predicate: Fields, tag: Tag, release: Digest) -> Statement:
        return Statement(
            kind=kind,
            release=release,
            tag=tag,
            at=_time(predicate, "at"),
            **_where(predicate),
            reason=_reason(predicate, needed=kind is not Kind.APPROVED),
            replaces=_replaced(predicate) if kind is Kind.APPROVED else None,
            expires=None if kind is Kind.REJECTED else _time(predicate, "expires"),
        )

    return read


_READERS: dict[str, Callable[[Fields, Tag, Digest], Statement]] = {
    f"{_OWN}{Kind.DEPLOYED.value}/v1": _read_deployed,
    **{f"{_OWN}{kind.value}/v1": _decision(kind) for kind in (Kind.APPROVED, Kind.REJECTED, Kind.OVERRIDDEN)},
}


def _where(fields: Fields) -> dict[str, Any]:
    return {
        "project": fields.parsed("project", project_name),
        "environment": fields.matching("environment", _ENVIRONMENT, "an environment name"),
    }


def _ran(fields: Fields) -> dict[str, Any]:
    return {
        "host": fields.matching("host", _PRINTABLE, "a host's name"),
        "deployment": fields.matching("deployment", _DEPLOYMENT, "a deployment's id"),
    }


def _replaced(fields: Fields) -> Digest | None:
    # Null is an answer, that nothing serves there; a missing key is none.
    return fields.nullable("replaces", lambda: fields.parsed("replaces", Digest))


def _reason(fields: Fields, *, needed: bool) -> str | None:
    def read() -> str:
        return fields.matching("reason", _PRINTABLE, "one line of at most 500 characters")

    return read() if needed else fields.nullable("reason", read)


def _time(fields: Fields, key: str) -> str:
    text = fields.matching(key, _TIME, "a UTC time like 2026-01-31T12:00:00.000Z")
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        raise Invalid(f"statement: {key} is not a time: {text}") from None
    return text


@dataclass(frozen=True)
class Signed:
    """The exact bytes of a statement with an armoured SSH signature over them (OpenSSH's PROTOCOL.sshsig)."""

    statement: bytes
    signature: str

    @property
    def digest(self) -> Digest:
        """The digest of the statement's bytes: what a spent approval is known by, however it is signed."""
        return Digest.of(self.statement)

    @property
    def name(self) -> Digest:
        """The digest of statement and signature together: what it is archived under."""
        return Digest.of(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the document in which both travel and are archived."""
        return json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def as_json(self) -> dict[str, str]:
        """Return it as the protocol carries it."""
        return {"statement": self.statement.decode("utf-8"), "signature": self.signature}

    @classmethod
    def parse(cls, fields: Fields) -> Signed:
        """Take a signed statement out of a document; neither part is judged here. Raises ``Invalid``."""
        statement = fields.text("statement", max_length=MAX_STATEMENT_BYTES)
        signature = fields.text("signature", max_length=MAX_SIGNATURE_BYTES)
        fields.end()
        try:
            return cls(statement.encode("utf-8"), signature)
        except UnicodeEncodeError:  # a lone surrogate, which JSON can write and UTF-8 cannot
            raise Invalid("signed statement: it has a character that is none") from None


def parse_signed(content: bytes) -> Signed:
    """Parse the bytes of :meth:`Signed.to_bytes`. Raises ``Invalid``."""
    return Signed.parse(Fields(parse_json(content, "the signed statement"), "signed statement"))


def said_by_a_host(kind: Kind) -> bool:
    """Say whether only a host can say this; the others are a person's."""
    return kind in _BY_A_HOST


def readable(content: bytes) -> Statement | None:
    """Return the statement for showing it, None when it is none; decides nothing."""
    try:
        return parse_statement(content)
    except FairwayError:
        return None
