"""Looking on, without a host: what is refused, how it ends, and which connection is used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fairway.cli.watching import watch
from fairway.engine.contract.errors import Failed, Unreachable
from fairway.engine.contract.protocol import Operation
from fairway.remote.line import Line
from testbed.waiting import wait_for

FAIRWAY = Path(sys.executable).parent / "fairway"
NOBODY = (
    'project = "x"\n[images]\napp = "127.0.0.1:1/x/app"\nmigrator = "127.0.0.1:1/x/migrator"\n'
    '[environments.staging]\nhosts = ["ssh://nobody@127.0.0.1:1"]\ndeploy_path = "/opt/x"\nport = 3000\n'
)


def _fairway(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "fairway.toml").write_text(NOBODY)
    return subprocess.run([FAIRWAY, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "--watch"], "fairway status --watch --json"),
        (["top", "staging"], "fairway top staging --json --count 2"),
        (["history"], "fairway history --graph"),
        (["history", "staging", "--graph", "--verify"], "--verify"),
        (["metrics", "dora", "--since", "a while"], "--since 90d"),
    ],
)
def test_what_cannot_be_shown_here_is_refused_with_what_to_use(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = _fairway(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_host_that_is_away_is_shown_and_does_not_end_the_watch(tmp_path: Path) -> None:
    done = _fairway(tmp_path, "status", "--watch", "--json", "--count", "2", "--interval", "1")
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [look["environments"]["staging"]["error"]["exit_code"] for look in looks] == [5, 5]


def test_whoever_reads_no_more_ends_it_quietly(tmp_path: Path) -> None:
    (tmp_path / "fairway.toml").write_text(NOBODY)
    command = [str(FAIRWAY), "status", "--watch", "--json", "--count", "3", "--interval", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert (process.wait(timeout=60), process.stderr.read()) == (0, "")
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_hosts_are_asked_at_the_same_time_and_let_go_when_it_is_told_to_end(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "fairway.toml").write_text(NOBODY + NOBODY[NOBODY.index("[env") :].replace("staging", "production"))
    ssh = tmp_path / "ssh"
    # Neither of them ever answers.
    ssh.write_text(f"#!/bin/sh\n: > {tmp_path}/$$.asked\nexec sleep 300\n")
    ssh.chmod(0o755)
    process = subprocess.Popen(
        [FAIRWAY, "status", "--watch", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for("both to be asked", lambda: len(list(tmp_path.glob("*.asked"))) == 2)
    process.send_signal(number)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0
    assert [path.stem for path in tmp_path.glob("*.asked") if Path(f"/proc/{path.stem}").exists()] == []


def test_ctrl_c_is_the_way_to_end_it(capsys: pytest.CaptureFixture[str]) -> None:
    looks = iter([1, 2])

    def look() -> int:
        try:
            return next(looks)
        except StopIteration:
            raise KeyboardInterrupt from None

    watch(look, show=str, document=lambda seen: seen, interval_s=0.0, count=None, as_json=True)
    assert capsys.readouterr().out == "1\n2\n"


class Engine:
    """A connection that answers what it is told to, until it is closed."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers
        self.ended = False

    def call(self, operation: Operation, on_event: object = None) -> dict[str, Any]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"said": answer}

    def close(self) -> None:
        self.ended = True


def test_one_connection_serves_every_look_until_it_is_lost() -> None:
    engines = [Engine([1, Failed("no figures"), 2, Unreachable("away")]), Engine([3])]
    left = iter(engines)
    line = Line(lambda: next(left))  # type: ignore[arg-type,return-value]
    said = []
    for _ in range(5):
        try:
            said.append(line.call(Operation.STATUS)["said"])
        except (Failed, Unreachable) as error:
            said.append(error.what)
    assert said == [1, "no figures", 2, "away", 3]
    assert [engine.ended for engine in engines] == [True, False]
    line.close()
    assert engines[1].ended
