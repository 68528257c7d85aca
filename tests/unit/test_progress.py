"""What a command tells while it is at work."""

from __future__ import annotations

import json

import pytest

from fairway.cli.progress import Progress

_ENTRY = {"kind": "journal", "entry": {"kind": "accepted", "deployment": "20260630-120000-000000"}}


def test_a_program_that_reads_along_gets_each_event_as_a_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAIRWAY_PROGRESS", "json")

    def work(progress: Progress) -> None:
        with progress.step("evidence"):
            progress.line("not told")
            progress.event(_ENTRY)
            progress.event({"kind": "notice", "line": "two\nlines"})
            raise ValueError("no")

    with Progress() as progress, pytest.raises(ValueError, match="no"):
        work(progress)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert told[0] == {"kind": "step", "step": "evidence", "mark": "started"}
    assert told[1] == _ENTRY
    assert told[2] == {"kind": "notice", "line": "two\nlines"}
    assert (told[3]["mark"], told[3]["seconds"] >= 0, len(told)) == ("failed", True, 4)


def test_people_get_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("FAIRWAY_PROGRESS", raising=False)
    Progress().event(_ENTRY)
    assert capsys.readouterr().err.startswith("→ ")
