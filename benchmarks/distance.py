"""What distance costs: the same commands to the same host, near and a round trip of 50 ms away."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from benchmarks.releases import make_release
from benchmarks.report import Section, table
from benchmarks.timing import difference_s, say, seconds, timed
from testbed.docker import write_private
from testbed.relay import Relay
from testbed.workspace import Workspace

_SSH_PORT = 22
_NEAR, _FAR, _REMOTE = "staging", "far", "remote"
#: What is asked about, and ten times as much: there a round trip stands out from whatever else a command takes.
_ROUND_TRIPS_S = {_FAR: 0.05, _REMOTE: 0.5}


@dataclass(frozen=True)
class _Case:
    """How a command reaches the host: from where, and whether a connection is open already."""

    environment: str
    warm: bool


_REMOTE_CASES = tuple(_Case(environment, warm) for warm in (False, True) for environment in (_NEAR, _REMOTE))
_CASES = tuple(_Case(environment, warm) for warm in (False, True) for environment in (_NEAR, _FAR))
_Times = dict[tuple[_Case, str], list[float]]


def compare(work: Workspace, *, rounds: int) -> Section:
    """Time deployments, each followed by the rollback from it, near and far in turn."""
    base, *others = [make_release(work, f"Distance {number}") for number in range(3)]
    for tag in (*others, base):
        work.fairway("deploy", _NEAR, tag)
    # Neither is in a slot when its turn comes, and both are on the host: what is timed is the same each time.
    turns = itertools.cycle(others)
    times: _Times = {}
    remote: _Times = {}
    with _at(work, _FAR), _at(work, _REMOTE):
        for number in range(rounds):
            # Who is first changes, so that a machine that becomes slower takes no side.
            for case in _CASES if number % 2 == 0 else reversed(_CASES):
                say(f"round {number + 1} of {rounds}: {case.environment}, {'warm' if case.warm else 'cold'}")
                _time(work, case, next(turns), times)
        for case in _REMOTE_CASES:
            say(f"round trips: {case.environment}, {'warm' if case.warm else 'cold'}")
            _time(work, case, next(turns), remote)
    return _section(times, remote, rounds)


def _time(work: Workspace, case: _Case, tag: str, times: _Times) -> None:
    commands = {"deployment": ("deploy", case.environment, tag), "rollback": ("rollback", case.environment)}
    for name, arguments in commands.items():
        # Where the command looks for an open connection: in a directory of its own it finds none.
        with tempfile.TemporaryDirectory() as connections:
            env = {"XDG_RUNTIME_DIR": connections}
            if case.warm:
                work.fairway("history", case.environment, "--limit=1", env=env)
            took = timed(partial(work.fairway, *arguments, env=env))
        times.setdefault((case, name), []).append(took)


@contextmanager
def _at(work: Workspace, name: str) -> Iterator[None]:
    """Have one more environment: the same deploy path on the same host, from further away."""
    bed, host = work.bed, work.host(_NEAR)
    file = bed.state / f"ssh_config_{name}"
    with Relay(host.address, _SSH_PORT, round_trip_s=_ROUND_TRIPS_S[name]) as relay:
        alias = f"Host {name}\n    HostName 127.0.0.1\n    Port {relay.port}\n    HostKeyAlias {host.address}\n"
        write_private(file, alias + bed.ssh_config.read_text(encoding="utf-8"))
        work.add_environment(name, host.name)
        way = {"hosts": [name], "ssh_config": os.path.relpath(file, work.path)}
        work.configure(environments={name: way})
        try:
            yield
        finally:
            work.drop_environment(name)


def _section(times: _Times, remote: _Times, rounds: int) -> Section:
    rows, shown = [], {}
    for name, warm in itertools.product(("deployment", "rollback"), (False, True)):
        near, far = times[_Case(_NEAR, warm), name], times[_Case(_FAR, warm), name]
        more_s = difference_s(far, near)
        trips = difference_s(remote[_Case(_REMOTE, warm), name], remote[_Case(_NEAR, warm), name])
        how = f"{name}, {'a connection is open' if warm else 'to be connected first'}"
        shown[name, warm] = f"{more_s:+.2f} s ({seconds(far)} in whole)"
        rows.append((how, seconds(near), seconds(far), f"{more_s:+.2f} s", f"{trips / _ROUND_TRIPS_S[_REMOTE]:.1f}"))
    far_ms = _ROUND_TRIPS_S[_FAR] * 1000
    text = f"""
The same commands to the same host in turn, {rounds} rounds: near, and through a relay that hands on
what comes {far_ms / 2:.0f} ms later each way (in order, without a limit to what is under way; a new connection
waits for the round trip of its handshake). A job of a pipeline connects first; ssh then keeps the
connection for 60 s, and the next command finds it open. The releases' images are on the host already.
The registry is near. How many round trips that is was counted once at {_ROUND_TRIPS_S[_REMOTE] * 1000:.0f} ms,
where they stand out; what a command does meanwhile (a deployment reads its release from the registry)
hides some.

{table(["median", "near", f"at {far_ms:.0f} ms", "difference", "round trips"], rows)}
"""
    short = (
        f"At {far_ms:.0f} ms round trip a deployment takes {shown['deployment', False]}, a rollback "
        f"{shown['rollback', False]}; with a connection that is open {shown['deployment', True]} and "
        f"{shown['rollback', True]}."
    )
    return Section("Distance", (short,), text)
