"""Templates to texts: the environment they are rendered in, and how values are written into each kind of file."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
_WIDTH = 100


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        # YAML, TOML, Dockerfiles and scripts: each value is quoted by a filter of its own kind, not as HTML.
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # GitHub's own expressions have the usual braces.
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        finalize=_without_line_end,
    )
    environment.filters |= {
        "json": _json,
        "toml": _json,
        "toml_lines": _toml_lines,
        "words": _words,
        "docker_text": _docker_text,
        "compose_argv": _compose_argv,
    }
    return environment


def render(template: str, **values: Any) -> str:
    """Return a template's text; a name that it has and the values have not is an error."""
    text = _environment().get_template(template).render(**values)
    # Blocks that were left out leave their blank lines behind.
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def _without_line_end(value: Any) -> Any:
    """Leave out the end of a macro's last line: the line that it is called on has its own."""
    return value.rstrip("\n") if isinstance(value, str) else value


def _json(value: Any) -> str:
    """Write a text or a list: JSON's way is also YAML's, TOML's and a Dockerfile's."""
    return json.dumps(value, ensure_ascii=False)


def _toml_lines(values: Sequence[str]) -> str:
    """Write a list in one line, or in one line for each when that would be too long."""
    line = _json(list(values))
    return line if len(line) <= _WIDTH else "[\n" + "".join(f"    {_json(one)},\n" for one in values) + "]"


def _words(argv: Iterable[str]) -> str:
    """Write arguments as a shell reads them."""
    return shlex.join(argv)


def _docker_text(text: str) -> str:
    """Write a text into a Dockerfile's instruction, where a dollar sign would begin a variable."""
    return _json(text).replace("$", "\\$")


def _compose_argv(argv: Iterable[str]) -> str:
    """Write a command into a Compose file, where a dollar sign would begin a variable."""
    return _json([word.replace("$", "$$") for word in argv])
