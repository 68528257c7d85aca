"""A client and an engine of different versions: which is older, and the one command that helps."""

from __future__ import annotations

from typing import Any

from fairway import __version__
from fairway.engine.contract.errors import Failed, FairwayError, OtherVersion
from fairway.engine.contract.versions import UPGRADE, Relation, compare

PLACEHOLDER = "<environment>"


def name_environment(error: FairwayError, environment: str) -> FairwayError:
    """Put the environment's name where a host, which prints for anybody, has left a gap."""
    error.why = error.why.replace(PLACEHOLDER, environment)
    error.hint = error.hint.replace(PLACEHOLDER, environment)
    return error


def explain(error: FairwayError, engine: object, environment: str) -> FairwayError:
    """Say what an engine's error comes from when the two sides are of different versions.

    ``engine`` is the version the engine says it is of; one that says none is older
    than the first that did.
    """
    named = name_environment(error, environment)
    if not isinstance(named, OtherVersion):
        return named
    relation = compare(engine, __version__)
    shown = engine if isinstance(engine, str) else "of a version that it does not say"
    if compare(named.made_by, __version__) is Relation.NEWER:
        return OtherVersion(
            named.what,
            why=f"it is of Fairway {named.made_by}; the host's engine is {shown}, this fairway {__version__}",
            hint=f"upgrade to {named.made_by} or newer ({UPGRADE}), then: fairway bootstrap {environment}",
            made_by=named.made_by,
        )
    if relation is Relation.NEWER:
        return OtherVersion(
            "this fairway is older than the host's engine, and the two do not understand each other",
            why=f"the engine is {shown}, this fairway {__version__}; {named.what}",
            hint=f"upgrade this fairway: {UPGRADE}",
        )
    if relation in (Relation.OLDER, Relation.UNKNOWN):
        return OtherVersion(
            "the host's engine is older than this fairway, and the two do not understand each other",
            why=f"the engine is {shown}, this fairway {__version__}; {named.what}",
            hint=f"bring the host to this version: fairway bootstrap {environment}",
        )
    return named


def unknown_outcome(value: dict[str, Any], engine: object, environment: str) -> FairwayError:
    """Say that a deployment ended in a way that this version has no word for; it is never taken for a success."""
    return Failed(
        f"the host ended with an outcome that this fairway does not know: {str(value.get('outcome'))[:40]!r}",
        why=f"the host's engine is {engine}, this fairway {__version__}",
        hint=f"see what serves: fairway status {environment}; upgrade this fairway: {UPGRADE}",
    )


def passed_over(kinds: set[str], engine: object) -> str | None:
    """Return what to say when a newer engine told things that this version does not know."""
    if not kinds or compare(engine, __version__) is not Relation.NEWER:
        return None
    return (
        f"the host's engine ({engine}) is newer than this fairway ({__version__}): "
        f"some of what it tells is not shown; upgrade with {UPGRADE}"
    )
