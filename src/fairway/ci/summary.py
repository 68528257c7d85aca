"""The result of a run as Markdown, for a page, and as JSON, for a program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fairway.ci.results import StageResult, State

_MARKS = {State.PASSED: "✅", State.FAILED: "❌", State.SKIPPED: "⏭️", State.CANCELLED: "🛑"}
# GitHub takes a megabyte a step; a page that somebody reads is much shorter.
_MAX_FAILURES = 50
_MAX_MESSAGE = 300
_MAX_NAME = 200
_MAX_PAGE_BYTES = 900_000


def as_json(results: Sequence[StageResult], outcome: State, seconds: float) -> dict[str, Any]:
    """Return the document that ``--json`` prints."""
    return {
        "outcome": outcome.value,
        "seconds": round(seconds, 3),
        "stages": [result.as_json() for result in results],
    }


def as_markdown(results: Sequence[StageResult], outcome: State, seconds: float) -> str:
    """Return a table of the stages, and of each that failed its tests and the end of its log."""
    lines = [
        f"## CI {outcome.value} in {seconds:.1f} s",
        "",
        "| | stage | time | tests | |",
        "| --- | --- | ---: | --- | --- |",
    ]
    for result in results:
        took = f"{result.seconds:.1f} s" if result.log else ""
        tests = result.tests.in_words if result.tests else ""
        said = "; ".join(part for part in (result.reason, *result.notes) if part)
        lines.append(f"| {_MARKS[result.state]} | {_cell(result.name)} | {took} | {tests} | {_cell(said)} |")
    text = "\n".join(lines) + "\n"
    for result in results:
        if result.state is State.FAILED:
            more = "\n".join(["", *_failed(result)]) + "\n"
            if len((text + more).encode(errors="replace")) > _MAX_PAGE_BYTES:
                return text + "\nThe page would be too long with the other failures: they are in the logs.\n"
            text += more
    return text


def _failed(result: StageResult) -> list[str]:
    lines = [f"### {result.name}: {_cell(result.reason)}", ""]
    failures = result.tests.failures if result.tests else ()
    for failure in failures[:_MAX_FAILURES]:
        place = f"{failure.path}:{failure.line}" if failure.line else failure.path
        where = f" ({_code(place, _MAX_MESSAGE)})" if place else ""
        lines.append(
            f"- {_code(failure.test, _MAX_NAME)}{where}: {_code(failure.message.splitlines()[0], _MAX_MESSAGE)}"
        )
    if len(failures) > _MAX_FAILURES:
        lines.append(f"- and {len(failures) - _MAX_FAILURES} more")
    lines += [""] if failures else []
    if result.tail:
        fence = _fence("\n".join(result.tail), 3)
        lines += [
            "<details><summary>The end of its log</summary>",
            "",
            f"{fence}text",
            *result.tail,
            fence,
            "",
            "</details>",
        ]
    return lines


def _cell(text: str) -> str:
    """Return text that stays within its cell and means nothing to Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>|#!~])", r"\\\1", " ".join(text.split()))


def _code(text: str, at_most: int) -> str:
    """Return text as code on one line: an empty one would end the code and let Markdown begin."""
    text = " ".join(text.split())[:at_most]
    fence = _fence(text, 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _fence(text: str, at_least: int) -> str:
    """Return more backticks than stand together anywhere in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(at_least, longest + 1)
