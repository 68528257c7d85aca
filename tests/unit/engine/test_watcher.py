"""The watcher: when a front door is down, what is remembered and told, and how available it was."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine import beside, clock, unit
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.contract.fields import Fields
from fairway.engine.hostconfig import HostConfig, read_host_config
from fairway.engine.layout import Layout
from fairway.engine.watcher import look as looking
from fairway.engine.watcher.asking import ask
from fairway.engine.watcher.changes import Change, Changes
from fairway.engine.watcher.deciding import Answer, State, settle
from fairway.engine.watcher.doors import Door
from fairway.engine.watcher.look import look, run_look
from fairway.engine.watcher.memory import Memory
from fairway.engine.watcher.minutes import KEPT_DAYS, Minutes
from fairway.engine.watcher.telling import describe_uptime, outages
from testbed import certificates

NOON = datetime(2026, 6, 30, 12, 0, 5, tzinfo=UTC)
URL = "https://www.example.com"
OWN = Door("production", URL, "/api/ready")
HOST = HostConfig("shop", "production", "3000", "haproxy:3.0", True, watch=(OWN,))
GOOD, BAD = Answer(True), Answer(False, "answered 503")


class Clock:
    """The time, which passes only when somebody waits or a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = NOON
        monkeypatch.setattr(clock, "now", lambda: self.time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z")

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Watched:
    """A host that is looked at again and again, and what its door and its record say."""

    def __init__(self, layout: Layout, time: Clock, host: HostConfig = HOST) -> None:
        layout.watch.mkdir()
        self.layout, self.time, self.host = layout, time, host
        self.drift: tuple[str, ...] | None = ()

    def look(self, *answers: Answer) -> list[str]:
        """Look with these answers, all of which have to be asked for, and go on to the next minute."""
        left = list(answers)
        targets: list[str] = []

        def asker(target: str) -> Answer:
            targets.append(target)
            return left.pop(0)

        began = self.time.time
        look(self.layout, self.host, asker=asker, differences=lambda *_: self.drift, sleep=self.time.wait)
        assert left == []
        self.time.time = began + timedelta(minutes=1)
        return targets

    def changes(self) -> list[dict[str, Any]]:
        """What was told, the oldest first."""
        return [line.as_json() for line in Changes(self.layout.changes).newest_first()][::-1]

    def kinds(self) -> list[str]:
        return [line["kind"] for line in self.changes()]

    def told(self) -> dict[str, Any]:
        """What status says of the only door."""
        (door,) = describe_uptime(self.layout, self.host, lambda: "the timer is not there") or []
        return door


@pytest.fixture
def watched(layout: Layout, time: Clock) -> Watched:
    return Watched(layout, time)


UP, DOWN, UNKNOWN = State.UP, State.DOWN, State.UNKNOWN


@pytest.mark.parametrize(
    ("before", "answers", "after"),
    [
        (UP, "g", UP),
        (UP, "b", None),
        (UP, "bg", UP),
        (UP, "bb", None),
        (UP, "bbg", UP),
        (UP, "bbb", DOWN),
        (DOWN, "b", DOWN),
        (DOWN, "g", None),
        (DOWN, "gb", DOWN),
        (DOWN, "gg", UP),
        (UNKNOWN, "g", UP),
        (UNKNOWN, "bbb", UNKNOWN),
        (UNKNOWN, "bbg", UP),
    ],
)
def test_one_lost_packet_is_no_outage_and_one_good_answer_no_end_of_one(
    before: State, answers: str, after: State | None
) -> None:
    assert settle(before, [GOOD if one == "g" else BAD for one in answers]) is after


@given(st.sampled_from(State), st.lists(st.booleans(), min_size=3))
def test_a_look_ends_after_three_questions(before: State, goods: list[bool]) -> None:
    answers: list[Answer] = []
    for good in goods:
        answers.append(Answer(good))
        if settle(before, answers) is not None:
            break
    assert len(answers) <= 3


def test_an_outage_is_told_once_with_its_reason_and_its_end_with_its_length(watched: Watched) -> None:
    assert watched.look(GOOD) == [URL + "/api/ready"]
    watched.look(BAD, GOOD)
    assert watched.changes() == []
    watched.look(BAD, BAD, BAD)
    watched.look(BAD)
    watched.look(GOOD, BAD)
    watched.look(GOOD, GOOD)
    down, up = watched.changes()
    assert down == {
        "id": "000001",
        "at": "2026-06-30T12:02:05.000Z",
        "kind": "down",
        "environment": "production",
        "subject": URL,
        "words": f"production is down, {URL}: answered 503",
        "seconds": 120,
    }
    assert (up["id"], up["kind"], up["seconds"], up["at"]) == ("000002", "up", 180, "2026-06-30T12:05:05.000Z")
    assert up["words"] == f"production is up again after 3 min, {URL}"
    (outage,) = outages(watched.layout, "production", URL)
    assert (outage["seconds"], outage["why"], outage["ended"]) == (180, "answered 503", up["at"])


def test_a_door_that_was_never_open_is_not_down(watched: Watched) -> None:
    watched.look(BAD, BAD, BAD)
    watched.look(BAD, BAD, BAD)
    told = watched.told()
    assert (told["state"], told["why"]) == ("unknown", "it has not answered yet: answered 503")
    assert told["availability"] == {"day": None, "week": None, "month": None}
    watched.look(BAD, GOOD)
    assert watched.changes() == []
    assert watched.told()["state"] == "up"


def test_an_outage_that_goes_on_has_no_end_yet(watched: Watched) -> None:
    watched.look(GOOD)
    watched.look(BAD, BAD, BAD)
    told = watched.told()
    assert (told["state"], told["why"], told["since"]) == ("down", "answered 503", "2026-06-30T12:01:05.000Z")
    (outage,) = outages(watched.layout, "production", URL)
    assert (outage["ended"], outage["seconds"]) == (None, None)


def test_another_environment_s_door_is_looked_at_from_here(layout: Layout, time: Clock) -> None:
    host = replace(HOST, environment="staging", watch=(OWN,))
    watched = Watched(layout, time, host)
    watched.drift = ("the edge does not answer",)
    watched.look(GOOD)
    watched.look(BAD, BAD, BAD)
    (down,) = watched.changes()  # its own drift is nobody's business then
    assert (down["environment"], down["words"]) == (
        "production",
        f"production is down, seen from staging, {URL}: answered 503",
    )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_breaks_the_asking_at_one_door_says_nothing_of_another(layout: Layout, time: Clock) -> None:
    layout.watch.mkdir()
    other = Door("other", "https://other.example.com", "/")

    def asker(target: str) -> Answer:
        if target == URL + OWN.path:
            raise RuntimeError
        return GOOD

    host = replace(HOST, watch=(OWN, other))
    look(layout, host, asker=asker, differences=lambda *_: (), sleep=time.wait)
    assert [door["state"] for door in describe_uptime(layout, host, lambda: None) or []] == ["unknown", "up"]


def test_a_door_is_asked_as_often_as_it_is_to_be(layout: Layout, time: Clock) -> None:
    watched = Watched(layout, time, replace(HOST, watch=(replace(OWN, interval_s=180),)))
    watched.drift = ("the worker is gone",)
    asked = [bool(watched.look(*answers)) for answers in ([GOOD], [], [], [GOOD], [])]
    assert asked == [True, False, False, True, False]
    assert watched.kinds() == ["drift"]


def test_a_new_address_is_another_door(watched: Watched) -> None:
    watched.look(GOOD)
    watched.look(BAD, BAD, BAD)
    watched.host = replace(HOST, watch=(replace(OWN, url="https://new.example.com"),))
    watched.look(GOOD)
    assert watched.kinds() == ["down"]
    assert watched.told()["state"] == "up"


def test_what_is_not_looked_at_any_more_is_not_known(watched: Watched) -> None:
    assert watched.told()["why"] == "nobody has looked yet: the timer is not there"
    watched.look(GOOD)
    watched.time.wait(120)
    assert watched.told()["state"] == "up"
    watched.time.wait(60)
    told = watched.told()
    assert (told["state"], told["since"]) == ("unknown", None)
    assert told["why"] == "nobody has looked since 2026-06-30T12:00:05.000Z: the timer is not there"


def test_doctor_says_that_nobody_looks_and_not_how_the_site_is(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing: list[str | None] = [None]
    monkeypatch.setattr(unit, "unwatched", lambda *_: missing[0])
    HOST.write(watched.layout.host_config)

    def check() -> tuple[bool, str]:
        try:
            return True, beside._watching(watched.layout, HOST)
        except FairwayError as error:
            return False, error.what

    assert check() == (True, f"production {URL} unknown")  # the timer has only just been installed
    watched.look(GOOD)
    watched.look(BAD, BAD, BAD)
    assert check() == (True, f"production {URL} down")
    watched.time.wait(600)
    assert check() == (False, "nobody has looked at that of production since 2026-06-30T12:01:05.000Z")
    missing[0] = "the timer is not enabled"
    assert check() == (False, "nobody looks: the timer is not enabled")


def test_drift_is_told_when_it_begins_and_when_it_ends(watched: Watched) -> None:
    watched.look(GOOD)
    watched.drift = ("the container of blue is exited", "the worker is gone")
    watched.look(GOOD)
    watched.look(GOOD)
    watched.drift = None  # a deployment runs
    watched.look(GOOD)
    watched.drift = ()
    watched.look(GOOD)
    began, ended = watched.changes()
    assert began["words"] == "production is not as recorded: the container of blue is exited; the worker is gone"
    assert (began["kind"], began["subject"], began["seconds"]) == ("drift", "", 60)
    assert (ended["kind"], ended["seconds"]) == ("drift-ended", 180)


def test_what_has_passed_a_moment_later_is_no_drift(layout: Layout, time: Clock) -> None:
    layout.watch.mkdir()
    seen: list[tuple[str, ...]] = [("the container of blue is restarting",), ()]
    look(layout, HOST, asker=lambda _: GOOD, differences=lambda *_: seen.pop(0), sleep=time.wait)
    assert not layout.changes.exists()


class Killed(BaseException):
    """The process is gone."""


def test_an_outage_is_told_before_docker_is_asked_which_may_not_answer_either(watched: Watched) -> None:
    watched.look(GOOD)
    told: list[list[str]] = []

    def hang(*_: object) -> None:
        raise Killed

    for differences in (hang, lambda *_: ("a container is gone",)):
        with suppress(Killed):
            look(
                watched.layout,
                HOST,
                asker=lambda _: BAD,
                differences=differences,
                sleep=watched.time.wait,
                tell=lambda: told.append(watched.kinds()),
            )
    assert told == [["down"], ["down"], ["down", "drift"]]


@pytest.mark.parametrize("at", ["minute", "change", "memory"])
def test_a_look_that_is_killed_loses_itself_alone(watched: Watched, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    watched.look(GOOD)
    place = {"minute": (Minutes, "note"), "change": (Changes, "append"), "memory": (Memory, "write")}[at]

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(*place, kill)
        with pytest.raises(Killed):
            watched.look(BAD, BAD, BAD)
    watched.time.wait(60)
    # Told before it was killed, it is known to be down: one question is enough.
    watched.look(*([BAD] if at == "memory" else [BAD, BAD, BAD]))
    watched.look(GOOD, GOOD)
    assert watched.kinds() == ["down", "up"]


def test_a_disk_that_takes_nothing_has_the_next_look_tell_it(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.look(GOOD)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Changes, "append", refuse)
        patch.setattr(looking, "look", lambda *_, **__: watched.look(BAD, BAD, BAD))
        with pytest.raises(Failed, match="cannot be written") as caught:
            run_look(watched.layout, HOST)
    assert "No space left" in caught.value.why
    watched.time.wait(60)
    watched.look(BAD, BAD, BAD)
    assert watched.kinds() == ["down"]


def test_two_looks_never_go_on_at_once(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def once(*_: object, **__: object) -> None:
        looks.append(1)
        run_look(layout, HOST)

    monkeypatch.setattr(looking, "look", once)
    run_look(layout, HOST)
    run_look(layout, HOST)
    assert len(looks) == 2


def test_a_line_that_was_cut_short_is_passed_over_and_its_number_not_given_again(layout: Layout) -> None:
    layout.watch.mkdir()
    changes = Changes(layout.changes)
    facts: dict[str, Any] = {"at": "now", "environment": "x", "subject": "", "seconds": None}
    changes.append(Change.DRIFT, words="one", after="", **facts)
    with layout.changes.open("ab") as file:
        file.write(b'{"id": "000002", "at": "no')
    changes.append(Change.DRIFT_ENDED, words="two", after="000007", **facts)
    assert [(line.id, line.words) for line in changes.newest_first()] == [("000008", "two"), ("000001", "one")]
    assert len(layout.changes.read_bytes().splitlines()) == 3


def test_the_file_of_changes_does_not_grow_without_bound(layout: Layout) -> None:
    layout.watch.mkdir()
    line = json.dumps(
        {"id": "000001", "at": "", "kind": "up", "environment": "", "subject": "", "seconds": None}
        | {"words": "x" * 900}
    )
    layout.changes.write_text(f"{line}\n" * 700)
    Changes(layout.changes).append(
        Change.UP, at="", environment="", subject="", words="y" * 5000, seconds=None, after="000900"
    )
    lines = [json.loads(text) for text in layout.changes.read_text().splitlines()]
    assert 200 < len(lines) < 400
    assert (lines[-1]["id"], len(lines[-1]["words"])) == ("000901", 1000)


@pytest.mark.parametrize(
    ("minutes_ago", "day", "week"),
    [
        (range(60), 1.0, 1.0),  # nobody looked before: that counts for nothing
        (range(1440), 0.5, 0.5),
        (range(2880), 0.5, 0.75),
    ],
)
def test_availability_is_the_share_of_the_minutes_in_which_somebody_looked(
    tmp_path: Path, minutes_ago: Sequence[int], day: float, week: float
) -> None:
    minutes = Minutes(tmp_path / "production")
    for ago in minutes_ago:
        minutes.note(NOON - timedelta(minutes=ago), up=not 720 <= ago < 1440)
    found = minutes.availability(NOON)
    assert (found["day"], found["week"], found["month"]) == (day, week, week)


def test_a_bad_minute_stays_bad_and_old_days_go(tmp_path: Path) -> None:
    minutes = Minutes(tmp_path / "production")
    minutes.note(NOON - timedelta(days=KEPT_DAYS + 1), up=True)
    minutes.note(NOON, up=False)
    minutes.note(NOON, up=True)
    assert minutes.availability(NOON)["day"] == 0.0
    assert [(path.name, path.stat().st_size) for path in minutes._directory.iterdir()] == [("2026-06-30", 1440)]


def test_a_file_that_is_no_record_counts_for_nothing(tmp_path: Path, layout: Layout, time: Clock) -> None:
    directory = layout.minutes("production")
    directory.mkdir(parents=True)
    (directory / "2026-06-30").write_bytes(b"\0\xff" * 5000)
    layout.watch_memory.write_text('{"doors": [1], "drift": 3}')
    (told,) = describe_uptime(layout, HOST, lambda: None) or []
    assert told["availability"]["month"] is None
    look(layout, HOST, asker=lambda _: GOOD, differences=lambda *_: (), sleep=time.wait)
    assert Minutes(directory).availability(time.time)["day"] == 1.0


def test_the_host_s_configuration_carries_it_and_one_from_before_has_none(layout: Layout) -> None:
    HOST.write(layout.host_config)
    assert read_host_config(layout.host_config) == HOST
    document = json.loads(layout.host_config.read_text())
    del document["watch"]
    layout.host_config.write_text(json.dumps(document))
    assert read_host_config(layout.host_config).watch == ()


@pytest.mark.parametrize(
    "url", ["ftp://x", "https://user:word@x.org", "https://x.org/?token=1", "https://x.org/a b", ""]
)
def test_an_address_that_could_hold_a_secret_or_go_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        Door.parse(Fields({"environment": "x", "url": url, "path": "/", "interval_s": 60}, "watch"))


@given(st.dictionaries(st.sampled_from(["environment", "url", "path", "interval_s"]), st.text() | st.integers()))
def test_whatever_is_written_there_is_refused_or_taken(document: dict[str, Any]) -> None:
    with suppress(FairwayError):
        Door.parse(Fields(document, "watch"))


class _Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/drips":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            self.server.drip(self.wfile)  # type: ignore[attr-defined]
            return
        if self.path == "/strange":
            self.wfile.write(b"\xff\xfe no http\r\n\r\n")
            return
        self.send_response({"/ready": 200, "/moved": 301}.get(self.path.partition("?")[0], 503))
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/ready")  # type: ignore[attr-defined]
        self.send_header("Content-Length", "1000000000")
        self.end_headers()
        self.wfile.write(b"x" * 10_000)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base calls it so
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """Where an application answers."""
    ended = threading.Event()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def drip(self, out: Any) -> None:
            while not ended.wait(0.05):
                out.write(b"X-Drip: drop\r\n")

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing: who asked has gone."""

    with Server(("127.0.0.1", 0), _Application) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        ended.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/ready", ""),
        ("/ready?full=1", ""),
        ("/unready", "answered 503"),
        ("/moved", "answered 301, a redirect: the address may be another one"),
        ("/strange", "what answered is no HTTP"),
        ("/drips", "no answer within 0.3 s"),
    ],
)
def test_only_a_plain_200_in_time_is_a_good_answer(site: str, path: str, why: str) -> None:
    assert ask(site + path, 0.3) == Answer(not why, why)


def test_what_cannot_be_asked_is_said_in_words(site: str) -> None:
    assert ask("http://127.0.0.1:1/", 1).why == "connection refused"
    assert ask(site.replace("http:", "https:"), 1).why == "it speaks no TLS that is understood here"
    assert ask("http://no-such-host.invalid/", 3).why in ("its name cannot be resolved", "no answer within 3 s")


def test_a_certificate_is_held_against_the_system_s_own_authorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates.make(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "registry.crt", tmp_path / "registry.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Application) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        monkeypatch.setattr(server, "handle_error", lambda *_: None)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        port = server.server_address[1]
        unknown = ask(f"https://127.0.0.1:{port}/ready", 5)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        known, other = (ask(f"https://{name}:{port}/ready", 5) for name in ("127.0.0.1", "localhost"))
        server.shutdown()
        thread.join()
    assert unknown.why == "its certificate is not good: unable to get local issuer certificate"
    assert known == GOOD
    assert other.why.startswith("its certificate is not good: Hostname mismatch")
