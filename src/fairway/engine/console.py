"""The commands for an operator on the host itself: when the pipeline, the registry and the laptop are all gone.

They take the lock and write the ledger like any other.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

from fairway.engine.accept import Acceptance, Asked
from fairway.engine.contract.errors import Invalid, error_from_json
from fairway.engine.contract.names import Tag
from fairway.engine.contract.protocol import Outcome
from fairway.engine.follow import follow
from fairway.engine.hostconfig import read_host_config
from fairway.engine.journal import latest_deployment
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.status import describe_host

#: What this module answers; the engine's entry point hands these over.
COMMANDS = ("status", "rollback", "restart", "reconcile", "attach", "cancel", "history", "lock", "unlock")
_SHOWN = 20
_SEARCHED = 1000


def run_console(arguments: list[str], layout: Layout) -> None:
    """Run one command. Raises the error it ends with."""
    asked = _parser().parse_args(arguments)
    console = Console(layout, as_json=asked.json)
    if asked.command == "rollback":
        if asked.force != bool(asked.reason):
            raise Invalid("--force and --reason go together", why="what is forced is in the record, with why")
        console.rollback(_tag_here(layout, asked.tag) if asked.tag else None, asked.plan, asked.reason or "")
    elif asked.command == "lock":
        console.lock(asked.reason)
    elif asked.command in ("restart", "reconcile"):
        getattr(console, asked.command)(asked.plan)
    else:
        getattr(console, asked.command)()


class Console:
    """One command's run on this host."""

    def __init__(self, layout: Layout, *, as_json: bool) -> None:
        self._layout = layout
        self._host = read_host_config(layout.host_config)
        self._accept = Acceptance(layout, self._host)
        self._asked = Asked(by=_whoami(), notice=_say)
        self._as_json = as_json

    def status(self) -> None:
        """Print what serves, what could be gone back to, and what differs from the record."""
        found = describe_host(self._layout, self._host)
        if self._as_json:
            print(json.dumps(found, indent=2))
        else:
            serving = found["serving"]
            print(
                f"serves: {serving['tag']} ({serving['slot']}) since {serving['since']}"
                if serving
                else "serves: nothing"
            )
            if found["locked"]:
                print("locked: by {by} since {since}: {reason}".format(**found["locked"]))
            for row in found["rollbacks"]:
                cost = (
                    f"about {row['seconds']} s, {'warm' if row['warm'] else 'cold'}" if row["possible"] else row["why"]
                )
                print(f"go back to: {row['tag']} ({cost})")
            for line in found["drift"]:
                print(f"drift: {line}")
            for door in found["uptime"] or ():
                print(f"front door {door['url']}: {door['state']}{': ' if door['why'] else ''}{door['why']}")
        if found["drift"]:
            sys.exit(1)

    def rollback(self, tag: Tag | None, planning: bool, forced: str = "") -> None:
        """Go back to a release that served here."""
        asked = replace(self._asked, forced=forced)
        if planning:
            self._show_plan(self._accept.plan_rollback(tag, asked))
        else:
            self._conclude(self._accept.rollback(tag, asked))

    def restart(self, planning: bool) -> None:
        """Start the release that serves again, with the settings of now."""
        if planning:
            self._show_plan(self._accept.plan_restart(self._asked))
        else:
            self._conclude(self._accept.restart(self._asked))

    def reconcile(self, planning: bool) -> None:
        """Make what runs agree with the record."""
        if planning:
            self._show_plan(self._accept.plan_reconcile(self._asked))
        else:
            self._conclude(self._accept.reconcile(self._asked))

    def attach(self) -> None:
        """Follow the newest deployment to its end."""
        self._conclude(latest_deployment(self._layout))

    def cancel(self) -> None:
        """Ask the running deployment to revert, and follow it."""
        self._conclude(self._accept.cancel(by=self._asked.by))

    def lock(self, reason: str) -> None:
        """Let nothing change what serves until it is unlocked."""
        hold = self._accept.hold(reason, self._asked)
        print(json.dumps({"locked": hold.as_json()}, indent=2) if self._as_json else f"locked: {hold.reason}")

    def unlock(self) -> None:
        """Take the lock away, whoever holds it."""
        held = self._accept.give_hold_up(self._asked)
        if self._as_json:
            print(json.dumps({"was_locked": held.as_json() if held else None}, indent=2))
        else:
            print(f"unlocked; it was locked by {held.by}: {held.reason}" if held else "it was not locked")

    def history(self) -> None:
        """Print the newest entries of the record."""
        entries = Ledger(self._layout.ledger).newest(_SHOWN)
        if self._as_json:
            print(json.dumps(entries, indent=2))
            return
        for entry in entries:
            forced = (entry.get("forced") or {}).get("reason")
            reason = (entry.get("error") or {}).get("what") or entry.get("reason") or ""
            reason = "; ".join(filter(None, (f"forced: {forced}" if forced else "", reason)))
            line = f"{entry['n']:>5}  {entry['at'][:19]}  {entry['action']:<10} {str(entry.get('tag') or '')[:11]:<12}"
            print(f"{line} {entry['outcome']:<10} {entry['by']}  {reason}".rstrip())

    def _conclude(self, identity: str | None) -> None:
        if identity is None:
            print("nothing to do")
            return

        def on_signal(number: int, frame: object) -> None:
            _say("cancelling: the engine is asked to revert")
            self._accept.cancel(by=self._asked.by)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, on_signal)
        result = follow(self._layout, identity, _show_entry)
        if self._as_json:
            print(json.dumps(result, indent=2))
        error = result.get("error")
        if isinstance(error, dict) and result.get("outcome") != Outcome.SUCCEEDED.value:
            raise error_from_json(error)

    def _show_plan(self, plan: dict[str, Any]) -> None:
        if self._as_json:
            print(json.dumps(plan, indent=2))
            return
        for line in plan.get("drift", ()):
            print(f"drift: {line}")
        for step in plan["steps"]:
            print(f"{step['step']:<10} {step['change']}")
        for row in plan.get("rollbacks", ()):
            print(f"go back to: {row['tag']} ({'possible' if row['possible'] else row['why']})")
        print("nothing was changed")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fairway", description="Fairway on this host.", epilog="Example: ./fairway rollback --plan"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in COMMANDS:
        help_text = (getattr(Console, name).__doc__ or "").strip()
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.add_argument("--json", action="store_true", help="print the result as one JSON document")
        if name in ("rollback", "restart", "reconcile"):
            command.add_argument("--plan", action="store_true", help="show the steps; change nothing")
        if name == "rollback":
            command.add_argument("--force", action="store_true", help="go on whatever stands in the way in the schema")
            command.add_argument("--reason", type=_reason, help="why it is forced; kept in the record")
        if name == "lock":
            command.add_argument("--reason", required=True, type=_reason, help="why; shown to whoever is refused")
        if name == "rollback":
            command.add_argument("tag", nargs="?", help="sha-<commit>, or enough of it; without one, the one before")
    return parser


