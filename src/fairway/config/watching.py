"""Which front doors an environment's host looks at: its own, and those of environments that name it for that."""

from __future__ import annotations

from collections.abc import Iterator

from fairway.config.environment import Environment
from fairway.config.models import Config
from fairway.engine.watcher.doors import Door

_EVERYWHERE = ("", "0.0.0.0")  # noqa: S104 - recognized, never bound to


def doors_of(config: Config, target: Environment) -> Iterator[Door]:
    """Yield what the host of this environment is to look at.

    Without an address that visitors use, its own front door is the published port, which
    only the host itself knows how to reach.
    """
    own = config.environments[target.name]
    if own.watched:
        yield Door(target.name, own.front_door or _published(target), config.readiness.path, own.watch.interval_s)
    for name, table in config.environments.items():
        if table.watched_from == target.name and table.front_door is not None:
            yield Door(name, table.front_door, config.readiness.path, table.watch.interval_s)


def _published(target: Environment) -> str:
    address, _, port = target.port.rpartition(":")
    return f"http://{'127.0.0.1' if address in _EVERYWHERE else address}:{port}"
