"""``fairway approve`` and ``fairway reject``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from fairway.config import Config, Environment
    from fairway.engine.contract.statement import Statement
    from fairway.evidence.declare import Declared
    from fairway.evidence.explain import Standing
    from fairway.evidence.review import Review
    from fairway.registry import Archive

TagArgument = Annotated[
    str, typer.Argument(help="The release: sha-<commit>, or enough of it to be the only one.", show_default=False)
]
EnvironmentOption = Annotated[
    str | None,
    typer.Option("--environment", help="Where it may or may not go; without it, the one with promote_from."),
]
KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--key",
        help="The SSH key to sign with, private, or public with the agent; without it, Git's signing key, the "
        "agent's only one, or the usual one.",
        metavar="FILE",
    ),
]


def approve(
    tag: TagArgument,
    environment: EnvironmentOption = None,
    expires: Annotated[
        str, typer.Option("--expires", help="How long it holds: 90min, 24h or 7d, at most 30d.", metavar="SPAN")
    ] = "24h",
    reason: Annotated[str | None, typer.Option("--reason", help="Why; it is signed, too.")] = None,
    key: KeyOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts. What is signed says so.")] = False,
    override_freeze: Annotated[
        bool,
        typer.Option("--override-freeze", help="As an administrator, let it pass a frozen window; needs --reason."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at what a release would change, and sign that it may go there.

    Shows the commits since what serves, what differs in the compose file and the
    other deploy files, the migrations, the images, the settings and the checklist.
    Signed is: this release may take the place of the one that serves now, there, until
    then. It counts for one deployment, and not when something else serves by then. The
    host says whether it believes the signature before it is archived.
    """
    from fairway.cli.context import open_archive
    from fairway.cli.gate import look
    from fairway.cli.output import ask, stderr, stdout
    from fairway.config import load
    from fairway.engine.contract.errors import Refused
    from fairway.evidence.decision import Subject, allowance, parse_span
    from fairway.evidence.review import review_serving

    config = load()
    target = config.environment(environment or config.promotion().target)
    wanted = allowance(lasts=parse_span(expires), reason=reason, override_freeze=override_freeze)
    archive = open_archive(config)
    released, standing = look(config, target, archive, tag)
    if standing.serves:
        raise Refused(f"{released.named.release.tag.short} is what serves on {target.name} already")
    review = review_serving(config.root, archive, released, standing.answer)
    # With --json, standard output is one document.
    _show(review, standing, stderr() if as_json else stdout())
    what = f"{released.named.release.tag.short} on {target.name} for {expires}"
    if yes:
        wanted = wanted.unasked()
    elif not ask(f"{wanted.question} {what}?"):
        raise Refused("nothing was signed")
    statement = wanted.statement(Subject(released.named, target.name), standing.replaces)
    declared = _declare(config, target, archive, statement, key)
    _, after = look(config, target, archive, released.named.release.tag)
    _tell(declared, statement, after, review, as_json=as_json)


def reject(
    tag: TagArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is signed, and shown.", show_default=False)],
    environment: EnvironmentOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign that a release should not go somewhere, and why.

    It is archived and shown by [bold]fairway gate[/bold] and [bold]fairway evidence[/bold].
    No host decides on it: an archive could lose it, and nothing is decided on the absence
    of a statement. To stop everything, lock the environment.
    """
    from fairway.cli.context import open_archive
    from fairway.cli.gate import look
    from fairway.config import load
    from fairway.evidence.decision import Subject, rejection

    config = load()
    target = config.environment(environment or config.promotion().target)
    archive = open_archive(config)
    named = archive.read(archive.resolve(tag))
    statement = rejection(Subject(named, target.name), reason=reason)
    declared = _declare(config, target, archive, statement, key)
    _, after = look(config, target, archive, named.release.tag)
    _tell(declared, statement, after, None, as_json=as_json)


def _declare(config: Config, target: Environment, archive: Archive, statement: Statement, key: Path | None) -> Declared:
    from fairway.cli.context import open_engine
    from fairway.evidence.declare import declare
    from fairway.evidence.sign import find_key

    found = find_key(key, config.root)
    with open_engine(target) as engine:
        return declare(engine, archive.statements, statement, found)


def _show(review: Review, standing: Standing, console: Console) -> None:
    from fairway.cli.gate import show_standing
    from fairway.cli.review import show_review

    show_review(review, console)
    console.print()
    show_standing(standing, console)
    console.print()


def _tell(
    declared: Declared, statement: Statement, standing: Standing, review: Review | None, *, as_json: bool
) -> None:
    from rich.text import Text

    from fairway.cli.gate import show_standing
    from fairway.cli.output import print_json, stdout
    from fairway.evidence.telling import tell

    told = tell(declared.signed, declared.verdict)
    if as_json:
        seen = {"review": review.as_json()} if review is not None else {}
        print_json({**told, "archived_as": declared.archived_as, "gate": standing.as_json(), **seen})
        return
    console = stdout()
    what = f"{statement.tag.short} on {statement.environment}, {told['says']}"
    console.print(Text.assemble((f"{told['kind']}: ", "bold green"), f"{what}, by {told['who']}"))
    console.print(Text(f"archived as {declared.archived_as}"))
    show_standing(standing, console)
