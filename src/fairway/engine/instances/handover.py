"""Hand the visitors over from one of the edge's processes to another, and take it back when that fails.

The new process has the very socket that the old one listens on, so at each moment
at least one of them accepts from it, and a connection that waits in its queue is
taken by whichever does.
"""

from __future__ import annotations

import select
import socket
from pathlib import Path
from typing import Callable

from fairway.engine import clock
from fairway.engine.contract.errors import Failed
from fairway.engine.instances.containers import EdgeContainers
from fairway.engine.instances.runtime import FRONTEND, Process, ask, directory, look, stop_accepting

_UP_PATIENCE_S = 15.0
_PROOF_PATIENCE_S = 2.0
_LOOK_EVERY_S = 0.02
_KNOCKS = 8
_KNOCK_PATIENCE_S = 0.2


def await_process(containers: EdgeContainers, run_dir: Path, number: int) -> Process:
    """Wait until an instance answers and listens. Raises ``Failed`` with its log when it ends, or takes too long."""
    deadline = clock.monotonic() + _UP_PATIENCE_S
    while True:
        process = look(run_dir, number)
        if process is not None and process.listening:
            return process
        container = containers.find().get(number)
        if container is None or container.status in ("exited", "dead"):
            why = "its container is gone" if container is None else containers.log(number)
            raise Failed("the edge's new process does not stay up", why=why)
        if clock.monotonic() > deadline:
            raise Failed(f"the edge's new process did not come up in {_UP_PATIENCE_S:g} s", why=containers.log(number))
        clock.sleep(_LOOK_EVERY_S)


def hand_over(
    run_dir: Path, old: int, new: int, published: tuple[str, int] | None, commit: Callable[[], None] = lambda: None
) -> None:
    """Have ``new`` take every further visitor in place of ``old``.

    First ``old`` is held back, which can be taken back, until ``new`` has been seen
    to accept; then ``commit`` writes it down; only then does ``old`` stop for good.
    Raises ``Failed`` when ``new`` accepts nothing; ``old`` then goes on as before.
    """
    _hold_back(run_dir, old)
    try:
        _prove(run_dir, new, published)
    except Failed:
        open_up(run_dir, old)
        raise
    commit()
    stop_accepting(run_dir, old)


def open_up(run_dir: Path, number: int) -> None:
    """Let a process that was held back accept as many visitors as it can again."""
    info = ask(directory(run_dir, number), "show info")
    limit = next((line.split(": ")[1] for line in info.splitlines() if line.startswith("Maxconn: ")), "2000")
    ask(directory(run_dir, number), f"set maxconn frontend {FRONTEND} {limit}")


def _hold_back(run_dir: Path, number: int) -> None:
    # A frontend at its limit leaves new connections in the queue; the other process takes them from there.
    ask(directory(run_dir, number), f"set maxconn frontend {FRONTEND} 1")


def _prove(run_dir: Path, number: int, published: tuple[str, int] | None) -> None:
    before = look(run_dir, number)
    deadline = clock.monotonic() + _PROOF_PATIENCE_S
    while before is not None and clock.monotonic() < deadline:
        if published is not None:
            _knock(published)
        now = look(run_dir, number)
        if now is not None and now.accepted > before.accepted:
            return
        clock.sleep(_LOOK_EVERY_S)
    raise Failed(
        "the edge's new process takes no visitors",
        why=f"nothing that was sent to the published port reached it within {_PROOF_PATIENCE_S:g} s",
    )


def _knock(published: tuple[str, int]) -> None:
    """Open some connections to the published port at once, as visitors do, and close them again."""
    knocks = []
    for _ in range(_KNOCKS):
        knock = socket.socket(socket.AF_INET6 if ":" in published[0] else socket.AF_INET)
        knock.setblocking(False)
        knock.connect_ex(published)
        knocks.append(knock)
    select.select([], knocks, [], _KNOCK_PATIENCE_S)
    for knock in knocks:
        knock.close()
