"""How a release stands before an environment's gate, and what that gate does not see to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairway.engine.contract.errors import Failed, OtherVersion
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Digest
from fairway.engine.contract.protocol import Operation
from fairway.evidence.collect import Collected
from fairway.evidence.shipping import as_arguments
from fairway.remote.session import EngineSession

if TYPE_CHECKING:
    from fairway.registry import ArchivedRelease


@dataclass(frozen=True)
class Standing:
    """What a host's gate says of a release.

    ``answer`` is the host's; ``guarded`` is whether an administrator keeps what it goes by,
    None where its engine does not say.
    """

    named: NamedRelease
    answer: dict[str, Any]
    guarded: bool | None
    collected: Collected

    @property
    def met(self) -> bool:
        """Say whether everything is met."""
        return self.answer.get("met") is True

    @property
    def serves(self) -> bool:
        """Say whether this very release is what runs there.

        After a restore it may go there again: what its migrations did may be gone.
        """
        return self.replaces == self.named.name and self.answer.get("restored") is not True

    @property
    def replaces(self) -> Digest | None:
        """Return what serves there now."""
        found = self.answer.get("replaces")
        return Digest(str(found)) if found is not None else None

    @property
    def notes(self) -> list[str]:
        """What the checklist does not say: who could get past it, and what stands in the way beside it."""
        where = str(self.answer.get("environment"))
        found = []
        locked = self.answer.get("locked")
        if isinstance(locked, dict):
            found.append(f"{where} is {locked_words(locked)}; nothing is deployed until: fairway unlock {where}")
        if self.serves:
            found.append(f"{self.named.release.tag.short} is what serves on {where} already")
        if self.answer.get("approvals") == 0:
            found.append(
                f"approvals are off: CI alone can bring a release to {where} that meets the rest. "
                f"To turn them on: approvals = 1 under environments.{where}.policy in fairway.toml"
            )
            found.append("the required reviewers of a GitHub Environment are enforced by GitHub, not by the host")
        if self.guarded is False:
            found.append(
                f"no administrator keeps the policy of {where}: whoever holds the deploy login can change it. "
                f"To guard it: admin under environments.{where} in fairway.toml"
            )
        if self.guarded is None:
            found.append(f"the engine on {where} does not say whether an administrator keeps its policy")
        return found

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "tag": self.named.release.tag,
            "release": self.named.name,
            **self.answer,
            "guarded": self.guarded,
            "notes": self.notes,
            "problems": self.collected.notices,
        }


def ask_gate(engine: EngineSession, released: ArchivedRelease, collected: Collected) -> Standing:
    """Ask a host whether a release may replace what runs there now."""
    args = {"evidence": [], **as_arguments(released, collected.statements)}
    return Standing(released.named, engine.call(Operation.GATE, **args), is_guarded(engine), collected)


def is_guarded(engine: EngineSession) -> bool | None:
    """Say whether an administrator keeps what a host goes by; None where its engine does not say."""
    try:
        return engine.call(Operation.TRUST).get("guarded") is True
    except (OtherVersion, Failed):
        return None


def locked_words(locked: dict[str, Any]) -> str:
    """Say who has locked an environment, since when, and why."""
    since = str(locked.get("since"))[:19].replace("T", " ")
    return f"locked by {locked.get('by')} since {since}: {locked.get('reason')}"
