"""Send a release to a host, with what was said of it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fairway.config import Environment
from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.names import Tag
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.statement import Signed
from fairway.remote.session import EngineSession

if TYPE_CHECKING:
    from fairway.registry import ArchivedRelease

# Of one release, or of all that a short tag means.
_ATTEMPTS = 1000


def as_arguments(released: ArchivedRelease, evidence: Iterable[Signed] = ()) -> dict[str, Any]:
    """Return a release as arguments of the operations that take one; an older engine knows nothing of evidence."""
    statements = [signed.as_json() for signed in evidence]
    return {
        "manifest": released.manifest_bytes.decode("utf-8"),
        "bundle": base64.b64encode(released.bundle).decode("ascii"),
        **({"evidence": statements} if statements else {}),
    }


def refuse_unpromoted(target: Environment) -> None:
    """Refuse a direct deployment to an environment that takes promoted releases only."""
    if target.promote_from is not None:
        raise Refused(
            f"{target.name} takes only what {target.promote_from} has run",
            why=f"fairway.toml: environments.{target.name}.promote_from",
            hint=f"fairway promote <tag> --to {target.name}",
        )


def tag_on_host(engine: EngineSession, prefix: str) -> Tag:
    """Find the one release in a host's record that a short tag means.

    Raises ``Refused`` when the host has none, ``Invalid`` when it has several.
    """
    wanted = prefix if prefix.startswith("sha-") else f"sha-{prefix}"
    entries = engine.call(Operation.HISTORY, limit=_ATTEMPTS, tag=wanted)["entries"]
    found = sorted({str(entry["tag"]) for entry in entries})
    if not found:
        raise Refused(
            f"{prefix} has never been on this host",
            why="a rollback goes only to a release in this host's own record",
            hint="fairway history <environment> shows what there is",
        )
    if len(found) > 1:
        raise Invalid(f"{prefix} means several releases", why=", ".join(tag[:19] for tag in found))
    return Tag(found[0])
