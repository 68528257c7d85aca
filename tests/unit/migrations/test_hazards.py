"""The locks that a migration takes, whatever its text says about not telling."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.migrations import lock_hazards

INDEX = "CREATE INDEX i ON users (name);\n"


def _rules(sql: str) -> list[tuple[int, str]]:
    return [(one.line, one.rule) for one in lock_hazards(sql)]


def test_a_hazard_has_its_line_and_what_to_do() -> None:
    (found,) = lock_hazards(f"-- é\n\n{INDEX}")
    assert (found.line, found.rule) == (3, "require-concurrent-index-creation")
    assert "concurrently" in found.hint


@pytest.mark.parametrize(
    "comment",
    [
        "-- squawk-ignore-file\n",
        "-- squawk-ignore require-concurrent-index-creation\n",
        "/* squawk-ignore-file */\n",
        "--SQUAWK-IGNORE-FILE\n",
        "/*\nsquawk-ignore\n*/\n",
    ],
)
def test_no_comment_turns_a_hazard_off(comment: str) -> None:
    assert [rule for _, rule in _rules(comment + INDEX)] == ["require-concurrent-index-creation"]


def test_no_configuration_turns_a_hazard_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["require-concurrent-index-creation"]\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert _rules(INDEX) == [(1, "require-concurrent-index-creation")]


def test_what_takes_no_long_lock_has_no_hazard() -> None:
    assert _rules("ALTER TABLE users ADD COLUMN bio text; CREATE TABLE t (id int, name varchar(10));") == []


def test_a_text_that_cannot_be_read_has_no_hazard_that_is_known() -> None:
    assert lock_hazards("CREATE INDEX i ON users (name); '") == ()
