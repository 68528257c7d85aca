from __future__ import annotations

import socket

import pytest

from fairway.engine.sockets import is_here, listening, parse_listening

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"


@pytest.mark.parametrize(
    ("line", "family", "found"),
    [
        ("   0: 0100007F:0BB8 00000000:0000 0A 0", socket.AF_INET, {("127.0.0.1", 3000)}),
        ("   0: 00000000:0016 00000000:0000 0A 0", socket.AF_INET, {("", 22)}),
        ("   0: 0100007F:0BB8 0100007F:C000 01 0", socket.AF_INET, set()),
        (f"   0: {'0' * 24}01000000:1538 {'0' * 32}:0000 0A 0", socket.AF_INET6, {("::1", 5432)}),
        (f"   0: {'0' * 32}:1538 {'0' * 32}:0000 0A 0", socket.AF_INET6, {("", 5432)}),
    ],
)
def test_what_the_kernel_writes_is_read(line: str, family: int, found: set[tuple[str, int]]) -> None:
    assert parse_listening(HEAD + line + "\n", family) == found


def test_a_port_that_is_listened_on_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert ("127.0.0.1", server.getsockname()[1]) in listening()


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("0.0.0.0", True),
        ("192.0.2.1", False),
        ("[2001:db8::1]", False),
        ("app", False),
    ],
)
def test_this_machine_knows_its_addresses(host: str, here: bool) -> None:
    assert is_here(host) is here


def test_an_address_of_an_interface_is_here() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        assert is_here(probe.getsockname()[0])
