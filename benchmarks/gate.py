"""What proving costs: the gate's answer on the host, and what a release takes beside its builds and pushes."""

from __future__ import annotations

import base64
import re
import statistics
import subprocess
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.releases import change
from benchmarks.report import Section, table
from benchmarks.timing import say, timed
from fairway.config import load
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.statement import Kind, Signed, Statement
from fairway.engine.contract.trust import Role
from fairway.remote.session import EngineSession
from fairway.remote.transport import transport_for
from testbed.workspace import Workspace

_STATEMENTS = 10
_ASKED_TIMES = 20
_REVIEWER = "ann@example.com"
_STEP = re.compile(r"✓ (?P<name>.+?)\s+(?P<seconds>[0-9.]+) s$", re.MULTILINE)


def measure(work: Workspace, *, rounds: int) -> Section:
    """Time the gate with statements that each have to be verified, and releases without their builds and pushes."""
    with_statements, without, nothing = _gate(work)
    beside = [_beside_builds(work, number) for number in range(rounds)]
    gate_ms = 1000 * (statistics.median(with_statements) - statistics.median(nothing))
    empty_ms = 1000 * (statistics.median(without) - statistics.median(nothing))
    beside_s = statistics.median(beside)
    rows = [
        (f"the gate's answer with {_STATEMENTS} statements to verify", f"{gate_ms:.0f} ms"),
        ("the gate's answer without any", f"{empty_ms:.0f} ms"),
        ("a release, beside its two builds and pushes", f"{beside_s:.2f} s"),
    ]
    text = f"""
The gate is asked {_ASKED_TIMES} times over one connection, and so is a question that costs nothing (`hello`),
whose median is taken off: what is left is the time on the host. Each statement is verified by a process of
`ssh-keygen`. The release is timed in {rounds} rounds, as a whole command less what it says its builds and pushes took.

{table(["median", ""], rows)}
"""
    short = f"The gate decides on {_STATEMENTS} statements in {gate_ms:.0f} ms; "
    short += f"a release takes {beside_s:.2f} s beside its builds and pushes."
    return Section("Proof", (short,), text)


def _gate(work: Workspace) -> tuple[list[float], list[float], list[float]]:
    target = load(work.path / "fairway.toml").environment("staging")
    host, path = work.host("staging"), work.deploy_path
    tag = host.sh(f"ls {path}/.fairway/releases | head -n 1")
    manifest = host.get(f"{path}/.fairway/releases/{tag}/release.json")
    bundle = host.sh(f"base64 -w0 {path}/.fairway/releases/{tag}/bundle.tar.gz")
    assert base64.b64decode(bundle)
    evidence = _approvals(work, NamedRelease.read(manifest.encode()))
    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    with EngineSession(transport_for(target.hosts[0], target.ssh_config), path, "staging") as engine:
        ask = partial(engine.call, Operation.GATE, manifest=manifest, bundle=bundle)
        asked = (partial(ask, evidence=evidence), partial(ask, evidence=[]), partial(engine.call, Operation.HELLO))
        for number in range(_ASKED_TIMES + 1):
            for found, question in zip(times, asked, strict=True):
                took = timed(question)
                if number:  # the first one also pays for what is imported only then
                    found.append(took)
    return times


def _approvals(work: Workspace, named: NamedRelease) -> list[dict[str, str]]:
    """Return statements by somebody whose key the host knows, each another one."""
    key = work.bed.state / "reviewer"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        work.fairway("keys", "add", "staging", _REVIEWER, f"{key}.pub", "--role", "reviewer")
    return [_approval(work, named, key, number).as_json() for number in range(_STATEMENTS)]


def _approval(work: Workspace, named: NamedRelease, key: Path, number: int) -> Signed:
    def moment(**ahead: Any) -> str:
        return (datetime.now(UTC) + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    content = Statement(
        kind=Kind.APPROVED,
        release=named.name,
        tag=named.release.tag,
        project=work.project,
        environment="staging",
        at=moment(),
        expires=moment(hours=number + 1),
    ).to_bytes()
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", Role.REVIEWER.namespace, "-f", str(key)]
    return Signed(content, subprocess.run(argv, input=content, capture_output=True, check=True).stdout.decode("ascii"))


def _beside_builds(work: Workspace, number: int) -> float:
    change(work, f"Proof {number}")
    said: list[str] = []
    took = timed(lambda: said.append(work.fairway("release").stderr))
    steps = {found["name"]: float(found["seconds"]) for found in _STEP.finditer(said[0])}
    heavy = {name: seconds for name, seconds in steps.items() if name.startswith(("build", "push"))}
    say(f"release {number + 1}: {took:.2f} s, of that {heavy}")
    assert heavy, said[0]
    return took - sum(heavy.values())
