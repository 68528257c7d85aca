"""What a pipeline's page shows of a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.cli import summary
from fairway.cli.progress import Progress
from fairway.engine.contract.errors import Refused


def _progress() -> Progress:
    progress = Progress()
    entries = [
        {"kind": "accepted", "host": "h", "action": "deploy", "tag": "sha-0123456789abcdef", "by": "ann (CI)"},
        {"kind": "step", "step": "pull", "mark": "started"},
        {"kind": "step", "step": "pull", "mark": "done", "message": "2 images", "seconds": 1.5},
        {"kind": "step", "step": "ready", "mark": "failed", "message": "503 | <b>\nbusy</b>", "seconds": 3},
        {"kind": "step", "step": "pull", "mark": "undone", "message": ""},
    ]
    for entry in entries:
        progress.event({"kind": "journal", "entry": entry})
    return progress


def test_a_deployments_steps_are_a_table_with_their_times_and_how_it_ended() -> None:
    error = Refused("not ready", why="it answered 503", hint="see the log")
    text = summary.timeline(_progress(), "staging", {"outcome": "failed", "error": error.as_json()})
    lines = text.splitlines()
    assert lines[0] == "### ❌ staging: deploy sha-0123456, by ann \\(CI\\) (failed)"
    assert "| ✅ | pull | 1.50 s | 2 images |" in lines
    assert "| ❌ | ready | 3.00 s | 503 \\| &lt;b>\\nbusy&lt;/b> |".replace("\\n", " ") in lines
    assert "| ↩️ | pull |  |  |" in lines
    assert "**Why**: it answered 503" in lines


def test_one_that_went_well_says_so() -> None:
    assert summary.timeline(_progress(), "staging", {"outcome": "succeeded"}).startswith("### ✅ staging: deploy")


def test_an_error_before_anything_began_is_told() -> None:
    text = summary.timeline(Progress(), "production", Refused("no", hint="ask"))
    assert "nothing was begun" in text
    assert "**Next**: ask" in text


@pytest.mark.parametrize("text", ["a|b", "`x`", "[a](http://x)", "<script>", "# a", "*a*", "@someone", "a\n\n| b |"])
def test_what_others_say_is_shown_as_it_is(text: str) -> None:
    shown = summary.plain(text)
    assert "\n" not in shown
    assert "<" not in shown
    for mark in "|`[]#*@":
        assert shown.count(mark) == shown.count(f"\\{mark}")


def test_it_is_added_to_githubs_file_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page"
    summary.add("one", {summary.VARIABLE: str(page)})
    summary.add("two\n", {summary.VARIABLE: str(page)})
    assert page.read_text() == "one\n\ntwo\n\n"
    summary.add("three", {})
    summary.add("four", {summary.VARIABLE: str(tmp_path / "there/is/none")})
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
