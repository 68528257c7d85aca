"""Ask the gate about one release: read what the host goes by, judge what was handed over, decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from fairway.engine.contract.errors import Refused
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Digest
from fairway.engine.contract.statement import Kind, Signed
from fairway.engine.gate.checking import Judged, judge
from fairway.engine.gate.decide import Decision, Question, decide
from fairway.engine.gate.store import read_keys, read_policy
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger


def consult(
    layout: Layout, host: HostConfig, named: NamedRelease, evidence: Sequence[Signed], replaces: Digest | None
) -> Decision:
    """Return this host's decision on a release, with what it rests on."""
    now = datetime.now(timezone.utc)
    judged = judge(read_keys(layout), evidence, now)
    question = Question(
        release=named.name,
        tag=named.release.tag,
        project=host.project,
        environment=host.environment,
        author=named.release.author,
        replaces=replaces,
        now=now,
        spent=_spent(layout, judged),
        proven_only=host.proven_only,
    )
    return decide(read_policy(layout), question, judged)


def refuse_unmet(decision: Decision, named: NamedRelease, environment: str) -> None:
    """Raise ``Refused`` with everything that is missing."""
    if decision.met:
        return
    missing = decision.missing
    raise Refused(
        f"{named.release.tag.short} may not go to {environment}: {', '.join(check.name for check in missing)}",
        why="\n".join(f"{check.name}: {check.found}" for check in missing),
        hint="; ".join(dict.fromkeys(check.hint for check in missing if check.hint)),
    )


def _spent(layout: Layout, judged: Sequence[Judged]) -> frozenset[Digest]:
    """Return the approvals among these that a deployment has used with success: they are not accepted again."""
    ledger = Ledger(layout.ledger)
    approvals = {one.signed.digest for one in judged if one.statement and one.statement.kind is Kind.APPROVED}
    return frozenset(digest for digest in approvals if ledger.has_used(digest))
