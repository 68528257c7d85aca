"""``traffic``: the engine's commands for root on the host itself."""

from __future__ import annotations

import argparse
import os
import pwd
import re
import socket

from fairway.engine.contract.errors import Failed
from fairway.engine.hostconfig import read_host_config
from fairway.engine.layout import Layout
from fairway.engine.traffic.move import Traffic
from fairway.engine.traffic.record import Side

_SIDES = {"to-fairway": Side.FAIRWAY, "to-manual": Side.MANUAL}


def traffic(arguments: list[str], layout: Layout) -> None:
    """Run ``traffic to-fairway`` or ``traffic to-manual``; what it does goes to standard output."""
    asked = _parser().parse_args(arguments)
    try:
        mover = Traffic(layout, read_host_config(layout.host_config), by=who(os.environ), say=print)
        if asked.plan:
            mover.show(_SIDES[asked.where], asked.port)
        else:
            mover.move(_SIDES[asked.where], asked.port, anyway=asked.anyway)
    except OSError as error:
        raise Failed(f"{error.strerror}: {error.filename}", hint="run it with sudo") from None


def who(environ: os._Environ[str] | dict[str, str]) -> str:
    """Return who acts, for the record: the user behind sudo, else the one this process runs as."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    behind = re.sub(r"[^A-Za-z0-9._@-]", "?", environ.get("SUDO_USER", ""))[:100]
    host = socket.gethostname()
    return f"{behind}@{host} (sudo)" if behind and os.getuid() == 0 else f"{user}@{host}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="traffic", description="Move the forwards of this host's nginx to Fairway's path, and back."
    )
    parser.add_argument("where", choices=sorted(_SIDES))
    parser.add_argument("--plan", action="store_true", help="show what would change, and change nothing")
    parser.add_argument("--from", dest="port", type=_port, help="the port that nginx forwards visitors to now")
    parser.add_argument("--anyway", action="store_true", help="go back even when the existing application is silent")
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("a port from 1 to 65535")
    return int(text)
