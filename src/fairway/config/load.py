"""Find and read ``fairway.toml``, and say in words what is wrong with it."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from fairway.config.environment import VARIABLES
from fairway.config.models import Config
from fairway.config.requires import refuse_other_version
from fairway.engine.contract.errors import Invalid

FILE_NAME = "fairway.toml"
MAX_BYTES = 1024 * 1024

Location = tuple[int | str, ...]

_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "too_short": "must not be empty",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
}


def find(start: Path) -> Path:
    """Return the ``fairway.toml`` of a directory or the nearest one above it.

    Raises ``Invalid`` when there is none.
    """
    for directory in (start, *start.parents):
        if (directory / FILE_NAME).is_file():
            return directory / FILE_NAME
    raise Invalid(
        f"there is no {FILE_NAME} here",
        why=f"looked in {start} and the directories above it",
        hint=f"change into the application's repository, or write its {FILE_NAME}",
    )


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check a ``fairway.toml``; without a path, the nearest one upwards.

    ``environ`` supplies the variables that override an environment's values; they
    are read when ``Config.environment`` is asked for that environment.
    Raises ``Invalid`` naming every wrong key at once.
    """
    file = (path or find(Path.cwd())).absolute()
    config = parse(_read(file), file.name)
    config._root = file.parent
    config._variables = {
        name: value for name, value in environ.items() if name.endswith(tuple(f"_{suffix}" for suffix in VARIABLES))
    }
    return config


def _read(file: Path) -> str:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise Invalid(f"there is no file {file}", hint="name the fairway.toml of the application") from None
    except OSError as error:
        raise Invalid(f"{file} cannot be read", why=os.strerror(error.errno or 0)) from None
    if len(content) > MAX_BYTES:
        raise Invalid(f"{file} is too large", why=f"{len(content)} bytes, at most {MAX_BYTES}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Invalid(f"{file.name}, line {line}: not UTF-8 text", hint="save the file as UTF-8") from None


def parse(text: str, name: str = FILE_NAME) -> Config:
    """Check the text of a ``fairway.toml``; ``name`` is what errors call it. Raises ``Invalid``."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text, name) from None
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is not valid TOML", why=str(error)[:200]) from None
    return check(document, name)


def check(document: Mapping[str, Any], name: str) -> Config:
    """Check the document of a ``fairway.toml``. Raises ``Invalid`` with every problem at once."""
    refuse_other_version(document, name)
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        problems = [line for problem in error.errors(include_url=False) for line in _sentences(dict(problem), document)]
    problems = [f"{name}: {problem}" for problem in dict.fromkeys(problems)]
    if len(problems) == 1:
        raise Invalid(problems[0], hint="every key is described in docs/reference/configuration.md")
    raise Invalid(
        f"{name} has {len(problems)} problems",
        why="\n".join(problems),
        hint="every key is described in docs/reference/configuration.md",
    )


def _syntax_error(message: str, text: str, name: str) -> Invalid:
    match = re.search(r"\(at (?:line (\d+), column (\d+)|end of document)\)", message)
    what = message[: match.start()].strip() if match else message
    line = int(match[1]) if match and match[1] else text.count("\n") + 1
    lines = text.splitlines()
    shown = lines[line - 1].strip()[:80] if 0 < line <= len(lines) else ""
    where = f"{name}, line {line}" + (f", column {match[2]}" if match and match[2] else "")
    return Invalid(f"{where}: {what[:1].lower()}{what[1:]}", why=f"the line is: {shown}" if shown else "")


def _sentences(problem: dict[str, Any], document: Mapping[str, Any]) -> list[str]:
    """Turn one of pydantic's problems into lines of ``key: sentence``."""
    kind, location = problem["type"], tuple(problem["loc"])
    if kind == "contradictions":
        return str(problem["msg"]).split("\n")
    if location and location[-1] == "[key]":
        location = location[:-1]
    key = _dotted(location)
    if kind == "extra_forbidden":
        return [f"{key}: unknown key{_suggestion(location, document)}"]
    template = _SENTENCES.get(kind)
    if template is not None:
        limits = {
            name: f"{value:g}" for name, value in problem.get("ctx", {}).items() if isinstance(value, int | float)
        }
        return [f"{key}: {template.format_map(limits)}"]
    sentence = str(problem["msg"]).removeprefix("Value error, ")
    return [f"{key}: {sentence}"]


def _dotted(location: Location) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            plain = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else repr(part[:60])
            text += f".{plain}" if text else plain
    return text or "the file"


def _suggestion(location: Location, document: Mapping[str, Any]) -> str:
    """Say which known key was probably meant, among those the table does not have yet."""
    model = _model_at(location[:-1])
    table: Any = document
    for part in location[:-1]:
        table = table[part]
    names = [field.alias or name for name, field in model.model_fields.items()] if model else []
    free = [name for name in names if name not in table]
    close = difflib.get_close_matches(str(location[-1]).lower(), free, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (known here: {', '.join(model.model_fields)})" if model else ""


def _model_at(location: Location) -> type[BaseModel] | None:
    """Return the model that describes the table at a location."""
    model: type[BaseModel] | None = Config
    mapping: Any = None
    for part in location:
        if mapping is not None:
            model, mapping = mapping, None
            continue
        field = model.model_fields.get(str(part)) if model else None
        annotation = field.annotation if field else None
        model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
        if get_origin(annotation) in (dict, tuple):
            mapping = next((a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, BaseModel)), None)
    return model
