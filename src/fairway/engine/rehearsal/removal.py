"""Take away everything of a rehearsal: found by its labels, whatever became of the engine that made it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from fairway.engine import clock
from fairway.engine.contract.errors import Failed
from fairway.engine.drivers.containers import Containers
from fairway.engine.layout import Layout
from fairway.engine.rehearsal import naming

_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.3
#: A Compose that outlived its engine may be about to make one more thing.
_LOOKS_WHEN_LOST = 4


def directory(layout: Layout, identity: str) -> Path:
    """Return where a rehearsal keeps what its edge reads and writes; it is there as long as anything of it may be."""
    return _all(layout) / identity


def lock_of(layout: Layout) -> Path:
    """Return the lock of whoever rehearses on this host."""
    return layout.backups / "rehearsal.lock"


def remove(layout: Layout, containers: Containers, identity: str, *, looks: int = 1) -> bool:
    """Remove one rehearsal; return whether anything of it was there. Raises ``Failed`` when Docker keeps something."""
    where = directory(layout, identity)
    found = where.exists()
    for look in range(looks):
        if look:
            clock.sleep(_LOOK_EVERY_S)
        found = _remove_labelled(containers, naming.LABEL_OF, identity) or found
    shutil.rmtree(where, ignore_errors=True)
    with suppress(OSError):  # another one's is in it
        _all(layout).rmdir()
    return found


def remove_lost(layout: Layout, containers: Containers, identity: str) -> bool:
    """Remove one whose engine was lost."""
    return remove(layout, containers, identity, looks=_LOOKS_WHEN_LOST)


def remove_all(layout: Layout, containers: Containers, project: str) -> None:
    """Remove every rehearsal of a project. Call with the lock of rehearsals held."""
    _remove_labelled(containers, naming.LABEL, project)
    shutil.rmtree(_all(layout), ignore_errors=True)


def _remove_labelled(containers: Containers, label: str, value: str) -> bool:
    found = False
    deadline = clock.monotonic() + _PATIENCE_S
    while True:
        present = _listed(containers, naming.list_containers(label, value))
        if present:
            containers.run(naming.remove_containers(present))
        networks = _listed(containers, naming.list_networks(label, value))
        if networks:
            containers.run(naming.remove_networks(networks))
        if not present and not networks:
            return found
        found = True
        if clock.monotonic() > deadline:
            raise Failed(
                "what a rehearsal has started could not be removed",
                why=f"{len(present)} containers and {len(networks)} networks are left",
                hint=f"docker ps --all --filter label={label}={value}, on the host",
            )


def _listed(containers: Containers, argv: list[str]) -> list[str]:
    done = containers.run(argv)
    if done.returncode != 0:
        raise containers.unreachable(done)
    return done.stdout.split()


def _all(layout: Layout) -> Path:
    return layout.root / naming.REHEARSALS
