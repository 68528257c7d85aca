"""Speak with the edge's processes, each on the runtime socket in its own directory.

Source: HAProxy 3.0 Management Guide, "Unix Socket commands" and "Statistics and monitoring".
"""

from __future__ import annotations

import csv
import io
import socket
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.contract.errors import Failed

#: The instance that owns the published port; the others are numbered from 1, in the order they were started.
BASE = 0
#: The variable in the configuration that names an instance's directory; the base has none and stays at the top.
DIRECTORY_VARIABLE = "FAIRWAY_EDGE_DIRECTORY"
FRONTEND = "traffic"

_PATIENCE_S = 5.0
_STOPPED = "STOP"


class Gone(Failed):
    """The process is not there: nobody listens on its socket."""


@dataclass(frozen=True)
class Process:
    """One of the edge's processes as it describes itself.

    ``revision`` names its configuration, ``sessions`` are the visitors' connections
    that are open, ``accepted`` all that it ever took.
    """

    number: int
    version: str
    revision: str
    uptime_s: int
    listening: bool
    sessions: int
    accepted: int


def directory(run_dir: Path, number: int) -> Path:
    """Return where an instance has its sockets."""
    return run_dir if number == BASE else run_dir / str(number)


def present(run_dir: Path) -> list[int]:
    """Return the instances that have a directory, the base first, the newest last."""
    try:
        numbered = sorted(int(path.name) for path in run_dir.iterdir() if path.name.isdigit())
    except FileNotFoundError:
        numbered = []
    return [BASE, *numbered]


def ask(instance_dir: Path, text: str) -> str:
    """Send one command to a process and return its answer.

    Raises ``Gone`` when there is no such process, ``Failed`` when it does not answer.
    """
    path = instance_dir / "admin.sock"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE_S)
            connection.connect(str(path))
            connection.sendall(text.encode() + b"\n")
            chunks = []
            while chunk := connection.recv(65536):
                chunks.append(chunk)
    except OSError as error:
        kind = Gone if isinstance(error, (ConnectionRefusedError, FileNotFoundError)) else Failed
        raise kind(
            "the edge does not answer on its runtime socket",
            why=f"{path}: {error}",
            hint="see its log: fairway logs <environment> --service edge",
        ) from None
    return b"".join(chunks).decode("utf-8", errors="replace").strip()


def ask_each(run_dir: Path, text: str) -> list[tuple[int, str]]:
    """Send one command to every process there is and return their answers.

    Raises ``Failed`` when none is there, or when one that is there does not answer.
    """
    answers: list[tuple[int, str]] = []
    nobody: Failed | None = None
    for number in present(run_dir):
        try:
            answers.append((number, ask(directory(run_dir, number), text)))
        except Gone as error:
            nobody = nobody or error
    if not answers and nobody is not None:
        raise nobody
    return answers


def look(run_dir: Path, number: int) -> Process | None:
    """Ask a process about itself; None when it is not there or does not answer."""
    where = directory(run_dir, number)
    try:
        info, frontend = ask(where, "show info"), ask(where, f"show stat {FRONTEND} 1 -1")
    except Failed:
        return None
    return read_process(number, info, frontend)


def look_at_all(run_dir: Path) -> dict[int, Process]:
    """Ask every process about itself; those that do not answer are left out."""
    found = (look(run_dir, number) for number in present(run_dir))
    return {process.number: process for process in found if process is not None}


def read_process(number: int, info: str, frontend: str) -> Process | None:
    """Read a process's own description; None when it is not one."""
    facts = dict(line.split(": ", 1) for line in info.splitlines() if ": " in line)
    row = next(csv.DictReader(io.StringIO(frontend.lstrip("# "))), None)
    try:
        assert row is not None
        return Process(
            number=number,
            version=facts["Version"],
            revision=facts.get("description", ""),
            uptime_s=int(facts["Uptime_sec"]),
            listening=row["status"] != _STOPPED,
            sessions=int(row["scur"]),
            accepted=int(row["conn_tot"]),
        )
    except (AssertionError, KeyError, ValueError):
        return None


def stop_accepting(run_dir: Path, number: int) -> None:
    """Have a process take no more visitors; those it has, it serves to their end.

    It keeps its part of the listening socket open, as the configuration exposes it
    to others, so a connection that waits there waits for the process that took it
    over. ``disable frontend`` would stop the shared socket for both.
    """
    ask(directory(run_dir, number), f"shutdown frontend {FRONTEND}")
