"""What a long past costs: the same commands on a host with few and on one with many deployments behind it."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import past
from benchmarks.releases import make_release
from benchmarks.report import Section, table
from benchmarks.timing import ratio, say, seconds, timed
from testbed.host import USER
from testbed.workspace import Workspace

_PASTS = {"few": 10, "many": 1000}
_ASKING = ("status", "history", "history --verify")
# They are quick, so a difference is small beside what else the machine does.
_ASKED_TIMES = 3
_KEEP_ALL = {"releases": 1000, "deployments": 100_000}
_Times = dict[tuple[str, str], list[float]]


def compare(work: Workspace, *, rounds: int) -> Section:
    """Time ``status``, ``history``, a deployment and the rollback from it on two new hosts, in turn."""
    with two_pasts(work, _PASTS):
        base, *others = [make_release(work, f"Growth {number}") for number in range(3)]
        for name, count in _PASTS.items():
            say(f"{name}: a host with a past of {count} deployments")
            give_past(work, name, count, [*others, base])
        times = _measure(work, base, others, rounds)
        return _section(times, rounds, {name: _record(work, name) for name in _PASTS})


@contextmanager
def two_pasts(work: Workspace, names: Iterable[str]) -> Iterator[None]:
    """Have environments more, each with a new host, that keep all of their past."""
    try:
        for name in names:
            work.bed.add_host(name)
            work.add_environment(name, name)
        work.configure(environments={name: {"retention": _KEEP_ALL} for name in names})
        work.commit("Two more environments")
        yield
    finally:
        for name in names:
            work.drop_environment(name)
            if name in work.bed.hosts:
                work.bed.remove_host(name)
        work.commit("One environment again")


def give_past(work: Workspace, name: str, count: int, tags: list[str]) -> None:
    """Prepare a host with so many invented deployments and these real ones after them."""
    work.prepare_host(name)
    work.fairway("bootstrap", name)
    work.fairway("deploy", name, tags[-1])
    program = Path(past.__file__).read_text(encoding="utf-8")
    command = shlex.join(["python3", "-", work.deploy_path, str(count)])
    work.host(name).run(command, user=USER, stdin=program, timeout_s=300)
    for tag in tags:
        work.fairway("deploy", name, tag)
    work.fairway("history", name, "--verify")


def _measure(work: Workspace, base: str, others: list[str], rounds: int) -> _Times:
    times: _Times = {}
    for number, tag in zip(range(rounds), itertools.cycle(others), strict=False):
        say(f"round {number + 1} of {rounds}")
        turns = [(command, ()) for command in _ASKING] * _ASKED_TIMES + [("deploy", (tag,)), ("rollback", (base,))]
        for command, more in turns:
            verb, *options = command.split()
            # Who is first changes, so that a machine that becomes slower takes no side.
            for name in _PASTS if number % 2 == 0 else reversed(_PASTS):
                took = timed(partial(work.fairway, verb, name, *more, *options))
                times.setdefault((command, name), []).append(took)
    return times


def _record(work: Workspace, name: str) -> tuple[int, int]:
    """Return how many entries and directories a host has in the end."""
    root = f"{work.deploy_path}/.fairway"
    lines, directories = work.host(name).sh(f"wc -l <{root}/ledger.jsonl; ls {root}/deployments | wc -l").split()
    return int(lines), int(directories)


def _section(times: _Times, rounds: int, records: dict[str, tuple[int, int]]) -> Section:
    commands = dict.fromkeys(command for command, _ in times)
    rows = [
        (
            f"`fairway {command}`",
            *(seconds(times[command, name]) for name in _PASTS),
            ratio(times[command, "many"], times[command, "few"]),
        )
        for command in commands
    ]
    ends = " against ".join(
        f"{entries} entries, {directories} directories" for entries, directories in records.values()
    )
    text = f"""
Two hosts in turn, {rounds} rounds, that differ in their past: one began with {_PASTS["few"]} deployments in its
ledger and its directory of deployments, the other with {_PASTS["many"]}. In the end it is {ends}.
Nothing is pruned; by default a host keeps the directories of 100. `history` shows the newest 20; with
`--verify` all entries travel and are checked on both sides.

{table(["median", *(f"{count} deployments" for count in _PASTS.values()), "ratio"], rows)}
"""
    shown = ", ".join(
        f"{command} {ratio(times[command, 'many'], times[command, 'few'])}"
        for command in commands
        if "verify" not in command
    )
    short = f"With {_PASTS['many']} deployments behind it a host takes, beside one with {_PASTS['few']}: {shown} times."
    return Section("Growth", (short,), text)
