"""Verdicts are held against a live PostgreSQL."""

from __future__ import annotations

from tests.corpus.cases import load, load_truth
from tests.corpus.deriving import derive, server


def test_what_is_committed_of_the_previous_releases_fate_is_what_a_live_server_says() -> None:
    with server() as where:
        assert derive(where, load()) == load_truth()
