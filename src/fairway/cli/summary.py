"""What a pipeline's page shows of a command: Markdown, added to the file that GitHub names, nothing elsewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairway.engine.contract.errors import FairwayError, error_from_json
from fairway.engine.contract.protocol import Outcome

if TYPE_CHECKING:
    from fairway.cli.progress import Progress
    from fairway.engine.contract.manifest import Release
    from fairway.evidence.explain import Standing

VARIABLE = "GITHUB_STEP_SUMMARY"
_MARKS = {"done": "✅", "failed": "❌", "undone": "↩️"}
_MOST_CHARACTERS = 2000


def add(markdown: str, environ: Mapping[str, str] = os.environ) -> None:
    """Add to the page of the step that runs. That it cannot be written is not worth failing a deployment for."""
    path = environ.get(VARIABLE)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown.rstrip("\n") + "\n\n")
    except OSError:
        return


def plain(text: Any) -> str:
    """Return a text that Markdown shows as it is, in one line: what a host or a commit says is not markup."""
    line = " ".join(str(text).split())[:_MOST_CHARACTERS]
    return re.sub(r"([\\`*_{}\[\]()#+!|~@])", r"\\\1", line).replace("&", "&amp;").replace("<", "&lt;")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table."""
    lines = [columns, ["---"] * len(columns), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def released(release: Release, name: str, *, existing: bool) -> str:
    """Return what was released, by digest, and what its migrations are to the release before it."""
    text = f"### {'Released before' if existing else 'Released'}: `{release.tag}`\n\n"
    parts = (
        ("release", name),
        ("application", release.app.digest),
        ("migrator", release.migrator.digest),
        ("bundle", release.bundle.digest),
    )
    text += table(("part", "digest"), parts)
    if release.migrations.shipped:
        rows = [(one.id, one.verdict.value) for one in release.migrations.shipped]
        text += "\n\n" + table(("migration", "verdict"), rows)
    return text


def checklist(standing: Standing, environment: str) -> str:
    """Return what an environment asks of a release, and what of it is met."""
    tag = standing.named.release.tag.short
    text = f"### {plain(environment)}: {'everything is met' if standing.met else 'not met yet'} for `{tag}`\n\n"
    rows = [
        ("✅" if check["met"] else "❌", check["name"], check["found"], "" if check["met"] else check["hint"] or "")
        for check in standing.answer["checks"]
    ]
    text += table(("", "check", "found", "next"), rows)
    return text + "".join(f"\n\nNote: {plain(note)}" for note in standing.notes)


def timeline(progress: Progress, environment: str, result: Mapping[str, Any] | FairwayError) -> str:
    """Return the steps of a deployment, how long each took, and how it ended."""
    error: FairwayError | None = result if isinstance(result, FairwayError) else None
    outcome = "failed"
    if not isinstance(result, FairwayError):
        outcome = str(result.get("outcome"))
        told = result.get("error")
        error = error_from_json(told) if isinstance(told, dict) else None
    sign = "✅" if outcome in (Outcome.SUCCEEDED.value, Outcome.UNCHANGED.value) else "❌"
    text = f"### {sign} {plain(environment)}: {plain(progress.headline or 'nothing was begun')} ({plain(outcome)})\n\n"
    if progress.steps:
        rows = [
            (_MARKS.get(mark, mark), step, "" if seconds is None else f"{seconds:.2f} s", message)
            for step, mark, message, seconds in progress.steps
        ]
        text += table(("", "step", "took", ""), rows) + "\n\n"
    if error is not None:
        text += "".join(
            f"**{name}**: {plain(said)}\n\n"
            for name, said in (("What", error.what), ("Why", error.why), ("Next", error.hint))
            if said
        )
    return text
