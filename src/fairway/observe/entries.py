"""The entries of a host's record in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return an entry's line in the table; not every action is about a release, or took time."""
    seconds = entry.get("seconds")
    return (
        str(entry.get("n") or ""),
        str(entry.get("at") or "")[:19].replace("T", " "),
        str(entry.get("action") or ""),
        subject(entry),
        str(entry.get("outcome") or ""),
        f"{seconds:.1f}" if isinstance(seconds, (int, float)) else "",
        str(entry.get("by") or ""),
        remark(entry),
    )


def remark(entry: Mapping[str, Any]) -> str:
    """Say what else there is to know of an entry: why it was forced or failed, what it rested on, what it changed."""
    forced = entry.get("forced")
    if isinstance(forced, dict):
        return "; ".join(filter(None, (f"forced: {forced.get('reason')}", _said(entry))))
    return _said(entry)


def _said(entry: Mapping[str, Any]) -> str:
    error = entry.get("error")
    if isinstance(error, dict):
        return str(error.get("what", ""))
    if entry.get("action") == "trust":
        return "; ".join(f"{word} {', '.join(entry[word])}" for word in ("added", "ended", "changed") if word in entry)
    if entry.get("reason"):
        return str(entry["reason"])
    if isinstance(rested_on := entry.get("evidence"), list) and rested_on:
        return ", ".join(f"{one.get('kind')} by {one.get('by')}" for one in rested_on if isinstance(one, dict))
    freed = entry.get("freed_bytes")
    return f"freed {freed / 2**20:.1f} MiB" if isinstance(freed, int) else ""


def subject(entry: Mapping[str, Any]) -> str:
    """Return what an entry is about: a release, a backup, the edge's HAProxy, or the side that traffic went to."""
    to = entry.get("to")
    if isinstance(entry.get("backup"), str):
        return str(entry["backup"])
    if isinstance(to, dict):
        return f"HAProxy {str(to.get('version')).split('-')[0]}"
    if entry.get("rehearsed"):
        return str(entry["rehearsed"])[:11]
    return str(entry["tag"])[:11] if entry.get("tag") else f"to {to}" if to else ""
