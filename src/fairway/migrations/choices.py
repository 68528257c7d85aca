"""What a caller can choose from; apart from what acts on it, so that a command line knows it without loading that."""

from __future__ import annotations

import enum


class Form(enum.Enum):
    """How findings are said."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


class Word(enum.Enum):
    """What a person can say of a migration."""

    EXPAND = "expand"
    CONTRACT = "contract"
