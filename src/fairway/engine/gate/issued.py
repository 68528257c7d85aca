"""What this host says of the releases it ran: made when it is true, kept beside the release, handed out on request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fairway.engine import clock
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.names import Tag
from fairway.engine.contract.statement import Kind, Signed, Statement, parse_signed
from fairway.engine.deployment import Action, Deployment
from fairway.engine.files import write_atomically
from fairway.engine.gate.signing import host_name, sign
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.observation import deployment_of
from fairway.engine.state import Occupant, read_state


def say_recorded(deployment: Deployment) -> list[Kind]:
    """Sign what a deployment that is on record makes true; return the kinds of what was said.

    The release is ready and serves; the one that it replaces has served until now. A
    rollback or a restart proves nothing new about a release, but what serves has changed.
    Says nothing on a host without an evidence key.
    """
    layout, request = deployment.layout, deployment.request
    if not layout.evidence_key.exists():
        return []
    before = request.before.active
    now = clock.now()
    if before is not None and deployment.layout.release(before.tag).exists():
        _keep(layout, _soaked(deployment.host, before, now))
    receipt = Statement(
        kind=Kind.DEPLOYED,
        release=request.release,
        tag=request.tag,
        project=deployment.host.project,
        environment=deployment.host.environment,
        at=now,
        host=host_name(),
        deployment=request.id,
        replaces=before.release if before else None,
    )
    said = [receipt]
    if request.action is Action.DEPLOY:
        said.append(replace(receipt, kind=Kind.READY, replaces=None))
    for statement in said:
        _keep(layout, statement)
    return [statement.kind for statement in said]


def statements_of(layout: Layout, host: HostConfig, tag: Tag) -> list[Signed]:
    """Return what this host has said of a release and, when it serves and is ready now, for how long it has served.

    A statement that cannot be read any more is nobody's word, and stands in no other's
    way. Raises ``Failed`` when the host cannot sign.
    """
    found = [signed for path in _kept(layout, tag) if (signed := _read(path)) is not None]
    state = read_state(layout.state)
    if state.active is None or state.active.tag != tag:
        return found
    deployment = deployment_of(layout, host, state.active, state)
    answer = deployment.edge.probe(state.active.slot, deployment.release.readiness.path)
    if deployment.edge.active() is state.active.slot and answer.ready:
        found.append(sign(layout, _soaked(host, state.active, clock.now())))
    return found


def _soaked(host: HostConfig, served: Occupant, now: str) -> Statement:
    seconds = int((clock.parse(now) - clock.parse(served.since)).total_seconds())
    return Statement(
        kind=Kind.SOAKED,
        release=served.release,
        tag=served.tag,
        project=host.project,
        environment=host.environment,
        at=now,
        host=host_name(),
        deployment=served.deployment,
        soaked_s=max(seconds, 0),
    )


def _keep(layout: Layout, statement: Statement) -> None:
    """Sign and keep it; of one deployment the last word on each kind."""
    path = _directory(layout, statement.tag) / f"{statement.kind.value}-{statement.deployment}.json"
    write_atomically(path, sign(layout, statement).to_bytes())


def _read(path: Path) -> Signed | None:
    try:
        return parse_signed(path.read_bytes())
    except Invalid:
        return None


def _kept(layout: Layout, tag: Tag) -> list[Path]:
    return sorted(_directory(layout, tag).glob("*.json"))


def _directory(layout: Layout, tag: Tag) -> Path:
    # Beside the release, and so kept and removed with it.
    return layout.release(tag) / "evidence"
