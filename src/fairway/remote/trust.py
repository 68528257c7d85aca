"""What the hosts go by, seen and changed from here: their policies, the keys they believe, and their own keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fairway.engine.contract.errors import Refused
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.trust import Key, Keys, Policy, PublicKey, Role, key_name
from fairway.remote.session import EngineSession


@dataclass(frozen=True)
class EvidenceKey:
    """The public half of a host's own key, and the name that its statements carry."""

    name: str
    public: PublicKey


@dataclass(frozen=True)
class Trust:
    """What one host goes by, as it says itself.

    ``kept_by`` is who may change it; ``open`` says what others than root could change when
    no administrator keeps it; ``shell_keys`` are the deploy user's keys that open a shell.
    """

    policy: Policy
    keys: Keys
    evidence_key: EvidenceKey | None
    kept_by: str
    guarded: bool
    open: str
    shell_keys: tuple[str, ...]

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Trust:
        """Take it out of the host's answer; a newer engine may say more."""
        said = document.get("evidence_key")
        own = Fields(said, "the host's key") if isinstance(said, dict) else None
        return cls(
            policy=Policy.parse(Fields(document.get("policy"), "the host's policy")),
            keys=Keys.parse(Fields(document.get("keys"), "the host's keys")),
            evidence_key=EvidenceKey(own.parsed("name", key_name), own.parsed("public", PublicKey)) if own else None,
            kept_by=str(document.get("kept_by")),
            guarded=document.get("guarded") is True,
            open=str(document.get("open") or ""),
            shell_keys=tuple(map(str, document.get("shell_keys") or ())),
        )


def read_trust(engine: EngineSession) -> Trust:
    """Ask a host what it goes by."""
    return Trust.parse(engine.call(Operation.TRUST))


@dataclass(frozen=True)
class Changed:
    """What a host changed, and what it had to say about that."""

    what: tuple[str, ...]
    notes: tuple[str, ...]


def push(
    engine: EngineSession,
    *,
    by: str,
    policy: Policy | None = None,
    keys: Keys | None = None,
    new_evidence_key: bool = False,
) -> Changed:
    """Have a host go by this policy and these keys from now on; leave out what is to stay."""
    args: dict[str, Any] = {"by": by}
    args |= {"policy": policy.as_json()} if policy is not None else {}
    args |= {"keys": keys.as_json()} if keys is not None else {}
    args |= {"new_evidence_key": True} if new_evidence_key else {}
    answer = engine.call(Operation.SET_TRUST, **args)
    return Changed(tuple(answer["changed"]), tuple(answer.get("notes") or ()))


def now() -> str:
    """Return the time as keys carry it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def believing(keys: Keys, environment: str, own: EvidenceKey, at: str) -> Keys:
    """Return these keys with a host's own among them.

    Raises ``Refused`` when that host is believed by another key already: a changed key is
    a rotation, which somebody says, or a host that is not the one it was.
    """
    known = [key for key in keys.keys if key.role is Role.HOST and key.name == own.name]
    if any(key.valid and key.public == own.public for key in known):
        return keys
    if any(key.valid for key in known):
        raise Refused(
            f"the evidence key of {own.name} is not the one that is believed",
            why="it was made anew, or another host answers in its place",
            hint=f"if it is the right host: fairway keys rotate {environment} --host",
        )
    return keys.with_key(Key(own.name, Role.HOST, own.public, added=at, environment=environment))


def rotated(keys: Keys, environment: str, own: EvidenceKey, at: str) -> Keys:
    """Return these keys with the host's new one in the place of the old, whose words stay valid."""
    for key in keys.keys:
        if key.valid and key.role is Role.HOST and key.name == own.name and key.public != own.public:
            keys = keys.ended(own.name, Role.HOST, until=at, why="rotated")
    return believing(keys, environment, own, at)


def policy_differences(here: Policy, there: Policy) -> list[str]:
    """Name the keys of a policy in which a host's is not the one of fairway.toml."""
    ours, theirs = here.as_json(), there.as_json()
    return [key for key in ours if ours[key] != theirs[key]]


def look_over(
    environment: str, policy: Policy, admin: str | None, trust: Trust, source: str | None, own: EvidenceKey | None
) -> list[dict[str, Any]]:
    """Return the doctor's checks on what a host goes by.

    ``own`` is the evidence key that the host of ``source`` has, None when it was not asked.
    """
    bootstrap = f"fairway bootstrap {environment}"
    return [
        _kept(environment, admin, trust),
        _check("policy", "as in fairway.toml", _differing(policy, trust.policy), bootstrap),
        _check(
            "evidence key",
            trust.evidence_key.name if trust.evidence_key else "",
            "" if trust.evidence_key else "this host has none, so it can prove nothing elsewhere",
            bootstrap,
        ),
        *([_believed(environment, trust.keys, source, own)] if source else []),
    ]


def _kept(environment: str, admin: str | None, trust: Trust) -> dict[str, Any]:
    if trust.guarded:
        return _check("kept by", f"{trust.kept_by}: the deploy key cannot change what this host goes by")
    if admin is None:
        found = f"{trust.kept_by}: whoever holds that login can change what this host goes by"
        return {**_check("kept by", found), "hint": f"to keep it apart: environments.{environment}.admin"}
    problem = f"{trust.kept_by}, though fairway.toml names an administrator: {trust.open}"
    return _check("kept by", "", problem, f"fairway bootstrap {environment}")


def _differing(here: Policy, there: Policy) -> str:
    differences = policy_differences(here, there)
    return f"differs from fairway.toml in {', '.join(differences)}" if differences else ""


def _believed(environment: str, keys: Keys, source: str, own: EvidenceKey | None) -> dict[str, Any]:
    name = f"believes {source}"
    valid = [key for key in keys.keys if key.role is Role.HOST and key.valid and key.environment == source]
    if not valid:
        return _check(
            name,
            "",
            f"no key of {source} is believed here, so nothing can be promoted from it",
            f"fairway bootstrap {source}, then fairway bootstrap {environment}",
        )
    if own is not None and not any((key.name, key.public) == (own.name, own.public) for key in valid):
        problem = f"{own.name} now has another key than the one that is believed here"
        return _check(name, "", problem, f"if it is the right host: fairway keys rotate {source} --host")
    return _check(name, ", ".join(key.name for key in valid))


def _check(name: str, found: str, problem: str = "", hint: str = "") -> dict[str, Any]:
    return {"name": name, "ok": not problem, "found": problem or found, "hint": hint if problem else ""}


def names(changed: Iterable[str]) -> str:
    """Return what a host changed, in words."""
    words = {"policy.json": "policy", "keys.json": "keys", "evidence_key": "evidence key"}
    return ", ".join(words.get(name, name) for name in changed) or "nothing"
