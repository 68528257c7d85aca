"""What the engine itself takes of a host during a deployment: memory, and time on a processor."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import sampler
from benchmarks.releases import make_release
from benchmarks.report import Section, table
from benchmarks.timing import say, seconds
from testbed.workspace import Workspace

_KINDS = {
    "serve": "`serve`, which takes the request and tells how it goes",
    "detached": "the detached engine, which carries it out",
    "retire": "what waits while the old slot is warm",
}
_STOP_FILE = "/run/fairway-sampler-stop"
_Seen = list[dict[str, Any]]


def watch(work: Workspace, *, rounds: int) -> Section:
    """Watch deployments of new releases and the rollbacks from them."""
    seen: dict[str, _Seen] = {"deployment": [], "rollback": []}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        tag = make_release(work, f"Footprint {number}")
        seen["deployment"] += _watched(work, lambda tag=tag: work.fairway("deploy", "staging", tag))  # type: ignore[misc]
        seen["rollback"] += _watched(work, lambda: work.fairway("rollback", "staging"))
    return _section(seen, rounds)


def _watched(work: Workspace, act: Callable[[], object]) -> _Seen:
    """Do it with the sampler running on the host; return the processes it saw."""
    host, said = work.host("staging"), []
    program = Path(sampler.__file__).read_text(encoding="utf-8")
    script = f"rm -f {_STOP_FILE}; exec python3 - {shlex.join([work.deploy_path, _STOP_FILE])}"
    watcher = threading.Thread(target=lambda: said.append(host.run(script, stdin=program, timeout_s=300).stdout))
    watcher.start()
    try:
        act()
    finally:
        host.sh(f"touch {_STOP_FILE}")
        watcher.join()
    found: _Seen = json.loads(said[0])
    return found


def _section(seen: dict[str, _Seen], rounds: int) -> Section:
    rows = []
    for act, processes in seen.items():
        for kind, name in _KINDS.items():
            those = [process for process in processes if process["kind"] == kind]
            if those:
                rows.append((act, name, _mib(those), seconds(_of(those, "own_s")), seconds(_of(those, "children_s"))))
    text = f"""
Over {rounds} deployments of new releases and as many rollbacks. `retire` is as it is when the command has ended;
those of earlier deployments, which end within 20 s, are among them.

{table(["", "process", "peak memory (RSS)", "own time", "time of `docker` and what else it ran"], rows)}
"""
    deployed = seen["deployment"]
    peak = _mib([process for process in deployed if process["kind"] in ("serve", "detached")])
    own = [_of([p for p in deployed if p["kind"] == kind], "own_s") for kind in ("serve", "detached")]
    spent = seconds([sum(pair) for pair in zip(*own, strict=False)])
    return Section("The engine's memory and time", (f"The engine: {peak} at its peak, {spent} of a processor.",), text)


def _of(processes: Sequence[dict[str, Any]], fact: str) -> list[float]:
    return [float(process[fact]) for process in processes]


def _mib(processes: Sequence[dict[str, Any]]) -> str:
    return f"{max(_of(processes, 'peak_kib')) / 1024:.0f} MiB"
