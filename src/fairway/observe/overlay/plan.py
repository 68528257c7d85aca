"""What the overlay watches, by what ``fairway.toml`` says of the environments. Decides, and touches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from fairway.config import Environment, Host
from fairway.engine.contract.errors import Invalid
from fairway.observe.prometheus import node_address

#: By which a container reaches the machine that it runs on, where that has no name of its own.
_THIS_MACHINE = "host.docker.internal"
#: What Docker puts in for the machine that a container runs on.
GATEWAY = "host-gateway"
_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_EVERYWHERE = ("", "0.0.0.0")  # noqa: S104 - recognized, never bound to


@dataclass(frozen=True)
class Pace:
    """How often it looks, and how long visitors are not served before somebody is told."""

    interval_s: int = 30
    patience_s: int = 120


@dataclass(frozen=True)
class Door:
    """A URL that visitors use, which answers 200 when an environment is ready."""

    environment: str
    url: str


@dataclass(frozen=True)
class Overlay:
    """What is watched from one machine.

    ``here`` is the name of the host that it stands on, None where that is no
    environment's. ``textfiles`` are that host's directories with figures, ``nodes`` the
    addresses of the other hosts' node_exporters, ``figures`` the environments that have
    any. ``names`` are those that the containers could not look up, with their addresses.
    ``notes`` say what is not watched, or may not be reached.
    """

    project: str
    here: str | None
    textfiles: tuple[str, ...]
    nodes: tuple[str, ...]
    figures: tuple[str, ...]
    doors: tuple[Door, ...]
    names: Mapping[str, str]
    pace: Pace = field(default_factory=Pace)
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its Compose project, which is not the application's."""
        return f"{self.project}-monitoring"


def plan(
    project: str,
    environments: Sequence[Environment],
    ready_path: str,
    *,
    on: str | None = None,
    front_doors: Mapping[str, str] | None = None,
    addresses: Mapping[str, str] | None = None,
    pace: Pace | None = None,
) -> Overlay:
    """Decide what to watch from the first host of the environment ``on``, or from a machine apart.

    ``front_doors`` are URLs by environment where ``fairway.toml`` does not know them or
    others are meant, ``addresses`` those of hosts by the name that they are deployed to by.
    Raises ``Invalid``.
    """
    given, found = dict(front_doors or {}), dict(addresses or {})
    for url in given.values():
        if not _URL.fullmatch(url):
            raise Invalid(
                "a front door is not of the form https://name or https://name:port",
                hint="without a path: readiness.path is asked for",
            )
    for address in found.values():
        if not _is_address(address):
            raise Invalid(f"{address!r} is not an IP address")
    known = {one.name: one for one in environments}
    _check_known("a front door", given, known)
    _check_known("an address", found, {host.destination for one in environments for host in one.hosts})
    here = known[on].hosts[0] if on is not None else None
    there = {one.name: tuple(host for host in one.hosts if not _same(host, here)) for one in environments}
    if lost := [name for name, hosts in there.items() if any(host.local for host in hosts)]:
        raise Invalid(
            f"{lost[0]} is deployed to on this machine, under no name that another one could ask it by",
            hint=f"let the overlay stand on this machine: --on {lost[0]}",
        )
    names = dict(found)
    if here is not None and not here.local and _alias(here.destination):
        names.setdefault(here.destination, GATEWAY)
    doors, notes = [], []
    for one in environments:
        urls = [given[one.name]] if one.name in given else list(_urls(one, here))
        doors += [Door(one.name, url + ready_path) for url in urls]
        if here is not None and any(_THIS_MACHINE in url for url in urls):
            names[_THIS_MACHINE] = GATEWAY
        if not urls:
            notes.append(
                f"{one.name} is published for its host alone, and fairway.toml has no address of it: set "
                f"environments.{one.name}.url, or have it asked from outside with --front-door {one.name}=https://..."
            )
        if one.textfile is None:
            notes.append(f"{one.name} writes no figures: set environments.{one.name}.textfile in fairway.toml")
    writing = [one for one in environments if one.textfile is not None]
    if not writing and not doors:
        raise Invalid("there is nothing to watch", why="; ".join(notes), hint="docs/how-to/metrics.md")
    nodes = sorted({node_address(host) for one in writing for host in there[one.name]})
    asked = {host.destination for hosts in there.values() for host in hosts}
    notes += [
        f"{name} may be a name of ssh's alone: --address {name}=<IP address> tells the containers of it"
        for name in sorted(asked)
        if _alias(name) and name not in names
    ]
    return Overlay(
        project=project,
        here=here.destination if here is not None else None,
        textfiles=tuple(
            sorted({one.textfile for one in writing if one.textfile and len(there[one.name]) < len(one.hosts)})
        ),
        nodes=tuple(nodes),
        figures=tuple(one.name for one in writing),
        doors=tuple(doors),
        names=names,
        pace=pace or Pace(),
        notes=tuple(notes),
    )


def _check_known(what: str, given: Mapping[str, str], known: Mapping[str, object] | set[str]) -> None:
    if unknown := [name for name in given if name not in known]:
        raise Invalid(f"{what} is given for {unknown[0]!r}, which is not in fairway.toml")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _same(host: Host, here: Host | None) -> bool:
    return here is not None and host.destination == here.destination


def _urls(environment: Environment, here: Host | None) -> Iterator[str]:
    """Yield where visitors come in: its own address, else the port on each host, where it is open."""
    if environment.url is not None:
        yield environment.url.rstrip("/")
        return
    address, _, port = environment.port.rpartition(":")
    if address in _EVERYWHERE:
        for host in environment.hosts:
            yield f"http://{_THIS_MACHINE if host.local else _in_url(host.destination)}:{port}"
    elif not ip_address(address).is_loopback:
        yield f"http://{address}:{port}"


def _in_url(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _alias(name: str) -> bool:
    """Say whether a name has no dot: then it may be one that only ssh knows."""
    return "." not in name and ":" not in name
