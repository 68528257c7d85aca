"""Look at the host and say it in metrics. What cannot be looked at leaves the rest as it is, and says so.

No value and no label comes from the application or from its settings.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable

import fairway
from fairway.engine import clock, docker
from fairway.engine.backups.store import Store
from fairway.engine.contract.errors import FairwayError
from fairway.engine.drift import KINDS, drift_by_kind
from fairway.engine.edge import Edge
from fairway.engine.gate.hold import read_hold
from fairway.engine.hostconfig import HostConfig
from fairway.engine.instances.describe import describe_edge
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import deploying
from fairway.engine.metrics.exposition import Family, Sample, gauge, render
from fairway.engine.metrics.frontdoor import doors, knock
from fairway.engine.metrics.haproxy import together
from fairway.engine.metrics.site import certificate_ends, sites_of
from fairway.engine.metrics.tally import tally
from fairway.engine.model import LABEL
from fairway.engine.observation import Observation, deployment_of, observe
from fairway.engine.process import run
from fairway.engine.state import read_state

Collector = Callable[[Layout, HostConfig], Iterator[Family]]


def expose(layout: Layout, host: HostConfig) -> str:
    """Return everything this host tells Prometheus, in the text format."""
    families: list[Family] = []
    succeeded: list[Sample] = []
    for name, collector in COLLECTORS.items():
        try:
            families += list(collector(layout, host))
            fine = True
        except Exception as error:  # one that fails must not take the others' figures with it
            known = error.what if isinstance(error, FairwayError) else type(error).__name__
            print(f"{name}: {known}", file=sys.stderr)
            fine = False
        succeeded.append(Sample(fine, {"collector": name}))
    families += [
        gauge("fairway_collector_success", "Whether this part of the host could be looked at.", *succeeded),
        gauge("fairway_collected_timestamp_seconds", "When these figures were taken.", Sample(_now().timestamp())),
        gauge("fairway_engine_info", "The version of the engine.", Sample(1, {"version": fairway.__version__})),
    ]
    return render(families, {"project": host.project, "environment": host.environment})


@dataclass(frozen=True)
class Free:
    """A place on a disk, by what it is for."""

    where: str
    path: Path


def _ledger(layout: Layout, host: HostConfig) -> Iterator[Family]:
    counted = tally(Ledger(layout.ledger).lines())
    yield from counted.deployments()
    yield from counted.upkeep()
    drill = host.upkeep.drill
    oldest = min((clock.parse(one.taken_at) for one in Store(layout).list()), default=None)
    if drill is not None:
        tried = counted.success_at("drill")
        # Before the first one it is due from when there was something to try.
        since = datetime.fromtimestamp(tried, timezone.utc) if tried is not None else oldest
        overdue = since is not None and drill.overdue(since, _now())
        yield gauge("fairway_drill_overdue", "Whether a drill should have been by now.", Sample(overdue))


def _backups(layout: Layout, host: HostConfig) -> Iterator[Family]:
    backups = Store(layout).list()
    yield gauge("fairway_backups", "How many backups this host has.", Sample(len(backups)))
    newest = clock.parse(backups[0].taken_at) if backups else None
    if newest is not None:
        yield gauge(
            "fairway_backup_last_success_timestamp_seconds",
            "When the newest backup was taken.",
            Sample(newest.timestamp()),
        )
        yield gauge(
            "fairway_backup_age_seconds",
            "How old the newest backup was when these figures were taken.",
            Sample(round((_now() - newest).total_seconds(), 3)),
        )
        yield gauge("fairway_backup_size_bytes", "The size of the newest backup.", Sample(backups[0].size_bytes))
    if host.upkeep.schedule is not None:
        overdue = host.upkeep.schedule.overdue(newest, _now())
        yield gauge("fairway_backup_overdue", "Whether a backup should have been taken by now.", Sample(overdue))


def _serving(layout: Layout, host: HostConfig) -> Iterator[Family]:
    seen = observe(layout, host)
    yield from _release(seen)
    yield from _readiness(layout, host, seen)
    found = dict.fromkeys(KINDS, 0)
    # While a deployment is going on the record is behind by nature.
    if deploying(layout.lock) is None:
        found.update({kind: len(lines) for kind, lines in drift_by_kind(seen).items()})
        edge = describe_edge(layout, host)
        found["edge"] = len(edge["drift"]) if edge else 0
    yield gauge(
        "fairway_drift",
        "How many things are not as recorded: fairway status says which.",
        *(Sample(count, {"kind": kind}) for kind, count in found.items()),
    )


def _release(seen: Observation) -> Iterator[Family]:
    container = seen.slots.get(seen.active) if seen.active else None
    if seen.active is None or container is None:
        return
    labels = {
        "release": container.labels.get(LABEL + "release", ""),
        "tag": container.labels.get(LABEL + "tag", ""),
        "slot": seen.active.value,
    }
    yield gauge("fairway_serving_info", "The release that gets new requests.", Sample(1, labels))
    recorded = seen.state.active
    if recorded is not None and recorded.slot is seen.active:
        since = clock.parse(recorded.since).timestamp()
        yield gauge("fairway_serving_since_timestamp_seconds", "Since when it does.", Sample(since))


def _readiness(layout: Layout, host: HostConfig, seen: Observation) -> Iterator[Family]:
    recorded = seen.state.active
    if recorded is None:
        return  # nothing was ever deployed, so nothing is missing
    ready = False
    if seen.active is not None:
        path = deployment_of(layout, host, recorded, seen.state).release.readiness.path
        ready = Edge(layout.edge, layout.edge_run).probe(seen.active, path).ready
    yield gauge("fairway_ready", "Whether what serves answered its readiness path with 200 just now.", Sample(ready))


def _front_door(layout: Layout, host: HostConfig) -> Iterator[Family]:
    state = read_state(layout.state)
    if state.active is None:
        return
    path = deployment_of(layout, host, state.active, state).release.readiness.path
    knocks = [knock(door, path) for door in doors(host, sites_of(host))]
    yield gauge(
        "fairway_front_door_up",
        "Whether the readiness path answered with 200 just now, asked on this host as a visitor does.",
        *(Sample(one.up, {"via": one.door.via, "name": one.door.name}) for one in knocks),
    )
    yield gauge(
        "fairway_front_door_duration_seconds",
        "How long that took.",
        *(Sample(one.seconds, {"via": one.door.via, "name": one.door.name}) for one in knocks),
    )


def _uptime(layout: Layout, host: HostConfig) -> Iterator[Family]:
    if not host.watch:
        return
    from fairway.engine.watcher.deciding import State
    from fairway.engine.watcher.telling import tell

    told = tell(layout, host)
    yield gauge(
        "fairway_uptime_watched",
        "Whether this front door was looked at lately, as it is to be.",
        *(Sample(one.fresh, {"watched": one.door.environment}) for one in told),
    )
    known = [one for one in told if one.state is not State.UNKNOWN]
    yield gauge(
        "fairway_uptime_up",
        "Whether visitors are served there: 0 after three bad answers in a row, 1 again after two good ones.",
        *(Sample(one.state is State.UP, {"watched": one.door.environment}) for one in known),
    )
    yield gauge(
        "fairway_uptime_availability_ratio",
        "In which share of the minutes that were looked at it was up, in the last day, week and month.",
        *(
            Sample(share, {"watched": one.door.environment, "window": window})
            for one in told
            for window, share in one.availability.items()
            if share is not None
        ),
    )


def _locks(layout: Layout, host: HostConfig) -> Iterator[Family]:
    running, hold = deploying(layout.lock), read_hold(layout)
    since = {
        "deployment": str(running.get("since")) if running else None,
        "hold": hold.since if hold else None,
    }
    yield gauge(
        "fairway_lock_held",
        "Whether a deployment runs, or somebody has locked the environment.",
        *(Sample(text is not None, {"kind": kind}) for kind, text in since.items()),
    )
    yield gauge(
        "fairway_lock_since_timestamp_seconds",
        "Since when.",
        *(Sample(at, {"kind": kind}) for kind, text in since.items() if (at := _moment(text)) is not None),
    )


def _disk(layout: Layout, host: HostConfig) -> Iterator[Family]:
    free, size = [], []
    for place in _places(layout):
        try:
            figures = os.statvfs(place.path)
        except OSError:
            continue  # Docker's directory may be closed to this user
        free.append(Sample(figures.f_bavail * figures.f_frsize, {"where": place.where}))
        size.append(Sample(figures.f_blocks * figures.f_frsize, {"where": place.where}))
    yield gauge("fairway_disk_free_bytes", "What the deploy user can still write there.", *free)
    yield gauge("fairway_disk_size_bytes", "The size of the file system there.", *size)


def _places(layout: Layout) -> Iterator[Free]:
    yield Free("deploy_path", layout.deploy_path)
    try:
        done = run(docker.info(), env=docker.environment(layout.docker_config), timeout_s=20)
        root = json.loads(done.stdout).get("DockerRootDir")
    except (FairwayError, ValueError, AttributeError):
        return  # that Docker does not answer is said elsewhere
    if root:
        yield Free("docker", Path(root))


def _certificate(layout: Layout, host: HostConfig) -> Iterator[Family]:
    yield gauge(
        "fairway_certificate_not_after_timestamp_seconds",
        "Until when the certificate that visitors of the site are shown is valid.",
        *(Sample(ends, {"name": name}) for name, ends in certificate_ends(host)),
    )


def _edge(layout: Layout, host: HostConfig) -> Iterator[Family]:
    return together(Edge(layout.edge, layout.edge_run).metrics())


#: What is looked at, by the name that fairway_collector_success has for it.
COLLECTORS: dict[str, Collector] = {
    "ledger": _ledger,
    "backups": _backups,
    "serving": _serving,
    "edge": _edge,
    "front_door": _front_door,
    "uptime": _uptime,
    "locks": _locks,
    "disk": _disk,
    "certificate": _certificate,
}


def _now() -> datetime:
    return clock.parse(clock.now())


def _moment(text: str | None) -> float | None:
    try:
        return clock.parse(text).timestamp() if text else None
    except ValueError:
        return None
