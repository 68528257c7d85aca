"""Whose the directory of the logs is."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.ci.logs import kept_in
from fairway.engine.contract.errors import Invalid, Locked


def test_git_ignores_what_a_run_keeps_and_the_last_run_s_is_gone(tmp_path: Path) -> None:
    directory = tmp_path / ".fairway" / "ci"
    with kept_in(directory):
        (directory / "unit.log").touch()
        (directory / "summary.md").touch()
    with kept_in(directory):
        assert sorted(path.name for path in directory.iterdir()) == [".gitignore", ".lock"]
    assert (directory / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_a_directory_with_somebody_else_s_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.log").touch()
    (tmp_path / ".gitignore").write_text("dist/\n", encoding="utf-8")
    with pytest.raises(Invalid, match="not logs of fairway ci"), kept_in(tmp_path):
        pass
    assert (tmp_path / "mine.log").exists()
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "dist/\n"


def test_a_second_run_in_the_same_checkout_waits_for_its_turn_by_ending(tmp_path: Path) -> None:
    with kept_in(tmp_path), pytest.raises(Locked, match="runs here already"), kept_in(tmp_path):
        pass
    with kept_in(tmp_path):
        pass
