"""Ask an application on this host whether it can take visitors."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from fairway.engine.contract.errors import Refused

_PATIENCE_S = 5.0
_MAX_BODY_BYTES = 400


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the beginning of the body; without a status, why there is none."""

    status: int | None
    said: str

    def __str__(self) -> str:
        return self.said if self.status is None else f"{self.status} {self.said}".strip()


def ask(address: str, path: str) -> Answer:
    """Ask ``host:port`` once."""
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host.strip("[]"), int(port), timeout=_PATIENCE_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.read(_MAX_BODY_BYTES).decode("utf-8", errors="replace"))
    except (OSError, HTTPException) as error:
        return Answer(None, f"no answer: {error}")
    finally:
        connection.close()


def require_ready(address: str, path: str, successes: int) -> None:
    """Refuse unless every one of several answers in a row is 200."""
    for _ in range(successes):
        answer = ask(address, path)
        if answer.status != 200:
            raise Refused(
                f"Fairway's path is not ready: GET {path} on {address} is answered by {answer}",
                hint="fairway status shows what serves; traffic stays where it is",
            )


def require_alive(address: str, path: str) -> None:
    """Refuse unless the application answers, with whatever but a server error."""
    answer = ask(address, path)
    if answer.status is None or answer.status >= 500:
        raise Refused(
            f"the existing application is not fit for visitors: GET {path} on {address} is answered by {answer}",
            hint="start it, or go back to it all the same with --anyway",
        )
