"""What is left of secrets in this host's database: looked at for a status, and cleared on the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.errors import Failed, FairwayError, Refused
from fairway.engine.contract.protocol import Outcome
from fairway.engine.database import Database
from fairway.engine.deployment import Deployment
from fairway.engine.gate.hold import refuse_held
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.leftovers import Found, clear, outcome_of, refuse_unnamed, scan
from fairway.engine.lock import Lock
from fairway.engine.observation import deployment_of
from fairway.engine.state import read_state

PURPOSE = "clearing of leftover secrets"
ROTATE = (
    "rotate each of them, at whoever issued it, and put the new value where the application reads it: "
    "older dumps, the write-ahead log and rows not yet vacuumed still hold the old one"
)


def scan_host(layout: Layout, host: HostConfig) -> dict[str, Any]:
    """Return what is left on this host, by the names that the release which serves brought along.

    ``scan`` is None when it names no place. Raises ``Failed`` when the database does not answer.
    """
    deployment = _serving(layout, host)
    places = deployment.release.leftovers
    found = scan(_database(deployment), places) if places else None
    return {"release": deployment.request.tag, "scan": found.as_json() if found else None, "set": _set(deployment)}


def clear_host(layout: Layout, host: HostConfig, *, by: str, expected: Sequence[Found]) -> dict[str, Any]:
    """Empty what was found, all of it or nothing, and put that on the record.

    What may be emptied comes from the release that serves and never from the request, so the deploy key
    may ask: it could have the same done by deploying. ``expected`` is what the person who asks has
    seen; where the database has anything else by now, nothing is changed. Not while a deployment
    runs, nor while somebody has locked the environment.
    """
    lock = Lock.acquire(layout.lock, by=by, purpose=PURPOSE)
    try:
        refuse_held(layout, host.environment)
        deployment = _serving(layout, host)
        refuse_unnamed(deployment.release.leftovers, expected)
        return _clear_on_record(layout, deployment, by, expected)
    finally:
        lock.release()


def leftovers_of(deployment: Deployment) -> dict[str, Any] | None:
    """Return for a status how many values are left; ``rows`` is None when the database cannot be asked.

    None when the release names no place to look at.
    """
    places = deployment.release.leftovers
    if not places:
        return None
    try:
        return scan(_database(deployment), places).as_json()
    except FairwayError as error:
        return {"found": [], "rows": None, "missing": [error.what]}


def _clear_on_record(layout: Layout, deployment: Deployment, by: str, expected: Sequence[Found]) -> dict[str, Any]:
    begun = clock.monotonic()
    facts: dict[str, Any] = {"action": "clear-secrets", "named_by": deployment.request.tag, "by": by}
    named = [one.as_json() for one in expected if one.rows]
    ledger = Ledger(layout.ledger)
    try:
        cleared = clear(_database(deployment), deployment.release.leftovers, expected)
    except FairwayError as error:
        seconds = round(clock.monotonic() - begun, 3)
        ended = outcome_of(error).value
        ledger.append(**facts, outcome=ended, seconds=seconds, asked=named, error=error.as_json())
        raise
    documents = [one.as_json() for one in cleared if one.rows]
    seconds = round(clock.monotonic() - begun, 3)
    ledger.append(**facts, outcome=Outcome.SUCCEEDED.value, seconds=seconds, cleared=documents)
    return {"cleared": documents, "rows": sum(one.rows for one in cleared), "advice": ROTATE}


def _serving(layout: Layout, host: HostConfig) -> Deployment:
    state = read_state(layout.state)
    if state.active is None:
        raise Refused(
            "nothing is recorded as serving on this host",
            why="where leftovers may lie comes with a release",
            hint="fairway deploy <environment> <tag>",
        )
    return deployment_of(layout, host, state.active, state)


def _set(deployment: Deployment) -> list[str]:
    """Return which of the names have a value in the host's settings, where they are variables' names."""
    try:
        settings = deployment.settings
    except FairwayError:
        return []
    names = {name for place in deployment.release.leftovers for name in place.keys}
    return sorted(name for name in names if settings.get(name))


def _database(deployment: Deployment) -> Database:
    database = deployment.driver.database(deployment.launch)
    if database is None:
        raise Failed(
            "the application's database cannot be asked",
            why="no single PostgreSQL of this project runs in a container of this host",
            hint="where it runs elsewhere, look at it there; compose.database_service in fairway.toml names it here",
        )
    return database
