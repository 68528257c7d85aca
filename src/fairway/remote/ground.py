"""What a host stands on: planned, made, and looked over, by an administrator's connection."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from fairway.config import Config, Environment
from fairway.engine.contract.errors import Failed, FairwayError, Invalid, Refused
from fairway.engine.contract.protocol import Operation
from fairway.engine.groundwork.table import look_over
from fairway.engine.groundwork.wish import Wish
from fairway.remote.keeper import Keeper
from fairway.remote.session import EngineSession, explain_end
from fairway.remote.transport import Transport
from fairway.remote.unseen import Unseen
from fairway.remote.visiting import VisitingAdminSession

_PYTHON = "python3"
_ROUNDS = 3
# Constant words for the only shell that is ever started on a host: there is no python3 yet to do without one.
_LOOK = """
cat /etc/os-release 2>/dev/null || true
command -v apt-get >/dev/null || { echo "there is no apt-get" >&2; exit 9; }
"""
_INSTALL = """
set -eu
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
apt() {
    # Held here, not sent: where the connection breaks, what apt says must not end it in the middle of a package.
    said=$(apt-get -q -y -o DPkg::Lock::Timeout=300 --no-remove --no-install-recommends "$@" </dev/null 2>&1) || {
        printf '%s\n' "$said" >&2
        exit 1
    }
}
apt update
apt install python3
"""


class Steps(Protocol):
    """Shows each step, and what it says."""

    def step(self, name: str) -> AbstractContextManager[None]: ...

    def line(self, text: str) -> None: ...

    def notice(self, text: str) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What was found of each want. Without ``seen`` the host has no python3, and is taken for a bare one."""

    wants: tuple[dict[str, Any], ...]
    seen: bool
    checks: tuple[dict[str, Any], ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is to be done."""
        return not self.seen or any(want["steps"] for want in self.wants)

    def refuse_blocked(self, environment: str) -> None:
        """Raise ``Refused`` when something has to be mended by a person first."""
        blocked = [want for want in self.wants if want["blocked"]]
        if blocked:
            raise Refused(
                f"{environment} cannot be prepared as it is",
                why="\n".join(f"{want['name']}: {want['blocked']}" for want in blocked),
                hint="; ".join(want["hint"] for want in blocked if want["hint"]),
            )

    def as_json(self) -> dict[str, Any]:
        """Return it as the document that ``--json`` prints."""
        return {"python3": self.seen, "wants": list(self.wants)}


def wish_for(config: Config, target: Environment, deploy_user: str) -> Wish:
    """Return what an environment asks of its host."""
    backup = target.backup
    return Wish(
        project=config.project,
        environment=target.name,
        deploy_user=deploy_user,
        deploy_path=target.deploy_path,
        port=target.port,
        env=config.env_rules,
        site=target.site,
        external_database=backup.url_key is not None,
        tools=(
            *((backup.offsite_tool.value,) if backup.offsite else ()),
            *(("apprise",) if target.notifications else ()),
        ),
    )


def plan_ground(keeper: Keeper, wish: Wish) -> Plan:
    """Look a host over, as the administrator, and change nothing."""
    if not _has_python(keeper.transport):
        return Plan(tuple(look_over(_unseen(keeper.transport), wish)), seen=False)
    with _session(keeper) as engine:
        found = engine.call(Operation.GROUND, wish=wish.as_json())
    return Plan(tuple(found["wants"]), seen=True, checks=tuple(found["checks"]))


def make_ground(keeper: Keeper, wish: Wish, plan: Plan, progress: Steps) -> list[str]:
    """Do what a plan says, one want after the other; return what is left for a person."""
    if not plan.seen:
        with progress.step(_PYTHON):
            _run_shell(keeper.transport, _INSTALL)
        plan = plan_ground(keeper, wish)
    plan.refuse_blocked(wish.environment)
    left = []
    with _session(keeper) as engine:
        wants = list(plan.wants)
        # What was installed can show that something else lacks.
        for _ in range(_ROUNDS):
            due = [want["name"] for want in wants if want["steps"]]
            for name in due:
                with progress.step(name):
                    left += _make(engine, name, wish, progress)
            if not due:
                break
            wants = engine.call(Operation.GROUND, wish=wish.as_json())["wants"]
            Plan(tuple(wants), seen=True).refuse_blocked(wish.environment)
    return list(dict.fromkeys([*left, *remarks(wants)]))


def _make(engine: EngineSession, name: str, wish: Wish, progress: Steps) -> list[str]:
    def hear(event: dict[str, Any]) -> None:
        progress.line(str(event.get("line")))

    made = engine.call(Operation.PREPARE, hear, want=name, wish=wish.as_json())
    return [str(note) for note in made["notes"]]


def remarks(wants: Iterable[dict[str, Any]]) -> list[str]:
    """Return what a person should know of what was found, and see to."""
    lines = []
    for want in wants:
        lines += want["notes"]
        if want["wrong"]:
            lines.append(f"{want['wrong']}: {want['hint']}" if want["hint"] else want["wrong"])
    return lines


def ground_checks(keeper: Keeper, wish: Wish) -> list[dict[str, Any]]:
    """Return the doctor's checks; where the administrator cannot log in from here, that is said and is no failure."""
    bootstrap = f"fairway bootstrap {wish.environment}"
    try:
        plan = plan_ground(keeper, wish)
    except FairwayError as error:
        hint = "run it where the administrator of fairway.toml can log in to the host"
        return [{"name": "the host itself", "ok": True, "found": f"not looked at: {error.what}", "hint": hint}]
    if not plan.seen:
        return [{"name": _PYTHON, "ok": False, "found": "there is none", "hint": bootstrap}]
    return [*(_check(want, bootstrap) for want in plan.wants), *plan.checks]


def _check(want: dict[str, Any], bootstrap: str) -> dict[str, Any]:
    problem = want["blocked"] or want["wrong"]
    hint = want["hint"] if problem else bootstrap if want["steps"] else "; ".join(want["notes"])
    found = problem or (f"{want['found']}; to be done: {'; '.join(want['steps'])}" if want["steps"] else want["found"])
    return {"name": want["name"], "ok": want["met"] and not want["wrong"], "found": found, "hint": hint}


def _session(keeper: Keeper) -> VisitingAdminSession:
    return VisitingAdminSession(keeper.transport, keeper.environment.deploy_path, keeper.environment.name)


def _has_python(transport: Transport) -> bool:
    """Say whether the host has a python3 that the engine runs with. Raises what stands in the way of asking."""
    program = "import json, sys; print(json.dumps(list(sys.version_info[:2])))"
    process = transport.start([_PYTHON, "-I", "-c", program])
    said, errors = process.communicate()
    told = errors.decode(errors="replace")
    if process.returncode == 0:
        try:
            version = tuple(json.loads(said))
        except ValueError:
            raise explain_end(transport, process.returncode, told) from None
        if version < (3, 9):
            raise Invalid(
                "python3 on the host is too old",
                why=f"it is {'.'.join(map(str, version))}, the engine needs 3.9",
                hint="Debian from 12 and Ubuntu from 22.04 have a newer one",
            )
        return True
    # A shell says 127 of a program that is not there, and sudo 1.
    if process.returncode == 127 or "command not found" in told:
        return False
    raise explain_end(transport, process.returncode, told)


def _unseen(transport: Transport) -> Unseen:
    return Unseen({"/etc/os-release": _run_shell(transport, _LOOK)})


def _run_shell(transport: Transport, script: str) -> str:
    process = transport.start(["sh", "-s"])
    said, errors = process.communicate(script.encode())
    if process.returncode != 0:
        told = errors.decode(errors="replace").strip()[-500:]
        if process.returncode == 255 or "sudo:" in told:
            raise explain_end(transport, process.returncode, told)
        raise Failed(
            f"python3 could not be installed on {transport.name}",
            why=told or said.decode(errors="replace").strip()[-500:],
            hint="install python3 on it, then run this again",
        )
    return said.decode(errors="replace")
