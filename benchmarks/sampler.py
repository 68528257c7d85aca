"""Runs on a host, from standard input: watches the engine's processes until a file appears; prints what they took.

``sampler.py DEPLOY_PATH STOP_FILE``; standard library only. The peak of a process's
memory is the kernel's own (``VmHWM``), its time that of the last look at it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

_LOOK_EVERY_S = 0.01
_TICKS = os.sysconf("SC_CLK_TCK")


def watch(deploy_path: str, stop: Path) -> list[dict[str, Any]]:
    """Return each process of the engine: ``kind``, ``peak_kib``, ``own_s``, and ``children_s`` of what it ran."""
    mark = f"{deploy_path}/.fairway/engine/".encode()
    found: dict[str, dict[str, Any]] = {}
    while not stop.exists():
        for process in Path("/proc").glob("[0-9]*"):
            try:
                seen = _look(process, mark)
            except (OSError, ValueError, IndexError):
                continue  # it has ended
            if seen is not None:
                found[f"{process.name} {seen.pop('started')}"] = seen
        time.sleep(_LOOK_EVERY_S)
    return list(found.values())


def _look(process: Path, mark: bytes) -> dict[str, Any] | None:
    arguments = _arguments(process)
    if not _is_engine(arguments, mark):
        return None
    # The name may hold spaces; what follows it does not.
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    if _is_engine(_arguments(process.with_name(fields[1])), mark):
        return None  # a fork that is about to become another program, or to end
    status = dict(line.partition(":")[::2] for line in (process / "status").read_text().splitlines())
    own, children = (sum(map(int, fields[begin : begin + 2])) / _TICKS for begin in (11, 13))
    return {
        "started": fields[19],
        "kind": _kind(arguments, parent=fields[1]),
        "peak_kib": int(status["VmHWM"].split()[0]),
        "own_s": own,
        "children_s": children,
    }


def _arguments(process: Path) -> list[bytes]:
    return (process / "cmdline").read_bytes().split(b"\0")


def _is_engine(arguments: list[bytes], mark: bytes) -> bool:
    return any(argument.startswith(mark) for argument in arguments[:3])


def _kind(arguments: list[bytes], *, parent: str) -> str:
    if b"retire" in arguments:
        return "retire"
    # The detached engine is a fork of the one that serves, and has left it for the first process of all.
    return "detached" if parent == "1" else "serve"


if __name__ == "__main__":
    print(json.dumps(watch(sys.argv[1], Path(sys.argv[2]))))
