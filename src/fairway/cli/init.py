"""``fairway init``."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from fairway.workflows import Plan, Question, Wishes
    from fairway.workflows.survey import Survey, Worker


class Ci(StrEnum):
    """The pipelines that can be written."""

    GITHUB = "github"
    GITLAB = "gitlab"
    SHELL = "shell"


_LINES = {"+": "green", "-": "red", "@": "cyan"}


def init(
    ci: Annotated[Ci | None, typer.Option("--ci", help="What the pipeline runs in; without it, what is seen.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="The project's name.")] = None,
    images: Annotated[
        str | None,
        typer.Option("--images", help="Where its images go, such as ghcr.io/acme.", metavar="REGISTRY/OWNER"),
    ] = None,
    branch: Annotated[str | None, typer.Option("--branch", help="The branch that releases are made of.")] = None,
    staging: Annotated[str | None, typer.Option("--staging", help="The staging host.", metavar="USER@HOST")] = None,
    production: Annotated[
        str | None, typer.Option("--production", help="The production host.", metavar="USER@HOST")
    ] = None,
    admin: Annotated[
        str | None, typer.Option("--admin", help='The user who administers the hosts; "" for the deploy user itself.')
    ] = None,
    deploy_path: Annotated[str | None, typer.Option("--deploy-path", help="The directory on the hosts.")] = None,
    port: Annotated[str | None, typer.Option("--port", help="Where the application is published on a host.")] = None,
    app_port: Annotated[str | None, typer.Option("--app-port", help="The port it listens on in its container.")] = None,
    ready_path: Annotated[str | None, typer.Option("--ready-path", help="What answers 200 when it can serve.")] = None,
    start: Annotated[str | None, typer.Option("--start", help="The command that starts it in its container.")] = None,
    migrate: Annotated[
        str | None, typer.Option("--migrate", help="The command that migrates its database in the migrator's image.")
    ] = None,
    worker: Annotated[
        list[str] | None, typer.Option("--worker", help="A process beside it.", metavar="NAME=COMMAND")
    ] = None,
    postgres: Annotated[
        bool | None, typer.Option("--postgres/--no-postgres", help="Whether it has a PostgreSQL beside it.")
    ] = None,
    redis: Annotated[bool | None, typer.Option("--redis/--no-redis", help="Whether it has a Redis beside it.")] = None,
    preset: Annotated[
        list[str] | None, typer.Option("--preset", help="Guardrails to have besides those that are chosen.")
    ] = None,
    pin: Annotated[
        bool, typer.Option("--pin", help="Write the digests of others' images, as their registry tells them now.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take the defaults, and write without asking.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Bring the files of a pipeline that is there already up to date.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 when something would be written or was changed.")
    ] = False,
    replacing: Annotated[
        list[str] | None, typer.Option("--replace", help="A file that was changed by hand and is written anew.")
    ] = None,
    keeping: Annotated[
        list[str] | None, typer.Option("--keep", help="A file that was changed by hand and is meant to be as it is.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a pipeline for this repository: configuration, workflows, images, Compose file, operator note.

    Looks at the repository, asks what it cannot see, shows every difference and then
    asks once more. What is there already and differs is left alone and shown. The
    workflows and the note follow fairway.toml: --update brings them up to date and leaves what was
    changed by hand, --replace and --keep decide on such a file, --check tells in a pipeline.
    """
    from fairway.cli.output import ask, stdout
    from fairway.config import FILE_NAME
    from fairway.engine.contract.errors import Invalid
    from fairway.workflows import Wishes, prepare
    from fairway.workflows.answers import Provider

    root = _root()
    if (update or check) and not (root / FILE_NAME).is_file():
        raise Invalid(f"there is no {FILE_NAME} here", hint="begin with: fairway init")
    given = {
        "project": project,
        "images": images,
        "branch": branch,
        "staging": staging,
        "production": production,
        "admin": admin,
        "deploy-path": deploy_path,
        "port": port,
        "app-port": app_port,
        "ready-path": ready_path,
        "start": start,
    }
    wishes = Wishes(
        answers={name: text for name, text in given.items() if text is not None},
        provider=Provider(ci.value) if ci else None,
        workers=tuple(_worker(text) for text in worker or ()),
        migrate=_command("--migrate", migrate) if migrate else (),
        postgres=postgres,
        redis=redis,
        presets=tuple(preset or ()),
        pin=pin,
        replacing=tuple(replacing or ()),
        keeping=tuple(keeping or ()),
    )
    plan = prepare(root, wishes, _by_default if yes or not sys.stdin.isatty() else _asked)
    if as_json:
        _finish_as_json(plan, write=yes and not check, check=check)
        return
    _show(plan)
    if check:
        raise typer.Exit(1 if plan.drifts else 0)
    if not plan.writes:
        stdout().print("everything is as it would be written")
        return
    if not yes and not ask("Write this?"):
        stdout().print("nothing was written")
        return
    plan.write()
    _show_next(plan, wishes)


