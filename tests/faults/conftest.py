"""The hosts on which faults are played, each made when the first cell needs it and made anew when one spoilt it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.bed import Testbed
from testbed.workspace import Workspace
from tests.faults.faults import Kind
from tests.faults.rig import Rigs, make_releases

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as a host test."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def rigs(bed: Testbed) -> Iterator[Rigs]:
    """The rigs, with two releases that were built once."""
    work = Workspace(bed, project=f"t-{secrets.token_hex(4)}", port=19_980, environments={})
    made = Rigs(bed, make_releases(work))
    yield made
    for kind in Kind:
        made.spoil(kind)
    work.remove()
