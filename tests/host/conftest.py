"""A workspace of its own for each host test."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from testbed.bed import Login, Testbed
from testbed.workspace import Workspace

HERE = Path(__file__).parent
# Above what people use by habit, below what systems give to outgoing connections.
_ports = count(20_000 + secrets.randbelow(5_000))

# A job in the background ignores Ctrl-C, and so would every command that a test starts to press it on.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as a host test."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.host)


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


@pytest.fixture(scope="module")
def make_login(bed: Testbed) -> Iterator[Callable[[], Login]]:
    """Make deploy users, each with a key of its own, so that what becomes of one concerns no other test."""
    made: list[Login] = []

    def make() -> Login:
        login = bed.add_login(f"d-{secrets.token_hex(4)}")
        made.append(login)
        return login

    yield make
    for login in made:
        bed.remove_login(login)
