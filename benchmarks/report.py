"""Write the figures down: what they come to first, then each part, and on which machine they were seen."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Section:
    """What one part of the measurements found, as Markdown; ``in_short`` are lines for the summary."""

    title: str
    in_short: tuple[str, ...]
    text: str


def render(sections: Sequence[Section], command: str) -> str:
    """Return the results of one run as Markdown."""
    lines = [f"- {line}" for section in sections for line in section.in_short]
    parts = [f"## {section.title}\n\n{section.text.strip()}" for section in sections]
    head = f"""\
# Measured

Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}: {_machine()}.
The hosts are containers with a Docker daemon of their own on that one machine, which builds, serves,
asks and measures all at once: times are of use beside each other, in the same run, and not alone."""
    return "\n\n".join([head, "\n".join(lines), *parts]) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {system}"
