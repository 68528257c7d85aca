"""``fairway init``: from an existing repository to a pipeline, in files that the team can read.

>>> from fairway.workflows import Wishes, prepare
>>> plan = prepare(Path("."), Wishes(), lambda question: question.default or "")  # doctest: +SKIP
>>> [change.file.path for change in plan.changes if change.writes]                 # doctest: +SKIP
['fairway.toml', 'Dockerfile.prod', '.github/workflows/ci.yml', ...]
"""

from __future__ import annotations

from fairway.workflows.answers import Provider, Question
from fairway.workflows.planning import Change, State
from fairway.workflows.preparing import Plan, Wishes, prepare

__all__ = ["Change", "Plan", "Provider", "Question", "State", "Wishes", "prepare"]
