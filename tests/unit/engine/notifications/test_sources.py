"""How far was read: whatever becomes of the files, nothing comes twice and no history is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.notifications.sources import Cursor, new_changes, new_entries, now, read_changes


def change(number: int, **facts: Any) -> str:
    at = f"2026-01-31T12:00:{number:02d}.000Z"
    line = {"environment": "staging", "subject": "https://a.test", "words": "https://a.test: 503", "seconds": None}
    return json.dumps({"id": f"{number:06d}", "at": at, "kind": "down", **line, **facts}) + "\n"


def write(layout: Layout, *lines: str) -> None:
    layout.watch.mkdir(exist_ok=True)
    (layout.changes).write_text("".join(lines))


def ids(layout: Layout, cursor: Cursor) -> list[str]:
    return [one["id"] for one in new_changes(layout, cursor)[0]]


@pytest.fixture
def ledger(layout: Layout) -> Ledger:
    made = Ledger(layout.ledger)
    for number in range(3):
        made.append(action="deploy", number=number)
    return made


def test_the_first_look_begins_at_its_moment(layout: Layout, ledger: Ledger) -> None:
    write(layout, change(1), change(2))
    cursor = now(layout)
    assert new_entries(layout, cursor)[0] == []
    assert new_changes(layout, cursor)[0] == []
    ledger.append(action="rollback")
    write(layout, change(1), change(2), change(3))
    entries, after = new_entries(layout, cursor)
    assert [entry["action"] for entry in entries] == ["rollback"]
    assert new_entries(layout, after) == ([], after)
    assert ids(layout, cursor) == ["000003"]


def test_nothing_at_all_is_nothing_new(layout: Layout) -> None:
    assert now(layout) == Cursor()
    assert new_entries(layout, Cursor()) == ([], Cursor())
    assert new_changes(layout, Cursor()) == ([], Cursor())


def test_a_ledger_that_was_put_back_tells_no_history(layout: Layout, ledger: Ledger) -> None:
    cursor = Cursor(ledger=40)
    entries, cursor = new_entries(layout, cursor)
    assert (entries, cursor.ledger) == ([], 3)
    ledger.append(action="rollback")
    assert len(new_entries(layout, cursor)[0]) == 1


def test_of_an_altered_ledger_what_comes_after_that_is_told(layout: Layout, ledger: Ledger) -> None:
    content = layout.ledger.read_text().replace('"number": 1', '"number": 9')
    layout.ledger.write_text(content)
    assert [entry["number"] for entry in new_entries(layout, Cursor())[0]] == [2]


def test_a_torn_line_is_passed_over_and_one_that_lacks_only_its_end_is_told_once(layout: Layout) -> None:
    write(layout, change(1), change(2)[:20] + "\n", "7\n", '{"id": 3}\n', change(4), change(5).rstrip("\n"))
    assert [one["id"] for one in read_changes(layout)] == ["000001", "000004", "000005"]
    _, cursor = new_changes(layout, Cursor())
    write(layout, change(1), change(4), change(5), change(6))
    assert ids(layout, cursor) == ["000006"]


def test_a_pruned_or_a_new_file_of_changes_is_read_by_time(layout: Layout) -> None:
    write(layout, change(1), change(2), change(3))
    _, cursor = new_changes(layout, Cursor())
    write(layout, change(5), change(6))
    assert ids(layout, cursor) == ["000005", "000006"]
    # Numbered from the beginning again: the same id, another change.
    write(layout, change(2), change(3, at="2026-01-31T13:00:00.000Z"))
    assert ids(layout, cursor) == ["000003"]
    (layout.changes).unlink()
    assert new_changes(layout, cursor) == ([], cursor)
