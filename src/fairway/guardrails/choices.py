"""What a caller can choose from; apart from what acts on it, so that a command line knows it without loading that."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Form(enum.Enum):
    """How findings are said."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


class Template(enum.Enum):
    """The languages that a rule can be begun in; a rule may be of any that ast-grep knows."""

    TS = "ts"
    PYTHON = "python"


def usual_form(environ: Mapping[str, str]) -> Form:
    """Return the form that is read where this runs: GitHub puts annotations beside the code."""
    return Form.GITHUB if environ.get("GITHUB_ACTIONS") == "true" else Form.TEXT