def _root() -> Path:
    """Return the directory that the nearest ``fairway.toml`` is in, or this one."""
    from fairway.config import find
    from fairway.engine.contract.errors import Invalid

    try:
        return find(Path.cwd()).parent
    except Invalid:
        return Path.cwd()


def _by_default(question: Question) -> str:
    """Answer a question where there is nobody to ask."""
    from fairway.engine.contract.errors import Invalid

    if question.default is None:
        raise Invalid(
            f"it cannot be seen here: {question.text[:1].lower()}{question.text[1:]}",
            hint=f"say it with --{question.name}",
        )
    return question.default


def _asked(question: Question) -> str:
    """Ask on the terminal until the answer can be one."""
    from fairway.cli.output import stderr

    while True:
        answer = str(typer.prompt(question.text, default=question.default, err=True)).strip()
        problem = question.problem(answer)
        if problem is None:
            return answer
        stderr().print(f"it {problem}", markup=False)


def _command(option: str, text: str) -> tuple[str, ...]:
    from fairway.engine.contract.errors import Invalid

    try:
        words = tuple(shlex.split(text))
    except ValueError:
        words = ()
    if not words:
        raise Invalid(f"{option} must be a command, not {text[:60]!r}")
    return words


def _worker(text: str) -> Worker:
    import re

    from fairway.engine.contract.errors import Invalid
    from fairway.workflows.survey import Worker

    name, equals, command = text.partition("=")
    if not equals or not re.fullmatch(r"[a-z][a-z0-9-]{0,40}", name):
        raise Invalid(f"--worker must be like mail=COMMAND, not {text[:60]!r}")
    return Worker(name, _command("--worker", command))


def _finish_as_json(plan: Plan, *, write: bool, check: bool) -> None:
    from fairway.cli.output import print_json

    if write and plan.writes:
        plan.write()
    files = [{"path": one.file.path, "state": one.state.value, "diff": one.diff()} for one in plan.changes]
    print_json({"drift": plan.drifts, "written": write and plan.writes, "files": files, "notes": list(plan.notes)})
    raise typer.Exit(1 if check and plan.drifts else 0)


def _show(plan: Plan) -> None:
    """Show what was found, every difference, and what is left alone."""
    from rich.text import Text

    from fairway.cli.output import stdout
    from fairway.workflows.planning import State

    console = stdout()
    if plan.survey is not None:
        console.print(Text.assemble(("found: ", "bold"), _found(plan.survey)))
    for change in plan.changes:
        if not change.drifts:
            continue
        if change.state is State.CHANGED:
            words = f"{change.file.path} is not as it would be written, and is left alone; it would change like this:"
            console.print(Text.assemble(("left: ", "bold yellow"), words))
        for line in change.diff():
            header = line.startswith(("--- ", "+++ "))
            console.print(Text(line, style="bold" if header else _LINES.get(line[:1], "")))
    for note in plan.notes:
        console.print(Text.assemble(("note: ", "yellow"), note))
    decided = [one.file.path for one in plan.changes if one.state is State.CHANGED]
    if decided:
        console.print(
            Text.assemble(("next: ", "bold"), f"fairway init --update --keep {decided[0]}, or --replace {decided[0]}")
        )


def _found(survey: Survey) -> str:
    parts = [survey.stack.value]
    migrations = survey.migrations
    if migrations is not None:
        parts.append(f"{migrations.kind.value} migrations" if migrations.kind else "migrations of its own")
    parts += ["PostgreSQL"] if survey.postgres else []
    parts += ["Redis"] if survey.redis else []
    parts += [f"the worker {one.name}" for one in survey.workers]
    return ", ".join(parts)


def _show_next(plan: Plan, wishes: Wishes) -> None:
    from fairway.cli.output import stdout

    console = stdout()
    names = [one.file.path for one in plan.changes if one.writes]
    console.print(f"wrote {', '.join(names) or 'the record of it'}", markup=False)
    if plan.survey is not None:
        console.print(
            "next: read Dockerfile.prod and docker-compose.cicd.yml, put the hosts' keys into\n"
            "tooling/deploy/known_hosts, commit everything, then: fairway ci, fairway bootstrap staging",
            markup=False,
        )
