"""What is told to whom: once, within limits, later when a receiver is away, and never with a secret."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fairway.engine import clock
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.fields import Fields
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.notifications import apprise, limits, spawning
from fairway.engine.notifications.addresses import Addresses
from fairway.engine.notifications.outbox import read_outbox
from fairway.engine.notifications.receivers import Event, Notifications, Receiver
from fairway.engine.notifications.standing import check, describe, list_receivers, send_test
from fairway.engine.notifications.teller import settle_receivers, tell
from fairway.engine.watcher import look, timer
from fairway.engine.watcher.doors import Door

TOKEN = "T0kenOfTheOpsRoom"
URL = f"json://127.0.0.1:8080/hook/{TOKEN}"
SECRET = "canary-3f9a1c77"
DOOR = Door("production", "https://www.example.com", "/api/ready")
BOTH = Notifications(".env.production", (Receiver("OPS_URL"), Receiver("NIGHT_URL", (Event.FAILED,), at_most=2)))


@dataclass
class Room:
    """Receives in the place of apprise, unless it is away; and the time."""

    at: datetime = field(default_factory=lambda: datetime(2026, 1, 31, 12, tzinfo=UTC))
    got: list[tuple[str, str, str]] = field(default_factory=list)
    away: set[str] = field(default_factory=set)

    def send(self, addresses: Addresses, key: str, *, kind: str, title: str, body: str, home: Path) -> None:
        addresses.of(key)
        if key in self.away:
            raise Failed(f"apprise could not send to {key}", why="connection refused")
        self.got.append((key, title, body))

    def titles(self, key: str = "OPS_URL") -> list[str]:
        return [title.partition(": ")[2] for to, title, _ in self.got if to == key]

    def later(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def now(self) -> str:
        return self.at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    made = Room()
    monkeypatch.setattr(apprise, "send", made.send)
    monkeypatch.setattr(apprise, "require", lambda: None)
    monkeypatch.setattr(clock, "now", made.now)
    return made


@pytest.fixture
def host(layout: Layout, room: Room) -> HostConfig:
    made = HostConfig("shop", "production", "3000", "haproxy:3.0", False, notifications=BOTH)
    made.write(layout.host_config)
    write_env(layout, f"OPS_URL={URL}\nNIGHT_URL={URL}night\nNEXTAUTH_SECRET={SECRET}\n")
    settle_receivers(layout, made)
    return made


def write_env(layout: Layout, text: str) -> None:
    path = layout.deploy_path / ".env.production"
    path.write_text(text)
    path.chmod(0o600)


def record(layout: Layout, outcome: str = "succeeded", number: int = 0, **facts: Any) -> None:
    tag = f"sha-{number:040x}"
    Ledger(layout.ledger).append(action="deploy", by="ann", tag=tag, release=tag, seconds=1.0, outcome=outcome, **facts)


def failed(layout: Layout, why: str = "503", **facts: Any) -> None:
    record(layout, "failed", error={"what": "it is not ready", "why": why, "hint": ""}, failed_in="ready", **facts)


def test_everybody_is_told_what_they_want_and_nothing_twice(layout: Layout, host: HostConfig, room: Room) -> None:
    record(layout)
    failed(layout)
    for _ in range(3):
        tell(layout, once=True)
    assert room.titles() == ["sha-0000000 serves", "the deployment of sha-0000000 failed"]
    assert room.titles("NIGHT_URL") == ["the deployment of sha-0000000 failed"]


def test_what_came_before_there_were_receivers_is_not_told(layout: Layout, host: HostConfig, room: Room) -> None:
    settle_receivers(layout, HostConfig("shop", "production", "3000", "haproxy:3.0", False))
    record(layout)
    tell(layout, once=True)
    settle_receivers(layout, host)
    assert room.got == []
    record(layout, number=1)
    settle_receivers(layout, host)  # bootstrapped once more
    tell(layout, once=True)
    assert room.titles() == ["sha-0000000 serves"]


def test_what_cannot_be_read_begins_anew(layout: Layout, host: HostConfig, room: Room) -> None:
    record(layout)
    (layout.notifications / "outbox.json").write_text('{"cursor": {')
    tell(layout, once=True)
    record(layout, number=1)
    tell(layout, once=True)
    assert len(room.got) == 1


def test_a_receiver_that_is_away_is_told_later_and_the_others_at_once(
    layout: Layout, host: HostConfig, room: Room
) -> None:
    room.away = {"OPS_URL"}
    failed(layout)
    tell(layout, once=True)
    assert (room.titles(), len(room.titles("NIGHT_URL"))) == ([], 1)
    shown = describe(layout, host)
    assert shown is not None
    (warning,) = shown["warnings"]
    assert warning.startswith("1 for OPS_URL could not be delivered since 2026-01-31 12:00 UTC: ")
    assert warning.endswith("apprise could not send to OPS_URL: connection refused")
    with pytest.raises(FairwayError, match="could not be delivered"):
        check(layout, host)
    room.away = set()
    tell(layout, once=True)  # it is not asked again at once
    assert room.titles() == []
    room.later(6)
    tell(layout, once=True)
    tell(layout, once=True)
    assert len(room.titles()) == 1
    assert describe(layout, host) == {**shown, "warnings": [], "waiting": 0}
    assert check(layout, host) == "2 receivers: OPS_URL, NIGHT_URL"


def test_after_a_day_a_message_is_given_up_and_that_is_said(layout: Layout, host: HostConfig, room: Room) -> None:
    room.away = {"OPS_URL"}
    record(layout)
    for _ in range(40):
        tell(layout, once=True)
        room.later(3601)
    box = read_outbox(layout)
    assert box is not None
    assert box.letters == []
    assert "1 of them given up" in (describe(layout, host) or {})["warnings"][0]
    room.away = set()
    record(layout, number=1)
    tell(layout, once=True)
    assert (describe(layout, host) or {})["warnings"] == []


def test_a_message_that_is_never_taken_lets_the_others_pass(layout: Layout, host: HostConfig, room: Room) -> None:
    send, refused = room.send, "the deployment of"

    def picky(addresses: Addresses, key: str, **words: Any) -> None:
        if refused in words["title"]:
            raise Failed("too long")
        send(addresses, key, **words)

    apprise.send = picky  # undone with the fixture's
    failed(layout)
    record(layout, number=1)
    for _ in range(6):
        tell(layout, once=True)
        room.later(3601)
    assert room.titles() == ["sha-0000000 serves"]


def test_a_teller_that_is_killed_after_sending_sends_that_one_again_and_no_other(
    layout: Layout, host: HostConfig, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(layout)
    record(layout, number=1)
    send = room.send

    def killed(addresses: Addresses, key: str, **words: Any) -> None:
        send(addresses, key, **words)
        raise KeyboardInterrupt

    monkeypatch.setattr(apprise, "send", killed)
    with pytest.raises(KeyboardInterrupt):
        tell(layout, once=True)
    monkeypatch.setattr(apprise, "send", send)
    tell(layout, once=True)
    assert len(room.titles()) == 3


def test_an_approval_is_asked_for_once_however_often_it_is_tried(layout: Layout, host: HostConfig, room: Room) -> None:
    for number in (1, 1, 2, 1):
        record(layout, "failed", number, missing=["approvals"], failed_in="verify", error={"why": "approvals: 0 of 1"})
        tell(layout, once=True)
    assert room.titles() == ["sha-0000000 waits for approval"] * 2
    assert "Missing: approvals: 0 of 1" in room.got[0][2]


def test_of_too_many_of_a_kind_the_rest_is_summed_up(layout: Layout, host: HostConfig, room: Room) -> None:
    for number in range(5):
        failed(layout, number=number)
    tell(layout, once=True)
    assert len(room.titles("NIGHT_URL")) == 2
    assert len(room.titles()) == 5  # this one takes six
    tell(layout, once=True)
    assert len(room.titles("NIGHT_URL")) == 2
    assert list_receivers(layout, host)["held_back"] == 3
    room.later(1801)
    tell(layout, once=True)
    *_, (_, title, body) = [one for one in room.got if one[0] == "NIGHT_URL"]
    assert title == "shop production: failed: 3 more like it"
    assert "Held back since 2026-01-31 12:00 UTC: 3; at most 2 of a kind are sent an hour" in body
    assert "the deployment of sha-0000000 failed" in body
    room.later(7200)
    tell(layout, once=True)
    assert len(room.titles("NIGHT_URL")) == 3
    record(layout)
    assert room.titles().count("sha-0000000 serves") == 0
    tell(layout, once=True)  # another kind has a limit of its own
    assert room.titles().count("sha-0000000 serves") == 1


def test_no_secret_and_no_address_is_told_or_kept(layout: Layout, host: HostConfig, room: Room) -> None:
    room.away = {"NIGHT_URL"}
    failed(layout, why=f"DATABASE says {SECRET}; posting to {URL} with {TOKEN}")
    tell(layout, once=True)
    kept = "".join(path.read_text() for path in layout.notifications.iterdir() if path.is_file())
    shown = json.dumps([room.got, list_receivers(layout, host), describe(layout, host)])
    assert "[redacted]" in shown
    for secret in (SECRET, TOKEN):
        assert secret not in shown + kept
    assert stat.S_IMODE((layout.notifications / "outbox.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(layout.notifications.stat().st_mode) == 0o700
    rows = {row["url_key"]: row for row in list_receivers(layout, host)["receivers"]}
    assert (rows["OPS_URL"]["service"], rows["OPS_URL"]["usable"]) == ("json", True)


def test_a_broken_environment_file_tells_what_it_can_without_what_is_in_the_broken_line(
    layout: Layout, host: HostConfig, room: Room
) -> None:
    write_env(layout, f'OPS_URL={URL}\nDB_PASSWORD="{SECRET}"\n')
    failed(layout, why=f"line 2 says {SECRET}")
    tell(layout, once=True)
    assert "line 2 says [redacted]" in room.got[0][2]
    (warning,) = (describe(layout, host) or {})["warnings"]
    assert warning.startswith("1 for NIGHT_URL could not be delivered")
    assert warning.endswith("the environment file has no value for NIGHT_URL")


def test_without_an_environment_file_nothing_is_made_and_nothing_is_lost(
    layout: Layout, host: HostConfig, room: Room
) -> None:
    path = layout.deploy_path / ".env.production"
    text = path.read_text()
    path.unlink()
    record(layout)
    tell(layout, once=True)
    assert room.got == []
    assert "is missing" in (describe(layout, host) or {})["warnings"][0]
    write_env(layout, text)
    tell(layout, once=True)
    assert len(room.got) == 1
    assert (describe(layout, host) or {})["warnings"] == []


def test_a_test_message_goes_to_whom_it_is_meant_for(layout: Layout, host: HostConfig, room: Room) -> None:
    room.away = {"NIGHT_URL"}
    rows = send_test(layout, host, by="@everyone", to=None)["results"]
    assert "@everyone" not in room.got[0][2]
    assert [(row["to"], row["sent"]) for row in rows] == [("OPS_URL", True), ("NIGHT_URL", False)]
    assert "connection refused" in rows[1]["said"]
    assert len(send_test(layout, host, by="ann", to="OPS_URL")["results"]) == 1
    failed(layout)
    tell(layout, once=True)
    room.away = set()
    # Whoever has mended it and tried that does not wait for what waits.
    send_test(layout, host, by="ann", to="NIGHT_URL")
    tell(layout, once=True)
    assert room.titles("NIGHT_URL") == ["a test of notifications", "the deployment of sha-0000000 failed"]
    with pytest.raises(FairwayError, match="there is no receiver"):
        send_test(layout, host, by="ann", to="NEXTAUTH_SECRET")


@pytest.mark.parametrize(
    ("receivers", "words"),
    [
        ([{"url_key": "A B", "events": [], "at_most": 1}], "the key of an environment file"),
        ([{"url_key": "A", "events": ["lunch"], "at_most": 1}], "nothing is told of 'lunch'"),
        ([{"url_key": "A", "events": [], "at_most": 0}], "at_most"),
        ([{"url_key": "A", "events": [], "at_most": 1}] * 2, "the same url_key"),
    ],
)
def test_a_host_refuses_receivers_that_make_no_sense(receivers: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(FairwayError, match=words):
        Notifications.parse(Fields({"env_file": ".env", "receivers": receivers}, "host"))


def test_receivers_survive_being_written_down(layout: Layout, host: HostConfig) -> None:
    document = json.loads(layout.host_config.read_text())
    assert Notifications.parse(Fields(document["notifications"], "host")) == BOTH


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    made: list[tuple[str, ...]] = []

    class Process:
        def wait(self, timeout: float) -> None:
            made.append(("waited",))

    def spawn(path: Path, *arguments: str) -> Process:
        made.append(arguments)
        return Process()

    monkeypatch.setattr(spawning, "spawn_logging_to", spawn)
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    return made


def test_a_teller_is_started_only_where_somebody_is_told(
    layout: Layout, host: HostConfig, spawned: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spawning.spawn_teller(layout)
    assert spawned == []  # there is nothing to tell
    record(layout)
    spawning.spawn_teller(layout)
    assert spawned == [("tell",)]
    # systemd ends what a service leaves behind.
    monkeypatch.setenv("INVOCATION_ID", "1")
    spawning.spawn_teller(layout)
    assert spawned[1:] == [("tell", "--once"), ("waited",)]
    tell(layout, once=True)
    spawning.spawn_teller(layout)
    assert len(spawned) == 3
    HostConfig("shop", "production", "3000", "haproxy:3.0", False).write(layout.host_config)
    spawning.spawn_teller(layout)
    layout.host_config.unlink()
    spawning.spawn_teller(layout)
    assert len(spawned) == 3


def test_a_slow_receiver_keeps_no_look_from_beginning(
    layout: Layout, host: HostConfig, spawned: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOCATION_ID", "1")
    record(layout)
    monkeypatch.setattr(look, "look", lambda *_, tell: tell())
    look.run_look(layout, host)
    assert spawned == [("tell", "--once")]  # and not waited for: the timer comes again when its service has ended
    watching = replace(host, watch=(DOOR,))
    task = timer.minutely(watching)
    assert task is not None
    texts = task.unit_files(layout, watching, name="look", user="deploy", python="python3")
    assert "KillMode=process" in texts["look.service"].splitlines()  # nor ended with it


def test_what_waits_is_something_to_tell(
    layout: Layout, host: HostConfig, room: Room, spawned: list[tuple[str, ...]]
) -> None:
    room.away = {"OPS_URL"}
    record(layout)
    tell(layout, once=True)
    spawning.spawn_teller(layout)
    assert spawned == [("tell",)]


def test_people_are_told_also_of_what_failed(
    layout: Layout, host: HostConfig, spawned: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Never waited for: the host's lock may be held.
    monkeypatch.setenv("INVOCATION_ID", "1")
    with pytest.raises(Failed), spawning.telling(layout):
        raise Failed("no")
    assert spawned == [("tell",)]


@pytest.mark.parametrize(("seconds", "tokens"), [(0, 0.0), (900, 1.0), (1800, 2.0), (10**6, 4.0), (-3600, 0.0)])
def test_a_bucket_fills_over_an_hour_and_no_further(seconds: float, tokens: float) -> None:
    empty = limits.Bucket(0.0, 10_000.0)
    assert limits.filled(empty, 10_000.0 + seconds, 4).tokens == tokens


def test_apprise_is_given_no_address_and_no_body_as_an_argument(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_apprise: Callable[[str], Path]
) -> None:
    said = run_apprise("exit 0")
    addresses = Addresses({"OPS_URL": URL}, ("OPS_URL",))
    apprise.send(addresses, "OPS_URL", kind="info", title="-t; $(id)", body="the body", home=tmp_path / "home")
    arguments, environment, configuration, body = said.read_text().split("\x1e")
    assert (configuration, body) == (f"{URL}\n", "the body")
    assert "--title=-t; $(id)" in arguments
    assert TOKEN not in arguments + environment
    assert "APPRISE_URLS" not in environment


def test_apprise_s_words_come_without_any_part_of_the_address(
    layout: Layout, tmp_path: Path, run_apprise: Callable[[str], Path]
) -> None:
    run_apprise("cat /dev/fd/$fd | sed 's:[/:@]: :g'; cat /dev/fd/$fd; echo refused by 127.0.0.1; exit 1")
    address = "json://ann:s3cr%40t@127.0.0.1/room/42a/x"
    addresses = Addresses({"OPS_URL": address}, ("OPS_URL",))
    with pytest.raises(Failed) as raised:
        apprise.send(addresses, "OPS_URL", kind="info", title="t", body="b", home=tmp_path / "home")
    for part in (address, "s3cr%40t", "s3cr@t", "42a", "room"):
        assert part not in str(raised.value)
    assert "refused by 127.0.0.1" in raised.value.why


def test_of_apprise_s_words_its_complaints_are_told_and_not_its_help() -> None:
    said = (
        "2026-11-28 15:10:55,913 - ERROR - Unparseable URL nosuch://x\n2026-11-28 15:10:55,914 - WARNING - Too bad.\n"
        "Usage:  [OPTIONS]\n  -v   Be talkative.\n"
    )
    assert apprise.complaints(said) == "Unparseable URL nosuch://x; Too bad."
    assert apprise.complaints("Traceback: no") == "Traceback: no"


@pytest.fixture
def run_apprise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a program in the place of apprise, which writes down what it is given."""

    def make(end: str) -> Path:
        said, program = tmp_path / "said", tmp_path / "bin" / "apprise"
        program.parent.mkdir()
        program.write_text(
            "#!/bin/bash\n"
            'for one in "$@"; do case $one in --config=*) fd=${one#*/fd/}; fd=${fd%%\\?*};; esac; done\n'
            'part() { printf "\\036"; "$@"; }\n'
            'show() { printf "%s\\n" "$@"; part env; part cat /dev/fd/$fd; part cat; }\n'
            f'show "$@" >{said}\n'
            f"{end}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        monkeypatch.setenv("APPRISE_URLS", "json://elsewhere")
        return said

    return make
