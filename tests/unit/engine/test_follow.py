"""Follow a journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fairway.engine.contract.errors import Invalid
from fairway.engine.follow import follow
from fairway.engine.journal import Journal
from fairway.engine.layout import Layout

_ID = "20260630-120000-000000"


def test_a_journal_that_the_retention_has_removed_is_said_to_be_gone(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no journal of a deployment 20260630") as refused:
        follow(Layout(tmp_path), _ID, lambda entry: None)
    assert "fairway history" in refused.value.hint


def test_one_that_has_ended_is_told_again_from_where_it_is_wanted(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.deployment(_ID).mkdir(parents=True)
    journal = Journal(layout.deployment(_ID) / "journal.jsonl")
    journal.accepted(tag="sha-0123456")
    journal.started("pull")
    journal.ended(outcome="failed")
    told: list[dict[str, Any]] = []
    assert follow(layout, _ID, told.append, skip=1)["outcome"] == "failed"
    assert [entry["kind"] for entry in told] == ["step", "ended"]
