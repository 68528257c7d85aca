"""Docker's daemon: how its logs are kept, and that it runs."""

from __future__ import annotations

import json
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.errors import Failed
from fairway.engine.groundwork.machine import Machine, View
from fairway.engine.groundwork.wants import Look, Tell
from fairway.engine.groundwork.wish import Wish

_CONFIG = "/etc/docker/daemon.json"
_ROTATED = {"log-driver": "json-file", "log-opts": {"max-size": "10m", "max-file": "5"}}
_PID_FILE = "/var/run/docker.pid"
_ARGUMENTS = ("--log-driver", "--log-opt", "--config-file")
_START_PATIENCE_S = 60.0


class ContainerLogs:
    """Keep at most 50 MB of each container's log, unless Docker is set up by somebody already.

    It comes before the packages, so that a daemon that is installed starts with it.
    """

    name = "container logs"

    def asked(self, wish: Wish) -> bool:
        return True

    def look(self, machine: View, wish: Wish) -> Look:
        text = machine.read(_CONFIG)
        if text is None:
            kept_off = _kept_off(machine)
            if kept_off:
                return Look(f"not known: {kept_off}", notes=(f"{_CONFIG} is not written: {kept_off}",))
            notes: tuple[str, ...] = ()
            if machine.which("dockerd"):
                notes = ("holds for containers made after Docker was started anew, which Fairway does not do",)
            return Look("kept without end", (f"write {_CONFIG}: at most 5 files of 10 MB for each container",), notes)
        if _limits(text):
            return Look(f"{_CONFIG} limits them")
        return Look(
            f"{_CONFIG} is another's and does not limit them: a container's log can fill the disk",
            notes=(f'{_CONFIG} has no "log-opts": {json.dumps(_ROTATED["log-opts"])} would limit them',),
        )

    def do(self, machine: Machine, wish: Wish, tell: Tell) -> tuple[str, ...]:
        machine.write(_CONFIG, json.dumps(_ROTATED, indent=2) + "\n")
        return ()


class Daemon:
    """Have Docker run, now and after a boot."""

    name = "docker"

    def asked(self, wish: Wish) -> bool:
        return True

    def look(self, machine: View, wish: Wish) -> Look:
        version = _server(machine)
        if version:
            return Look(version)
        return Look("does not answer", ("start Docker, now and at boot",))

    def do(self, machine: Machine, wish: Wish, tell: Tell) -> tuple[str, ...]:
        if not machine.systemd:
            raise Failed("Docker does not run", why="this host has no systemd to start it", hint="start dockerd on it")
        started = machine.run(["systemctl", "enable", "--now", "docker.service"], timeout_s=120)
        deadline = clock.monotonic() + _START_PATIENCE_S
        while not _server(machine):
            if clock.monotonic() > deadline or started.returncode != 0:
                raise Failed(
                    "Docker does not start", why=started.stderr.strip()[-500:], hint="journalctl -u docker, on the host"
                )
            clock.sleep(0.2)
        return ()


def _kept_off(machine: View) -> str:
    """Return why a Docker that is there should have no file of ours; nothing where it can.

    dockerd does not start when an option is both in its file and among its arguments, and
    that would show at the next boot only.
    """
    if not machine.which("dockerd"):
        return ""
    process = (machine.read(_PID_FILE) or "").strip()
    words = (machine.read(f"/proc/{process}/cmdline") or "").split("\0") if process.isdigit() else []
    if not words or not words[0].endswith("dockerd"):
        return "Docker does not run, so what else it is told is not known"
    said = sorted({word.partition("=")[0] for word in words if word.startswith(_ARGUMENTS)})
    return f"dockerd is started with {', '.join(said)}" if said else ""


def _server(machine: View) -> str:
    said = machine.run(["docker", "version", "--format", "{{.Server.Version}}"], timeout_s=30)
    return said.stdout.strip() if said.returncode == 0 else ""


def _limits(text: str) -> bool:
    try:
        document: Any = json.loads(text)
    except ValueError:
        return False
    options = document.get("log-opts") if isinstance(document, dict) else None
    driver = document.get("log-driver", "json-file") if isinstance(document, dict) else ""
    # The driver "local" limits by itself, and those that send logs away keep none.
    return driver != "json-file" or (isinstance(options, dict) and "max-size" in options)
