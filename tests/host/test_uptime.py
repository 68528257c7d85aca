"""A host notices by itself that visitors are not served, another one sees it too, and both tell it once."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from testbed import images
from testbed.bed import Testbed
from testbed.host import USER, Host
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import serving, status
from tests.host.receiving import Receiver

PORT = 19_977


@pytest.fixture(scope="module")
def host(bed: Testbed) -> Iterator[Host]:
    """A host that boots with systemd, where the deploy user may install its units."""
    made = bed.add_host(f"uptime-{secrets.token_hex(3)}", image=images.provide_systemd())
    made.put("/etc/sudoers.d/fairway", "deploy ALL=(root) NOPASSWD: /usr/bin/python3 -I /opt/*\n", mode=0o440)
    yield made
    bed.remove_host(made.name)


@pytest.fixture(scope="module")
def receiver(host: Host) -> Iterator[Receiver]:
    made = Receiver(host.address)
    yield made
    made.go_away()


@pytest.fixture(scope="module")
def work(bed: Testbed, host: Host, receiver: Receiver) -> Iterator[Workspace]:
    """A project that serves on staging, with an environment beside it whose host looks at staging as well."""
    made = Workspace(bed, project="t-uptime", port=PORT, environments={"staging": host.name, "beside": "production"})
    told = [{"url_key": "OPS_URL", "events": ["down", "up", "drift"]}]
    made.configure(environments={"staging": {"url": host.http(PORT), "watched_from": "beside", "notifications": told}})
    made.commit("Be watched")
    made.prepare_host("staging", {"OPS_URL": receiver.url})
    made.prepare_host("beside")
    made.fairway("bootstrap", "staging")
    yield made
    made.remove()


def _look(work: Workspace, environment: str) -> None:
    """Have a host look now."""
    work.host(environment).sh(f"python3 -I {work.deploy_path}/.fairway/engine/current scheduled look", user=USER)


def _look_as_by_timer(work: Workspace, environment: str) -> None:
    """Have a host look now, in the sandbox of its unit where there is systemd."""
    if environment == "staging":
        work.host(environment).sh(f"systemctl start fairway-{work.project}-staging-look.service")
    else:
        _look(work, environment)


def _changes(work: Workspace, environment: str) -> list[dict[str, Any]]:
    """What a host has told, the oldest first."""
    path = f"{work.deploy_path}/.fairway/watch/changes.jsonl"
    text = work.host(environment).sh(f"cat {path} 2>/dev/null || true")
    return [json.loads(line) for line in text.splitlines()]


def _uptime(work: Workspace) -> tuple[int, list[dict[str, Any]]]:
    """What the hosts say of staging: the exit code, and what its own and the other one see."""
    done = work.fairway("uptime", "staging", "--json", check=False)
    return done.returncode, json.loads(done.stdout)["staging"]


def test_an_outage_is_seen_by_the_host_and_from_beside_and_told_once(
    work: Workspace, host: Host, receiver: Receiver
) -> None:
    _the_timer_looks(work, host)
    refused = work.fairway("bootstrap", "beside", check=False)
    assert "nobody looks: /etc/cron.d/fairway-t-uptime-beside is not there" in refused.stdout
    _before_the_first_deployment_it_is_not_down(work)
    work.fairway("release")
    work.fairway("deploy", "staging", work.tag)
    _nothing_shows_of_a_deployment(work)
    _what_stops_is_told_with_its_reason(work, host)
    receiver.await_titles(f"down: {host.http(PORT)}", "what runs is not what is on record")
    _what_comes_back_is_told_with_its_length(work, host)
    receiver.await_titles(f"up again: {host.http(PORT)}")


def _the_timer_looks(work: Workspace, host: Host) -> None:
    unit = f"fairway-{work.project}-staging-look"
    assert host.sh(f"systemctl is-active {unit}.timer").strip() == "active"
    assert host.sh(f"systemd-analyze verify {unit}.timer {unit}.service 2>&1") == ""
    # From here on it looks when the test says so.
    host.sh(f"systemctl stop {unit}.timer")
    done = host.run(f"systemctl start {unit}.service", check=False)
    assert done.returncode == 0, host.sh(f"journalctl --unit {unit} --output cat --no-pager")


def _before_the_first_deployment_it_is_not_down(work: Workspace) -> None:
    _look(work, "beside")
    code, (own, beside) = _uptime(work)
    assert (code, own["state"], beside["state"]) == (0, "unknown", "unknown")
    assert own["why"] == "it has not answered yet: connection refused"
    assert (own["seen_from"], beside["seen_from"]) == ("staging", "beside")


def _nothing_shows_of_a_deployment(work: Workspace) -> None:
    _look(work, "staging")
    client = work.start_fairway("restart", "staging")
    looks = 0
    while client.poll() is None or not looks:
        _look(work, "staging")
        looks += 1
    assert client.returncode == 0, client.communicate()[0]
    client.communicate()
    _look(work, "beside")
    assert _changes(work, "staging") == _changes(work, "beside") == []
    code, (own, beside) = _uptime(work)
    assert (code, own["state"], beside["state"]) == (0, "up", "up")
    assert own["availability"] == {"day": 1.0, "week": 1.0, "month": 1.0}


def _what_stops_is_told_with_its_reason(work: Workspace, host: Host) -> None:
    host.docker("stop", "--time=1", f"{work.project}-app-green")
    # The edge has each question wait for ten seconds, so both look at the same time.
    with ThreadPoolExecutor() as pool:
        for _ in range(2):
            list(pool.map(lambda environment: _look_as_by_timer(work, environment), ("staging", "beside")))
    down, drift = _changes(work, "staging")
    (beside,) = _changes(work, "beside")
    assert (down["kind"], down["environment"], down["subject"]) == ("down", "staging", host.http(PORT))
    assert down["words"] == f"staging is down, {host.http(PORT)}: answered 503"
    assert beside["words"] == f"staging is down, seen from beside, {host.http(PORT)}: answered 503"
    assert (drift["kind"], "the container of green is exited" in drift["words"]) == ("drift", True)
    shown = work.fairway("status", "staging", check=False)
    assert shown.returncode == 1
    assert f"the front door is down since {down['at'][:19].replace('T', ' ')}" in shown.stdout
    (told,) = status(work, "staging")["uptime"]
    assert (told["state"], told["since"], told["why"]) == ("down", down["at"], "answered 503")
    table = work.fairway("uptime", "staging", check=False)
    assert table.returncode == 1
    assert "goes on  beside" in table.stdout
    assert 'fairway_uptime_up{project="t-uptime",environment="staging",watched="staging"} 0' in (
        work.fairway("metrics", "show", "staging").stdout
    )


def _what_comes_back_is_told_with_its_length(work: Workspace, host: Host) -> None:
    host.docker("start", f"{work.project}-app-green")
    wait_for("it to serve again", lambda: serving(work, "staging") == work.tag)
    for environment in ("staging", "beside"):
        _look_as_by_timer(work, environment)
    kinds = {line["kind"]: line for line in _changes(work, "staging")}
    assert list(kinds) == ["down", "drift", "up", "drift-ended"]
    assert [line["kind"] for line in _changes(work, "beside")] == ["down", "up"]
    code, (own, beside) = _uptime(work)
    assert (code, own["state"], beside["state"]) == (0, "up", "up")
    (outage,) = own["outages"]
    assert (outage["seconds"], outage["why"]) == (kinds["up"]["seconds"], "answered 503")
    assert outage["seconds"] > 0
    assert own["availability"]["day"] < 1
