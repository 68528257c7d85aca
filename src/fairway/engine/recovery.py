"""Bring a host back after a boot: end what was interrupted, and have what is recorded run again.

What runs is left alone; what is stopped is started as it is; only what is gone is
made anew.
"""

from __future__ import annotations

from typing import Callable

from fairway.engine import clock, docker, retire
from fairway.engine.accept import settle
from fairway.engine.backups.store import RESTORE_RECORD
from fairway.engine.contract.errors import Failed, FairwayError, Unreachable
from fairway.engine.deployment import Deployment
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.lock import Lock
from fairway.engine.model import LABEL
from fairway.engine.observation import deployment_of
from fairway.engine.process import run
from fairway.engine.state import read_state

Say = Callable[[str], None]

_DOCKER_PATIENCE_S = 300.0
_LOCK_PATIENCE_S = 600.0
_EDGE_PATIENCE_S = 30.0
_DATABASE_PATIENCE_S = 60.0


def recover_host(layout: Layout, host: HostConfig, say: Say) -> None:
    """Do all of it, saying what was done. Raises the first thing that could not be done, after doing the rest."""
    await_docker(layout)
    # A command that was quicker recovers first itself, so its end is waited for.
    lock = Lock.acquire(layout.lock, by="fairway", purpose="recovery after a boot", wait_s=_LOCK_PATIENCE_S, notice=say)
    try:
        # The edge says which slot serves, and so whether to finish or to undo.
        _resume_edge(layout, host, say)
        settle(layout, host, say)
        state = read_state(layout.state)
        if state.active is None:
            say("nothing is recorded as serving")
            return
        deployment = deployment_of(layout, host, state.active, state)
        _bring_up(deployment, say)
    finally:
        lock.release()
    if deployment.request.slot.other in deployment.driver.slots():
        retire.spawn_if_due(deployment)  # the process that was to stop the warm slot ended with the host


def await_docker(layout: Layout) -> None:
    """Wait until the Docker daemon answers. Raises ``Unreachable`` with what it last said."""
    deadline = clock.monotonic() + _DOCKER_PATIENCE_S
    while True:
        done = run(docker.server_version(), env=docker.environment(layout.docker_config), timeout_s=60)
        if done.returncode == 0:
            return
        if clock.monotonic() > deadline:
            raise Unreachable(
                f"the Docker daemon did not answer within {_DOCKER_PATIENCE_S:.0f} s",
                why=done.stderr.strip()[-300:],
                hint="start Docker, then: systemctl restart the unit, or run any fairway deploy",
            )
        clock.sleep(0.5)


def _resume_edge(layout: Layout, host: HostConfig, say: Say) -> None:
    state = read_state(layout.state)
    if state.active is None:
        return
    deployment = deployment_of(layout, host, state.active, state)
    _resume(deployment, "edge", say)
    if deployment.driver.containers("edge"):
        deadline = clock.monotonic() + _EDGE_PATIENCE_S
        while not deployment.edge.answers() and clock.monotonic() < deadline:
            clock.sleep(0.1)


def _bring_up(deployment: Deployment, say: Say) -> None:
    """Go through the parts in the order in which they need each other; one that fails does not stop the others."""
    parts: tuple[Callable[[Deployment, Say], None], ...] = (_services, _database, _slot, _traffic, _workers)
    failures: list[FairwayError] = []
    for part in parts:
        try:
            part(deployment, say)
        except FairwayError as error:
            say(f"{error.what}: {error.why}" if error.why else error.what)
            failures.append(error)
    if failures:
        raise failures[0]
    say(f"{deployment.request.tag.short} serves")


def _services(deployment: Deployment, say: Say) -> None:
    found = deployment.driver.services(deployment.launch)
    deployment.driver.start_services(deployment.launch, found, (), say, _never)


def _database(deployment: Deployment, say: Say) -> None:
    """End a restore that was interrupted: before the database ran it could not be asked, and it may be closed."""
    record = deployment.layout.backups / RESTORE_RECORD
    deadline = clock.monotonic() + _DATABASE_PATIENCE_S
    if not record.exists():
        return
    from fairway.engine.backups.actions import settle_restore  # needed after a crash only

    told: list[str] = []
    while record.exists():
        settle_restore(deployment.layout, deployment.host, told.append)
        if record.exists() and clock.monotonic() > deadline:
            raise Failed(
                "a restore was interrupted, and the database may be closed to the application",
                why=told[-1] if told else "",
                hint="have the database run, then any fairway deploy ends the restore",
            )
        clock.sleep(0.5)
    for line in told[-1:]:
        say(line)


def _slot(deployment: Deployment, say: Say) -> None:
    slot = deployment.request.slot
    container = deployment.driver.slots().get(slot)
    if container is not None and container.labels.get(LABEL + "release") == deployment.request.release:
        _resume(deployment, "app", say, name=container.name)
    else:
        deployment.driver.start_slot(deployment.launch, slot)
        deployment.driver.keep_slot(deployment.launch, slot)
        say(f"made {slot.value} anew")
    _await_ready(deployment)


def _await_ready(deployment: Deployment) -> None:
    readiness, slot = deployment.release.readiness, deployment.request.slot
    deadline = clock.monotonic() + readiness.timeout_s
    streak = 0
    while streak < readiness.successes:
        answer = deployment.edge.probe(slot, readiness.path)
        streak = streak + 1 if answer.ready else 0
        if clock.monotonic() > deadline:
            raise Failed(
                f"{deployment.request.tag.short} runs and was not ready within {readiness.timeout_s:g} s",
                why=deployment.redact(f"{answer.status or 'no answer'} {answer.body[:300]}"),
                hint="see its log: fairway logs <environment>",
            )
        clock.sleep(readiness.interval_s)


def _traffic(deployment: Deployment, say: Say) -> None:
    slot = deployment.request.slot
    active = deployment.edge.active()
    if active is None:
        deployment.edge.switch(deployment.release.compose.app_port, slot)
        say(f"the edge sends traffic to {slot.value} again")
    elif active is not slot:
        raise Failed(
            f"the edge serves {active.value}, recorded is {slot.value}",
            why="somebody has moved the traffic by hand",
            hint="deploy or roll back to what is to serve",
        )


def _workers(deployment: Deployment, say: Say) -> None:
    wanted = deployment.release.compose.workers
    _resume(deployment, "worker", say)
    if len(deployment.driver.containers("worker")) < len(wanted):
        say(f"workers: {deployment.driver.move_workers(deployment.launch, _never)}")


def _resume(deployment: Deployment, role: str, say: Say, *, name: str | None = None) -> None:
    for container in deployment.driver.containers(role):
        if not container.running and name in (None, container.name):
            deployment.driver.resume(container)
            say(f"started {container.name}")


def _never() -> None:
    """A recovery is not itself cancelled."""
