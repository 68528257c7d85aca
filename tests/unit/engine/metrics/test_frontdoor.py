"""A visitor's way in is asked as a visitor asks, and only a plain 200 counts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fairway.engine.hostconfig import HostConfig
from fairway.engine.metrics.frontdoor import Door, doors, knock
from fairway.engine.metrics.site import Site

ASKED: list[tuple[str, str]] = []


class _Application(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ASKED.append((self.headers["Host"], self.path))
        self.send_response({"/ready": 200, "/moved": 301}.get(self.path, 503))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base calls it so
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Where an application listens."""
    ASKED.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Application) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_only_a_plain_200_under_the_sites_name_counts(port: int) -> None:
    door = Door("site", "127.0.0.1", port, "www.example.com")
    assert [knock(door, path).up for path in ("/ready", "/moved", "/down")] == [True, False, False]
    assert ASKED[0] == ("www.example.com", "/ready")


def test_where_nobody_answers_or_no_tls_is_spoken_it_is_down(port: int) -> None:
    assert not knock(Door("site", "127.0.0.1", port, "www.example.com", tls=True), "/ready").up
    assert not knock(Door("port", "127.0.0.1", 1, "localhost"), "/ready").up


@pytest.mark.parametrize(
    ("published", "address"), [("3000", "127.0.0.1"), ("0.0.0.0:3000", "127.0.0.1"), ("10.0.0.5:3000", "10.0.0.5")]
)
def test_the_port_is_asked_where_it_is_published_and_the_site_where_nginx_is(published: str, address: str) -> None:
    host = HostConfig("shop", "staging", published, "haproxy:3.0", False)
    found = list(doors(host, iter([Site("a.example.com", tls=True), Site("b.example.com", tls=False)])))
    assert [(one.via, one.address, one.port, one.tls) for one in found] == [
        ("port", address, 3000, False),
        ("site", "127.0.0.1", 443, True),
        ("site", "127.0.0.1", 80, False),
    ]
