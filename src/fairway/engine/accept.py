"""Take a deployment on: lock, recover, write the request down, hand it to a detached engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Callable

from fairway.engine import retire
from fairway.engine.backups.recording import restored_since_deployed
from fairway.engine.backups.store import RESTORE_RECORD
from fairway.engine.contract.errors import FairwayError, Refused
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Digest, Slot, Tag
from fairway.engine.contract.statement import Signed
from fairway.engine.deployment import (
    Action,
    Deployment,
    Request,
    ask_cancel,
    deployment_id,
    read_request,
    write_evidence,
)
from fairway.engine.drift import find_drift
from fairway.engine.edge import Edge
from fairway.engine.gate.consult import consult
from fairway.engine.gate.decide import Decision
from fairway.engine.gate.hold import Hold, give_hold_up, refuse_held, take_hold
from fairway.engine.hostconfig import HostConfig
from fairway.engine.instances.settling import put_in_order
from fairway.engine.journal import has_ended, latest_deployment, read_journal, refuse_newer
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import Lock
from fairway.engine.notifications.spawning import telling
from fairway.engine.observation import observe
from fairway.engine.rehearsal.naming import REHEARSALS
from fairway.engine.releases import StoredRelease, check_release, load_release, store_release
from fairway.engine.rollbacks import describe_rollbacks
from fairway.engine.runner import carry_out, plan, recover
from fairway.engine.schema.look import open_schema
from fairway.engine.spawn import detach
from fairway.engine.state import Occupant, State, read_state
from fairway.engine.steps import STEPS

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """Who asks for a deployment, and how.

    ``wait_s`` is how long to wait for another deployment to end, ``ticket`` what
    the client knows the deployment by, ``notice`` what tells the client a line.
    ``evidence`` is what was handed over with a release, unjudged; ``forced`` the reason
    to go on whatever stands in the way in the database.
    """

    by: str
    notice: Notice
    wait_s: float = 0.0
    ticket: str = ""
    recreate: tuple[str, ...] = ()
    evidence: tuple[Signed, ...] = ()
    forced: str = ""


@dataclass(frozen=True)
class _Target:
    """What is to serve: which release, in which slot, and why."""

    action: Action
    tag: Tag
    release: Digest
    slot: Slot


class Acceptance:
    """Accepts deployments for one host, or says what they would do."""

    def __init__(self, layout: Layout, host: HostConfig) -> None:
        self._layout = layout
        self._host = host

    def deploy(self, manifest: bytes, bundle: bytes, asked: Asked) -> str | None:
        """Accept a release for this host; return the deployment's id, or None when it already serves.

        Raises ``Locked`` when another deployment runs, ``Invalid`` and ``Refused``
        when the release is not what it says.
        """
        with self._free(asked, "deploy") as lock:
            stored = store_release(self._layout, manifest, bundle)
            return self._begin(lock, asked, self._deploy_target(stored))

    def plan_deploy(self, manifest: bytes, bundle: bytes, asked: Asked) -> dict[str, Any]:
        """Return what :meth:`deploy` would do."""
        stored = check_release(manifest, bundle)
        return self._plan(asked, self._deploy_target(stored), stored)

    def rollback(self, tag: Tag | None, asked: Asked) -> str | None:
        """Accept going back to a release that this host has served before.

        Without a tag it is the one that served before the present one. Raises
        ``Refused`` when there is none, or when this host has no record of it.
        """
        with self._free(asked, "rollback") as lock:
            return self._begin(lock, asked, self._rollback_target(tag))

    def plan_rollback(self, tag: Tag | None, asked: Asked) -> dict[str, Any]:
        """Return what :meth:`rollback` would do, and which releases can be gone back to at all.

        The second is told also where there is no earlier release to go back to.
        """
        seen = observe(self._layout, self._host)
        back = describe_rollbacks(self._layout, self._host, seen, open_schema(self._layout, self._host))
        if tag is None and seen.state.previous is None and back:
            return {"action": Action.ROLLBACK.value, "steps": [], "rollbacks": back}
        return {**self._plan(asked, self._rollback_target(tag)), "rollbacks": back}

    def restart(self, asked: Asked) -> str | None:
        """Accept starting the release that serves in the other slot, with the settings of now (a rotated secret)."""
        with self._free(asked, "restart") as lock:
            return self._begin(lock, asked, self._restart_target())

    def plan_restart(self, asked: Asked) -> dict[str, Any]:
        """Return what :meth:`restart` would do."""
        return self._plan(asked, self._restart_target())

    def reconcile(self, asked: Asked) -> str | None:
        """Accept making what runs agree with the record: the release, its settings, the edge, the files.

        Returns None when nothing drifts.
        """
        with self._free(asked, "reconcile") as lock:
            if not find_drift(observe(self._layout, self._host)):
                return None
            return self._begin(lock, asked, self._reconcile_target())

    def plan_reconcile(self, asked: Asked) -> dict[str, Any]:
        """Return what :meth:`reconcile` would do, and why."""
        drift = find_drift(observe(self._layout, self._host))
        if not drift:
            return {"action": Action.RECONCILE.value, "unchanged": True, "drift": [], "steps": []}
        return {**self._plan(asked, self._reconcile_target()), "drift": drift}

    def cancel(self, *, by: str, ticket: str = "") -> str | None:
        """Ask the running deployment to revert; return its id, or None when there is nothing to cancel.

        With a ticket only the deployment that was asked for with it is meant.
        """
        identity = latest_deployment(self._layout)
        if identity is None or has_ended(read_journal(self._layout.deployment(identity) / "journal.jsonl")):
            return None
        if ticket and read_request(self._layout, identity).ticket != ticket:
            return None
        ask_cancel(self._layout, identity, by=by)
        return identity

    def gate(self, manifest: bytes, bundle: bytes, evidence: tuple[Signed, ...]) -> Decision:
        """Return what the gate says of a release now; changes nothing."""
        stored = check_release(manifest, bundle)
        active = read_state(self._layout.state).active
        named = NamedRelease(stored.name, stored.release)
        return consult(self._layout, self._host, named, evidence, active.release if active else None)

    def hold(self, reason: str, asked: Asked) -> Hold:
        """Lock the environment by name. Raises ``Locked`` when it is already, or a deployment runs."""
        with telling(self._layout), self._locked(asked, "lock"):
            return take_hold(self._layout, by=asked.by, reason=reason)

    def give_hold_up(self, asked: Asked) -> Hold | None:
        """Unlock the environment; return what held it."""
        with telling(self._layout), self._locked(asked, "unlock"):
            return give_hold_up(self._layout, by=asked.by)

    @contextmanager
    def _free(self, asked: Asked, purpose: str) -> Iterator[Lock]:
        """Take the host's lock to change what serves: not while somebody has locked the environment."""
        with self._locked(asked, purpose) as lock:
            refuse_held(self._layout, self._host.environment)
            yield lock

    @contextmanager
    def _locked(self, asked: Asked, purpose: str) -> Iterator[Lock]:
        lock = Lock.acquire(self._layout.lock, by=asked.by, purpose=purpose, wait_s=asked.wait_s, notice=asked.notice)
        try:
            settle(self._layout, self._host, asked.notice)
            yield lock
        finally:
            lock.release()

    def _deploy_target(self, stored: StoredRelease) -> _Target:
        slot = self._free_slot(read_state(self._layout.state))
        return _Target(Action.DEPLOY, stored.release.tag, stored.name, slot)

    def _rollback_target(self, tag: Tag | None) -> _Target:
        before = read_state(self._layout.state)
        target = tag or _previous(before)
        stored = load_release(self._layout, target)
        if not Ledger(self._layout.ledger).has_run(stored.name):
            raise Refused(
                f"{target.short} has never served on this host",
                why="a rollback goes only to a release in this host's own record of successes",
                hint="to ship it, deploy or promote it",
            )
        return _Target(Action.ROLLBACK, target, stored.name, self._free_slot(before))

    def _restart_target(self) -> _Target:
        before = read_state(self._layout.state)
        active = _recorded(before)
        return _Target(Action.RESTART, active.tag, active.release, self._free_slot(before))

    def _reconcile_target(self) -> _Target:
        before = read_state(self._layout.state)
        active = _recorded(before)
        target = _Target(Action.RECONCILE, active.tag, active.release, active.slot)
        request = self._request(Asked("", lambda line: None), target, before)
        if _runs(Deployment(self._layout, self._host, request)):
            return target
        # What is recorded does not run as recorded: it is started afresh beside whatever has the traffic now.
        serving = Edge(self._layout.edge, self._layout.edge_run).serving()
        return replace(target, slot=(serving or active.slot).other)

    def _free_slot(self, before: State) -> Slot:
        """Return the slot that does not serve. Raises ``Refused`` when the edge and the record disagree on it."""
        if before.active is None:
            return Slot.BLUE
        serving = Edge(self._layout.edge, self._layout.edge_run).serving()
        if serving is not None and serving is not before.active.slot:
            raise Refused(
                f"the edge sends traffic to {serving.value}, but {before.active.slot.value} is recorded as serving",
                why="something other than Fairway moved the traffic, or a deployment could not be undone",
                hint="fairway reconcile <environment> --plan shows how the record is brought back",
            )
        return before.active.slot.other

    def _begin(self, lock: Lock, asked: Asked, target: _Target) -> str | None:
        before = read_state(self._layout.state)
        if self._needs_nothing(before, target):
            return None
        request = self._request(asked, target, before)
        request = replace(request, warm=_is_warm(Deployment(self._layout, self._host, request)))
        request.write(self._layout)
        if asked.evidence:
            write_evidence(self._layout, request.id, asked.evidence)
        deployment = Deployment(self._layout, self._host, request)
        deployment.journal.accepted(
            deployment=request.id,
            action=request.action.value,
            tag=request.tag,
            release=request.release,
            slot=request.slot.value,
            by=request.by,
            host=self._host.environment,
        )
        detach(self._layout, request.id, lock, lambda: _live(deployment, lock))
        return request.id

    def _plan(self, asked: Asked, target: _Target, stored: StoredRelease | None = None) -> dict[str, Any]:
        before = read_state(self._layout.state)
        request = self._request(asked, target, before)
        request = replace(request, warm=_is_warm(Deployment(self._layout, self._host, request, stored=stored)))
        deployment = Deployment(self._layout, self._host, request, stored=stored, evidence=asked.evidence)
        serves = self._needs_nothing(before, target)
        return {
            "action": target.action.value,
            "tag": target.tag,
            "release": target.release,
            "slot": target.slot.value,
            "replaces": before.active.tag if before.active else None,
            "unchanged": serves,
            "steps": [] if serves else plan(deployment),
        }

    def _needs_nothing(self, before: State, target: _Target) -> bool:
        """Say whether what is asked for is so already: the release serves, and no migration of it may be missing."""
        if target.action not in (Action.DEPLOY, Action.ROLLBACK) or not self._already_serves(before, target.release):
            return False
        return target.action is Action.ROLLBACK or not restored_since_deployed(self._layout)

    def _already_serves(self, state: State, release: Digest) -> bool:
        """Say whether the release serves already, asking the edge and Docker rather than the record alone."""
        active = state.active
        if active is None or active.release != release:
            return False
        target = _Target(Action.DEPLOY, active.tag, release, active.slot)
        deployment = Deployment(self._layout, self._host, self._request(Asked("", lambda line: None), target, state))
        serving = deployment.edge.answers() and deployment.edge.active() is active.slot
        return serving and _runs(deployment)

    def _request(self, asked: Asked, target: _Target, before: State) -> Request:
        return Request(
            id=deployment_id(datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-%f")),
            action=target.action,
            tag=target.tag,
            release=target.release,
            slot=target.slot,
            by=asked.by,
            before=before,
            recreate=asked.recreate,
            ticket=asked.ticket,
            forced=asked.forced,
        )


def settle(layout: Layout, host: HostConfig, notice: Notice) -> None:
    """Bring what an engine left unfinished to an end. Call with the lock held.

    Only the newest deployment can be unfinished: none is accepted before this was done.
    """
    put_in_order(layout, host, notice)
    if (layout.backups / RESTORE_RECORD).exists():
        from fairway.engine.backups.actions import settle_restore  # needed after a crash only

        settle_restore(layout, host, notice)
    _settle_deployment(layout, host, notice)
    if (layout.root / REHEARSALS).exists():
        from fairway.engine.rehearsal.ending import settle_rehearsals  # the same

        settle_rehearsals(layout, host, notice)


def _settle_deployment(layout: Layout, host: HostConfig, notice: Notice) -> None:
    identity = latest_deployment(layout)
    if identity is None:
        return
    entries = read_journal(layout.deployment(identity) / "journal.jsonl")
    if has_ended(entries):
        return
    refuse_newer(entries, (step.name for step in STEPS))
    with telling(layout):
        line = recover(Deployment(layout, host, read_request(layout, identity)))
    notice(line)


def _live(deployment: Deployment, lock: Lock) -> None:
    """The detached engine's own life: carry the deployment out, then keep the old slot warm for a while."""
    with telling(deployment.layout):
        carry_out(deployment)
        lock.release()
    retire.spawn_if_due(deployment)


def _previous(state: State) -> Tag:
    if state.previous is None:
        raise Refused(
            "there is no earlier release to go back to on this host",
            hint="name one that served here: fairway rollback <environment> <tag>",
        )
    return state.previous.tag


def _recorded(state: State) -> Occupant:
    if state.active is None:
        raise Refused("nothing is recorded as serving on this host", hint="fairway deploy <environment> <tag>")
    return state.active


def _is_warm(deployment: Deployment) -> bool:
    """Say whether there is nothing to start. A restart always starts something: that is what it is for."""
    return deployment.request.action is not Action.RESTART and _runs(deployment)


def _runs(deployment: Deployment) -> bool:
    try:
        return deployment.runs_in_slot()
    except FairwayError:
        return False  # settings that cannot be read are for preflight to refuse, on the record
