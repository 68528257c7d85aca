"""Leave a connection behind: work that goes on whatever becomes of the client that asked for it."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Callable

from fairway.engine.layout import Layout
from fairway.engine.lock import Lock

_FIRST_INHERITED = 3
_MANY_DESCRIPTORS = 1024


def detach(layout: Layout, identity: str, lock: Lock, work: Callable[[], None]) -> None:
    """Do ``work`` in a process of its own session, which takes the lock with it.

    Forks rather than starting Python anew: the imports are already paid for. The
    child keeps nothing of the client's connection, only the lock's descriptor.
    Source: "daemon(7), SysV daemons".
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        _let_go(layout.deployment(identity) / "engine.log", keep=lock.descriptor)
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def spawn_waiting(layout: Layout, command: str, identity: str) -> None:
    """Start ``engine <command> <deployment>`` anew: small, for a process that mostly waits."""
    spawn_logging_to(layout.deployment(identity) / "engine.log", command, identity)


def spawn_logging_to(path: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the engine anew with these arguments, saying what it has to say in a file."""
    with path.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-I", str(Path(sys.argv[0]).resolve()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


def _let_go(log: Path, *, keep: int) -> None:
    os.chdir("/")
    os.closerange(_FIRST_INHERITED, keep)
    os.closerange(keep + 1, _MANY_DESCRIPTORS)
    nothing = os.open(os.devnull, os.O_RDONLY)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.close(nothing)
    os.close(said)
