"""Repositories to begin in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fairway.workflows import Plan, Provider, Wishes, prepare
from fairway.workflows.answers import Question
from tests.unit.workflows import shapes


def by_default(question: Question) -> str:
    assert question.default is not None, f"{question.name} has no default"
    return question.default


Begin = Callable[..., Plan]
Written = Callable[..., Path]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Make a repository of a shape and write its pipeline; returns the plan that was written."""

    def begin(shape: str, wishes: Wishes | None = None, **options: str) -> Plan:
        root = shapes.make(tmp_path / shape, shape, **options)
        plan = prepare(root, wishes or Wishes(), by_default)
        plan.write()
        return plan

    return begin


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return the root of a shape's repository with its pipeline, to be looked at only: made once."""
    made: dict[tuple[str, Provider], Path] = {}

    def written(shape: str, provider: Provider = Provider.GITHUB) -> Path:
        if (shape, provider) not in made:
            root = shapes.make(tmp_path_factory.mktemp(shape), shape)
            prepare(root, Wishes(provider=provider), by_default).write()
            made[shape, provider] = root
        return made[shape, provider]

    return written
