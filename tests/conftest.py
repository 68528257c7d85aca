"""What every test shares."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from testbed.bed import Testbed

# Speed is shown by benchmarks, never by a timed test; a pipeline sees the same examples each time.
settings.register_profile("fairway", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("fairway")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that ask for every fault in every step."""
    parser.addoption("--all-faults", action="store_true", help="the whole fault matrix, not only its worst cells")
    parser.addoption("--rest-of-faults", action="store_true", help="what the whole matrix was interrupted before")


@pytest.fixture(scope="session")
def bed() -> Iterator[Testbed]:
    """A registry and the hosts ``staging`` and ``production``.

    With ``FAIRWAY_TESTBED=dev`` the one that ``python -m testbed up`` has left running.
    Of several processes that share the tests each has a bed of its own.
    """
    running = os.environ.get("FAIRWAY_TESTBED")
    if running:
        yield Testbed.attach(running)
        return
    run, worker = os.environ.get("FAIRWAY_RUN"), os.environ.get("PYTEST_XDIST_WORKER")
    with Testbed(f"{run}-{worker}" if run and worker else None) as started:
        yield started
