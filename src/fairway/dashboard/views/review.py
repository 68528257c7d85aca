"""What a reviewer looks at before deciding."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.dashboard.views.matrix import Row
from fairway.dashboard.views.release import Difference, EvidenceLine, Gate, Image


@dataclass(frozen=True)
class ReviewPage:
    """A release against what serves in an environment; ``replaces`` is the name of that, None when nothing does."""

    environment: str
    row: Row
    replaces: str | None
    difference: Difference
    images: tuple[Image, ...]
    gate: Gate
    evidence: tuple[EvidenceLine, ...]
    problems: tuple[str, ...]
