"""The one place that runs ast-grep: rules and files in, matches out."""

from __future__ import annotations

import json
import re
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fairway import process
from fairway.engine.contract.errors import Failed, Invalid
from fairway.guardrails.languages import comment_rule, syntax_rule
from fairway.guardrails.rules import Rule, Ruleset

_SYNTAX = "fairway-syntax-"
_COMMENTS = "fairway-comments-"
_AGAIN = "@"  # behind the id of a rule that has a further language
_TIMEOUT_S = 600.0
_BATCH_BYTES = 400_000  # of file names; a command line may have 2 MiB on Linux, environment included
_INSPECTED = re.compile(
    r"sg: entity\|file\|(?P<path>.*): (?:skipped=(?P<reason>\w+)|language=\w+,appliedRuleCount=(?P<rules>\d+))"
)
_NOT_A_PROBLEM = ("emptyFile",)


@dataclass(frozen=True)
class Match:
    """A piece of code that a rule matched. ``line`` and ``column`` count from 1.

    ``detail`` says what of it is meant, where the code alone does not.
    """

    rule: str
    path: str
    line: int
    column: int
    text: str
    source: str
    detail: str = ""


@dataclass(frozen=True)
class Scan:
    """What a run found: the rules' matches, code that does not parse, comments that speak of suppressing.

    ``read`` are the files that at least one rule was run on; ``unread`` are files of a known
    language that none can be run on, each with ast-grep's word for why not.
    """

    matches: tuple[Match, ...]
    syntax: tuple[Match, ...]
    comments: tuple[Match, ...]
    read: tuple[str, ...]
    unread: Mapping[str, str]


def find_binary() -> str:
    """Return the ``ast-grep`` that was installed with Fairway, else the one on PATH. Raises ``Failed``."""
    beside = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
    for place in (*beside, None):
        if found := shutil.which("ast-grep", path=place):
            return found
    raise Failed("ast-grep is not installed", hint="it comes with Fairway: pip install ast-grep-cli")


def scan(root: Path, ruleset: Ruleset, files: Sequence[str]) -> Scan:
    """Run the rules on files, named relative to ``root``. Raises ``Invalid`` for a rule that ast-grep refuses."""
    ruleset = replace(ruleset, rules=tuple(rule for rule in ruleset.rules if not rule.check))
    if not ruleset.rules or not files:
        return Scan((), (), (), (), {})
    matches: list[Match] = []
    read: list[str] = []
    unread: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="fairway-guardrails-") as name:
        config, origins = _write_project(Path(name), ruleset)
        argv = [find_binary(), "scan", "--config", str(config), "--json=stream", "--inspect", "entity", "--"]
        for batch in _batches(files):
            done = process.run([*argv, *batch], cwd=root, timeout_s=_TIMEOUT_S)
            if done.returncode != 0:
                raise _refusal(done, origins)
            matches += [_match(json.loads(line)) for line in done.stdout.splitlines() if line]
            for found in filter(None, map(_INSPECTED.fullmatch, done.stderr.splitlines())):
                if found["reason"] is None:
                    read += [found["path"]] if int(found["rules"]) else []
                elif found["reason"] not in _NOT_A_PROBLEM:
                    unread[found["path"]] = found["reason"]
    matches.sort(key=lambda match: (match.path, match.line, match.column, match.rule))
    return Scan(
        matches=tuple(match for match in matches if not match.rule.startswith("fairway-")),
        syntax=_once(match for match in matches if match.rule.startswith(_SYNTAX)),
        comments=_once(match for match in matches if match.rule.startswith(_COMMENTS)),
        read=tuple(sorted(read)),
        unread=unread,
    )


def run_rule(
    rule: Rule,
    utilities: Sequence[Mapping[str, Any]],
    codes: Sequence[str],
    excused: Callable[[Match], bool] = lambda _: False,
) -> tuple[list[int], list[int]]:
    """Run one rule on pieces of code, wherever its ``files`` say they would lie.

    Returns how many matches there were in each that are not ``excused``, and how many places that do not parse.
    """
    document = {key: value for key, value in rule.document.items() if key not in ("files", "ignores")}
    bare = replace(rule, document=document, files=(), ignores=())
    suffix = rule.languages[0].suffixes[0]
    with tempfile.TemporaryDirectory(prefix="fairway-samples-") as name:
        files = [f"{index}{suffix}" for index in range(len(codes))]
        for file, code in zip(files, codes, strict=True):
            Path(name, file).write_text(code, encoding="utf-8")
        found = scan(Path(name), Ruleset((bare,), tuple(utilities)), files)
    matches = [match for match in found.matches if not excused(match)]
    hits = [sum(match.path == file for match in matches) for file in files]
    broken = [sum(match.path == file for match in found.syntax) for file in files]
    return hits, broken


