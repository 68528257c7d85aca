from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from fairway.engine.contract.errors import Failed, Refused
from fairway.engine.groundwork.aptkey import check_key, fingerprint_of
from fairway.engine.groundwork.distribution import distribution
from fairway.engine.groundwork.packages import DOCKER_FINGERPRINT, Packages, Present, choose, sources_text
from fairway.engine.process import Completed
from tests.unit.engine.groundwork.machines import (
    CERTBOT,
    DEBIAN_12,
    DEBIAN_13,
    FEDORA,
    SERVED,
    UBUNTU_22,
    UBUNTU_24,
    WISH,
    Machine,
    ready,
)

BARE = Present()
DOCKERS = ("docker-ce", "docker-ce-cli", "containerd.io", "docker-compose-plugin")


@pytest.mark.parametrize(
    ("system", "packages", "from_docker"),
    [
        (DEBIAN_12, DOCKERS, True),
        (DEBIAN_13, ("docker.io", "docker-cli", "iptables", "docker-compose"), False),
        (UBUNTU_22, DOCKERS, True),
        (UBUNTU_24, ("docker.io", "docker-compose-v2"), False),
        (DEBIAN_13.replace('VERSION_ID="13"\n', ""), ("docker.io", "docker-cli", "iptables", "docker-compose"), False),
    ],
)
def test_a_bare_system_gets_a_compose_that_is_new_enough(
    system: str, packages: tuple[str, ...], from_docker: bool
) -> None:
    choice = choose(distribution(system), BARE, WISH)
    assert choice.packages == (*packages, "ca-certificates", "age")
    assert choice.note == ""
    assert choice.from_docker is from_docker


@pytest.mark.parametrize(
    "system",
    [
        FEDORA,
        "",
        DEBIAN_12.replace("12", "11"),
        UBUNTU_24.replace("24.04", "20.04"),
        'ID=linuxmint\nVERSION_ID="22"\nVERSION_CODENAME=wilma\n',
        'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME="x\nURIs: http://evil"\n',
    ],
)
def test_on_a_system_that_is_not_known_nothing_is_installed(system: str) -> None:
    choice = choose(distribution(system), BARE, WISH)
    assert choice.packages == ()
    assert "no system that Fairway installs on" in choice.blocked


def test_but_where_all_is_there_already_the_system_does_not_matter() -> None:
    there = Present("", (2, 30, 0), frozenset({"age"}), certificates=True)
    assert choose(None, there, WISH) == choose(distribution(DEBIAN_13), there, WISH)
    assert choose(None, there, WISH).packages == ()
    without = choose(None, replace(there, programs=frozenset(), certificates=False), WISH)
    assert (without.packages, without.blocked) == ((), "")
    assert without.note.startswith("age is missing")
    assert choose(None, there, SERVED).blocked.startswith("nginx is missing")


@pytest.mark.parametrize(
    ("system", "docker", "expected"),
    [
        (DEBIAN_13, "docker.io", ("docker-compose",)),
        (UBUNTU_24, "docker.io", ("docker-compose-v2",)),
        (DEBIAN_12, "docker-ce", ("docker-compose-plugin",)),
        (DEBIAN_12, "docker.io", None),
        (DEBIAN_13, "", None),
    ],
)
def test_a_docker_that_runs_is_never_replaced(system: str, docker: str, expected: tuple[str, ...] | None) -> None:
    there = Present(docker, (2, 20, 0), frozenset({"age"}), certificates=True)
    choice = choose(distribution(system), there, WISH)
    assert choice.packages == (expected or ())
    assert bool(choice.blocked) is (expected is None)


def test_the_site_and_the_copies_ask_for_their_programs() -> None:
    wish = replace(SERVED, site=CERTBOT, tools=("restic", "apprise"))
    assert choose(distribution(DEBIAN_13), BARE, wish).packages[-6:] == (
        "nginx",
        "certbot",
        "ca-certificates",
        "age",
        "restic",
        "apprise",
    )


def test_dockers_repository_is_written_down_in_the_plan_with_its_key() -> None:
    steps = Packages().look(Machine(files={"/etc/os-release": DEBIAN_12}), WISH).steps
    assert DOCKER_FINGERPRINT in steps[0]
    assert steps[1].startswith("apt-get install docker-ce docker-ce-cli containerd.io docker-compose-plugin")
    system = distribution(DEBIAN_12)
    assert system is not None
    text = sources_text(system, "amd64")
    assert "URIs: https://download.docker.com/linux/debian\nSuites: bookworm\n" in text
    assert "Signed-By: /etc/apt/keyrings/fairway-docker.asc\n" in text


def test_a_repository_that_apt_takes_already_is_not_added_again() -> None:
    known = {"apt-get indextargets": "https://download.docker.com/linux/debian/\n"}
    machine = Machine(files={"/etc/os-release": DEBIAN_12}, answers={**known, "apt-get": ""})
    assert len(Packages().look(machine, WISH).steps) == 1
    Packages().do(machine, WISH, lambda line: None)
    assert not any("apt-helper" in argv[0] for argv in machine.ran)


def test_a_key_that_is_not_dockers_is_not_believed_and_nothing_is_installed() -> None:
    machine = Machine(
        files={"/etc/os-release": DEBIAN_12, "/etc/apt/keyrings/fairway-docker.asc.fetched": _armored(_key(b"k"))},
        answers={"apt-get": "", "dpkg --print": "amd64\n", "/usr/lib/apt/apt-helper": ""},
    )
    with pytest.raises(Refused, match="is not the one that is known"):
        Packages().do(machine, WISH, lambda line: None)
    assert not [path for path in machine.files if "docker.asc" in path or path.endswith(".sources")]
    assert not any("install" in argv and "docker-ce" in argv for argv in machine.ran)


def test_nothing_is_taken_away_for_what_is_installed() -> None:
    machine = Machine(files={"/etc/os-release": DEBIAN_13}, answers={"apt-get": ""})
    Packages().do(machine, WISH, lambda line: None)
    installing = [argv for argv in machine.ran if "install" in argv]
    assert installing
    assert all("--no-remove" in argv for argv in installing)


def test_what_apt_says_is_the_reason() -> None:
    machine = ready(programs={"docker"})
    machine.answers["apt-get"] = Completed(100, "E: Unable to locate package age\n", "")
    with pytest.raises(Failed) as caught:
        Packages().do(machine, WISH, lambda line: None)
    assert "Unable to locate" in caught.value.why


def _packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body


def _key(material: bytes) -> bytes:
    return b"\x04\x00\x00\x00\x00\x01" + material


def _armored(*keys: bytes, extra: bytes = b"") -> str:
    content = b"".join(_packet(6, key) + _packet(13, b"somebody") + _packet(2, b"sig") for key in keys) + extra
    body = base64.encodebytes(content).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_the_right_key_alone_is_taken() -> None:
    key = _key(b"right")
    check_key(_armored(key), fingerprint_of(key), "x")
    check_key(_armored(key, extra=_packet(14, b"subkey")), fingerprint_of(key), "x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        _armored(),
        _armored(_key(b"other")),
        _armored(_key(b"right"), _key(b"other")),
        _armored(_key(b"other"), _key(b"right")),
        _armored(_key(b"right")) + _armored(_key(b"other")),
        _armored(_key(b"right"), extra=_packet(5, b"secret")),
        _armored(_key(b"right"), extra=b"\xc6\xff"),
        _armored(_key(b"right"), extra=b"\x00"),
        _armored(b"\x03" + b"right"),
    ],
)
def test_anything_but_that_one_key_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        check_key(text, fingerprint_of(_key(b"right")), "x")
