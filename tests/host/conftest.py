"""The bed that host tests share, and a workspace of its own for each of them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from testbed.bed import Testbed
from testbed.workspace import Workspace

HERE = Path(__file__).parent
# Above what people use by habit, below what systems give to outgoing connections.
_ports = count(20_000 + secrets.randbelow(5_000))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as a host test."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def bed() -> Iterator[Testbed]:
    """A registry and the hosts ``staging`` and ``production``.

    With ``FAIRWAY_TESTBED=dev`` the one that ``python -m testbed up`` has left running.
    """
    running = os.environ.get("FAIRWAY_TESTBED")
    if running:
        yield Testbed.attach(running)
        return
    with Testbed() as started:
        yield started


@pytest.fixture
def make_workspace(bed: Testbed) -> Iterator[Callable[..., Workspace]]:
    """Make workspaces; each gets a project name and a port that no other test uses."""
    made: list[Workspace] = []

    def make(**options: Any) -> Workspace:
        workspace = Workspace(bed, **{"project": f"t-{secrets.token_hex(4)}", "port": next(_ports), **options})
        made.append(workspace)
        return workspace

    yield make
    for workspace in made:
        workspace.remove()


@pytest.fixture
def workspace(make_workspace: Callable[..., Workspace]) -> Workspace:
    """The example in a Git repository of its own, with a project name and a port of its own."""
    return make_workspace()
