from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fairway.config import load
from fairway.engine.contract.errors import Failed, Invalid, Refused, Unreachable
from fairway.remote.ground import _INSTALL, Plan, ground_checks, plan_ground, remarks, wish_for
from fairway.remote.keeper import Keeper
from tests.unit.engine.groundwork.machines import DEBIAN_12, DEBIAN_13, FEDORA

TOML = """
project = "shop"
images.app = "ghcr.io/acme/shop-app"
images.migrator = "ghcr.io/acme/shop-migrator"
[env]
required = ["POSTGRES_PASSWORD"]
[backup]
offsite = "remote:shop"
offsite_tool = "rclone"
[environments.production]
hosts = ["deploy@www.example.com"]
deploy_path = "/opt/shop"
port = "127.0.0.1:3000"
admin = "root"
[environments.production.site]
name = "www.example.com"
tls = "none"
[[environments.production.notifications]]
url_key = "OPS_URL"
"""
Said = tuple[int, str, str]


class Host:
    """Answers python3 and sh each in one way, and keeps what it was asked."""

    name = "www.example.com"
    user = "root"

    def __init__(self, python: Said, shell: Said = (0, DEBIAN_13, "")) -> None:
        self._answers = {"python3": python, "sh": shell}
        self.asked: list[list[str]] = []

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        self.asked.append(argv)
        code, said, errors = self._answers[argv[0]]
        script = 'cat >/dev/null; printf %s "$1"; printf %s "$2" >&2; exit "$3"'
        pipe = subprocess.PIPE
        return subprocess.Popen(
            ["sh", "-c", script, "sh", said, errors, str(code)], stdin=pipe, stdout=pipe, stderr=pipe
        )


@pytest.fixture
def keeper_of_host(tmp_path: Path) -> Any:
    (tmp_path / "fairway.toml").write_text(TOML)
    config = load(tmp_path / "fairway.toml", {})
    target = config.environment("production")
    return lambda host: (Keeper(target, host, host, "deploy"), wish_for(config, target, "deploy"))


NO_PYTHON = (127, "", "bash: line 1: python3: command not found")


def test_what_is_asked_of_a_host_is_what_fairway_toml_says(keeper_of_host: Any) -> None:
    _, wish = keeper_of_host(Host(NO_PYTHON))
    assert (wish.deploy_user, wish.deploy_path, wish.port) == ("deploy", "/opt/shop", "127.0.0.1:3000")
    assert wish.site.url == "http://www.example.com"
    assert wish.env.required == ("POSTGRES_PASSWORD",)
    assert wish.tools == ("rclone", "apprise")


@pytest.mark.parametrize("python", [NO_PYTHON, (1, "", "sudo: python3: command not found")])
def test_a_host_without_python3_is_planned_for_by_its_system_alone(keeper_of_host: Any, python: Said) -> None:
    host = Host(python)
    plan = plan_ground(*keeper_of_host(host))
    assert plan.changes
    assert not plan.seen
    assert any("docker-compose" in step for want in plan.wants for step in want["steps"])
    # No word of data goes to the shell.
    assert host.asked[1:] == [["sh", "-s"]]


def test_the_plan_follows_the_system_that_is_there(keeper_of_host: Any) -> None:
    plan = plan_ground(*keeper_of_host(Host(NO_PYTHON, (0, DEBIAN_12, ""))))
    assert any("download.docker.com" in step for want in plan.wants for step in want["steps"])
    plan = plan_ground(*keeper_of_host(Host(NO_PYTHON, (0, FEDORA, ""))))
    with pytest.raises(Refused, match="cannot be prepared as it is"):
        plan.refuse_blocked("production")


def test_python3_is_installed_to_the_end_though_the_connection_is_gone(tmp_path: Path) -> None:
    program, done = tmp_path / "apt-get", tmp_path / "done"
    program.write_text(f'#!/bin/sh\necho Unpacking || exit 1\necho Setting up || exit 1\necho "$*" >>{done}\n')
    program.chmod(0o755)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run(["sh", "-s"], input=_INSTALL.encode(), stdout=gone, stderr=gone, env=environment, check=True)
    assert done.read_text().splitlines()[1].endswith("install python3")


@pytest.mark.parametrize(
    ("python", "shell", "kind", "said"),
    [
        ((255, "", "ssh: connect to host: Connection refused"), (0, "", ""), Unreachable, "cannot be reached"),
        ((1, "", "sudo: a password is required"), (0, "", ""), Failed, "does not let the administrator be root"),
        ((0, "[3, 7]", ""), (0, "", ""), Invalid, "too old"),
        (NO_PYTHON, (9, "", "there is no apt-get"), Failed, "could not be installed"),
    ],
)
def test_what_stands_in_the_way_is_said(
    keeper_of_host: Any, python: Said, shell: Said, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        plan_ground(*keeper_of_host(Host(python, shell)))


def test_where_no_administrator_can_log_in_the_doctor_says_so_and_fails_nothing(keeper_of_host: Any) -> None:
    refused = Host((255, "", "root@www.example.com: Permission denied (publickey)."))
    (check,) = ground_checks(*keeper_of_host(refused))
    assert check["ok"]
    assert "not looked at" in check["found"]
    (check,) = ground_checks(*keeper_of_host(Host(NO_PYTHON)))
    assert not check["ok"]
    assert check["hint"] == "fairway bootstrap production"


def _want(**said: Any) -> dict[str, Any]:
    return {
        "name": "x",
        "met": True,
        "found": "",
        "steps": [],
        "notes": [],
        "wrong": "",
        "blocked": "",
        "hint": "",
        **said,
    }


def test_what_is_wrong_is_told_with_what_to_do_and_stops_nothing() -> None:
    wants = (_want(notes=["know this"]), _want(wrong="it is open", hint="close it"), _want(steps=["s"]))
    assert remarks(wants) == ["know this", "it is open: close it"]
    plan = Plan(wants, seen=True)
    plan.refuse_blocked("production")
    assert plan.changes
    assert not Plan(wants[:2], seen=True).changes