def _write_project(directory: Path, ruleset: Ruleset) -> tuple[Path, dict[str, str]]:
    """Write the rules as ast-grep reads them; return the configuration, and whose each file is.

    JSON is YAML. Every rule is run as a hint, so that ast-grep's exit code only tells of its own errors.
    """
    origins: dict[str, str] = {}
    for part, documents in (
        ("rules", [*_documents(ruleset.rules), *_companions(ruleset.rules)]),
        ("utils", [("a utility", document) for document in ruleset.utilities]),
    ):
        (directory / part).mkdir()
        for index, (origin, document) in enumerate(documents):
            file = directory / part / f"{index}.yml"
            severity = {"severity": "hint"} if part == "rules" else {}
            file.write_text(json.dumps({**document, **severity}), encoding="utf-8")
            shown = f"{origin}: {document.get('id')}"
            origins[f"{part}/{file.name}"] = shown
    config = directory / "sgconfig.yml"
    config.write_text(json.dumps({"ruleDirs": ["rules"], "utilDirs": ["utils"]}), encoding="utf-8")
    return config, origins


def _documents(rules: Sequence[Rule]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every rule as ast-grep reads it: once for each of its languages."""
    for rule in rules:
        for index, language in enumerate(rule.languages):
            name = f"{rule.id}{_AGAIN}{index}" if index else rule.id
            yield rule.origin, {**rule.document, "id": name, "language": language.names[0]}


def _companions(rules: Sequence[Rule]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield, for the files of every rule, the rules that find broken syntax and comments about suppressing."""
    places = dict.fromkeys((one, rule.files, rule.ignores) for rule in rules for one in rule.languages)
    for index, (language, files, ignores) in enumerate(places):
        limits = {key: list(globs) for key, globs in (("files", files), ("ignores", ignores)) if globs}
        for prefix, rule in ((_SYNTAX, syntax_rule(language)), (_COMMENTS, comment_rule(language, "fairway-ignore"))):
            document = {"id": f"{prefix}{index}", "language": language.names[0], "message": "-", **limits, "rule": rule}
            yield "Fairway", document


def _batches(files: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for file in files:
        size += len(file.encode()) + 1
        if batch and size > _BATCH_BYTES:
            yield batch
            batch, size = [], len(file.encode()) + 1
        batch.append(file)
    if batch:
        yield batch


def _match(document: dict[str, Any]) -> Match:
    start = document["range"]["start"]
    source = str(document["lines"]).split("\n", 1)[0]
    return Match(
        rule=str(document["ruleId"]).split(_AGAIN, 1)[0],
        path=document["file"],
        line=start["line"] + 1,
        column=start["column"] + 1,
        text=document["text"],
        source=source,
    )


def _once(matches: Iterator[Match]) -> tuple[Match, ...]:
    """Return one match of each place: two rules may be limited to files that overlap."""
    return tuple({(match.path, match.line, match.column): match for match in matches}.values())


def _refusal(done: process.Completed, origins: Mapping[str, str]) -> Failed | Invalid:
    found = re.search(r"Cannot parse rule .*?(?P<file>rules/\d+\.yml)", done.stderr)
    causes = "; ".join(re.findall(r"^╰▻ (.*)$", done.stderr, re.MULTILINE))
    if found:
        shown = origins.get(found["file"], "a rule")
        return Invalid(f"{shown} is not a rule that ast-grep accepts", why=causes or done.tail)
    if "global utility rules" in done.stderr:  # it does not say which
        return Invalid("a utility in utils/ is not one that ast-grep accepts", why=causes or done.tail)
    errors = [line for line in done.stderr.splitlines() if not line.startswith("sg: ")]
    return Failed("ast-grep failed", why="\n".join(errors)[-2000:] or f"exit code {done.returncode}")
