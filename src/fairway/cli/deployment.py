"""Show a deployment from its acceptance to its end, whichever command asked for it."""

from __future__ import annotations

from typing import Any

from fairway.cli.output import print_json, stdout
from fairway.engine.contract.errors import error_from_json
from fairway.engine.contract.protocol import Outcome


def conclude(result: dict[str, Any], *, what: str, as_json: bool) -> None:
    """Show how a deployment ended. Raises the error it ended with, so that the exit code says it too."""
    outcome = result.get("outcome")
    error = result.get("error")
    if as_json and not isinstance(error, dict):
        print_json(result)
    if isinstance(error, dict) and outcome != Outcome.SUCCEEDED.value:
        raise error_from_json(error)
    if as_json:
        return
    from rich.text import Text

    console = stdout()
    if outcome == Outcome.UNCHANGED.value:
        console.print(Text(f"{what} is already what serves; nothing was changed"))
        return
    console.print(Text.assemble(("serving: ", "bold green"), f"{what} after {result.get('seconds', 0):.1f} s"))
    if isinstance(error, dict):
        console.print(Text.assemble(("note: ", "bold yellow"), str(error_from_json(error))))
