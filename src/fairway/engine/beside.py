"""Look over what a host does beside deploying, each only where it was asked to: the second half of ``doctor``.

An administrator's look is the deploy user's here: what it reads lies among their files,
where a link may lead anywhere, and a part of it goes out to the network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from fairway.engine.contract.checks import Check
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.manifest import Release
from fairway.engine.envfile import read_settings
from fairway.engine.hostconfig import HostConfig, read_host_config
from fairway.engine.layout import Layout
from fairway.engine.ownership import as_deploy_user
from fairway.engine.state import read_state


def beside(layout: Layout) -> Iterator[tuple[str, Check]]:
    """Yield the checks by their names."""
    try:
        host = read_host_config(layout.host_config)
    except FairwayError:
        return  # said by another check
    if host.textfile:
        yield "metrics", _as_deploy_user(layout, lambda: _metrics(host.textfile or ""))
    with as_deploy_user(layout):
        serving = _serving(layout)
    if serving is not None and serving.errors is not None:
        yield "error tracker", _as_deploy_user(layout, lambda: _error_tracker(layout, host, serving))
    if host.watch:
        yield "front door", lambda: _watching(layout, host)
    if host.notifications is not None:
        yield "notifications", _as_deploy_user(layout, lambda: _notifications(layout, host))


def _as_deploy_user(layout: Layout, check: Check) -> Check:
    def checked() -> str:
        with as_deploy_user(layout):
            return check()

    return checked


def _metrics(directory: str) -> str:
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise Failed(
            f"{directory} cannot be written by this user",
            hint=f"as root: install -d -o <deploy user> {directory}; node_exporter needs "
            f"--collector.textfile.directory={directory}",
        )
    return f"written to {directory} each minute"


def _serving(layout: Layout) -> Release | None:
    from fairway.engine.releases import load_release

    try:
        active = read_state(layout.state).active
        return load_release(layout, active.tag).release if active is not None else None
    except (FairwayError, OSError):
        return None  # said by status


def _error_tracker(layout: Layout, host: HostConfig, release: Release) -> str:
    from fairway.engine.tracker.issues import Subject, counted
    from fairway.engine.tracker.tracking import look_once

    assert release.errors is not None
    settings = read_settings(layout, release.env)
    subject = Subject(str(release.tag), host.environment, release.created_at)
    seen = look_once(release.errors, subject, settings, release.env.file)
    if seen.problem:
        raise Failed(
            f"it cannot be asked: {seen.problem}",
            hint="a release is not sent back for new errors while that is so; see errors in fairway.toml",
        )
    return f"{counted(len(seen.issues))} of what serves"


def _watching(layout: Layout, host: HostConfig) -> str:
    """Check that it is looked at, not how it is: that a site is down is no fault of the host's preparation."""
    from fairway.engine.unit import unwatched
    from fairway.engine.watcher.telling import tell

    missing = unwatched(layout, host)
    if missing is not None:
        raise Failed(f"nobody looks: {missing}", hint="fairway bootstrap <environment>")
    told = tell(layout, host)
    stopped = [one for one in told if one.known.asked_at and not one.fresh]
    if stopped:
        raise Failed(
            f"nobody has looked at that of {stopped[0].door.environment} since {stopped[0].known.asked_at}",
            hint="on the host: systemctl status 'fairway-*-look.*', or cron's log",
        )
    return ", ".join(f"{one.door.environment} {one.door.url} {one.state.value}" for one in told)


def _notifications(layout: Layout, host: HostConfig) -> str:
    from fairway.engine.notifications import standing

    return standing.check(layout, host)
