"""``fairway evidence``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from fairway.config import Config
    from fairway.engine.contract.errors import FairwayError
    from fairway.engine.contract.manifest import NamedRelease
    from fairway.engine.contract.statement import Signed
    from fairway.evidence.collect import Collected
    from fairway.registry import Archive


def evidence(
    tag: Annotated[str, typer.Argument(help="The release: sha-<commit>, or enough of it to be the only one.")],
    environment: Annotated[
        str | None, typer.Option(help="Whose host judges; without it, the last environment in promotion order.")
    ] = None,
    collecting: Annotated[
        bool, typer.Option("--collect", help="Ask every environment's host first, and archive what it says.")
    ] = False,
    from_only: Annotated[
        list[str] | None,
        typer.Option("--from", help="With --collect: ask this environment's host, not every one's."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything that was said of a release: what, who, where, when, and whether it is believed.

    An environment's own host judges each signature with the keys it was given. Exits
    with 5 when a host cannot be reached; what is archived is shown all the same.
    """
    from fairway.cli.context import open_archive
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.evidence.telling import tell

    config = load()
    judge_name = environment or config.environment_order[-1]
    config.environment(judge_name)
    for name in from_only or ():
        config.environment(name)
    asking = from_only or config.environment_order
    archive = open_archive(config)
    named = archive.read(archive.resolve(tag))
    collected, errors = _collect(config, archive, named, asking=tuple(asking) if collecting else ())
    verdicts, error = _judge(config, judge_name, collected.statements)
    errors += [error] if error is not None else []
    rows = [tell(signed, verdict) for signed, verdict in zip(collected.statements, verdicts, strict=True)]
    if as_json:
        document = {"tag": named.release.tag, "release": named.name, "judged_by": judge_name if not error else None}
        print_json({**document, "statements": rows, "problems": collected.notices})
    else:
        _show(rows, named, judge_name)
    raise typer.Exit(max((error.exit_code for error in errors), default=0))


def _collect(
    config: Config, archive: Archive, named: NamedRelease, *, asking: tuple[str, ...]
) -> tuple[Collected, list[FairwayError]]:
    """Collect what there is, and archive what the hosts say; the errors are those that the exit code tells."""
    from fairway.cli.context import open_sources
    from fairway.cli.progress import Progress
    from fairway.evidence.collect import collect, keep
    from fairway.remote.session import EngineMissing

    with open_sources(config, asking) as sources, Progress() as progress:
        collected = collect(named, archive.statements, sources)
        for notice in collected.notices:
            progress.notice(notice)
        if collected.heard:
            with progress.step("archive"):
                keep(archive.statements, collected.heard)
    # A host that was never prepared has nothing to say.
    return collected, [error for error in collected.unheard if not isinstance(error, EngineMissing)]


def _judge(
    config: Config, environment: str, statements: tuple[Signed, ...]
) -> tuple[list[dict[str, Any] | None], FairwayError | None]:
    """Have a host judge; no verdicts, and why, when it cannot."""
    from fairway.cli.context import open_engine
    from fairway.cli.output import stderr
    from fairway.engine.contract.errors import FairwayError
    from fairway.evidence.collect import in_a_line
    from fairway.evidence.declare import judge

    if not statements:
        return [], None
    try:
        with open_engine(config.environment(environment)) as engine:
            return [*judge(engine, statements)], None
    except FairwayError as error:
        stderr().print(f"not judged by {environment}: {in_a_line(error)}", markup=False)
        return [None] * len(statements), error


def _show(rows: list[dict[str, Any]], named: NamedRelease, judged_by: str) -> None:
    from fairway.cli.output import print_table
    from fairway.evidence.telling import row

    if not rows:
        print(f"nobody has said anything of {named.release.tag.short} yet")
        return
    print_table(("statement", "who", "where", "at (UTC)", f"valid for {judged_by}", "says"), map(row, rows))
