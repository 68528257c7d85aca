"""Ask a host for a deployment and see it to its end, whichever command it is for."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairway.announce import FOLLOWING, Announcements, announcements
from fairway.cli import summary
from fairway.cli.context import open_archive, open_engine, open_sources, sources_of, whoami
from fairway.cli.output import print_json, print_table, stdout
from fairway.cli.progress import Progress
from fairway.cli.terminating import terminated_as_interrupted
from fairway.config import Config, Environment
from fairway.engine.contract.errors import Cancelled, FairwayError, Invalid, Refused, error_from_json
from fairway.engine.contract.protocol import Operation, Outcome
from fairway.remote.session import EngineSession, OnEvent

if TYPE_CHECKING:
    from fairway.engine.contract.environment import EnvironmentFile
    from fairway.engine.contract.manifest import NamedRelease
    from fairway.evidence.collect import Collected
    from fairway.registry import Archive

# An acceptance that was on its way when the client was interrupted has come to pass, or never will.
_ACCEPTED_WITHIN_S = 1.0


@dataclass(frozen=True)
class Options:
    """How a deployment is asked for: what the commands' options of the same names say."""

    planning: bool = False
    wait_s: float = 0.0
    recreate: tuple[str, ...] = ()
    forced: str = ""

    def as_arguments(self) -> dict[str, Any]:
        """Return what goes to the engine; an older one knows nothing of an option that is not used."""
        given = {
            "plan": self.planning,
            "wait_s": self.wait_s,
            "recreate": list(self.recreate),
            "forced": self.forced,
        }
        return {key: value for key, value in given.items() if value}


def forced(force: bool, reason: str) -> str:
    """Return why something is forced, empty when it is not. Raises ``Invalid`` for one option without the other."""
    reason = " ".join(reason.split())
    if force != bool(reason):
        raise Invalid(
            "--force needs --reason" if force else "--reason is for what is forced",
            why="what goes on against a refusal is on the host's record, with why",
            hint='--force --reason "the column is empty, and the old code does not write it"',
        )
    return reason


def conduct(
    config: Config,
    target: Environment,
    engine: EngineSession,
    progress: Progress,
    operation: Operation,
    options: Options,
    **args: Any,
) -> dict[str, Any]:
    """Ask for a deployment and follow it; return the journal's last line, or the plan.

    Ctrl-C and SIGTERM ask the host to cancel; it reverts, and that is followed too.
    A lost connection is not a cancel. A pipeline's page gets the steps, and whoever the
    environment names is told of it.
    """
    if options.planning:
        return _conducted(target, engine, progress, progress.event, operation, options, args)
    telling = announcements(config, target, progress.notice)
    try:
        result = _conducted(target, engine, progress, _heard_by(progress, telling), operation, options, args)
    except FairwayError as error:
        summary.add(summary.timeline(progress, target.name, error))
        _tell_end(progress, telling, error)
        raise
    summary.add(summary.timeline(progress, target.name, result))
    _tell_end(progress, telling, result)
    return result


def follow(
    config: Config,
    target: Environment,
    engine: EngineSession,
    progress: Progress,
    operation: Operation,
    **args: Any,
) -> dict[str, Any]:
    """Follow, or cancel, what another process has begun; return the journal's last line.

    Whoever was told there that it began, and by nobody how it ended, is told here.
    """
    telling = announcements(config, target, progress.notice, makers=FOLLOWING)
    result = engine.call(operation, _heard_by(progress, telling), **args)
    if result.get("outcome") == Outcome.UNCHANGED.value and telling.listeners:
        # Nothing runs to be cancelled. Maybe it was until a moment ago, and who began it was ended before that.
        with suppress(FairwayError):
            telling.ended(engine.call(Operation.FOLLOW, telling.hear))
    else:
        _tell_end(progress, telling, result)
    return result


def _tell_end(progress: Progress, telling: Announcements, result: dict[str, Any] | FairwayError) -> None:
    if telling.listeners:
        progress.waiting(f"telling {', '.join(telling.listeners)}")
    telling.ended(result)


def _heard_by(progress: Progress, telling: Announcements) -> OnEvent:
    def hear(document: dict[str, Any]) -> None:
        progress.event(document)
        telling.hear(document)

    return hear


def _conducted(
    target: Environment,
    engine: EngineSession,
    progress: Progress,
    hear: OnEvent,
    operation: Operation,
    options: Options,
    args: dict[str, Any],
) -> dict[str, Any]:
    ticket = secrets.token_hex(16)
    asked = {"by": whoami(), "ticket": ticket, **options.as_arguments()}
    with terminated_as_interrupted():
        try:
            return engine.call(operation, hear, **asked, **args)
        except KeyboardInterrupt:
            if options.planning:
                raise
            return _cancel(target, ticket, progress, hear)


