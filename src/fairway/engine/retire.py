"""Keep the slot that served before warm for a while, then stop it.

A process of its own waits, without the host's lock, and looks again before it
acts: when anything was deployed since, the slot is no longer its business.
"""

from __future__ import annotations

from fairway.engine import clock
from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.protocol import Outcome
from fairway.engine.deployment import Deployment
from fairway.engine.journal import read_journal
from fairway.engine.lock import HOUSEKEEPING, Lock
from fairway.engine.spawn import spawn_waiting
from fairway.engine.state import read_state

# So that hosts with many deployments an hour do not collect waiting processes.
_LOOK_EVERY_S = 20.0


def spawn_if_due(deployment: Deployment) -> None:
    """Start the waiting process when this deployment left a warm slot behind."""
    ended = [entry for entry in read_journal(deployment.journal.path) if entry["kind"] == "ended"]
    if ended and ended[-1].get("outcome") == Outcome.SUCCEEDED.value and deployment.request.before.active:
        spawn_waiting(deployment.layout, "retire", deployment.request.id)


def retire(deployment: Deployment) -> None:
    """Keep house, wait as long as the release says, then stop the old slot if nothing has changed since."""
    _keep_house(deployment)
    until = clock.monotonic() + deployment.release.warm_keep_s
    while (left_s := until - clock.monotonic()) > 0:
        clock.sleep(min(left_s, _LOOK_EVERY_S))
        if not _is_newest(deployment):
            return
    try:
        lock = Lock.acquire(deployment.layout.lock, by="fairway", purpose=HOUSEKEEPING)
    except FairwayError:
        return  # a deployment is running: it will use the slot or leave a waiting process of its own
    try:
        if not _is_newest(deployment):
            return
        old = deployment.request.slot.other
        if deployment.edge.active() is not old:
            deployment.driver.stop_slot(old)
    finally:
        lock.release()


def _keep_house(deployment: Deployment) -> None:
    # For this process only: the one that deploys does not need them.
    from fairway.engine.backups.actions import prune
    from fairway.engine.housekeeping import tidy

    try:
        removed = tidy(deployment.layout, deployment.host, by="fairway")
        # A deployment takes a backup and removes none: that is no moment to be without the older ones.
        prune(deployment.layout, deployment.host, Fields({"by": "fairway", "plan": False}, "housekeeping"))
    except (FairwayError, OSError) as error:
        print(f"housekeeping: {error}", flush=True)  # the next deployment tries again
        return
    for problem in removed.problems:
        print(f"housekeeping: {problem}", flush=True)


def _is_newest(deployment: Deployment) -> bool:
    active = read_state(deployment.layout.state).active
    return active is not None and active.deployment == deployment.request.id
