"""A deployment's page: what is shown of a journal, live and afterwards, and of what is none."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fairway.dashboard import following, streams
from fairway.dashboard.following import Followed, Look
from fairway.dashboard.views.deployment import show
from fairway.dashboard.views.steps import ORDER
from fairway.dashboard.views.traffic import charts, rows
from fairway.engine.contract.errors import Failed, Invalid, Unreachable
from fairway.engine.contract.protocol import Operation
from fairway.engine.steps import STEPS
from fairway.observe.rates import Rates
from tests.unit.dashboard.hosts import Host, Journal, dashboard
from tests.unit.dashboard.journals import (
    GOOD,
    ID,
    SENT_BACK,
    TO_SWITCH,
    UNREADY,
    accepted,
    at,
    done,
    ended,
    error,
    progress,
    step,
)
from tests.unit.observe.records import entry, tag

PAGE = f"/deployments/staging/{ID}"
RECORDED = {
    "deployment": ID,
    **entry(1, "deploy", "b", "failed", replaces="a", failed_in="soak", steps={"pull": 2.0}, seconds=30.0),
    "error": error("sha-bbbbbbb does worse", "it was slow", "see soak"),
}


def _followed(*entries: dict[str, Any], **facts: Any) -> Followed:
    return Followed("staging", ID, entries, entries[-1] if entries else None, **facts)


def _until(client: TestClient, path: str, seen: Callable[[Any], bool]) -> Any:
    """Ask again until that is to be seen."""
    deadline = time.monotonic() + 10
    while not seen(found := client.get(path).json()):
        assert time.monotonic() < deadline, found
    return found


def test_the_order_of_the_steps_is_the_engine_s() -> None:
    assert tuple(one.name for one in STEPS) == ORDER


def test_a_good_one_is_told_from_its_journal() -> None:
    view = show(_followed(*GOOD), None)
    assert (view.state, view.headline, view.good, view.live) == ("succeeded", "succeeded", True, False)
    assert [one.name for one in view.steps if one.state == "done"] == [
        *("verify", "preflight", "pull", "services", "start", "ready", "switch", "record")
    ]
    assert len(view.steps) == 8
    pull = view.steps[2]
    assert (pull.seconds, pull.message) == (2.0, "pull is done")
    # To scale: 2.0 s from 0.5 s on, of 4.5 s.
    assert (pull.begins, pull.takes) == (11.1, 44.4)
    assert [(one.name, one.words) for one in view.notes] == [("Database", "applied 0006_location")]
    assert (view.by, view.slot, view.seconds) == ("ada@laptop", "green", 4.5)


def test_the_reason_of_one_that_was_never_ready_stands_at_the_top() -> None:
    view = show(_followed(*UNREADY), None)
    assert view.headline == "failed in ready, was undone"
    assert view.error is not None
    assert view.error.why == 'GET /api/ready: 503 {"forecast": "down"}'
    assert not view.sent_back
    assert [(one.name, one.state) for one in view.steps] == [
        ("verify", "done"),
        ("start", "undone"),
        ("ready", "failed"),
    ]
    assert [one.line for one in view.steps[2].said] == ["connection refused", '503 {"forecast": "down"}']


def test_one_that_visitors_met_is_said_to_be_sent_back() -> None:
    view = show(_followed(*SENT_BACK), None)
    assert view.sent_back
    assert view.headline == "sent back: failed in soak with visitors on it"
    assert {one.name: one.undone for one in view.steps if one.undone} == {"switch": "from green to blue"}


def test_one_that_was_cancelled_or_refused_is_not_called_failed_with_visitors() -> None:
    stopped = show(
        _followed(accepted(), *TO_SWITCH, ended("cancelled", 5, error=error("cancelled", exit_code=130))), None
    )
    assert stopped.headline == "cancelled, was undone"
    no = show(_followed(accepted(), ended("failed", 1, failed_in="verify", error=error("no", exit_code=3))), None)
    assert no.headline == "refused: nothing was touched"


def test_while_it_runs_the_step_at_work_and_those_to_come_are_shown() -> None:
    view = show(_followed(accepted(), *done("verify"), step("preflight", "started", 0.2)), None)
    assert (view.state, view.headline, view.may_cancel) == ("running", "running: preflight", True)
    states = {one.name: one.state for one in view.steps}
    assert (states["verify"], states["preflight"], states["soak"]) == ("done", "running", "waiting")


@pytest.mark.parametrize(
    ("name", "line", "left", "may_cancel"),
    [("soak", "12 s left: 80 requests, 0 failed, 12 ms", 12, True), ("drain", "3 open, 9 s left", 9, False)],
)
def test_what_is_waited_for_is_counted_down(name: str, line: str, left: int, may_cancel: bool) -> None:
    view = show(
        _followed(
            accepted(), *TO_SWITCH, step(name, "started", 5), progress(name, "20 s left", 5), progress(name, line, 13)
        ),
        None,
    )
    assert view.countdown is not None
    assert (view.countdown.left_s, view.countdown.of_s, view.countdown.line) == (left, 20, line)
    assert view.may_cancel is may_cancel


def test_one_whose_engine_is_gone_is_said_to_be_lost() -> None:
    view = show(_followed(*TO_SWITCH, error=Failed("the engine was lost", hint="run it again")), None)
    assert (view.state, view.live) == ("lost", True)
    assert view.error is not None
    assert view.error.hint == "run it again"


def test_without_a_journal_the_record_is_shown_and_said_to_be_all() -> None:
    view = show(_followed(error=Invalid("no journal"), gone=True), RECORDED)
    assert (view.source, view.headline) == ("record", "sent back: failed in soak with visitors on it")
    assert [(one.name, one.state, one.seconds) for one in view.steps] == [
        ("pull", "done", 2.0),
        ("soak", "failed", None),
    ]
    assert (view.replaces, view.by) == (tag("a"), "ada")


@pytest.mark.parametrize(
    "change",
    [
        {"at": "9999-12-31T23:59:59-14:00"},
        {"at": "0001-01-01T00:00:00Z"},
        {"seconds": 1e300, "steps": {"pull": "NaN"}},
        {"error": [], "schema": 1, "by": {}, "tag": [1], "replaces": 3, "failed_in": {"a": 1}},
    ],
)
def test_whatever_a_record_says_the_page_goes_on(tmp_path: Path, change: dict[str, Any]) -> None:
    host = Host()
    host.entries.append({"n": 4, **RECORDED, **change})
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        assert client.get(PAGE).status_code == 200
        assert client.get(f"/api{PAGE}").json()["source"] == "record"


@pytest.mark.parametrize(
    "entries",
    [
        [{"kind": "accepted"}],
        [{"kind": "step"}, {"kind": "step", "step": {"a": 1}}, {"kind": "step", "step": "ready"}],
        [accepted(), step("ready", "started", 0, message=["x"]), progress("ready", "x" * 100_000, 1)],
        [{**accepted(), "at": 5, "slot": ["green"], "tag": {"a": 1}}, *done("verify")],
        [accepted(), step("soak", "started", 0), {**progress("soak", "", 1), "message": None}],
        [accepted(), {"kind": "note", "step": [], "evidence": "?", "forced": 3, "backup": {}}],
        [accepted(), ended("boiled", 1, error="?", steps="?", failed_in=["x"], schema=[1], rehearsal=1)],
        [accepted(), ended("failed", 1), {"kind": "step", "step": "ready", "mark": "done", "seconds": "NaN"}],
        [accepted(), {**ended("failed", 1), "seconds": 1e300, "at": "9999-12-31T23:59:59Z", "outcome": ["failed"]}],
        [
            {**accepted(), "at": "9999-12-31T23:59:59-14:00"},
            {**progress("soak", "", 1), "at": "0001-01-01T00:00:00+14:00"},
        ],
        [accepted(), *({"kind": "step", "step": f"s{n}", "mark": "started"} for n in range(500))],
    ],
)
def test_whatever_a_host_says_the_page_goes_on(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    host = Host()
    host.journals[ID] = Journal(*entries, {"kind": "ended"})
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        assert client.get(f"/api{PAGE}/events").status_code == 200
        page = client.get(PAGE)
        assert page.status_code == 200
        assert len(page.content) < 400_000
        assert client.get(f"/api{PAGE}").json()["source"] == "journal"


def test_what_is_no_entry_is_passed_over_and_markup_is_shown_as_text(tmp_path: Path) -> None:
    host = Host()
    hostile = "<script>alert(1)</script>\u202e"
    journal: list[Any] = ["torn", 7, {"no": "kind"}, accepted(by=hostile), step("ready", "failed", 1, message=hostile)]
    host.journals[ID] = Journal(*journal, ended("failed", 2, error=error(hostile, hostile, hostile)))
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        stream = client.get(f"/events{PAGE}").text
        page = client.get(PAGE).text
    assert "<script>alert" not in page + stream
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in page


def test_a_page_is_told_of_news_until_the_end(tmp_path: Path) -> None:
    host = Host()
    journal = host.journals[ID] = Journal(accepted())
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        page = client.get(PAGE).text
        assert f'sse-connect="/events{PAGE}"' in page
        assert '<noscript><meta http-equiv="refresh"' in page
        assert "Cancel and revert" in page
        threading.Timer(0.1, lambda: journal.write(*GOOD[1:])).start()
        stream = client.get(f"/events{PAGE}").text
        part = client.get(f"/parts{PAGE}").text
        closed = client.get(PAGE).text
    assert stream.count("event: changed") >= 2
    assert "data: deploy of sha-bbbbbbb on staging: succeeded" in stream
    assert stream.endswith("event: ended\ndata: now\n\n")
    assert 'id="d-steps" hx-swap-oob="true"' in part
    assert "Cancel and revert" not in part
    assert "sse-connect" not in closed
    assert "http-equiv" not in closed
    # However many looked, the host was asked once.
    assert [operation for operation, _ in host.asked].count(Operation.FOLLOW) == 1


def test_programs_follow_by_json_lines_and_go_on_where_they_were(tmp_path: Path) -> None:
    host = Host()
    host.journals[ID] = Journal(*GOOD)
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        whole = client.get(f"/api{PAGE}/events").text
        rest = client.get(f"/api{PAGE}/events", headers={"Last-Event-ID": "3"}).text
        description = client.get("/api/openapi.json").json()["paths"][
            "/api/deployments/{environment}/{deployment}/events"
        ]
    events = [dict(line.split(": ", 1) for line in block.splitlines()) for block in whole.strip().split("\n\n")]
    heard = [json.loads(one["data"]) for one in events if one["event"] == "journal"]
    assert heard == GOOD
    assert (events[-1]["event"], json.loads(events[-1]["data"])["state"]) == ("ended", "succeeded")
    assert "id: 3\n" not in rest
    assert "id: 4\n" in rest
    assert "text/event-stream" in json.dumps(description)


def test_a_lost_connection_is_shown_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_RETRY_S", 0.05)
    host = Host()
    journal = host.journals[ID] = Journal(accepted())
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        _until(client, f"/api{PAGE}", lambda found: found["state"] == "running")
        journal.lose(Unreachable("the host cannot be reached", why="no route to it"))
        found = _until(client, f"/api{PAGE}", lambda found: found["problem"] is not None)
        assert (found["state"], found["problem"]["why"]) == ("running", "no route to it")
        assert "no route to it" in client.get(PAGE).text
        journal.lose(None)
        journal.write(*GOOD[1:])
        found = _until(client, f"/api{PAGE}", lambda found: found["state"] == "succeeded")
    assert found["problem"] is None
    # Nothing was heard twice.
    assert len(found["steps"]) == 8


def test_one_that_the_host_knows_nothing_of_is_not_found(tmp_path: Path) -> None:
    host = Host()
    host.entries.append({"n": 4, **RECORDED})
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        assert client.get("/deployments/staging/20200101-000000-000000").status_code == 404
        assert client.get("/deployments/staging/..%2f..%2fetc").status_code == 404
        assert client.get(f"/deployments/nowhere/{ID}").status_code == 404
        page = client.get(PAGE).text
        assert "has the journal of this deployment no more" in page
        assert "sse-connect" not in page
        latest = client.get("/deployments/staging/latest", follow_redirects=False)
        assert latest.headers["location"] == PAGE
        assert client.get("/deployments/production/latest").status_code == 404


def test_the_one_that_runs_is_the_latest(tmp_path: Path) -> None:
    host = Host(deploying=True, deployment={"id": ID, "by": "ada", "purpose": "deploy", "since": "now"})
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        assert client.get("/deployments/staging/latest", follow_redirects=False).headers["location"] == PAGE


def test_a_lock_whose_holder_has_no_journal_yet_does_not_hide_the_newest(tmp_path: Path) -> None:
    host = Host(deploying=True, deployment={"id": None, "by": "ada", "purpose": "deploy", "since": "now"})
    older = {**RECORDED, "deployment": "20260101-120000-000000"}
    host.entries = [{"n": 1, **older}, {"n": 2, **RECORDED}, {"n": 3, **entry(0, "prune", "a")}]
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        assert client.get("/deployments/staging/latest", follow_redirects=False).headers["location"] == PAGE


def figures_of(second: int) -> dict[str, Any]:
    """Return what the edge has counted by then: the new release has the traffic, and answers a fifth of it with 500."""
    return _figures(second, 40, 10 * second, 2 * second)


def _figures(clock_s: float, old: int, new: int, errors: int, deployment: str = ID) -> dict[str, Any]:
    def slot(requests: int, errors: int) -> dict[str, Any]:
        return {"requests": requests, "answers": {"2xx": 0, "3xx": 0, "4xx": 0, "5xx": errors}, "failures": 0}

    return {
        **slot(old + new, errors),
        "at": at(clock_s),
        "clock_s": clock_s,
        "deployment": {"id": deployment},
        "slots": {"blue": slot(old, 0), "green": slot(new, errors)},
    }


def test_requests_and_errors_are_told_apart_by_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.01)
    host = Host()
    journal = host.journals[ID] = Journal(accepted(), *TO_SWITCH)
    seconds = iter(range(1000))
    host.answers[Operation.EDGE_FIGURES] = lambda: figures_of(next(seconds))
    host.log = ["KeyError: <location>"]
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        found = _until(client, f"/api{PAGE}", lambda found: len(found["traffic"]["points"]) > 2 and found["log"])
        threading.Timer(0.1, lambda: journal.write(ended("failed", 20))).start()
        # The log comes when there is more of it, and not with whatever else is new.
        stream = client.get(f"/events{PAGE}").text
        assert (stream.count("event: log"), "KeyError" in client.get(f"/parts{PAGE}").text) == (1, False)
        assert "KeyError" in client.get(f"/parts{PAGE}/log").text
        _until(client, f"/api{PAGE}", lambda found: found["state"] == "failed")
        page = client.get(PAGE).text
    point = found["traffic"]["points"][1]
    assert (point["old_requests"], point["new_requests"], point["new_errors"]) == (0.0, 10.0, 2.0)
    assert found["traffic"]["moved_s"] == 4.1
    assert 'class="moved"' in page
    assert 'aria-label="Errors per second. old release: none, new release: 2.0 at the end, 2.0 at most"' in page
    assert "KeyError: &lt;location&gt;" in page
    assert (Operation.LOGS, {"service": "fairway-app-green", "tail": 60, "follow": False}) in host.asked


def test_what_the_edge_does_later_is_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.01)
    host = Host()
    host.journals[ID] = Journal(accepted(), *TO_SWITCH)
    looked = threading.Semaphore(0)

    def figures() -> dict[str, Any]:
        looked.release()
        return _figures(time.monotonic(), 1, 1, 1, deployment="another")

    host.answers[Operation.EDGE_FIGURES] = figures
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        client.get(PAGE)
        for _ in range(5):
            assert looked.acquire(timeout=10)
        assert client.get(f"/api{PAGE}").json()["traffic"]["points"] == []


def test_a_chart_has_gaps_where_nothing_can_be_told_and_a_table_stays_short() -> None:
    def look(second: int, found: Rates | None) -> Look:
        return Look(at(second), {"edge": found, "blue": found, "green": None})

    some = Rates(5.0, {"2xx": 5.0, "3xx": 0.0, "4xx": 0.0, "5xx": 0.0}, 0.0)
    looks = [look(second, None if second == 50 else some) for second in range(100)]
    view = show(_followed(accepted(), looks=(*looks, Look("?", {}))), None)
    assert view.traffic is not None
    requests, errors = charts(view.traffic)
    assert [len(line.pieces) for line in requests.lines] == [2, 0]
    assert errors.words == "Errors per second. old release: none, new release: none"
    assert len(rows(view.traffic)) == 20


def test_only_so_many_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_KEPT", 3)
    host = Host()
    for number in range(9):
        host.journals[f"20260630-12000{number}-000000"] = Journal(*GOOD)
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        for identity in (*host.journals, *host.journals):
            assert client.get(f"/api/deployments/staging/{identity}").json()["state"] == "succeeded"
    assert [operation for operation, _ in host.asked].count(Operation.FOLLOW) == 18


def test_so_many_are_told_as_it_comes_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    host.journals[ID] = Journal(*GOOD)
    with dashboard(tmp_path, {"staging": host, "production": Host()}) as client:
        for _ in range(3):
            monkeypatch.setattr(streams, "MOST", 1)
            assert client.get(f"/events{PAGE}").status_code == 200
        monkeypatch.setattr(streams, "MOST", 0)
        assert client.get(f"/events{PAGE}").status_code == 409
        assert "event: ended" not in client.get(f"/api{PAGE}/events").text
