"""Take a deployment on: lock, recover, write the request down, hand it to a detached engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Callable

from fairway.engine import retire
from fairway.engine.contract.errors import FairwayError, Refused
from fairway.engine.contract.names import Digest, Slot, Tag
from fairway.engine.deployment import Action, Deployment, Request, deployment_id, read_request
from fairway.engine.hostconfig import HostConfig
from fairway.engine.journal import has_ended, latest_deployment, read_journal
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import Lock
from fairway.engine.releases import load_release, store_release
from fairway.engine.runner import carry_out, recover
from fairway.engine.spawn import detach
from fairway.engine.state import State, read_state

Notice = Callable[[str], None]


def accept_deploy(
    layout: Layout, host: HostConfig, manifest: bytes, bundle: bytes, *, by: str, notice: Notice
) -> str | None:
    """Accept a release for this host; return the deployment's id, or None when it already serves.

    Raises ``Locked`` when another deployment runs, ``Invalid`` and ``Refused`` when
    the release is not what it says.
    """
    lock = Lock.acquire(layout.lock, by=by, purpose="deploy")
    try:
        settle(layout, host, notice)
        stored = store_release(layout, manifest, bundle)
        before = read_state(layout.state)
        if _already_serves(layout, host, before, stored.name):
            return None
        return _begin(layout, host, lock, Action.DEPLOY, stored.release.tag, stored.name, before, by)
    finally:
        lock.release()


def accept_rollback(layout: Layout, host: HostConfig, tag: Tag | None, *, by: str, notice: Notice) -> str | None:
    """Accept going back to a release that this host has served before.

    Without a tag it is the one that served before the present one. Raises
    ``Refused`` when there is none, or when this host has no record of it.
    """
    lock = Lock.acquire(layout.lock, by=by, purpose="rollback")
    try:
        settle(layout, host, notice)
        before = read_state(layout.state)
        target = tag or _previous(before)
        stored = load_release(layout, target)
        if not Ledger(layout.ledger).has_run(stored.name):
            raise Refused(
                f"{target.short} has never served on this host",
                why="a rollback goes only to a release in this host's own record of successes",
                hint="to ship it, deploy or promote it",
            )
        if _already_serves(layout, host, before, stored.name):
            return None
        return _begin(layout, host, lock, Action.ROLLBACK, target, stored.name, before, by)
    finally:
        lock.release()


def settle(layout: Layout, host: HostConfig, notice: Notice) -> None:
    """Bring what an engine left unfinished to an end. Call with the lock held.

    Only the newest deployment can be unfinished: none is accepted before this was done.
    """
    identity = latest_deployment(layout)
    if identity is None:
        return
    deployment = Deployment(layout, host, read_request(layout, identity))
    if not has_ended(read_journal(deployment.journal.path)):
        notice(recover(deployment))


def _live(deployment: Deployment, lock: Lock) -> None:
    """The detached engine's own life: carry the deployment out, then keep the old slot warm for a while."""
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


def _already_serves(layout: Layout, host: HostConfig, state: State, release: Digest) -> bool:
    """Say whether the release serves already, asking the edge and Docker rather than the record alone."""
    active = state.active
    if active is None or active.release != release:
        return False
    deployment = Deployment(layout, host, _request(Action.DEPLOY, active.tag, release, active.slot, state, by=""))
    serving = deployment.edge.answers() and deployment.edge.active() is active.slot
    return serving and deployment.runs_in_slot()


def _begin(
    layout: Layout,
    host: HostConfig,
    lock: Lock,
    action: Action,
    tag: Tag,
    release: Digest,
    before: State,
    by: str,
) -> str:
    slot = before.active.slot.other if before.active else Slot.BLUE
    request = _request(action, tag, release, slot, before, by=by)
    request = replace(request, warm=_is_warm(Deployment(layout, host, request)))
    request.write(layout)
    deployment = Deployment(layout, host, request)
    deployment.journal.accepted(
        deployment=request.id,
        action=action.value,
        tag=tag,
        release=release,
        slot=slot.value,
        by=by,
        host=host.environment,
    )
    detach(layout, request.id, lock, lambda: _live(deployment, lock))
    return request.id


def _is_warm(deployment: Deployment) -> bool:
    try:
        return deployment.runs_in_slot()
    except FairwayError:
        return False  # settings that cannot be read are for preflight to refuse, on the record


def _request(action: Action, tag: Tag, release: Digest, slot: Slot, before: State, *, by: str) -> Request:
    identity = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-%f")
    return Request(deployment_id(identity), action, tag, release, slot, by, before)
