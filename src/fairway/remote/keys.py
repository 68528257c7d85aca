"""The keys that hosts believe: given, taken away, replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fairway.engine.contract.errors import FairwayError, Invalid, Refused
from fairway.engine.contract.trust import Key, Keys, PublicKey, Role
from fairway.remote.keeper import Keeper
from fairway.remote.trust import Changed, EvidenceKey, now, push, read_trust, rotated

Change = Callable[[Keys], Keys]


def public_key(text: str) -> PublicKey:
    """Take the public key out of a ``.pub`` file's text. Raises ``Invalid``, without a word of what it holds."""
    if "PRIVATE KEY" in text:
        raise Invalid("that is a private key", why="it stays where it is", hint="give the file that ends in .pub")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise Invalid(f"there must be one public key, not {len(lines)}", hint="give the file that ends in .pub")
    return PublicKey(lines[0])


def adding(name: str, role: Role, public: PublicKey) -> Change:
    """Return the change that gives a person's or a pipeline's key a role."""
    return lambda keys: keys.with_key(Key(name, role, public, added=now()))


def replacing(name: str, role: Role, public: PublicKey) -> Change:
    """Return the change that puts another key in the place of one; what the old one said stays valid."""

    def change(keys: Keys) -> Keys:
        at = now()
        return keys.ended(name, role, until=at, why="rotated").with_key(Key(name, role, public, added=at))

    return change


def revoking(name: str, role: Role, reason: str) -> Change:
    """Return the change after which nothing that a key ever said is believed."""
    return lambda keys: keys.ended(name, role, revoked=now(), why=reason or None)


def change_keys(keeper: Keeper, change: Change, *, by: str) -> Changed:
    """Make a change to the keys of a host."""
    with keeper.session() as engine:
        return push(engine, by=by, keys=change(read_trust(engine).keys))


@dataclass(frozen=True)
class Rotation:
    """A host's new evidence key, who believes it by now, and who could not be told, with the reason."""

    own: EvidenceKey
    told: tuple[str, ...]
    untold: tuple[tuple[str, FairwayError], ...]


def rotate_host_key(keeper: Keeper, believers: Sequence[Keeper], *, by: str) -> Rotation:
    """Have a host make a new evidence key, and everybody who believes it go by the new one.

    Fails closed: until a believer is told, it takes nothing that the new key signs. Those
    that could not be told are returned; saying it all again heals that.
    """
    name = keeper.environment.name
    with keeper.session() as engine:
        push(engine, by=by, new_evidence_key=True)
        there = read_trust(engine)
        if there.evidence_key is None:
            raise Refused(f"{name} has no evidence key", hint=f"fairway bootstrap {name}")
        own = there.evidence_key
        push(engine, by=by, keys=rotated(there.keys, name, own, now()))
    told, untold = [name], []
    for believer in believers:
        try:
            change_keys(believer, lambda keys: rotated(keys, name, own, now()), by=by)
        except FairwayError as error:
            untold.append((believer.environment.name, error))
        else:
            told.append(believer.environment.name)
    return Rotation(own, tuple(told), tuple(untold))
