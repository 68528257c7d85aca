"""Whether the services beside the application that run its image stay up with a new release."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.engine import clock
from fairway.engine.contract.errors import Failed
from fairway.engine.drivers import Container
from fairway.engine.drivers.containers import SERVICE_LABEL, Containers
from fairway.engine.process import Check

# A worker without a health check is given this long to fall over.
_SETTLE_S = 1.0
_LOOK_EVERY_S = 0.2
# Docker forgets the exit code when it starts a container again: the next end tells it, and comes soon in a crash loop.
_NEXT_END_S = 5.0
_STARTED_AGAIN = "it ended and was started again"
_LOG_LINES = 15


def watch_workers(containers: Containers, project: str, workers: Sequence[str], limit_s: float, check: Check) -> None:
    """Watch workers that were just started until nothing speaks against them.

    Those with a health check are given ``limit_s`` to be healthy. Raises ``Failed`` with
    the end of its log for the first that does not stay up.
    """
    begun = clock.monotonic()
    restarts: dict[str, int] = {}
    while True:
        check()
        present = {c.labels.get(SERVICE_LABEL): c for c in containers.of_project(project)}
        waiting = []
        for name in workers:
            container = present.get(name)
            before = restarts.setdefault(name, container.restarts if container else 0)
            reason = worker_trouble(container, before)
            if reason == _STARTED_AGAIN and clock.monotonic() - begun < _NEXT_END_S:
                waiting.append(name)
                continue
            late = clock.monotonic() - begun >= limit_s
            if reason is None and container is not None and container.health == "starting":
                waiting.append(name)
                reason = f"not healthy within {limit_s:g} s" if late else None
            if reason is not None:
                log = containers.log(container.name, _LOG_LINES) if container else ""
                raise Failed(
                    f"the worker {name} does not stay up: {reason}",
                    why=log or "it said nothing",
                    hint="the last lines above are its own; everything went back to the release before",
                )
        if not waiting and clock.monotonic() - begun >= _SETTLE_S:
            return
        clock.sleep(_LOOK_EVERY_S)


def worker_trouble(container: Container | None, restarts_before: int) -> str | None:
    """Say why a worker that was just started is no good, or None while nothing speaks against it.

    One that runs this release already may have been restarted long ago; that is no trouble now.
    """
    if container is None:
        return "it is gone"
    if container.oom_killed:
        return "it was killed for using more memory than it may (out of memory)"
    if container.status in ("exited", "dead", "restarting"):
        return f"it exited with code {container.exit_code}"
    if container.restarts > restarts_before:
        return _STARTED_AGAIN
    return "its health check fails" if container.health == "unhealthy" else None
