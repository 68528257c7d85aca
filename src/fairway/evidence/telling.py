"""A statement as it is shown, with a host's verdict on it."""

from __future__ import annotations

from typing import Any

from fairway.engine.contract.names import Digest
from fairway.engine.contract.statement import Kind, Signed, Statement, parse_statement
from fairway.evidence.review import plain


def tell(signed: Signed, verdict: dict[str, Any] | None) -> dict[str, Any]:
    """Return a statement and what a host thinks of it as a document; ``verdict`` is None when it was not asked."""
    statement = parse_statement(signed.statement)
    return {
        **vars(statement),
        "kind": statement.kind.value,
        "digest": signed.digest,
        "says": plain(_says(statement)),
        "valid": verdict.get("valid") is True if verdict is not None else None,
        "who": verdict.get("who") if verdict is not None else None,
        "role": verdict.get("role") if verdict is not None else None,
        "why": verdict.get("why") if verdict is not None else None,
    }


def row(told: dict[str, Any]) -> tuple[str, ...]:
    """Return a statement's line in a table."""
    valid = {True: "yes", False: f"no: {told['why']}", None: "not judged"}[told["valid"]]
    return (
        str(told["kind"]),
        plain(str(told["who"] or "unknown")),
        str(told["environment"]),
        str(told["at"])[:19].replace("T", " "),
        plain(valid),
        str(told["says"]),
    )


def _says(statement: Statement) -> str:
    """Return what a statement says beyond its kind and its place."""
    until = f"until {str(statement.expires)[:16].replace('T', ' ')}" if statement.expires else ""
    if statement.kind is Kind.SOAKED:
        return f"served {statement.soaked_s} s"
    if statement.kind in (Kind.DEPLOYED, Kind.APPROVED):
        parts = (f"in place of {_short(statement.replaces)}", until, statement.reason or "")
        return ", ".join(part for part in parts if part)
    return ", ".join(part for part in (until, statement.reason or "") if part)


def _short(release: Digest | None) -> str:
    return release.short if release is not None else "nothing"
