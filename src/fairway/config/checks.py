"""The checks of single values, shared by ``fairway.toml`` and the variables that override it.

Each returns the value or raises ``ValueError`` with the end of a sentence that
starts with the key's name: "must be ...".
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Callable
from typing import TypeVar

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.names import Repository
from fairway.engine.contract.trust import Policy

T = TypeVar("T")

#: A user of a host. It may not start with '-': ssh would take it for an option.
USER = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}"
#: Whoever looks at the dashboard, by their address for mail or the name that a proxy gives.
PERSON = r"[A-Za-z0-9._%+@-]{1,254}"
#: Whom a file can be encrypted to with age: a key of its own kind, or an SSH key of one of the kinds it takes.
AGE_RECIPIENT = (
    r"age1[02-9ac-hj-np-z]{58,2000}|ssh-(?:ed25519|rsa) [A-Za-z0-9+/=]{60,2000}(?: [^\x00-\x1f\x7f]{1,100})?"
)
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_ISSUER = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::[0-9]{1,5})?"
    r"(?:/[A-Za-z0-9._~%/-]{0,500})?"
)
_PORTS = {"http": "80", "https": "443"}
_DEPLOY_PATH = re.compile(r"/[A-Za-z0-9._/-]+")
_SHOWN = 60


def matching(pattern: str, meaning: str) -> Callable[[str], str]:
    """Return a check for a string that matches the whole pattern; ``meaning`` says it in words."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"must be {meaning}, not {value[:_SHOWN]!r}")
        return value

    return check


def told(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Turn a parser that raises ``FairwayError`` into a check that raises ``ValueError``."""

    def check(value: str) -> T:
        try:
            return parse(value)
        except FairwayError as error:
            details = "; ".join(part for part in (error.why, error.hint) if part)
            raise ValueError(f"{error.what} ({details})" if details else error.what) from None

    return check


def dashboard_url(value: str) -> str:
    """Check what a browser calls the dashboard, as it does itself: no path, no port that goes without saying."""
    match = _ORIGIN.fullmatch(value)
    if match is None:
        raise ValueError(
            f'must be like "https://deploy.example.com", in lower case and without a path, not {_shown(value)}'
        )
    _refuse_plain_http(match["scheme"], match["host"])
    if match["port"] is not None and (int(match["port"]) > 65535 or match["port"] == _PORTS[match["scheme"]]):
        raise ValueError(f"must be without the port that {match['scheme']} has anyway, or with one up to 65535")
    return value


def issuer(value: str) -> str:
    """Check the name of a provider of OpenID Connect: where what it says of itself is read."""
    match = _ISSUER.fullmatch(value)
    if match is None:
        raise ValueError(f'must be like "https://login.example.com/realms/team", not {_shown(value)}')
    _refuse_plain_http(match["scheme"], match["host"])
    return value


def _refuse_plain_http(scheme: str, host: str) -> None:
    if scheme == "http" and host not in ("127.0.0.1", "localhost"):
        raise ValueError("must start with https://: who signs in would be read on the way, and could be changed")


def _shown(value: str) -> str:
    return repr(value[:_SHOWN])


def repository(value: str) -> Repository:
    """Check an image repository whose registry Docker and Fairway understand alike.

    Docker takes the first part of a name for a registry only when it has a dot or a
    port or is ``localhost``; ``acme/app`` would mean another place to it.
    """
    checked = told(Repository)(value)
    if "." not in checked.registry and ":" not in checked.registry and checked.registry != "localhost":
        raise ValueError(
            f"must start with the registry's host, not {value[:_SHOWN]!r} (did you mean 'docker.io/{value[:_SHOWN]}'?)"
        )
    return checked


def deploy_path(value: str) -> str:
    """Check the directory on the hosts: absolute, plain, going nowhere else."""
    trimmed = value.rstrip("/")
    if (
        not _DEPLOY_PATH.fullmatch(trimmed)
        or any(part in (".", "..") for part in trimmed.split("/"))
        or "//" in trimmed
    ):
        raise ValueError(
            f"must be an absolute path of letters, digits, '.', '_' and '-', without '..', not {value[:_SHOWN]!r}"
        )
    return trimmed


def port_number(value: str) -> int:
    """Check a TCP port given as text."""
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= 65535:
        raise ValueError(f"must be a port from 1 to 65535, not {value[:_SHOWN]!r}")
    return int(value)


def published_port(value: int | str) -> str:
    """Check what the application is published on, a port or ``"IPv4:port"``, and return it as text."""
    address, colon, port = str(value).rpartition(":")
    try:
        number = port_number(port)
        if colon:
            return f"{ipaddress.IPv4Address(address)}:{number}"
    except ValueError:
        raise ValueError(
            f'must be a port from 1 to 65535, or "address:port" like "127.0.0.1:3000", not {str(value)[:_SHOWN]!r}'
        ) from None
    return str(number)


def allowance(value: str) -> str:
    """Check an exception to what a compose file may ask of the host, as the hosts read it."""
    told(lambda text: Policy.parse(Fields(Policy(allow=(text,)).as_json(), "policy")))(value)
    return value


def time_zone(value: str) -> str:
    """Check the name of a time zone, against this machine's own list where it has one."""
    known = zoneinfo.available_timezones()
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+/-]{0,60}", value) or (known and value not in known):
        raise ValueError(f"must be a time zone like Europe/Berlin, not {value[:_SHOWN]!r}")
    return value
