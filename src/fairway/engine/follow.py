"""Follow a deployment's journal to its end, for any number of clients."""

from __future__ import annotations

from typing import Any, Callable

from fairway.engine import clock
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.journal import Mark, parse_lines
from fairway.engine.layout import Layout
from fairway.engine.lock import holder

_LOOK_EVERY_S = 0.03


def follow(
    layout: Layout, identity: str, on_entry: Callable[[dict[str, Any]], None], *, skip: int = 0
) -> dict[str, Any]:
    """Hand over each journal entry after the first ``skip`` as it is written; return the last one.

    Raises ``Failed`` when the engine is gone without having ended the journal, with
    what it had failed in, and ``Invalid`` when there is no journal (any more).
    """
    path = layout.deployment(identity) / "journal.jsonl"
    if not path.exists():
        raise Invalid(
            f"the host has no journal of a deployment {identity}",
            why="there was none, or the retention has removed it",
            hint="what became of it is on the record: fairway history <environment>",
        )
    rest, failure = b"", ""
    with path.open("rb") as file:
        while True:
            running = holder(layout.lock) is not None
            content = rest + file.read()
            *lines, rest = content.split(b"\n")
            for entry in parse_lines(lines):
                if skip > 0:
                    skip -= 1
                else:
                    on_entry(entry)
                if entry.get("mark") == Mark.FAILED.value:
                    failure = f"{entry.get('step')}: {entry.get('message')}; "
                if entry["kind"] == "ended":
                    return {"deployment": identity, **entry}
            if not lines and not running:
                raise Failed(
                    f"the engine was lost in the middle of the deployment {identity}",
                    why=f"{failure}its own log is {layout.deployment(identity) / 'engine.log'} on the host",
                    hint="run the command again: it first finishes or undoes what was left",
                )
            clock.sleep(_LOOK_EVERY_S)
