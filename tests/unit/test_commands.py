"""The command line as people and scripts meet it, without a host."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from fairway import __version__
from fairway.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
FAIRWAY = Path(sys.executable).parent / "fairway"
TYPER = Path(sys.executable).parent / "typer"
NAMES = sorted(str(command.name) for command in app.registered_commands)


def _fairway(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FAIRWAY, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def test_every_command_has_an_example() -> None:
    for command in app.registered_commands:
        assert str(command.epilog).startswith(f"Example: fairway {command.name}")


def test_the_reference_describes_the_commands_as_they_are(tmp_path: Path) -> None:
    made = tmp_path / "commands.md"
    arguments = ["fairway.cli.app", "utils", "docs", "--name", "fairway", "--output", str(made)]
    subprocess.run([TYPER, *arguments], check=True, capture_output=True)
    written = ROOT / "docs" / "reference" / "commands.md"
    assert written.read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), "run: make docs"


# What `fairway ui` shows has its JSON under /api.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "ui"])
def test_every_command_with_a_result_can_give_it_as_json(name: str) -> None:
    command = typer.main.get_command(app)
    options = {option for parameter in command.commands[name].params for option in parameter.opts}  # type: ignore[attr-defined]
    assert "--json" in options


def test_the_version_is_said_at_once(tmp_path: Path) -> None:
    done = _fairway("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"fairway {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["deploy"], "Missing argument"),
        (["deploy", "staging", "sha-4f4f4f4"], "no fairway.toml"),
        (["deploy", "--nope"], "No such option"),
        (["depoy"], "No such command"),
        (["status", "staging"], "no fairway.toml"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = _fairway(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_is_json_too_when_the_result_would_be(tmp_path: Path) -> None:
    done = _fairway("status", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["error"]["exit_code"] == done.returncode == 2


def test_a_host_that_is_not_there_ends_with_5(tmp_path: Path) -> None:
    (tmp_path / "fairway.toml").write_text(
        'project = "x"\n[images]\napp = "127.0.0.1:1/x/app"\nmigrator = "127.0.0.1:1/x/migrator"\n'
        '[environments.staging]\nhosts = ["ssh://nobody@127.0.0.1:1"]\ndeploy_path = "/opt/x"\nport = 3000\n'
    )
    done = _fairway("status", "staging", "--json", cwd=tmp_path)
    assert done.returncode == 5
    assert json.loads(done.stdout)["staging"]["error"]["exit_code"] == 5
