"""What a look of the exporter costs a host each minute: memory and time, by how long the host's past is."""

from __future__ import annotations

import json
import shlex
from statistics import median

from benchmarks.report import Section, table
from benchmarks.timing import say
from testbed.host import USER, Host
from testbed.workspace import Workspace

_PASTS = (0, 1_000, 10_000)
#: The goal, in bytes.
_MOST = 30_000_000
# Docker's own programs are counted apart: each is there for a moment.
_LOOK = """
import contextlib, io, json, os, resource, runpy, sys, time
engine = sys.argv[1]
sys.argv = [engine, "metrics"]
begun, said = time.monotonic(), io.StringIO()
with contextlib.redirect_stdout(said):
    runpy.run_path(engine, run_name="__main__")
own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({
    "peak_bytes": int(peak) * 1024,
    "took_s": time.monotonic() - begun,
    "own_s": own.ru_utime + own.ru_stime,
    "children_s": others.ru_utime + others.ru_stime,
    "deployments": sum(float(line.split()[1]) for line in said.getvalue().splitlines()
                       if line.startswith("fairway_deployments_total{")),
}))
"""
# The newest entry over and over, in one write: the chain holds, and the disk is not asked for each.
_PAST = """
import itertools, json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from fairway.engine.contract.chain import entry_hash
path, count = Path(sys.argv[2]), int(sys.argv[3])
last = json.loads(path.read_bytes().splitlines()[-1])
facts = {key: value for key, value in last.items() if key not in ("n", "prev", "hash")}
with path.open("ab") as file:
    for _ in range(count):
        last = {"n": last["n"] + 1, **facts, "prev": last["hash"]}
        last["hash"] = entry_hash(last)
        file.write(json.dumps(last, ensure_ascii=False).encode() + b"\\n")
"""


def measure(work: Workspace, *, rounds: int) -> Section:
    """Look at a host as it is, and with ever longer ledgers; its own is put back."""
    host = work.host("staging")
    ledger = f"{work.deploy_path}/.fairway/ledger.jsonl"
    engine = host.sh(f"readlink -f {work.deploy_path}/.fairway/engine/current")
    host.sh(f"cp -p {ledger} {ledger}.kept", user=USER)
    rows, peaks = [], []
    try:
        for past in _PASTS:
            say(f"a past of {past} deployments more")
            host.sh(f"cp -p {ledger}.kept {ledger}", user=USER)
            _run(host, _PAST, engine, ledger, str(past))
            looks = [json.loads(_run(host, _LOOK, engine)) for _ in range(rounds)]
            peaks.append(max(look["peak_bytes"] for look in looks))
            size = int(host.sh(f"stat --format %s {ledger}"))
            rows.append(
                (
                    f"{looks[0]['deployments']:,.0f}",
                    f"{size / 1e6:.1f} MB",
                    f"{peaks[-1] / 1e6:.1f} MB",
                    *(f"{median(look[key] for look in looks):.2f} s" for key in ("own_s", "children_s", "took_s")),
                )
            )
    finally:
        host.sh(f"mv {ledger}.kept {ledger}", user=USER)
    python = host.sh("python3 --version")
    head = ["deployments", "ledger", "peak memory (RSS)", "own time", "time of `docker`", "altogether"]
    text = f"""
`fairway-engine metrics`, as its timer runs it each minute, with {python} of the host; medians of {rounds} looks,
the peak is the highest. The ledger is read from the first entry on, and no more than one is held. The goal is
less than {_MOST / 1e6:.0f} MB, which `tests/host/test_metrics.py` holds.

{table(head, rows)}
"""
    return Section("The exporter", (f"A look of the exporter: {max(peaks) / 1e6:.1f} MB at its peak.",), text)


def _run(host: Host, program: str, *arguments: str) -> str:
    command = shlex.join(["python3", "-I", "-", *arguments])
    return host.run(command, user=USER, stdin=program, timeout_s=120).stdout
