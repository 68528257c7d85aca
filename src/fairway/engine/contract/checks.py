"""A look-over: checks with what was found and what to do, the same on a host and on the control side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

from fairway.engine.contract.errors import FairwayError

Check = Callable[[], str]


def run_checks(checks: Iterable[tuple[str, Check]]) -> list[dict[str, Any]]:
    """Run each check; return its name, whether it holds, what was found, and what to do when it does not."""
    return [_run(name, check) for name, check in checks]


def _run(name: str, check: Check) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "found": check(), "hint": ""}
    except FairwayError as error:
        found = f"{error.what}: {error.why}" if error.why else error.what
        return {"name": name, "ok": False, "found": found, "hint": error.hint}
    except OSError as error:
        return {"name": name, "ok": False, "found": f"{error.strerror}: {error.filename}", "hint": ""}
