"""What the cells came to: kept line by line while they are played, and written as a page at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fairway.engine.steps import STEPS
from testbed.docker import ROOT
from tests.faults.faults import FAULTS, Fault, Moment

PAGE = ROOT / "docs" / "explanation" / "faults.md"
# In the checkout, so that what one machine has played another goes on from.
KEPT = Path(__file__).with_name("seen.jsonl")
_COLUMNS = 4


@dataclass(frozen=True)
class Result:
    """One cell's result."""

    step: str
    moment: str
    fault: str
    text: str
    broken: tuple[str, ...] = ()

    def keep(self, path: Path = KEPT) -> None:
        """Add it to those of this run."""
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(self)) + "\n")


def read_results(path: Path = KEPT) -> list[Result]:
    """Return what was kept; of a cell that was played again the last."""
    found: dict[tuple[str, str, str], Result] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        document = json.loads(line)
        result = Result(**{**document, "broken": tuple(document["broken"])})
        found[result.step, result.moment, result.fault] = result
    return list(found.values())


def render(results: Iterable[Result]) -> str:
    """Return the page: what each fault is and permits, and a row for each moment of each step."""
    by_cell = {(result.step, result.moment, result.fault): result for result in results}
    groups = [FAULTS[i : i + _COLUMNS] for i in range(0, len(FAULTS), _COLUMNS)]
    return "\n".join([_HEAD, _faults(), _MATRIX, _played(len(by_cell)), *(_table(group, by_cell) for group in groups)])


def _played(count: int) -> str:
    total = len(FAULTS) * len(STEPS) * len(Moment)
    return "" if count >= total else f"{count} of {total} cells were played; the others say *not run*.\n"


def _faults() -> str:
    rows = [f"| {fault.name} | {fault.does} | {_permitted(fault)} |" for fault in FAULTS]
    return "\n".join(["| fault | what is done | which requests may fail, and why |", "| --- | --- | --- |", *rows, ""])


def _permitted(fault: Fault) -> str:
    permitted = fault.permitted
    if not permitted.for_s:
        return f"none: {permitted.why}"
    since = "until {:g} s after the mending" if permitted.after_mending else "for {:g} s"
    return f"{since.format(permitted.for_s)}: {permitted.why}"


def _table(faults: Sequence[Fault], by_cell: dict[tuple[str, str, str], Result]) -> str:
    names = [fault.name for fault in faults]
    lines = [f"| | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
    for step in STEPS:
        for moment in Moment:
            found = [by_cell.get((step.name, moment.value, name)) for name in names]
            shown = ["not run" if one is None else f"**{one.text}**" if one.broken else one.text for one in found]
            lines.append(f"| {moment.name.lower()} {step.name} | {' | '.join(shown)} |")
    return "\n".join([*lines, ""])


_HEAD = """\
# Kill anything, any time

*Written by `make test-faults`; not by hand.* Every step of a deployment, before and after it,
is struck by every fault, on a real host with requests running. After each the same must hold:
the old or the new release serves, no lock is held, the migration was applied once or not at
all, the ledger holds together and tells of the attempt, the next deployment works without a
failed request, and after it nothing is left behind and nothing drifts.

`make test` plays those cells in which a fault hurts most. To write this page anew:
`make test-faults`.

## The faults
"""

_MATRIX = """\
## The matrix

*Before* is the moment the step's `started` line is in the journal, *after* its `done` line.
Each cell tells which release served once the fault was over, how the deployment ended, and how
many requests failed of all that were asked while it lasted; permitted failures are among them.
*Nothing to hit*: the container was not there yet. **Bold** is a cell that broke a promise.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(read_results()), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
