"""Kill anything, any time: every step of the table, before and after it, struck by every fault.

The cells are made from the table of steps, so a step that is new is struck as well. ``make test``
plays the cells in which a fault hurts most, ``--all-faults`` all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from fairway.engine.steps import STEPS
from tests.faults.cell import Cell, NotReached, play
from tests.faults.faults import FAULTS, Moment
from tests.faults.results import Result, read_results
from tests.faults.rig import Rigs

CELLS = [Cell(step, moment, fault) for fault in FAULTS for step in STEPS for moment in Moment]
WORST = [cell for cell in CELLS if cell.is_worst and cell.fault.in_slice]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each cell."""
    cells = _asked_for(metafunc.config)
    metafunc.parametrize("cell", cells, ids=[cell.name for cell in cells])


def _asked_for(config: pytest.Config) -> list[Cell]:
    if config.getoption("--rest-of-faults"):
        played = {(found.step, found.moment, found.fault) for found in read_results()}
        return [cell for cell in CELLS if (cell.step.name, cell.moment.value, cell.fault.name) not in played]
    return CELLS if config.getoption("--all-faults") else WORST


def _is_whole(config: pytest.Config) -> bool:
    return any(config.getoption(name) for name in ("--all-faults", "--rest-of-faults"))


@pytest.fixture
def keep(request: pytest.FixtureRequest, cell: Cell) -> Callable[..., None]:
    """Keep a result for the page, in a run of the whole matrix."""

    def kept(text: str, broken: Sequence[str] = ()) -> None:
        if _is_whole(request.config):
            Result(cell.step.name, cell.moment.value, cell.fault.name, text, tuple(broken)).keep()

    return kept


def test_one_release_serves_nothing_is_lost_and_the_next_command_works(
    rigs: Rigs, cell: Cell, keep: Callable[..., None]
) -> None:
    kind = cell.fault.kind
    try:
        outcome = play(rigs.get(kind), cell)
    except NotReached as reason:
        keep("no such step")
        pytest.skip(str(reason))
    except BaseException as error:
        keep("lost", [str(error)])
        rigs.spoil(kind)
        raise
    keep(f"{outcome.served}, {outcome.ending}, {outcome.failed}/{outcome.total}", outcome.problems)
    if outcome.problems:
        rigs.spoil(kind)
    assert not outcome.problems, "\n".join(outcome.problems)
