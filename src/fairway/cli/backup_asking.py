"""What the commands of ``fairway backup`` share: their arguments, the secret key, and asking the host."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fairway.engine.contract.protocol import Operation

EnvironmentArgument = Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")]
BackupArgument = Annotated[
    str | None, typer.Argument(metavar="[BACKUP]", help="Its id, from fairway backup list; without it, the newest.")
]
IdentityOption = Annotated[
    bool, typer.Option("--identity", help="Read the age identity (the secret key) from standard input.")
]


def call_engine(environment: str, operation: Operation, **args: Any) -> dict[str, Any]:
    """Ask the environment's host and show its progress; what is None is left to the host."""
    from fairway.cli.context import keeper_for, open_engine, whoami
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    # What data can be lost by is an administrator's to ask for, where one keeps the host.
    kept = (Operation.BACKUP_RESTORE, Operation.BACKUP_DROP_OLD, Operation.BACKUP_PRUNE)
    given = {key: value for key, value in args.items() if value is not None}
    target = load().environment(environment)
    session = keeper_for(target).upkeep_session() if operation in kept else open_engine(target)
    with session as engine, Progress() as progress:
        return engine.call(operation, progress.event, by=whoami(), **given)


def read_identity(wanted: bool) -> str | None:
    """Take the secret key from standard input: never from an argument, which others can see."""
    from fairway.engine.contract.errors import Invalid

    if not wanted:
        return None
    if sys.stdin.isatty():
        raise Invalid(
            "the identity comes on standard input", hint="fairway backup ... --identity < key.txt; it is not stored"
        )
    return sys.stdin.read()


def size_of(size_bytes: int) -> str:
    """Return a size as people read it."""
    return f"{size_bytes / 2**20:.1f} MiB"
