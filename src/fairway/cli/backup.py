"""``fairway backup``: the database's dumps."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from fairway.cli.backup_asking import (
    BackupArgument,
    EnvironmentArgument,
    IdentityOption,
    call_engine,
    read_identity,
    size_of,
)
from fairway.cli.output import JsonOption

app = typer.Typer(no_args_is_help=True, help="The application's database: dump it, check the dumps, put one back.")


@app.command("create", epilog="Example: fairway backup create production")
def create(
    environment: EnvironmentArgument,
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for another backup or a deployment.", min=0, max=86400)
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Dump the database, read the dump to its end, and keep it with the rows of every table.

    While it runs the site serves, and a release can be rolled back. Exit codes: 1 it
    failed and nothing of it is left, 4 another backup or a deployment is at work.
    """
    from fairway.cli.output import print_json
    from fairway.engine.contract.protocol import Operation

    found = call_engine(environment, Operation.BACKUP_CREATE, wait_s=wait)
    if as_json:
        print_json(found)
    else:
        _show_created(found)


@app.command("list", epilog="Example: fairway backup list production --json")
def list_backups(environment: EnvironmentArgument, as_json: JsonOption = False) -> None:
    """List the backups on a host, the newest first, and the databases that a restore has put aside."""
    from fairway.cli.output import print_json, print_table, stderr
    from fairway.engine.contract.protocol import Operation

    found = call_engine(environment, Operation.BACKUP_LIST)
    if as_json:
        print_json(found)
        return
    print_table(("backup", "taken", "release", "reason", "size", "rows", "encrypted"), map(_row, found["backups"]))
    for identity in found["unreadable"]:
        stderr().print(f"{identity}: what is known of it cannot be read", markup=False)
    for name in found["old_databases"]:
        print(f"kept beside: the database {name} (fairway backup drop-old {environment} {name})")


@app.command("verify", epilog="Example: fairway backup verify production")
def verify(
    environment: EnvironmentArgument,
    backup: BackupArgument = None,
    identity: IdentityOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check every byte of a backup against its digest, and have PostgreSQL read it to its end.

    One that is encrypted is read only with --identity: by its digest and its header it is
    checked without. Exit code 1: it is damaged.
    """
    from fairway.cli.output import print_json
    from fairway.engine.contract.protocol import Operation

    found = call_engine(environment, Operation.BACKUP_VERIFY, backup=backup, identity=read_identity(identity))
    if as_json:
        print_json(found)
    else:
        how = "digest right, read to its end" if found["read"] else "digest and header right; not decrypted"
        print(f"{found['backup']['id']}: {how}, {size_of(found['backup']['size_bytes'])}")


@app.command("restore", epilog="Example: fairway backup restore production 20260131-120000-000000")
def restore(
    environment: EnvironmentArgument,
    backup: BackupArgument = None,
    yes: Annotated[
        str | None, typer.Option("--yes", metavar="ENVIRONMENT", help="Its name once more, instead of typing it.")
    ] = None,
    identity: IdentityOption = False,
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for another backup or a deployment.", min=0, max=86400)
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Load a backup into a new database beside the one in use, count it, and put it in that one's place.

    The application serves from the old database until the new one is complete; then all
    connections are ended and the two change names in one transaction. What was written
    since the backup stays in the old database, which is kept until: fairway backup drop-old.
    """
    from fairway.cli.output import print_json
    from fairway.engine.contract.protocol import Operation

    secret = read_identity(identity)
    confirmed = _confirmed(environment, yes, typed=not identity)
    found = call_engine(
        environment, Operation.BACKUP_RESTORE, backup=backup, identity=secret, confirmed=confirmed, wait_s=wait
    )
    if as_json:
        print_json(found)
        return
    print(f"restored {found['backup']['id']} into {found['database']} after {found['seconds']:.1f} s")
    print(f"what was there is {found['kept']}; remove it with: fairway backup drop-old {environment} {found['kept']}")


@app.command("drop-old", epilog="Example: fairway backup drop-old production capakraken_before_20260131_120000")
def drop_old(
    environment: EnvironmentArgument,
    database: Annotated[str, typer.Argument(help="The database that a restore put aside, from fairway backup list.")],
    as_json: JsonOption = False,
) -> None:
    """Drop a database that a restore has put aside. Nothing brings it back but a backup of it."""
    from fairway.cli.output import print_json
    from fairway.engine.contract.protocol import Operation

    found = call_engine(environment, Operation.BACKUP_DROP_OLD, database=database)
    if as_json:
        print_json(found)
    else:
        print(f"dropped {found['dropped']}")


@app.command("prune", epilog="Example: fairway backup prune production --plan")
def prune(
    environment: EnvironmentArgument,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would go and what stays; touch nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove the backups that no rule of backup.keep, keep_daily, keep_weekly and keep_monthly keeps.

    Taking a backup does the same by itself. The newest good one stays whatever the rules
    say, and so does the one that a deployment of a release took which the host still keeps.
    """
    from fairway.cli.output import print_json
    from fairway.engine.contract.protocol import Operation

    found = call_engine(environment, Operation.BACKUP_PRUNE, plan=plan)
    if as_json:
        print_json(found)
        return
    if plan:
        from fairway.cli.output import print_table

        rows = [("goes", name, "no rule keeps it") for name in found["goes"]]
        rows += [("stays", name, ", ".join(found["why"][name])) for name in found["stays"]]
        print_table(("", "backup", "why"), rows)
    verb = "would remove" if plan else "removed"
    print(f"{verb} {', '.join(found['goes'])}" if found["goes"] else "nothing to remove")


def _confirmed(environment: str, yes: str | None, *, typed: bool) -> str:
    from fairway.engine.contract.errors import Invalid, Refused

    if yes is None and typed and sys.stdin.isatty():
        yes = typer.prompt(f"This replaces the database of {environment}. Type its name to go on", err=True)
    if yes is None:
        raise Invalid("there is no terminal to ask on", hint=f"say which environment is meant: --yes {environment}")
    if yes != environment:
        raise Refused(f"{yes!r} is not {environment!r}: nothing was done")
    return yes


def _show_created(found: dict[str, Any]) -> None:
    from fairway.cli.output import stderr

    backup = found["backup"]
    rows = sum(backup["tables"].values()) if backup["tables"] is not None else None
    whole = size_of(backup["size_bytes"])
    print(f"{backup['id']}: {backup['database']}, {whole}, {_counted(rows)} rows, in {found['seconds']:.1f} s")
    if not backup["encrypted_to"]:
        stderr().print("not encrypted: backup.recipients in fairway.toml names whom to encrypt to", markup=False)
    for problem in found["problems"]:
        stderr().print(f"note: {problem}", markup=False)


def _row(backup: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(backup["id"]),
        str(backup["taken_at"])[:19],
        str(backup["tag"] or "-")[:11],
        str(backup["reason"]),
        size_of(backup["size_bytes"]),
        _counted(backup["rows"]),
        "yes" if backup["encrypted_to"] else "no",
    )


def _counted(rows: int | None) -> str:
    return "?" if rows is None else str(rows)
