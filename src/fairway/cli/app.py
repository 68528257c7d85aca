"""The command line as a whole: which commands there are, and how every one of them ends."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from fairway import __version__
from fairway.cli import (
    adopt,
    approve,
    attach,
    backup,
    backup_upkeep,
    bootstrap,
    cancel,
    ci,
    deploy,
    doctor,
    edge,
    env,
    evidence,
    gate,
    guardrails,
    history,
    init,
    keys,
    lock,
    logs,
    metrics,
    metrics_dora,
    migrations,
    promote,
    prune,
    reconcile,
    release,
    releases,
    restart,
    rollback,
    secrets,
    secrets_github,
    status,
    top,
    ui,
    uptime,
)
from fairway.cli.output import show_error
from fairway.engine.contract.errors import Cancelled, FairwayError, Invalid

app = typer.Typer(
    name="fairway",
    help="From a commit to production: built once, proven in staging, promoted by digest, rolled back in a second.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: fairway doctor. Exit codes: 1 failed, 2 usage or configuration, 3 refused, "
    "4 locked, 5 unreachable, 130 cancelled.",
)


def _version(asked: bool) -> None:
    if asked:
        print(f"fairway {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


for name, command, example in (
    ("init", init.init, "fairway init"),
    ("ci", ci.ci, "fairway ci"),
    ("release", release.release, "fairway release"),
    ("releases", releases.releases, "fairway releases --json"),
    ("bootstrap", bootstrap.bootstrap, "fairway bootstrap staging"),
    ("adopt", adopt.adopt, "fairway adopt production"),
    ("deploy", deploy.deploy, "fairway deploy staging sha-4f2a9c1"),
    ("gate", gate.gate, "fairway gate production sha-4f2a9c1"),
    ("approve", approve.approve, "fairway approve sha-4f2a9c1 --environment production"),
    ("reject", approve.reject, 'fairway reject sha-4f2a9c1 --environment production --reason "drops a column"'),
    ("evidence", evidence.evidence, "fairway evidence sha-4f2a9c1"),
    ("promote", promote.promote, "fairway promote sha-4f2a9c1"),
    ("rollback", rollback.rollback, "fairway rollback production"),
    ("restart", restart.restart, "fairway restart production --plan"),
    ("reconcile", reconcile.reconcile, "fairway reconcile production --plan"),
    ("cancel", cancel.cancel, "fairway cancel staging"),
    ("lock", lock.lock, 'fairway lock production --reason "tax season"'),
    ("unlock", lock.unlock, "fairway unlock production"),
    ("status", status.status, "fairway status production"),
    ("top", top.top, "fairway top production"),
    ("ui", ui.ui, "fairway ui"),
    ("uptime", uptime.uptime, "fairway uptime production"),
    ("history", history.history, "fairway history production"),
    ("prune", prune.prune, "fairway prune production --plan"),
    ("attach", attach.attach, "fairway attach production"),
    ("logs", logs.logs, "fairway logs production --follow"),
    ("doctor", doctor.doctor, "fairway doctor staging"),
):
    app.command(name, epilog=f"Example: {example}")(command)
app.add_typer(backup.app, name="backup")
backup.app.command("drill", epilog="Example: fairway backup drill production")(backup_upkeep.drill)
backup.app.command("copy", epilog="Example: fairway backup copy production")(backup_upkeep.copy)
app.add_typer(edge.app, name="edge")
app.add_typer(env.app, name="env")
app.add_typer(keys.app, name="keys")
app.add_typer(guardrails.app, name="guardrails")
app.add_typer(metrics.app, name="metrics")
metrics.app.command("dora", epilog="Example: fairway metrics dora production --since 90d")(metrics_dora.dora)
app.add_typer(migrations.app, name="migrations")
app.add_typer(secrets.app, name="secrets")
secrets.app.command("github", epilog="Example: fairway secrets github staging --set --key deploy-key")(
    secrets_github.github
)


def run() -> int:
    """Run the command line; return its exit code. No error reaches the terminal as a traceback."""
    try:
        result = app(standalone_mode=False)
        return result if isinstance(result, int) else 0
    except FairwayError as error:
        show_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        show_error(
            Cancelled(
                "stopped watching",
                why="what a host has accepted goes on there",
                hint="see it with: fairway attach <environment>",
            )
        )
        return Cancelled.exit_code
    except typer.Abort:
        return Cancelled.exit_code
    except Exception as error:
        show = getattr(error, "show", None)
        if show is None:
            raise
        show(file=sys.stderr)  # the parser's own words on a wrong option or argument
        return Invalid.exit_code
