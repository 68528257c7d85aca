"""What an environment asks before its hosts run a release: from ``fairway.toml`` to the hosts' own policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairway.engine.contract.trust import Policy, Requirement, Window

if TYPE_CHECKING:
    from fairway.config.environment_tables import PolicyTable


def policy_for(table: PolicyTable, promote_from: str | None) -> Policy:
    """Return the policy that the hosts of an environment go by.

    What must have been passed is the environment that releases are promoted from.
    """
    requires: tuple[Requirement, ...] = ()
    if promote_from is not None:
        requires = (Requirement(promote_from, table.soak_s, table.max_age_s),)
    return Policy(
        requires=requires,
        approvals=table.approvals,
        approvers=table.approvers,
        author_may_approve=table.author_may_approve,
        frozen=tuple(Window(window.days, window.start, window.end, window.zone) for window in table.frozen),
        allow=table.allow,
    )


def contradictions(table: PolicyTable, promote_from: str | None) -> list[str]:
    """List what is wrong between keys that are right by themselves, each with the key first."""
    problems = []
    if promote_from is None:
        problems += [
            f"{key}: says what promote_from must have passed, and there is no promote_from"
            for key in ("soak_s", "max_age_s")
            if key in table.model_fields_set
        ]
    elif table.soak_s > table.max_age_s:
        problems.append("soak_s: is longer than max_age_s: the proof would be too old before it is whole")
    if table.approvers is not None and table.approvals > len(table.approvers):
        problems.append(f"approvals: {table.approvals} are asked for, and approvers has {len(table.approvers)}")
    return problems
