"""The ways in, ``serve``, ``look``, ``upkeep`` and ``admin``: what each answers, and what sshd may hand over."""

from __future__ import annotations

import enum
import shlex
from typing import Callable

from fairway.engine.contract.errors import Refused
from fairway.engine.contract.protocol import Operation

_SHOWN = 100

# What changes nothing, and tells no setting: not even how long one is.
_FOR_VIEWER = frozenset(
    {
        Operation.HELLO,
        Operation.STATUS,
        Operation.HISTORY,
        Operation.LEDGER,
        Operation.FOLLOW,
        Operation.LOGS,
        Operation.EDGE_FIGURES,
        Operation.METRICS,
        Operation.UPTIME,
        Operation.BACKUP_LIST,
        Operation.TRUST,
        Operation.EVIDENCE,
        Operation.JUDGE,
        Operation.GATE,
        Operation.MIGRATIONS,
    }
)

_FOR_ADMIN = frozenset(
    {
        Operation.HELLO,
        Operation.CONFIGURE,
        Operation.TRUST,
        Operation.SET_TRUST,
        Operation.INSTALL_UNIT,
        Operation.DOCTOR,
        Operation.SET_SEALED_ENV,
        Operation.GROUND,
        Operation.PREPARE,
    }
)
# What root alone can see and change, whoever keeps the engine.
_FOR_ADMIN_ALONE = {
    Operation.GROUND: "look at what this host is made of",
    Operation.PREPARE: "change what this host is made of",
}
# What data can be lost by, and what tells more than a deployment needs. On a guarded host only an
# administrator, become the deploy user, can start ``upkeep``.
_FOR_UPKEEP = {
    Operation.BACKUP_RESTORE: "put a backup in the place of what this host has",
    Operation.BACKUP_DROP_OLD: "drop a database of this host",
    Operation.BACKUP_PRUNE: "remove backups of this host",
    # Whoever chose the key of a comparison can go on guessing at a short value elsewhere, as fast as they like.
    Operation.COMPARE_ENV: "compare the values of this host's settings with another's",
}
_KEPT = {
    **_FOR_UPKEEP,
    Operation.CONFIGURE: "change what this host is",
    Operation.SET_TRUST: "change what this host goes by",
    Operation.INSTALL_UNIT: "change what this host does at boot",
    # Anybody can encrypt to the host's key, and whoever sets a variable can have a program load what they like.
    Operation.SET_SEALED_ENV: "change the settings of this host",
}


class Way(enum.Enum):
    """By which command of the engine a client came in."""

    DEPLOY = "serve"
    LOOK = "look"
    UPKEEP = "upkeep"
    ADMIN = "admin"


def refuse_operation(way: Way, operation: Operation, *, guarded: Callable[[], bool]) -> None:
    """Raise ``Refused`` for what is not answered here.

    An administrator's way is for what an administrator keeps and no more, so that
    root never deploys. ``guarded`` is asked only where it matters.
    """
    if way is Way.ADMIN and operation not in _FOR_ADMIN:
        raise Refused(
            f"an administrator's connection does not answer {operation.value!r}",
            why="it acts as root, and only keeps the engine, the policy and the keys",
            hint="ask as the deploy user",
        )
    if way is Way.UPKEEP and operation not in (*_FOR_UPKEEP, Operation.HELLO):
        raise Refused(
            f"this connection does not answer {operation.value!r}",
            why="it is for what data can be lost by, or settings be guessed from, and no more",
            hint="ask as the deploy user",
        )
    if way is Way.LOOK and operation not in _FOR_VIEWER:
        raise Refused(
            f"a viewer's connection does not answer {operation.value!r}",
            why="its key has the role viewer: it can look, and nothing else",
            hint="with a key that has the role deploy",
        )
    if way is Way.DEPLOY and operation in _FOR_ADMIN_ALONE:
        raise Refused(
            f"only an administrator may {_FOR_ADMIN_ALONE[operation]}",
            hint="go in as the administrator: environments.<name>.admin in fairway.toml",
        )
    if way is Way.DEPLOY and operation in _KEPT and guarded():
        raise Refused(
            f"only an administrator may {_KEPT[operation]}",
            why="the engine, the policy and the keys on this host are root's",
            hint="go in as the administrator: environments.<name>.admin in fairway.toml",
        )


def refuse_other_command(asked: str | None, is_this_engine: Callable[[str], bool], *, terminal: bool) -> None:
    """Raise ``Refused`` when a client asked for anything but this engine's ``serve``.

    ``asked`` is ``SSH_ORIGINAL_COMMAND``: sshd sets it when a key has a forced command
    and the client asked for a command of its own; a shell, a copy and a subsystem such
    as sftp are commands, too. Where nothing was asked for, as with a bare ``ssh host``,
    the protocol is spoken all the same, but not with somebody at a terminal. What
    was asked for is compared and shown, never run.
    """
    if asked is None:
        if terminal:
            raise _only_protocol("a terminal")
        return
    try:
        words = shlex.split(asked)
    except ValueError:
        words = []
    if len(words) != 4 or words[:2] + words[3:] != ["python3", "-I", "serve"] or not is_this_engine(words[2]):
        raise _only_protocol(ascii(asked[:_SHOWN]) + (" ..." if len(asked) > _SHOWN else ""))


def copies_files(asked: str) -> bool:
    """Say whether the client would take a line on standard output for a part of a protocol of its own.

    Of a subsystem, such as sftp, sshd drops standard error, so that there are no words at all.
    """
    program = asked.split(None, 1)[0].rpartition("/")[2] if asked.strip() else ""
    return program in ("scp", "sftp-server", "internal-sftp", "rsync")


def _only_protocol(asked: str) -> Refused:
    return Refused(
        "this key may only speak Fairway's protocol",
        why=f"asked for was {asked}",
        hint="use fairway itself; for a shell or a copy, a key of your own",
    )
