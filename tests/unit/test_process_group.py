"""A program ends with all that it started, whatever that does against it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from threading import Thread

import pytest

from fairway.engine.contract.errors import Failed
from fairway.process_group import Ended, How, Stop, supervise


def run(script: str, tmp_path: Path, *, timeout_s: float = 20, stop: Stop | None = None) -> tuple[Ended, list[str]]:
    lines: list[str] = []
    ended = supervise(
        ["bash", "-c", script],
        lines.append,
        env=dict(os.environ),
        cwd=tmp_path,
        timeout_s=timeout_s,
        stop=stop or Stop(),
        grace_s=0.3,
    )
    return ended, lines


@pytest.fixture
def nap() -> str:
    """A program that nobody else runs."""
    return f"sleep {secrets.randbelow(10**6) + 10**6}"


def alive(words: str) -> list[str]:
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if words in entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


def test_both_streams_come_line_by_line_and_the_exit_code_after_them(tmp_path: Path) -> None:
    ended, lines = run("echo one; echo two >&2; printf three; exit 3", tmp_path)
    assert (ended, lines) == (Ended(How.EXITED, 3), ["one", "two", "three"])


def test_what_a_program_left_running_ends_with_it(tmp_path: Path, nap: str) -> None:
    ended, lines = run(f"{nap} & timeout 9999 {nap} & trap '' TERM; {nap} & echo up", tmp_path)
    assert (ended, lines) == (Ended(How.EXITED, 0), ["up"])
    assert alive(nap) == []


@pytest.mark.parametrize(
    "script",
    ["{nap}", "trap '' TERM; {nap} & wait; wait; {nap}", "set -m; {nap} & wait", "setsid {nap} & wait"],
    ids=["plain", "deaf to TERM", "in groups of its own", "in a session of its own"],
)
def test_a_program_whose_time_is_over_ends_with_all_it_started(tmp_path: Path, nap: str, script: str) -> None:
    ended, _ = run(script.format(nap=nap), tmp_path, timeout_s=0.3)
    assert ended.how is How.TIMED_OUT
    assert alive(nap) == []


def test_a_program_that_is_asked_to_end_may_tidy_up(tmp_path: Path, nap: str) -> None:
    stop = Stop()
    script = f"trap 'echo tidied; exit 0' TERM; {nap} & echo up; wait"
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        stop.ask()

    ended = supervise(
        ["bash", "-c", script], say, env=dict(os.environ), cwd=tmp_path, timeout_s=20, stop=stop, grace_s=10
    )
    assert (ended.how, lines) == (How.STOPPED, ["up", "tidied"])
    assert alive(nap) == []


def test_asked_twice_nothing_is_waited_for(tmp_path: Path, nap: str) -> None:
    stop = Stop()
    ended: list[Ended] = []

    def twice(line: str) -> None:
        stop.ask()
        stop.ask()

    def work() -> None:
        argv = ["bash", "-c", f"trap '' TERM; echo up; {nap}"]
        ended.append(supervise(argv, twice, env=dict(os.environ), cwd=tmp_path, timeout_s=60, stop=stop, grace_s=60))

    thread = Thread(target=work)
    thread.start()
    thread.join(30)  # less than the grace
    assert [one.how for one in ended] == [How.STOPPED]
    assert alive(nap) == []


@pytest.mark.parametrize(
    ("argv", "directory", "said"),
    [(["no-such-program"], ".", "no-such-program is not installed"), (["true"], "nowhere", "does not exist")],
)
def test_what_cannot_be_started_is_said(tmp_path: Path, argv: list[str], directory: str, said: str) -> None:
    with pytest.raises(Failed, match=said):
        supervise(argv, print, env=dict(os.environ), cwd=tmp_path / directory, timeout_s=1, stop=Stop())


def test_output_without_a_line_break_is_handed_over_in_pieces(tmp_path: Path) -> None:
    ended, lines = run("head -c 200000 /dev/zero | tr '\\0' x; echo; echo end", tmp_path)
    assert (ended.returncode, sum(map(len, lines)), lines[-1]) == (0, 200_003, "end")
    assert max(map(len, lines)) < 100_000
