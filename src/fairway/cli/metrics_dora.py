"""``fairway metrics dora``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from fairway.cli.output import JsonOption
from fairway.engine.contract.errors import Failed, FairwayError, Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairway.config import Config
    from fairway.observe.attempts import Attempt
    from fairway.observe.dora import Dora, Figure

_SPAN = re.compile(r"([1-9][0-9]{0,3})([dw])")


def dora(
    environment: Annotated[
        str | None, typer.Argument(help="Where; without it, the last in the order of promotion.")
    ] = None,
    since: Annotated[str, typer.Option(help="How far back: days or weeks, such as 90d or 12w.")] = "90d",
    as_json: JsonOption = False,
) -> None:
    """Show DORA's four figures: deployment frequency, lead time, change failure rate, time to restore.

    Computed from the host's whole record, which is checked first; when the changes
    were committed comes from the Git repository here. A release that was sent back,
    failed or was rolled back counts as a failure. Where there is too little to tell,
    it says n/a and why.
    """
    from fairway.cli.context import open_engine
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.evidence.record import read_record
    from fairway.observe.attempts import read_attempts, read_time
    from fairway.observe.commits import commit_times
    from fairway.observe.dora import arrivals, measure

    config = load()
    name = environment or _last(config)
    now = datetime.now(UTC)
    begin = now - _span(since)
    with open_engine(config.environment(name)) as engine:
        record = read_record(engine)
    if record.problems:
        raise Failed(
            f"the record of {name} does not hold together, so nothing is counted from it",
            why=record.problems[0],
            hint=f"fairway history {name} --verify",
        )
    attempts = read_attempts(name, record.entries)
    came = arrivals(attempts, begin)
    committed = {
        one.tag: found for one in came if (found := commit_times(config.root, one.tag, one.replaces)) is not None
    }
    committed |= _released(config, [one for one in came if one.tag not in committed])
    begins = read_time(str(record.entries[0].get("at"))) if record.entries else None
    figures = measure(name, attempts, since=begin, now=now, committed=committed, record_begins=begins)
    if as_json:
        print_json(figures.as_json())
    else:
        _show(figures)


def _last(config: Config) -> str:
    if not config.environment_order:
        raise Invalid("fairway.toml has no environments yet", hint="add a table like [environments.production]")
    return config.environment_order[-1]


def _span(text: str) -> timedelta:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise Invalid(f"not a period: {text[:40]!r}", hint="days or weeks: --since 90d, --since 12w")
    return timedelta(days=int(match[1]) * (7 if match[2] == "w" else 1))


def _released(config: Config, missing: Sequence[Attempt]) -> dict[str, list[datetime]]:
    """Return when these releases were made, which is after their commits: the next best where Git does not know."""
    from fairway.cli.context import open_archive
    from fairway.engine.contract.names import Tag
    from fairway.observe.attempts import read_time

    if not missing:
        return {}
    try:
        entries = open_archive(config).read_all([Tag(one.tag) for one in missing])
    except FairwayError:
        return {}  # they are told as unknown
    made = {str(one.tag): read_time(one.named.release.created_at) for one in entries if one.named is not None}
    return {tag: [at] for tag, at in made.items() if at is not None}


def _show(found: Dora) -> None:
    from fairway.cli.output import print_table
    from fairway.observe.dora import counted
    from fairway.observe.durations import duration

    frequency, lead = found.deployment_frequency, found.lead_time
    failures, restore = found.change_failure_rate, found.time_to_restore
    print(f"{found.environment}, {found.observed_from:%Y-%m-%d} to {found.until:%Y-%m-%d} (UTC)\n")
    print_table(
        ("figure", "value", "from"),
        [
            ("deployment frequency", *_line(frequency, f"{frequency.value or 0:.1f} per week", "deployment")),
            ("lead time for changes", *_line(lead, duration(lead.value or 0), "change", ", their median")),
            ("change failure rate", *_line(failures, f"{failures.value or 0:.0%}", "attempt")),
            ("time to restore", *_line(restore, duration(restore.value or 0), "failure", ", their median")),
        ],
    )
    print(
        f"\nfailures: {found.sent_back} sent back, {found.rolled_back} rolled back, "
        f"{found.failed_unseen} failed before any visitor met them"
    )
    if found.unknown:
        print(
            f"not in the lead time, as neither Git nor the archive knows it: {counted(len(found.unknown), 'release')}"
        )


def _line(figure: Figure, text: str, of: str, how: str = "") -> tuple[str, str]:
    from fairway.observe.dora import counted

    if figure.value is None:
        return "n/a", figure.why
    return text, f"{counted(figure.count, of)}{how if figure.count > 1 else ''}"
