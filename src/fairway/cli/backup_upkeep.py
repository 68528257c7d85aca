"""``fairway backup drill`` and ``fairway backup copy``: that a backup can be restored, and that it is elsewhere."""

from __future__ import annotations

from typing import Any

from fairway.cli.backup_asking import (
    BackupArgument,
    EnvironmentArgument,
    IdentityOption,
    call_engine,
    read_identity,
    size_of,
)
from fairway.cli.output import JsonOption


def drill(
    environment: EnvironmentArgument,
    backup: BackupArgument = None,
    identity: IdentityOption = False,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into a PostgreSQL of its own, count its tables, and remove it again.

    What serves is not touched: the other PostgreSQL has no network, and limits. The rows
    of every table are held against those counted when the backup was taken. The result is
    on the record and in fairway status. Exit codes: 1 it cannot be restored whole, 3 it is
    encrypted and no key was given, 4 another drill is at work.
    """
    from fairway.cli.output import print_json
    from fairway.engine.contract.protocol import Operation

    found = call_engine(environment, Operation.BACKUP_DRILL, backup=backup, identity=read_identity(identity))
    if as_json:
        print_json(found)
        return
    took = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in found["took"].items())
    counted = "as when it was taken" if found["counted"] else "not compared: they were not counted when it was taken"
    print(f"{found['backup']['id']}: restored, {found['tables']} tables, {found['rows']} rows, {counted}")
    print(f"{size_of(found['backup']['size_bytes'])} in {found['seconds']:.1f} s: {took}")
    _complain(found)


def copy(environment: EnvironmentArgument, as_json: JsonOption = False) -> None:
    """Copy every backup that has no copy yet to backup.offsite, and have the tool check what is there.

    Fairway never removes anything there. Exit codes: 1 it failed, 2 no place is
    configured, 4 another copy is at work.
    """
    from fairway.cli.output import print_json
    from fairway.engine.contract.protocol import Operation

    found = call_engine(environment, Operation.BACKUP_COPY)
    if as_json:
        print_json(found)
        return
    copied = ", ".join(found["copied"]) or "nothing, all were there"
    print(f"copied {copied}; {found['there']} at {found['target']}, checked by {found['tool']}")
    _complain(found)


def _complain(found: dict[str, Any]) -> None:
    from fairway.cli.output import stderr

    for problem in found["problems"]:
        stderr().print(f"note: {problem}", markup=False)
