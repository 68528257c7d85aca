"""The decision: a policy, what is asked, and what is believed; out comes a checklist.

Pure, so that every sentence of it is tested without a host. Nothing is decided on the
absence of a statement: a rejection is shown, and stops nothing by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fairway.engine.contract.names import Digest, Tag
from fairway.engine.contract.statement import Kind, Statement
from fairway.engine.contract.trust import Policy, Requirement
from fairway.engine.gate.checking import Judged, moment
from fairway.engine.gate.windows import NoZone, frozen_until


@dataclass(frozen=True)
class Question:
    """What is asked: may this release replace what runs here, now?

    ``author`` is the commit's author, None when the release does not say; ``spent`` are
    the approvals that a deployment has used; ``proven_only`` says that the host was told to
    take nothing unproven, whatever its policy says.
    """

    release: Digest
    tag: Tag
    project: str
    environment: str
    author: str | None
    replaces: Digest | None
    now: datetime
    spent: frozenset[Digest] = frozenset()
    proven_only: bool = False


@dataclass(frozen=True)
class Check:
    """One line of the checklist."""

    name: str
    met: bool
    found: str
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return dict(vars(self))


@dataclass(frozen=True)
class Decision:
    """The checklist, and the statements it rests on."""

    checks: tuple[Check, ...]
    rests_on: tuple[Judged, ...] = ()

    @property
    def met(self) -> bool:
        """Say whether everything is met."""
        return all(check.met for check in self.checks)

    @property
    def evidence(self) -> list[dict[str, str]]:
        """What it rests on, for the ledger: each statement by digest, with whose word it is."""
        return [{"statement": one.signed.digest, "kind": _said(one).kind.value, "by": one.who} for one in self.rests_on]

    @property
    def words(self) -> str:
        """What it rests on, for people."""
        return ", ".join(f"{_said(one).kind.value} by {one.who}" for one in self.rests_on)

    @property
    def missing(self) -> tuple[Check, ...]:
        """What is not met."""
        return tuple(check for check in self.checks if not check.met)


def decide(policy: Policy, question: Question, judged: Sequence[Judged]) -> Decision:
    """Hold what is believed against the policy."""
    checks: list[Check] = []
    rests_on: list[Judged] = []
    if question.proven_only and not policy.requires:
        checks.append(
            Check(
                "policy",
                False,
                "this host takes only what was proven elsewhere, and has no policy that says where",
                f"fairway bootstrap {question.environment}",
            )
        )
    for requirement in policy.requires:
        for check, proof in (_ready(requirement, question, judged), _soaked(requirement, question, judged)):
            checks += [check] if check else []
            rests_on += [proof] if proof else []
    approvals, approved = _approvals(policy, question, judged)
    window, overridden = _window(policy, question, judged)
    checks += [approvals, *window]
    rests_on += [*approved, *overridden]
    return Decision(tuple(checks), tuple(rests_on))


# -- ready, soaked


def _ready(requirement: Requirement, question: Question, judged: Sequence[Judged]) -> tuple[Check, Judged | None]:
    name = f"ready on {requirement.environment}"
    # A release that has served for a while was ready all the while.
    fitting = [
        one
        for kind in (Kind.READY, Kind.SOAKED)
        for one in _believed(kind, question, judged, environment=requirement.environment)
    ]
    newest = max(fitting, key=lambda one: _said(one).at, default=None)
    if newest is None:
        return Check(name, False, _why_none(judged, (Kind.READY, Kind.SOAKED)), _deploy(requirement, question)), None
    age = question.now - moment(_said(newest).at)
    found = f"{newest.who} at {_said(newest).at[:19]}Z, {_span(age)} ago"
    if age > timedelta(seconds=requirement.max_age_s):
        limit = _span(timedelta(seconds=requirement.max_age_s))
        return Check(name, False, f"{found}; older than {limit} is too old", _deploy(requirement, question)), None
    return Check(name, True, found), newest


def _soaked(
    requirement: Requirement, question: Question, judged: Sequence[Judged]
) -> tuple[Check | None, Judged | None]:
    if not requirement.soak_s:
        return None, None
    name = f"soaked on {requirement.environment}"
    wanted = _span(timedelta(seconds=requirement.soak_s))
    fitting = _believed(Kind.SOAKED, question, judged, environment=requirement.environment)
    longest = max(fitting, key=lambda one: _said(one).soaked_s or 0, default=None)
    if longest is None:
        found = f"{_why_none(judged, (Kind.SOAKED,))}; {wanted} wanted"
        return Check(name, False, found, _deploy(requirement, question)), None
    served_s = _said(longest).soaked_s or 0
    found = f"{_span(timedelta(seconds=served_s))} of {wanted}, says {longest.who}"
    if served_s < requirement.soak_s:
        left = _span(timedelta(seconds=requirement.soak_s - served_s))
        return Check(name, False, found, f"let it serve on {requirement.environment} for {left} more"), None
    return Check(name, True, found), longest


def _deploy(requirement: Requirement, question: Question) -> str:
    return f"fairway deploy {requirement.environment} {question.tag.short}"


# -- approvals


def _approvals(policy: Policy, question: Question, judged: Sequence[Judged]) -> tuple[Check, list[Judged]]:
    if not policy.approvals:
        note = "none asked for: whoever may promote needs nobody's word"
        return Check("approvals", True, note + _rejections(question, judged)), []
    counted: dict[str, Judged] = {}
    passed_over: list[str] = []
    for one in judged:
        if one.statement is not None and one.statement.kind is not Kind.APPROVED:
            continue
        reason = _does_not_count(policy, question, one)
        if reason:
            passed_over.append(f"{one.who}: {reason}")
        else:
            counted.setdefault(one.who, one)
    enough = len(counted) >= policy.approvals
    found = f"{len(counted)} of {policy.approvals}" + (f" ({', '.join(counted)})" if counted else "")
    if passed_over and not enough:
        found += f"; not counted: {'; '.join(passed_over[:5])}"
    hint = f"fairway approve {question.tag.short} --environment {question.environment}"
    return Check("approvals", enough, found + _rejections(question, judged), "" if enough else hint), [
        *counted.values()
    ]


def _does_not_count(policy: Policy, question: Question, one: Judged) -> str:
    """Say why an approval is none for this; empty when it counts. What cannot be read may have been meant as one."""
    said = one.statement
    if said is None or not one.valid:
        return one.why
    if said.release != question.release:
        return f"for another release ({said.release.short})"
    if said.project != question.project:
        return f"for another project ({said.project})"
    if said.environment != question.environment:
        return f"for {said.environment}, not {question.environment}"
    if said.expires is None or moment(said.expires) <= question.now:
        return f"expired at {said.expires}"
    if one.signed.digest in question.spent:
        return "spent: a deployment has used it"
    if said.replaces != question.replaces:
        return f"for replacing {_short(said.replaces)}, but {_short(question.replaces)} runs here"
    if policy.approvers is not None and one.who not in policy.approvers:
        return "not one of the approvers"
    if not policy.author_may_approve:
        if question.author is None:
            return "the release does not say who wrote the commit, and its author may not approve"
        if one.who.casefold() == question.author.casefold():
            return "wrote the commit"
    return ""


def _rejections(question: Question, judged: Sequence[Judged]) -> str:
    found = _believed(Kind.REJECTED, question, judged, environment=question.environment)
    return "".join(f"; rejected by {one.who}: {_said(one).reason}" for one in found[:3])


# -- frozen windows


def _window(policy: Policy, question: Question, judged: Sequence[Judged]) -> tuple[list[Check], list[Judged]]:
    if not policy.frozen:
        return [], []
    try:
        until = frozen_until(policy.frozen, question.now)
    except NoZone as error:
        return [Check("frozen window", False, str(error), "install the package tzdata on the host")], []
    if until is None:
        return [Check("frozen window", True, "none now")], []
    valid = [
        one
        for one in _believed(Kind.OVERRIDDEN, question, judged, environment=question.environment)
        if (expires := _said(one).expires) is not None and moment(expires) > question.now
    ]
    if valid:
        return [Check("frozen window", True, f"overridden by {valid[0].who}: {_said(valid[0]).reason}")], valid[:1]
    command = f"fairway approve {question.tag.short} --environment {question.environment}"
    hint = f"wait, or an administrator: {command} --override-freeze --reason ..."
    return [Check("frozen window", False, f"nothing is deployed until {until:%a %Y-%m-%d %H:%M %Z}", hint)], []


# -- what they share


def _believed(kind: Kind, question: Question, judged: Sequence[Judged], *, environment: str) -> list[Judged]:
    """Return what is believed of this kind about this very release, there."""
    wanted = (kind, question.release, question.project, environment)
    return [
        one
        for one in judged
        if one.valid
        and one.statement is not None
        and (one.statement.kind, one.statement.release, one.statement.project, one.statement.environment) == wanted
    ]


def _why_none(judged: Sequence[Judged], kinds: tuple[Kind, ...]) -> str:
    """Say what there was instead, where there was something that is not believed."""
    reasons = [one.why for one in judged if not one.valid and (one.statement is None or one.statement.kind in kinds)]
    return f"nothing that is believed: {reasons[0]}" if reasons else "nobody has said so"


def _said(one: Judged) -> Statement:
    assert one.statement is not None  # only believed ones come here, and those were parsed
    return one.statement


def _short(release: Digest | None) -> str:
    return release.short if release is not None else "nothing"


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"
