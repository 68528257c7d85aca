"""Rehearse: the migrations on a copy of the database, and the release that serves on what they leave."""

from __future__ import annotations

from dataclasses import replace

from fairway.engine.contract.errors import Cancelled, Failed, FairwayError, Unreachable
from fairway.engine.contract.manifest import Migrations
from fairway.engine.deployment import Deployment
from fairway.engine.drivers import Launch
from fairway.engine.journal import notes_of, read_journal
from fairway.engine.rehearsal.report import Asked, brought, contracts
from fairway.engine.releases import load_release
from fairway.engine.steps.backup import nothing_new
from fairway.engine.steps.base import Direction, Recovery, Step
from fairway.engine.steps.preflight import Preflight


class Rehearse(Step):
    """Migrate a copy of the database, on a network that leads nowhere, and ask the release that serves there.

    When the migrations fail there, or the release before is not ready on what they left
    although nobody has said so, the deployment ends before the database was touched.
    """

    name = "rehearse"
    recovery = Recovery(
        Direction.UNDO,
        "a copy of the database with what was started beside it, perhaps at work",
        "removes all of it; the database itself was only read",
    )

    def needed(self, deployment: Deployment) -> bool:
        return deployment.migrates and deployment.host.rehearsal is not None and not nothing_new(deployment)

    def plan(self, deployment: Deployment) -> str:
        active = deployment.request.before.active
        rehearsal = deployment.host.rehearsal
        smoke = f" and run {' '.join(rehearsal.smoke)}" if rehearsal is not None and rehearsal.smoke else ""
        after = f", then ask {active.tag.short} for its readiness there{smoke}" if active is not None else ""
        return f"migrate a copy of the database that is removed again{after}"

    def run(self, deployment: Deployment) -> str:
        told = deployment.told(self.name)
        try:
            found = deployment.driver.rehearse(
                deployment.launch, launch_before(deployment), deployment.request.id, told, deployment.refuse_cancelled
            )
        except (Cancelled, Unreachable):
            raise
        except FairwayError as error:
            return self._failed(deployment, {"outcome": "failed", "why": error.what}, error)
        if isinstance(found, str):
            return found
        for line in found.lines:
            told(line)
        expected = expected_of(deployment)
        verdict, trouble = judge(found.before, expected)
        facts = {"outcome": verdict, **found.as_json()}
        if trouble is not None:
            return self._failed(deployment, facts, trouble)
        deployment.journal.noted(self.name, rehearsal=facts)
        return f"{_words(found.before, expected)}; migrated in {found.took.get('migrate', 0.0):.1f} s"

    def undo(self, deployment: Deployment) -> str | None:
        gone = deployment.driver.end_rehearsal(deployment.launch, deployment.request.id)
        return "the rehearsal's copy of the database is removed" if gone else None

    def _failed(self, deployment: Deployment, facts: dict[str, object], error: FairwayError) -> str:
        """Raise the error, unless the deployment was forced: then it is on the record with the reason."""
        reason = deployment.redact(deployment.request.forced)
        told = {**facts, "why": deployment.redact(error.what)}
        if not reason:
            deployment.journal.noted(self.name, rehearsal=told)
            raise error
        # What the schema check was forced over is no less so.
        before = notes_of(read_journal(deployment.journal.path), Preflight.name).get("forced") or {}
        over = [*before.get("over", ()), f"{self.name}: {told['why']}"]
        deployment.journal.noted(self.name, rehearsal=told, forced={"reason": reason, "over": over})
        return deployment.redact(f"forced ({reason}) although {error.what}: {error.why}")


def judge(asked: Asked | None, expected: tuple[str, ...]) -> tuple[str, Failed | None]:
    """Return the outcome in a word, and the error where it stops the deployment.

    ``expected`` are the migrations of which somebody has said that the release before does not
    run after them: it is then no news that it does not.
    """
    if asked is None or asked.fit:
        return "passed", None
    if expected:
        return "expected", None
    if asked.ready:
        what = f"in the rehearsal the smoke command fails in {asked.tag.short} on what the migrations leave"
    else:
        what = f"in the rehearsal {asked.tag.short}, which serves, is not ready on what the migrations leave"
    hint = (
        "change them so that it runs on; or say that it need not: fairway migrations accept <id> --as contract;"
        " the database was not touched"
    )
    return "failed", Failed(what, why=asked.said, hint=f"{asked.hint}; {hint}" if asked.ready else hint)


def _words(asked: Asked | None, expected: tuple[str, ...]) -> str:
    if asked is None:
        return "the migrations run on a copy; no release served before"
    if asked.fit:
        smoke = " and passes the smoke command" if asked.smoke else ""
        return f"{asked.tag.short} is ready{smoke} on what the migrations leave"
    state = "fails the smoke command" if asked.ready else "is not ready"
    return f"{asked.tag.short} {state} on what the migrations leave, as {', '.join(expected)} says (contract)"


def expected_of(deployment: Deployment) -> tuple[str, ...]:
    """Return the migrations that come with the release and after which the one before need not run."""
    return contracts(brought(deployment.release.migrations, _migrations_before(deployment)))


def launch_before(deployment: Deployment) -> Launch | None:
    """Return the release that serves as it is started with the settings of now."""
    before = deployment.request.before.active
    if before is None:
        return None
    back = replace(deployment.request, tag=before.tag, release=before.release, slot=before.slot)
    return Deployment(deployment.layout, deployment.host, back).launch


def _migrations_before(deployment: Deployment) -> Migrations | None:
    before = deployment.request.before.active
    return load_release(deployment.layout, before.tag).release.migrations if before is not None else None
