"""Every want, in the order in which a bare host comes to have them: the table is the program."""

from __future__ import annotations

from typing import Any

from fairway.engine.contract.errors import Failed, Invalid, Refused
from fairway.engine.groundwork.account import DeployPath, DeployUser
from fairway.engine.groundwork.daemon import ContainerLogs, Daemon
from fairway.engine.groundwork.machine import Machine, View
from fairway.engine.groundwork.packages import Packages
from fairway.engine.groundwork.ports import Ports
from fairway.engine.groundwork.site import Certificate, NginxSite
from fairway.engine.groundwork.skeleton import Settings
from fairway.engine.groundwork.wants import Tell, Want
from fairway.engine.groundwork.wish import Wish

WANTS: tuple[Want, ...] = (
    ContainerLogs(),
    Packages(),
    Daemon(),
    DeployUser(),
    DeployPath(),
    Settings(),
    # Its files must be there before nginx is told of them.
    Certificate(),
    NginxSite(),
    Ports(),
)


def look_over(machine: View, wish: Wish) -> list[dict[str, Any]]:
    """Look at everything that is asked for, and change nothing."""
    return [want.look(machine, wish).as_json(want.name) for want in WANTS if want.asked(wish)]


def make(machine: Machine, wish: Wish, name: str, tell: Tell) -> dict[str, Any]:
    """Make one want so, if it is not; return its look afterwards, with what a person should know.

    Raises ``Refused`` when something has to be mended first, and ``Failed`` when it did not help.
    """
    want = next((one for one in WANTS if one.name == name and one.asked(wish)), None)
    if want is None:
        raise Invalid(f"nothing of that name is asked of this host: {name[:60]!r}")
    before = want.look(machine, wish)
    if before.blocked:
        raise Refused(before.blocked, hint=before.hint)
    try:
        notes = want.do(machine, wish, tell) if before.steps else ()
    except OSError as error:
        raise Failed(f"{name} could not be made so", why=f"{error.strerror}: {error.filename}") from None
    after = want.look(machine, wish)
    if after.steps:
        raise Failed(f"{name}: it is not so, though everything was done", why="; ".join(after.steps))
    return {**after.as_json(name), "notes": list(notes), "changed": bool(before.steps)}
