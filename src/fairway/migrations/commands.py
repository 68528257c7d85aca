"""Which files of a repository name commands that a deployment runs, and which of these are forbidden."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import PurePosixPath

from fairway.config import Config
from fairway.engine.contract.forbidden import forbidden_words
from fairway.findings import Finding, RuleText, Severity

RULE = RuleText(
    "forbidden-command",
    Severity.ERROR,
    "a command that goes around the migrations",
    "A release's schema comes from its migrations alone. What else changes it is in no release, has no verdict, and "
    "no rollback can be checked against it.",
    "apply migrations only (prisma migrate deploy, alembic upgrade head, manage.py migrate); "
    "elsewhere, as in a test of CI, say why: # fairway-ignore forbidden-command: <reason>",
)
_PACKAGE = "package.json"
_PROSE = (".md", ".rst", ".txt", ".example")
_LOCAL = re.compile(r"(?:^|[._-])(?:dev|develop|development|local|test|tests|testing|override|e2e)(?:[._-]|$)")
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(?P<base>\S+)(?:\s+AS\s+(?P<name>\S+))?", re.IGNORECASE)
_IGNORED = re.compile(r"fairway-ignore\s+forbidden-command\s*:\s*\S")
_RUNNER = re.compile(r"(?<![\w./-])(?:npm|pnpm|yarn|bun|turbo|nx|npm-run-all|run-s|run-p)(?![\w./-])([^\n;&|]*)")
_QUOTES = re.compile(r"[\"',\[\]]")


def watched(config: Config, tracked: Iterable[str]) -> tuple[str, ...]:
    """Return those of the tracked files that name commands, or scripts that these may call.

    Both targets of the Dockerfile, Compose files but those for development and tests, workflows,
    what travels with a release, and ``tooling/deploy``.
    """
    own = {config.build.dockerfile, config.compose.file, *config.bundle.files}
    return tuple(sorted(path for path in tracked if path in own or _names_commands(path)))


def _names_commands(path: str) -> bool:
    name = PurePosixPath(path).name
    if name.lower().endswith(_PROSE):
        return False
    if path.startswith((".github/workflows/", "tooling/deploy/")) or name == _PACKAGE:
        return "node_modules/" not in path
    compose = any(fnmatch(path, pattern) for pattern in ("docker-compose*.y*ml", "compose*.y*ml"))
    return compose and not _LOCAL.search(name)


def find_forbidden(config: Config, files: Mapping[str, str]) -> tuple[Finding, ...]:
    """Find the forbidden commands that no comment with a reason lets pass."""
    return tuple(one for one in forbidden_in(config, files) if not _excused(files[one.path], one.line))


def forbidden_in(config: Config, files: Mapping[str, str]) -> tuple[Finding, ...]:
    """Find the forbidden commands in files, and in the scripts of ``package.json`` that they call."""
    texts = {path: text for path, text in files.items() if PurePosixPath(path).name != _PACKAGE}
    dockerfile = config.build.dockerfile
    if dockerfile in texts:
        targets = (config.build.migrator_target, config.build.app_target)
        texts[dockerfile] = stages_of(texts[dockerfile], targets)
    texts = {path: text for path, text in texts.items() if not path.lower().endswith(_PROSE)}
    found = [finding for path, text in texts.items() for finding in _in_text(path, text)]
    found += _in_scripts(files, texts.values())
    return tuple(sorted(set(found), key=lambda one: (one.path, one.line, one.message)))


def stages_of(dockerfile: str, targets: Iterable[str]) -> str:
    """Keep of a Dockerfile the stages that the targets are made from, every line where it is.

    A stage that is only copied from has run on the machine that builds, and reaches no database.
    """
    bases: dict[str, str] = {}
    stage = ""
    of_line: list[str] = []
    for number, line in enumerate(dockerfile.split("\n")):
        if found := _FROM.match(line):
            stage = (found["name"] or f"#{number}").lower()
            bases[stage] = found["base"].lower()
        of_line.append(stage)
    kept: set[str] = set()
    for target in targets:
        step: str | None = target.lower()
        while step is not None and step not in kept:
            kept.add(step)
            step = bases.get(step)
    return "\n".join(line if at in kept else "" for line, at in zip(dockerfile.split("\n"), of_line, strict=True))


def _in_text(path: str, text: str) -> list[Finding]:
    return [_finding(path, one.line, f"{one.words}: {one.why}") for one in forbidden_words(text)]


def _excused(text: str, line: int) -> bool:
    return any(_IGNORED.search(one) for one in text.splitlines()[max(0, line - 2) : line])


def _in_scripts(files: Mapping[str, str], texts: Iterable[str]) -> list[Finding]:
    packages = {path: _scripts(text) for path, text in files.items() if PurePosixPath(path).name == _PACKAGE}
    scripts = [(path, name, body) for path, found in packages.items() for name, body in found.items()]
    left = list(texts)
    called: dict[tuple[str, str], str] = {}
    while left:
        words = _called(left.pop())
        for path, name, body in scripts:
            if (name in words or name.removeprefix("pre") in words) and (path, name) not in called:
                called[path, name] = body
                left.append(body)
    return [
        _finding(path, _line_of(files[path], name), f"the script {name} runs {one.words}: {one.why}")
        for (path, name), body in called.items()
        for one in forbidden_words(body)
    ]


def _called(text: str) -> set[str]:
    """Return the words behind the programs that run scripts; any of them may be a script's name."""
    plain = _QUOTES.sub(" ", text)
    return {word for found in _RUNNER.finditer(plain) for word in found[1].split()}


def _scripts(text: str) -> dict[str, str]:
    try:
        scripts = json.loads(text)["scripts"]
        return {str(name): body for name, body in scripts.items() if isinstance(body, str)}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _line_of(text: str, name: str) -> int:
    at = text.find(json.dumps(name), max(0, text.find('"scripts"')))
    return text.count("\n", 0, at) + 1 if at >= 0 else 1


def _finding(path: str, line: int, message: str) -> Finding:
    return Finding(path, line, 1, RULE.id, RULE.severity, message, RULE.hint)
