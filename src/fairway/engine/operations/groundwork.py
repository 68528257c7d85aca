"""What a host stands on: looked at and made by an administrator, before there is anything of ours."""

from __future__ import annotations

import os
from typing import Any

from fairway.engine.access import authorized
from fairway.engine.contract.checks import run_checks
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.protocol import Operation
from fairway.engine.gate.store import read_keys
from fairway.engine.groundwork.machine import ThisMachine
from fairway.engine.groundwork.table import look_over, make
from fairway.engine.groundwork.wish import Wish
from fairway.engine.hostconfig import read_host_config
from fairway.engine.layout import Layout
from fairway.engine.operations import Answer, Call


def _ground(call: Call) -> dict[str, Any]:
    wish = _wish(call)
    call.args.end()
    return {"wants": look_over(ThisMachine(), wish), "checks": _keys_in_place(call.layout)}


def _prepare(call: Call) -> dict[str, Any]:
    name, wish = call.args.text("want", max_length=40), _wish(call)
    call.args.end()
    return make(ThisMachine(), wish, name, call.tell)


def _wish(call: Call) -> Wish:
    if os.geteuid() != 0:
        raise Invalid(
            "the administrator in fairway.toml is not root on the host",
            why=f"this is user {os.geteuid()}",
            hint='admin = "root", or a user who may run python3 by sudo without a password',
        )
    return Wish.parse(call.args.object("wish"), str(call.layout.deploy_path))


def _keys_in_place(layout: Layout) -> list[dict[str, Any]]:
    """Look whether every valid deploy key stands behind the forced command; nothing before the host is prepared."""
    if not (layout.host_config.exists() and layout.keys.exists()):
        return []
    host, keys = read_host_config(layout.host_config), read_keys(layout)
    return run_checks([("forced command", lambda: authorized.check(layout, host, keys))])


OPERATIONS: dict[Operation, Answer] = {Operation.GROUND: _ground, Operation.PREPARE: _prepare}