def ship(config: Config, target: Environment, tag: str, options: Options, *, as_json: bool) -> None:
    """Deploy a release with what was said of it, which the host decides on, and archive what the host says then."""
    # What goes to the registry takes a while to import, and a rollback needs none of it.
    from fairway.evidence.collect import collect
    from fairway.evidence.shipping import as_arguments

    with (
        open_engine(target) as engine,
        open_sources(config, sources_of(target)) as sources,
        Progress() as progress,
    ):
        archive = open_archive(config)
        released = archive.get(archive.resolve(tag))
        with progress.step("evidence"):
            collected = collect(released.named, archive.statements, sources).or_fail()
        for notice in collected.notices:
            progress.notice(notice)
        if sources and not options.planning:
            with progress.step("settings"):
                _check_settings(released.named.release.env, engine, sources, target.name, progress)
        arguments = as_arguments(released, collected.statements)
        result = conduct(config, target, engine, progress, Operation.DEPLOY, options, **arguments)
        if result.get("outcome") == Outcome.SUCCEEDED.value:
            _keep_issued(archive, engine, released.named, collected, progress)
    conclude(result, what=f"{released.named.release.tag.short} on {target.name}", as_json=as_json)


def _check_settings(
    environment: EnvironmentFile,
    engine: EngineSession,
    sources: dict[str, EngineSession | FairwayError],
    target: str,
    progress: Progress,
) -> None:
    """Refuse what cannot start for want of a setting that it had where it comes from; nothing was sent yet.

    The host refuses it, too. Here it is known which of the two hosts has what, and
    what is declared nowhere can be told.
    """
    from fairway.secrets.comparing import needed_and_missing, unexpected

    there = engine.call(Operation.ENV, env=environment.as_json())["keys"]
    missing = needed_and_missing(there)
    for name, source in sources.items():
        if not isinstance(source, EngineSession):
            continue  # that it cannot be asked has been told: what it says of the release was wanted before
        try:
            here = source.call(Operation.ENV, env=environment.as_json())["keys"]
        except FairwayError as error:
            progress.notice(f"the settings of {name} are not compared: {error.what}")
            continue
        present = {row["key"] for row in here if row["state"] == "present"}
        if lacking := [key for key in missing if key in present]:
            raise Refused(
                f"{target} lacks {', '.join(lacking)}, which {name} has",
                why="; ".join(f"{key}: {missing[key]}" for key in lacking),
                hint=f"give them values there; fairway env diff {name} {target} shows all. Nothing was touched",
            )
        if unknown := unexpected(here, there):
            progress.notice(
                f"only {name} has {', '.join(unknown)}, which fairway.toml does not name: "
                "put what is needed under env.required, the rest under env.optional"
            )


def _keep_issued(
    archive: Archive, engine: EngineSession, named: NamedRelease, collected: Collected, progress: Progress
) -> None:
    """Archive what the host has signed. It serves either way, so that is no more than a warning when it fails."""
    from fairway.evidence.collect import in_a_line, keep_issued

    try:
        keep_issued(archive.statements, engine, named, collected.heard)
    except FairwayError as error:
        later = f"fairway evidence {named.release.tag.short} --collect"
        progress.notice(f"warning: what the host has signed is not archived: {in_a_line(error)}. Later: {later}")


def _cancel(target: Environment, ticket: str, progress: Progress, hear: OnEvent) -> dict[str, Any]:
    # The connection that carried the request was interrupted together with this process.
    progress.notice("cancelling: the host is asked to revert (Ctrl-C again stops watching, not the reverting)")
    for patience_s in (_ACCEPTED_WITHIN_S, 0):
        with open_engine(target) as engine:
            result = engine.call(Operation.CANCEL, hear, by=whoami(), ticket=ticket, skip=progress.journal_entries)
        if result.get("outcome") != Outcome.UNCHANGED.value:
            return result
        time.sleep(patience_s)
    if progress.journal_entries:
        with open_engine(target) as engine:
            return engine.call(Operation.FOLLOW, hear, skip=progress.journal_entries)
    raise Cancelled("cancelled before the host had accepted anything", why="nothing was changed")


def conclude(result: dict[str, Any], *, what: str, as_json: bool) -> None:
    """Show how a deployment ended, or what it would do.

    Raises the error it ended with, so that the exit code says it too.
    """
    if "outcome" not in result:
        _show_plan(result, what=what, as_json=as_json)
        return
    outcome = result.get("outcome")
    error = result.get("error")
    if as_json and not isinstance(error, dict):
        print_json(result)
    if isinstance(error, dict) and outcome != Outcome.SUCCEEDED.value:
        raise error_from_json(error)
    if as_json:
        return
    from rich.text import Text

    console = stdout()
    if outcome == Outcome.UNCHANGED.value:
        console.print(Text(f"{what} is already what serves; nothing was changed"))
        return
    console.print(Text.assemble(("serving: ", "bold green"), f"{what} after {result.get('seconds', 0):.1f} s"))
    if isinstance(error, dict):
        console.print(Text.assemble(("note: ", "bold yellow"), str(error_from_json(error))))


def _show_plan(plan: dict[str, Any], *, what: str, as_json: bool) -> None:
    if as_json:
        print_json(plan)
        return
    for line in plan.get("drift", ()):
        print(f"drift: {line}")
    if plan.get("unchanged"):
        print(f"{what} is already what serves; there is nothing to do")
        return
    if plan["steps"]:
        _show_steps(plan)
    if plan.get("rollbacks"):
        from fairway.cli.rollbacks import show_rollbacks

        print()
        show_rollbacks(plan["rollbacks"])
    print("nothing was changed")


def _show_steps(plan: dict[str, Any]) -> None:
    print_table(("step", "would"), [(str(step["step"]), str(step["change"])) for step in plan["steps"]])
    for step in plan["steps"]:
        if step.get("problem"):
            print(f"{step['step']}: {step['problem']}")
