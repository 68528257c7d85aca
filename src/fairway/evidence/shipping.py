"""Send a release to a host, and the proof that it may go there."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from fairway.config import Environment
from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.contract.protocol import Operation, Outcome
from fairway.remote.session import EngineSession, OnEvent

if TYPE_CHECKING:
    from fairway.registry import ArchivedRelease

_WHOLE_HISTORY = 100_000


def ship(engine: EngineSession, released: ArchivedRelease, *, by: str, on_event: OnEvent) -> dict[str, Any]:
    """Hand a release to a host's engine and follow the deployment to its end; return its last journal line."""
    return engine.call(
        Operation.DEPLOY,
        on_event,
        manifest=released.manifest_bytes.decode("utf-8"),
        bundle=base64.b64encode(released.bundle).decode("ascii"),
        by=by,
    )


def refuse_unpromoted(target: Environment) -> None:
    """Refuse a direct deployment to an environment that takes promoted releases only."""
    if target.promote_from is not None:
        raise Refused(
            f"{target.name} takes only what {target.promote_from} has run",
            why=f"fairway.toml: environments.{target.name}.promote_from",
            hint=f"fairway promote <tag> --to {target.name}",
        )


def prove(engine: EngineSession, source: str, released: ArchivedRelease) -> None:
    """Have the source's own host confirm that it ran this release with success."""
    entries = engine.call(Operation.HISTORY, limit=_WHOLE_HISTORY)["entries"]
    refuse_unproven(entries, source, released.named.name, released.named.release.tag)


def refuse_unproven(entries: list[dict[str, Any]], source: str, release: Digest, tag: Tag) -> None:
    """Decide on a host's record whether a release was proven there. Raises ``Refused`` with what is missing.

    What counts is the release's digest, so the very same manifest, images and
    bundle; a success under the same tag with other bytes does not.
    """
    attempts = [entry for entry in entries if entry.get("tag") == tag]
    of_release = [entry for entry in attempts if entry.get("release") == release]
    if any(entry.get("outcome") == Outcome.SUCCEEDED.value for entry in of_release):
        return
    if of_release:
        reason = (of_release[-1].get("error") or {}).get("what", "no reason on record")
        why = f"{source} tried it and it failed: {reason}"
        hint = "mend what failed and release a new commit"
    elif attempts:
        why = f"{source} ran other bytes under this tag (release {Digest(str(attempts[-1]['release'])).short})"
        hint = "a tag names one release for ever: find out who changed it, then release a new commit"
    else:
        why = f"{source} has never run it"
        hint = f"fairway deploy {source} {tag.short}"
    raise Refused(
        f"{tag.short} is not proven: missing is a successful deployment of release {release.short} on {source}",
        why=why,
        hint=hint,
    )


def tag_on_host(engine: EngineSession, prefix: str) -> Tag:
    """Find the one release in a host's record that a short tag means.

    Raises ``Refused`` when the host has none, ``Invalid`` when it has several.
    """
    entries = engine.call(Operation.HISTORY, limit=_WHOLE_HISTORY)["entries"]
    wanted = prefix if prefix.startswith("sha-") else f"sha-{prefix}"
    found = sorted({str(entry.get("tag")) for entry in entries if str(entry.get("tag")).startswith(wanted)})
    if not found:
        raise Refused(
            f"{prefix} has never been on this host",
            why="a rollback goes only to a release in this host's own record",
            hint="fairway history <environment> shows what there is",
        )
    if len(found) > 1:
        raise Invalid(f"{prefix} means several releases", why=", ".join(tag[:19] for tag in found))
    return Tag(found[0])
