"""The very ``fairway`` commands that a person would type: built here as text, and run as they would be there.

Only checked values become arguments: an environment out of the configuration, a tag, an action.
"""

from __future__ import annotations

import enum
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired
from tempfile import TemporaryDirectory
from typing import Any

from fairway.engine.contract.errors import Failed, FairwayError, error_from_json
from fairway.engine.contract.names import Tag
from fairway.process import Started, start_on_its_own

#: A deployment's id, as a host gives it.
DEPLOYMENT = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}")
_PLAN_S = 300.0
_GRACE_S = 10.0
_SAID_LINES = 20


class Action(enum.Enum):
    """What can be begun from a page."""

    DEPLOY = "deploy"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    RESTART = "restart"

    @property
    def needs_tag(self) -> bool:
        """Whether it is nothing without a release; a rollback finds one by itself."""
        return self in (Action.DEPLOY, Action.PROMOTE)


def plan_of(action: Action, environment: str, tag: Tag | None) -> tuple[str, ...]:
    """Return the arguments that say what it would do."""
    return _arguments(action, environment, tag, "--plan")


def start_of(action: Action, environment: str, tag: Tag | None) -> tuple[str, ...]:
    """Return the arguments that do it."""
    return _arguments(action, environment, tag)


def cancel_of(environment: str) -> tuple[str, ...]:
    """Return the arguments that cancel what runs."""
    return ("cancel", "--json", "--", environment)


def as_text(arguments: tuple[str, ...]) -> str:
    """Return a command as it would be typed."""
    shown = [one for one in arguments if one not in ("--json", "--")]
    return shlex.join(["fairway", *shown])


def _arguments(action: Action, environment: str, tag: Tag | None, *options: str) -> tuple[str, ...]:
    named = () if tag is None or action is Action.RESTART else (str(tag),)
    if action is Action.PROMOTE:
        return (action.value, f"--to={environment}", *options, "--json", "--", *named)
    return (action.value, *options, "--json", "--", environment, *named)


@dataclass(frozen=True)
class Answer:
    """How a command ended, and the document it printed; ``said`` is the end of what it told meanwhile."""

    code: int
    document: Mapping[str, Any]
    said: str

    @property
    def error(self) -> FairwayError | None:
        """Why it did not do what was asked for, None when it did."""
        told = self.document.get("error")
        if self.code == 0:
            return None
        if isinstance(told, dict):
            return error_from_json(told)
        return Failed(f"the command ended with exit code {self.code}", why=self.said)


def read_answer(code: int, out: Path, err: Path) -> Answer:
    """Read what a command that has ended wrote."""
    try:
        document = json.loads(out.read_bytes())
    except ValueError:
        document = {}
    lines = [text for text in map(words, err.read_text(encoding="utf-8", errors="replace").splitlines()) if text]
    return Answer(code, document if isinstance(document, dict) else {}, "\n".join(lines[-_SAID_LINES:]))


def words(line: str) -> str:
    """Return what a line of a command's progress says to people; nothing for what the journal tells better."""
    document = progress_of(line)
    if document is None:
        return line
    if document.get("kind") == "notice":
        return str(document.get("line"))
    if document.get("kind") == "step" and document.get("mark") != "started":
        return f"{document.get('step')}: {document.get('mark')}"
    return ""


def accepted_in(line: str) -> str:
    """Return the id of the deployment that a line of progress says the host has taken on, else nothing."""
    document = progress_of(line) or {}
    entry = document.get("entry")
    if document.get("kind") != "journal" or not isinstance(entry, dict) or entry.get("kind") != "accepted":
        return ""
    identity = str(entry.get("deployment"))
    return identity if DEPLOYMENT.fullmatch(identity) else ""


def progress_of(line: str) -> dict[str, Any] | None:
    """Return a line of progress as a document; None for one that is none, such as an error in words."""
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


@dataclass(frozen=True)
class Command:
    """Runs ``fairway`` with this Python and this environment, in the directory of a ``fairway.toml``."""

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    def ask(self, arguments: tuple[str, ...], root: Path) -> Answer:
        """Run one that changes nothing, to its end. Raises ``Failed`` when it takes too long."""
        with TemporaryDirectory(prefix="fairway-ui-") as directory:
            out, err = Path(directory, "out"), Path(directory, "err")
            process = self.start(arguments, root, out, err)
            try:
                code = process.wait(_PLAN_S)
            except TimeoutExpired:
                process.terminate()
                process.wait(_GRACE_S)
                raise Failed(f"{as_text(arguments)} has not answered within {_PLAN_S:g} s") from None
            return read_answer(code, out, err)

    def start(self, arguments: tuple[str, ...], root: Path, out: Path, err: Path) -> Started:
        """Start one that goes on without this process; its progress comes as JSON lines in ``err``."""
        return start_on_its_own(self._argv(arguments), cwd=root, env=self._environ(root), out=out, err=err)

    def _argv(self, arguments: tuple[str, ...]) -> list[str]:
        # -P: what lies in the repository is not taken for a module of Python's.
        return [sys.executable, "-P", "-m", "fairway", *arguments]

    def _environ(self, root: Path) -> dict[str, str]:
        return {**self.environ, "PWD": str(root), "FAIRWAY_PROGRESS": "json"}
