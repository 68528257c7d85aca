"""How it stands with telling: who is told of what, what was told last, what waits, and what is wrong. No address."""

from __future__ import annotations

from typing import Any

from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.notifications import apprise
from fairway.engine.notifications.addresses import read_addresses, try_addresses
from fairway.engine.notifications.outbox import Outbox, read_outbox
from fairway.engine.notifications.plain import harmless, line
from fairway.engine.notifications.receivers import Notifications
from fairway.engine.notifications.teller import reached
from fairway.engine.notifications.wording import moment, titled

_SHOWN = 20


def describe(layout: Layout, host: HostConfig) -> dict[str, Any] | None:
    """Return it for the status, without reading the environment file; None where nobody is told anything."""
    if host.notifications is None:
        return None
    outbox = read_outbox(layout)
    return {
        "receivers": [receiver.as_json() for receiver in host.notifications.receivers],
        "waiting": len(outbox.letters) if outbox else 0,
        "warnings": warnings(outbox, host.notifications) if outbox else [],
    }


def warnings(outbox: Outbox, config: Notifications) -> list[str]:
    """Say which receivers could not be told, how much, since when and why."""
    found = []
    for key in config.keys:
        trouble = outbox.troubles.get(key)
        if trouble is None:
            continue
        waiting = sum(letter.to == key for letter in outbox.letters)
        count = waiting + trouble.lost
        what = f"{count} for {key}" if count else key
        lost = f", {trouble.lost} of them given up" if trouble.lost else ""
        found.append(f"{what} could not be delivered since {moment(trouble.since)}{lost}: {line(trouble.why, 300)}")
    return found


def list_receivers(layout: Layout, host: HostConfig) -> dict[str, Any]:
    """Return everything that is known of the receivers, with their services and never their addresses."""
    config = _config(host)
    outbox, addresses = read_outbox(layout), try_addresses(layout, config)
    rows = []
    for receiver in config.receivers:
        scheme = "" if isinstance(addresses, FairwayError) else addresses.scheme(receiver.url_key)
        rows.append({**receiver.as_json(), "service": scheme, "usable": bool(scheme)})
    letters = outbox.letters if outbox else []
    return {
        "environment": host.environment,
        "receivers": rows,
        "problem": apprise.why(addresses) if isinstance(addresses, FairwayError) else "",
        "told": outbox.told[-_SHOWN:] if outbox else [],
        "waiting": [
            {"to": one.to, "event": one.event, "title": one.title, "at": one.at, "tries": one.tries}
            for one in letters[:_SHOWN]
        ],
        "waiting_count": len(letters),
        "held_back": sum(bucket.held for bucket in outbox.buckets.values()) if outbox else 0,
        "warnings": warnings(outbox, config) if outbox else [],
    }


def send_test(layout: Layout, host: HostConfig, *, by: str, to: str | None) -> dict[str, Any]:
    """Send a message to one receiver, or to all, and return what came of each; no limit holds it back."""
    config = _config(host)
    keys = config.keys if to is None else (to,)
    if to is not None and to not in config.keys:
        raise Invalid(f"there is no receiver {to[:60]!r}", why=f"there is {', '.join(config.keys)}")
    apprise.require()
    layout.notifications.mkdir(mode=0o700, exist_ok=True)
    addresses = read_addresses(layout, config)
    title = addresses.clean(titled(host.project, host.environment, "a test of notifications"))
    body = harmless(f"Asked for by {line(by, 200)}.\nNothing happened: this is what a message looks like.")
    rows: list[dict[str, Any]] = []
    for key in keys:
        try:
            home = layout.notifications / "apprise"
            apprise.send(addresses, key, kind="info", title=title, body=addresses.clean(body), home=home)
            rows.append({"to": key, "sent": True, "said": "", "hint": ""})
        except FairwayError as error:
            rows.append({"to": key, "sent": False, "said": apprise.why(error), "hint": error.hint})
    reached(layout, [row["to"] for row in rows if row["sent"]])
    return {"environment": host.environment, "results": rows}


def check(layout: Layout, host: HostConfig) -> str:
    """Look over what telling needs; return a line on it. Raises ``FairwayError`` with what is missing."""
    config = _config(host)
    apprise.require()
    addresses = read_addresses(layout, config)
    for key in config.keys:
        addresses.of(key)
    outbox = read_outbox(layout)
    if outbox and (wrong := warnings(outbox, config)):
        raise Failed("; ".join(wrong), hint=f"fairway notify test {host.environment}")
    return f"{len(config.keys)} receivers: {', '.join(config.keys)}"


def _config(host: HostConfig) -> Notifications:
    if host.notifications is None:
        raise Invalid(
            "nobody is told anything of this host",
            why="fairway.toml names no receivers for it, or did not when it was prepared",
            hint=f"add [[notifications]], then: fairway bootstrap {host.environment}",
        )
    return host.notifications
