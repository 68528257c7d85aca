"""When a worker that was started is no good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fairway.engine.drivers import Container
from fairway.engine.drivers.workers import worker_trouble

RUNNING = Container("capakraken-worker-1", "running", 0, False, None, "image", "2026-01-31T12:00:00Z", "", ())


@pytest.mark.parametrize(
    ("container", "restarts_before", "trouble"),
    [
        (RUNNING, 0, None),
        (None, 0, "it is gone"),
        # Docker has forgotten how it ended.
        (replace(RUNNING, restarts=1), 0, "it ended and was started again"),
        # It runs this release already, as in a restart: what happened to it last month says nothing about now.
        (replace(RUNNING, restarts=1), 1, None),
        (replace(RUNNING, restarts=2), 1, "it ended and was started again"),
        (replace(RUNNING, status="restarting", restarts=2, exit_code=3), 1, "it exited with code 3"),
        (replace(RUNNING, status="restarting", exit_code=1), 0, "it exited with code 1"),
        (replace(RUNNING, health="unhealthy"), 0, "its health check fails"),
        (replace(RUNNING, health="starting"), 0, None),
    ],
)
def test_a_worker_is_in_trouble_by_what_happens_to_it_now(
    container: Container | None, restarts_before: int, trouble: str | None
) -> None:
    assert worker_trouble(container, restarts_before) == trouble
