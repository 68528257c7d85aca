"""The load generator counts right: against a server here that misbehaves on purpose."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from testbed.load import Load, Report, Streams
from testbed.process import TestbedError
from testbed.waiting import wait_for


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    release = "one"
    status = 200
    drop = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/events":
            self._stream()
        elif self.server.drop:
            self.close_connection = True
        else:
            self.send_response(self.server.status)
            self.send_header("X-Release", self.server.release)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _stream(self) -> None:
        """Send two events and, unless told to drop, the end of the stream."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n")
        if not self.server.drop:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def _url(server: _Server, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def test_every_answer_is_counted_for_its_release_and_the_change_is_noted(server: _Server) -> None:
    with Load(_url(server), connections=4) as load:
        wait_for("the count", lambda: load.report.by_release["one"] >= 20)
        server.release = "two"
        wait_for("the count", lambda: load.report.by_release["two"] >= 20)
    report = load.report
    assert report.failed == 0
    assert report.total == report.ok == sum(report.by_release.values())
    assert report.releases == ["one", "two"]
    assert 0 < report.latency_s(0.5) <= report.latency_s(0.99) < 5


def test_it_ends_by_itself_at_the_number_of_requests(server: _Server) -> None:
    with Load(_url(server), connections=3, max_requests=50) as load:
        wait_for("the count", lambda: load.report.total == 50)
    assert load.report.ok == 50


def test_the_rate_is_that_of_all_connections_together(server: _Server) -> None:
    with Load(_url(server), connections=4, rate_per_s=100, max_requests=30) as load:
        wait_for("the count", lambda: load.report.total == 30)
    assert load.report.elapsed_s >= 0.28


def test_a_dropped_connection_is_a_failure_and_never_tried_again(server: _Server) -> None:
    with Load(_url(server), connections=1) as load:
        wait_for("the count", lambda: load.report.ok >= 5)
        server.drop = True
        wait_for("the count", lambda: load.report.failed >= 1)
    assert all("ServerDisconnected" in reason for reason in load.report.reasons)
    assert load.report.total == load.report.ok + load.report.failed


def test_an_error_status_is_a_failure_with_its_number(server: _Server) -> None:
    server.status = 503
    with Load(_url(server), connections=1, max_requests=3) as load:
        wait_for("the count", lambda: load.report.failed == 3)
    assert load.report.reasons == {"HTTP 503": 3}


def test_old_answers_that_cross_the_switch_are_no_change_back() -> None:
    report = Report()
    for release, asked_s, answered_s in (("old", 0, 1), ("new", 2, 3), ("old", 2.5, 3.5), ("new", 3.2, 4)):
        report.answer(release, asked_s=asked_s, answered_s=answered_s)
    assert report.releases == ["old", "new"]
    report.answer("old", asked_s=5, answered_s=6)
    assert report.releases == ["old", "new", "old"]


def test_streams_that_end_and_streams_that_are_cut_are_told_apart(server: _Server) -> None:
    with Streams(_url(server, "/events"), count=1, reconnect_s=0.01) as streams:
        wait_for("the count", lambda: len(streams.report.ended) >= 2)
        assert streams.report.cut == []
        server.drop = True
        wait_for("the count", lambda: len(streams.report.cut) >= 2)
    assert streams.report.events >= 8


@pytest.mark.parametrize("url", ["http://example.com/", "http://192.0.2.1/", "http://10.0.0.1:3000/"])
def test_load_is_only_for_the_testbeds_own_addresses(url: str) -> None:
    with pytest.raises(TestbedError, match="addresses of the testbed"):
        Load(url)
