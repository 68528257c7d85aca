"""Measure Fairway beside its peers: ``make bench`` or ``python -m benchmarks [--docker-rollout PATH]``.

Everything runs in one go on one machine, the contestants in turn, so that a ratio
holds where a single time would not. Results go to a Markdown file beside this one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.contestants import Contestant, FairwayWay, RolloutWay, ShellWay
from benchmarks.measure import Figures, measure_load, measure_times, measure_version
from benchmarks.report import render
from testbed import images
from testbed.bed import Testbed
from testbed.workspace import Workspace

HERE = Path(__file__).parent
_PORT = 3000


def main() -> int:
    """Run the measurements and write the table."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="deployments and rollbacks timed of each (default: 5)")
    parser.add_argument(
        "--requests", type=int, default=20_000, help="requests during Fairway's own load (default: 20000)"
    )
    parser.add_argument(
        "--docker-rollout", type=Path, help="a copy of docker-rollout, to be measured beside the others"
    )
    asked = parser.parse_args()
    images.prepare()
    hosts = ["fairway", "shell"] + (["rollout", "drained"] if asked.docker_rollout else [])
    with Testbed("bench", hosts=tuple(hosts)) as bed:
        work = Workspace(bed, port=_PORT, environments={"staging": "fairway"})
        work.configure(environments={"production": None})
        work.commit("One environment")
        ways: list[Contestant] = [FairwayWay(work), ShellWay(work, bed.host("shell"))]
        if asked.docker_rollout:
            script = asked.docker_rollout.read_text(encoding="utf-8")
            ways.append(RolloutWay(work, bed.host("rollout"), script))
            ways.append(RolloutWay(work, bed.host("drained"), script, drain=True))
        figures = Figures()
        measure_version(figures)
        measure_times(work, ways, figures, rounds=asked.rounds)
        measure_load(work, ways, figures, requests=asked.requests)
    results = HERE / ("RESULTS-docker-rollout.md" if asked.docker_rollout else "RESULTS.md")
    results.write_text(render(figures), encoding="utf-8")
    print(f"\n{results.read_text(encoding='utf-8')}\nwritten to {results}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
