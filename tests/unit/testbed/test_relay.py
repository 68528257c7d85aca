"""The relay adds its time to each answer, and takes no throughput."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from testbed.process import TestbedError
from testbed.relay import Relay

_MEGABYTES = b"x" * 20_000_000


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets, to one client after the other; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _serve(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)


def _receive(client: socket.socket, size: int) -> int:
    received = 0
    while received < size and (data := client.recv(65536)):
        received += len(data)
    return received


def test_an_answer_takes_a_round_trip_longer_and_the_first_one_the_handshake_too(echo: int) -> None:
    with (
        Relay("127.0.0.1", echo, round_trip_s=0.2) as relay,
        socket.create_connection(("127.0.0.1", relay.port), timeout=10) as client,
    ):
        took = []
        for _ in range(2):
            begun = time.monotonic()
            client.sendall(b"ping")
            assert client.recv(4) == b"ping"
            took.append(time.monotonic() - begun)
    assert took[0] >= 0.4
    assert took[1] >= 0.2


def test_what_follows_closely_is_not_delayed_again(echo: int) -> None:
    # With the delay between one chunk and the next this would take minutes.
    with (
        Relay("127.0.0.1", echo, round_trip_s=0.4) as relay,
        socket.create_connection(("127.0.0.1", relay.port), timeout=30) as client,
    ):
        sender = threading.Thread(target=client.sendall, args=(_MEGABYTES,))
        sender.start()
        assert _receive(client, len(_MEGABYTES)) == len(_MEGABYTES)
        sender.join()


def test_the_end_of_a_connection_goes_through_both_ways(echo: int) -> None:
    with (
        Relay("127.0.0.1", echo, round_trip_s=0.02) as relay,
        socket.create_connection(("127.0.0.1", relay.port), timeout=10) as client,
    ):
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert _receive(client, 100) == len(b"last words")


def test_a_host_that_refuses_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with (
        Relay("127.0.0.1", port, round_trip_s=0.02) as relay,
        socket.create_connection(("127.0.0.1", relay.port), timeout=10) as client,
    ):
        assert client.recv(1) == b""


def test_a_relay_leads_only_into_the_testbed() -> None:
    with pytest.raises(TestbedError, match="addresses of the testbed only"):
        Relay("192.0.2.1", 22, round_trip_s=0.05)
