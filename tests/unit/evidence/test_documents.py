"""The documents that the pages show are what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

from fairway.engine.contract.statement import Kind, parse_statement

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "evidence.md"


def test_the_example_statements_are_statements_as_they_are_signed() -> None:
    found = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)]
    statements = [parse_statement(json.dumps(document).encode()) for document in found]
    assert [statement.kind for statement in statements] == [Kind.APPROVED, Kind.SOAKED]
    assert [json.loads(statement.to_bytes()) for statement in statements] == found


def test_every_kind_of_statement_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [kind for kind in Kind if f"| `{kind.value}` |" not in page] == []
