"""A rehearsal that somebody asks for by itself: of a release that may be deployed here, and deploys nothing."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Callable

from fairway.engine import clock
from fairway.engine.backups.recording import record, unrecorded
from fairway.engine.contract.errors import Failed, FairwayError, as_error
from fairway.engine.contract.names import Slot
from fairway.engine.contract.statement import Signed
from fairway.engine.deployment import Action, Deployment, Request, deployment_id
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.releases import check_release
from fairway.engine.state import read_state
from fairway.engine.steps.preflight import Preflight
from fairway.engine.steps.rehearse import expected_of, judge, launch_before
from fairway.engine.steps.verify import Verify

Notice = Callable[[str], None]


def rehearse(
    layout: Layout,
    host: HostConfig,
    manifest: bytes,
    bundle: bytes,
    evidence: tuple[Signed, ...],
    *,
    by: str,
    notice: Notice,
) -> dict[str, Any]:
    """Rehearse a release, and put on the record how it went.

    Its images see the host's settings and its data, so it must be one that may be deployed now:
    the gate, the bundle's policy and the database's schema are asked as for a deployment. Raises
    what stands in its way, and ``Failed`` when the rehearsal does; what ``notice`` raises ends it.
    """
    deployment = _deployment(layout, host, manifest, bundle, evidence, by)
    for step in (Verify(), Preflight()):
        step.plan(deployment)
    begun = clock.monotonic()
    facts: dict[str, Any] = {}
    failed: FairwayError | None = None
    try:
        facts, failed = _rehearse(deployment, notice)
    except (FairwayError, OSError) as error:
        failed = as_error(error, "the release could not be rehearsed")
        facts = {"outcome": "failed", "why": failed.what}
    # Nothing of it says "tag" and "release": what succeeded here did not serve.
    told = {"action": "rehearsal", "rehearsed": deployment.request.tag, "rehearsal": facts}
    problem = record(layout, by, begun, error=failed, **told)
    if failed is not None:
        raise unrecorded(failed, problem)
    return {
        "tag": deployment.request.tag,
        "rehearsal": facts,
        "seconds": round(clock.monotonic() - begun, 3),
        "problems": [problem] if problem else [],
    }


def _deployment(
    layout: Layout, host: HostConfig, manifest: bytes, bundle: bytes, evidence: tuple[Signed, ...], by: str
) -> Deployment:
    stored = check_release(manifest, bundle)
    before = read_state(layout.state)
    request = Request(
        id=deployment_id(datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-%f")),
        action=Action.DEPLOY,
        tag=stored.release.tag,
        release=stored.name,
        slot=before.active.slot.other if before.active is not None else Slot.BLUE,
        by=by,
        before=before,
    )
    return Deployment(layout, host, request, stored=stored, evidence=evidence)


def _rehearse(deployment: Deployment, notice: Notice) -> tuple[dict[str, Any], Failed | None]:
    def told(line: str) -> None:
        notice(deployment.redact(line))

    migrator = deployment.release.migrator
    if not deployment.driver.has_image(migrator):
        told(f"pulling {migrator.repository.path}")
        deployment.driver.pull(migrator, told, _never)
    found = deployment.driver.rehearse(
        deployment.launch, launch_before(deployment), deployment.request.id, told, _never
    )
    if isinstance(found, str):
        return {"outcome": "nothing", "why": found}, None
    for line in found.lines:
        told(line)
    verdict, trouble = judge(found.before, expected_of(deployment))
    return {"outcome": verdict, **found.as_json()}, trouble


def _never() -> None:
    """Ask nothing: whoever asked is told a line now and then, and when nobody reads them it ends."""