def _reason(text: str) -> str:
    if not re.fullmatch(r"[^\x00-\x1f\x7f]{1,400}", text.strip()):
        raise argparse.ArgumentTypeError("one line of at most 400 characters")
    return text.strip()


def _tag_here(layout: Layout, prefix: str) -> Tag:
    wanted = prefix if prefix.startswith("sha-") else f"sha-{prefix}"
    found = sorted({str(entry["tag"]) for entry in Ledger(layout.ledger).newest(_SEARCHED, wanted)})
    if len(found) != 1:
        why = ", ".join(found) or "see: fairway history"
        raise Invalid(f"{prefix} means {'several releases' if found else 'no release of this host'}", why=why)
    return Tag(found[0])


def _show_entry(entry: dict[str, Any]) -> None:
    if entry["kind"] == "progress":
        _say(f"  {entry['step']}: {entry['message']}")
    elif entry["kind"] == "step" and entry.get("mark") != "started":
        seconds = entry.get("seconds")
        took = f"{seconds:6.2f} s" if isinstance(seconds, (int, float)) else " " * 8
        _say(f"{entry['mark']:<7} {entry['step']:<10} {took}  {entry['message']}")
    elif entry["kind"] == "ended":
        _say(f"{entry['outcome']}: {entry['tag']}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _whoami() -> str:
    user = os.environ.get("SUDO_USER") or getpass.getuser()
    return f"{user}@{socket.gethostname()} (on the host)"[:200]
