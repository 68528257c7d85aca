"""The table of threats: each names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (?P<threat>[^|]+) \| [^|]+ \| (?P<tests>`[^|]+`) \|$", re.MULTILINE)


def _rows() -> list[tuple[str, str]]:
    text = (ROOT / "docs" / "explanation" / "evidence.md").read_text(encoding="utf-8")
    section = text.split("\n## Threats\n")[1].split("\n## ")[0]
    rows = [(found["threat"], found["tests"]) for found in _ROW.finditer(section)]
    assert len(rows) == section.count("\n| ") - 2  # the head and the line under it
    return rows


@pytest.mark.parametrize(("threat", "tests"), _rows())
def test_a_threat_is_played_by_tests_that_are_there(threat: str, tests: str) -> None:
    for name in re.findall(r"`([^`]+)`", tests):
        file, _, function = name.partition("::")
        (path,) = (ROOT / "tests").rglob(file)
        assert f"def {function}(" in path.read_text(encoding="utf-8"), f"{threat}: {name}"
