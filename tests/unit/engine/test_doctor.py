"""The look-over of a host: what an administrator's, who is root, reads as whoever deploys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from fairway.engine import beside, doctor
from fairway.engine.contract.environment import EnvironmentFile
from fairway.engine.contract.manifest import Release, Tracker
from fairway.engine.contract.tracker import Service
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.notifications import standing
from fairway.engine.notifications.receivers import Notifications, Receiver
from fairway.engine.tracker import tracking

TRACKER = Tracker("https://errors.example.com", Service.SENTRY, "acme", "shop", "ERRORS_TOKEN")
HOST = HostConfig(
    "shop",
    "production",
    "3000",
    "haproxy:3.0",
    False,
    notifications=Notifications(".env.production", (Receiver("OPS_URL"),)),
)


def test_root_reads_no_setting_and_sends_none_by_a_link_of_the_deploy_user(
    layout: Layout, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting: list[str] = ["root"]
    read: list[tuple[str, str]] = []

    @contextmanager
    def as_deploy_user(layout: Layout) -> Iterator[None]:
        acting.append("deploy")
        yield
        acting.pop()

    def seen(what: str, value: Any) -> Any:
        def look(*_: object) -> Any:
            read.append((what, acting[-1]))
            return value

        return look

    for module in (doctor, beside):
        monkeypatch.setattr(module, "as_deploy_user", as_deploy_user)
        monkeypatch.setattr(module, "read_settings", seen("settings", {}))
    monkeypatch.setattr(beside, "_serving", seen("release", replace(release, errors=TRACKER)))
    monkeypatch.setattr(tracking, "look_once", seen("tracker", tracking.Look()))
    monkeypatch.setattr(standing, "check", seen("addresses", "1 receivers"))
    HOST.write(layout.host_config)
    found = {check["name"]: check["found"] for check in doctor.examine(layout, [], EnvironmentFile(".env", ()))}
    assert (found["error tracker"], found["notifications"]) == ("no new issues of what serves", "1 receivers")
    assert sorted(set(read)) == [(what, "deploy") for what in ("addresses", "release", "settings", "tracker")]
