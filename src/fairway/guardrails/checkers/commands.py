"""Commands that go around the migrations, in what a deployment runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fairway.config import Config
from fairway.guardrails.checkers.hit import Hit
from fairway.migrations.commands import forbidden_in


def forbidden(files: Mapping[str, str], config: Config, allow: tuple[str, ...]) -> Iterator[Hit]:
    """Find what a release is refused for as well: see ``fairway.engine.contract.forbidden`` for the list."""
    for one in forbidden_in(config, files):
        if not any(word in one.message for word in allow):
            yield Hit(one.path, one.line, one.message, one.message)
