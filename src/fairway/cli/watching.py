"""Look again and again: redrawn in place on a terminal, a JSON line for each look elsewhere.

Ended by Ctrl-C, and by SIGTERM in the same way.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from fairway.cli.output import stdout
from fairway.cli.terminating import terminated_as_interrupted
from fairway.engine.contract.errors import Invalid

if TYPE_CHECKING:
    from rich.console import RenderableType

Seen = TypeVar("Seen")


def refuse_without_terminal(instead: str, *, as_json: bool) -> None:
    """Raise ``Invalid`` where there is nothing to redraw on, with what to use ``instead``."""
    if not as_json and not stdout().is_terminal:
        raise Invalid("there is no terminal to watch on", hint=instead)


def watch(
    look: Callable[[], Seen],
    *,
    show: Callable[[Seen], RenderableType],
    document: Callable[[Seen], Any],
    interval_s: float,
    count: int | None,
    as_json: bool,
) -> None:
    """Look every ``interval_s`` seconds and show it, ``count`` times or until Ctrl-C, which is the way to end it."""
    with suppress(KeyboardInterrupt), terminated_as_interrupted():
        if as_json:
            _print(document(seen) for seen in _looks(look, interval_s, count))
            return
        from rich.live import Live

        # Wrapped and cropped by what is drawn; in place, so that the last look stays to be read.
        console = stdout()
        console.soft_wrap = False
        with Live("asking ...", console=console, auto_refresh=False, screen=False, vertical_overflow="crop") as live:
            for seen in _looks(look, interval_s, count):
                live.update(show(seen), refresh=True)


def _looks(look: Callable[[], Seen], interval_s: float, count: int | None) -> Iterator[Seen]:
    never, looked = Event(), 0
    while True:
        begun = monotonic()
        yield look()
        looked += 1
        if looked == count:
            return
        never.wait(max(0.0, interval_s - (monotonic() - begun)))


def _print(documents: Iterator[Any]) -> None:
    try:
        for document in documents:
            print(json.dumps(document, ensure_ascii=False), flush=True)
    except BrokenPipeError:
        # Whoever read has enough; what is still buffered must not be complained about at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
