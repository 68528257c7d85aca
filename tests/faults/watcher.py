"""Runs on the host: waits for a line of the next deployment's journal and strikes at once.

``python3 watcher.py DEPLOY_PATH STEP MARK ACTION [ARGUMENT...]`` with one of the actions

- ``tell``: only say so; whoever listens strikes
- ``kill-engine``: SIGKILL for the process that holds the host's lock
- ``kill-container NAME``: SIGKILL for its main process, past Docker, which therefore starts it again as it should
- ``fill DIRECTORY``: leave no byte free on its file system
- ``sh SCRIPT``: run it

It prints ``watching``, then ``strike``, then ``hit``, or ``nothing`` when there was nothing to
strike; ``missed`` instead when the deployment ended without the line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

LOOK_EVERY_S = 0.002
FILLER = "filler-of-the-fault-matrix"


def wait_for_line(deployments: Path, step: str, mark: str) -> bool:
    """Return True as soon as a deployment newer than those there now has the line, False when it ends without."""
    known = max((path.name for path in deployments.glob("*")), default="")
    print("watching", flush=True)
    offset, rest = 0, b""
    while True:
        newest = max((path for path in deployments.glob("*/journal.jsonl")), default=None)
        if newest is not None and newest.parent.name > known:
            with newest.open("rb") as file:
                file.seek(offset)
                content = file.read()
            offset += len(content)
            *lines, rest = (rest + content).split(b"\n")
            for entry in map(json.loads, lines):
                if (entry.get("step"), entry.get("mark")) == (step, mark):
                    return True
                if entry.get("kind") == "ended":
                    return False
        time.sleep(LOOK_EVERY_S)


def engines(lock: str) -> list[int]:
    """Return the engines that hold the lock: detached, with nothing on their standard input.

    What ``/proc/locks`` names is the process that took the lock, which has handed it on.
    """
    found = []
    for descriptors in Path("/proc").glob("[0-9]*/fd"):
        try:
            opened = {path.name: str(path.readlink()) for path in descriptors.iterdir()}
        except OSError:
            continue
        if lock in opened.values() and opened.get("0") == "/dev/null":
            found.append(int(descriptors.parent.name))
    return found


def kill_engine(deploy_path: str) -> bool:
    """Kill it; return False when there was none."""
    pids = engines(f"{deploy_path}/.fairway/lock")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return bool(pids)


def main_process(container: str) -> int:
    """Return the pid of a container's main process, 0 when it does not run."""
    argv = ["docker", "inspect", "--format", "{{.State.Pid}}", container]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else 0


def kill_container(pid: int, container: str) -> bool:
    """Kill a container's main process, known from before or asked for now; return False when there was none."""
    for attempt in (pid, 0):
        target = attempt or main_process(container)
        if target:
            try:
                os.kill(target, signal.SIGKILL)
            except ProcessLookupError:
                continue
            return True
    return False


def fill(directory: str) -> bool:
    """Leave no byte free."""
    with (Path(directory) / FILLER).open("wb", buffering=0) as file:
        figures = os.statvfs(directory)
        with suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, figures.f_bavail * figures.f_frsize)
        file.seek(0, os.SEEK_END)
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return True


def main(deploy_path: str, step: str, mark: str, action: str, *arguments: str) -> None:
    """Wait and strike."""
    pid = main_process(*arguments) if action == "kill-container" else 0
    if not wait_for_line(Path(deploy_path) / ".fairway" / "deployments", step, mark):
        print("missed", flush=True)
        return
    print("strike", flush=True)
    hit = True
    if action == "kill-engine":
        hit = kill_engine(deploy_path)
    elif action == "kill-container":
        hit = kill_container(pid, *arguments)
    elif action == "fill":
        hit = fill(*arguments)
    elif action == "sh":
        hit = subprocess.run(["sh", "-c", *arguments], stdout=subprocess.DEVNULL, check=False).returncode == 0
    elif action != "tell":
        sys.exit(f"no such action: {action}")
    print("hit" if hit else "nothing", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
