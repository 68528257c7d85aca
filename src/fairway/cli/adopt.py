"""``fairway adopt``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fairway.cli.output import JsonOption


def adopt(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    same_database: Annotated[
        bool, typer.Option("--same-database", help="Show the lines that make the new path use the existing database.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at a host where the application runs already, and say how to go on beside it.

    Changes nothing and leaves nothing there. Exits with 3 when something of the
    environment collides with what runs.
    """
    from fairway.adoption.report import adoption_report, compose_model
    from fairway.cli.context import transport_to
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.remote.visiting import survey_host

    config = load()
    target = config.environment(environment)
    found = survey_host(transport_to(target), target.deploy_path, project=config.project, env_file=config.env.file)
    report = adoption_report(config, target, found, compose_model(config))
    if as_json:
        print_json(report)
    else:
        _show(report, same_database=same_database)
    raise typer.Exit(0 if report["clear"] else 3)


def _show(report: dict[str, Any], *, same_database: bool) -> None:
    from rich.text import Text

    from fairway.cli.output import stdout

    console = stdout()

    def heading(text: str) -> None:
        console.print(Text(text, style="bold"))

    def line(text: str, indent: int = 2) -> None:
        for part in text.splitlines():
            console.print(Text(" " * indent + part))

    heading("What runs there")
    for found in _found(report):
        line(found)
    if report["collisions"]:
        heading("What collides")
        for collision in report["collisions"]:
            console.print(Text.assemble("  ", ("✗", "red"), f" {collision['what']}: {collision['why']}"))
            line(f"next: {collision['fix']}", 4)
    if same_database or report["same_database"] is None:
        heading("The same database")
        for text in _database(report["same_database"], report["environment"]):
            line(text)
    heading("What to do")
    for number, step in enumerate(report["steps"], start=1):
        line(f"{number}. {step['what']}{' (on the host)' if step['where'] == 'host' else ''}")
        for command in step["commands"]:
            line(command, 6)
    for text in _notes(report, same_database=same_database):
        line(text)


def _found(report: dict[str, Any]) -> list[str]:
    survey, application = report["survey"], report["application"]
    lines = []
    for project in survey["projects"]:
        what = "Fairway's" if project["fairway"] else "by hand"
        if application and application["project"] == project["name"]:
            what = f"the application: {', '.join(application['why'])}"
        lines.append(f"{project['name']}  ({what})")
        lines.append(f"  {', '.join(project['config_files']) or project['working_dir']}")
        for service in project["services"]:
            image = "built on the host" if service["built_here"] else service["image"].partition("@")[0]
            ports = ", ".join(f"{p['address'] or '*'}:{p['port']}" for p in service["ports"])
            volumes = ", ".join(m["source"] for m in service["mounts"] if not _is_anonymous(m["source"]))
            facts = [service["name"], image, service["state"], ports, volumes, ", ".join(service["networks"])]
            lines.append("  " + "  ".join(fact for fact in facts if fact))
    if not survey["projects"]:
        lines.append("no Compose project")
    elif application is None:
        lines.append("none of them looks like the application, or several do alike")
    return lines + _nginx(survey["nginx"], report["serves"])


def _nginx(nginx: dict[str, Any], serves: str | None) -> list[str]:
    if not nginx["installed"]:
        return ["no nginx on the host itself"]
    lines = [f"nginx{'' if serves is None else ' forwards visitors to ' + _SIDES[serves]}"]
    for forward in nginx["forwards"]:
        doubt = "" if forward["known"] else "   (not a forward Fairway would change)"
        lines.append(f"  {forward['file']}:{forward['line']}: {forward['text']}{doubt}")
    lines += [f"  not readable for this user: {path}" for path in nginx["unreadable"]]
    return lines


def _is_anonymous(volume: str) -> bool:
    return len(volume) == 64 and "/" not in volume


_SIDES = {"manual": "the existing set-up", "fairway": "Fairway"}


def _database(database: dict[str, Any] | None, environment: str) -> list[str]:
    if database is None:
        return ["no PostgreSQL was found that the new path could use"]
    lines = ["in the compose file of the new path:", *(f"    {line}" for line in database["compose"].splitlines())]
    if database["leave_out"]:
        lines.append(f"  without the service {', '.join(database['leave_out'])}, and without depends_on to it")
    lines += [".env.production (or the service's environment, which goes before it):"]
    lines += [f"    {line}" for line in database["env"]]
    return lines + [f"mind: {note}" for note in database["notes"]]


def _notes(report: dict[str, Any], *, same_database: bool) -> list[str]:
    lines = []
    if report["manual_edits"]:
        lines.append("or move traffic by hand, then: sudo nginx -t && sudo nginx -s reload")
        for edit in report["manual_edits"]:
            lines += [f"    {edit['file']}:{edit['line']}", f"      - {edit['old']}", f"      + {edit['new']}"]
    if report["clear"] and report["survey"]["nginx"]["installed"]:
        lines.append("root runs a file there that belongs to the deploy user; sha256sum must give, for this Fairway:")
        lines.append(f"    {report['engine_sha256']}")
    if report["same_database"] and not same_database:
        lines.append(f"to use the existing database: fairway adopt {report['environment']} --same-database")
    return lines
