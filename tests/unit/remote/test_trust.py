"""What hosts believe, as the control side changes it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from fairway.config.hosts import Host
from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.trust import Key, Keys, Policy, PublicKey, Requirement, Role
from fairway.remote.keys import adding, public_key, replacing, revoking
from fairway.remote.session import AdminSession, explain_end
from fairway.remote.transport import DeployUserTransport, SshTransport, SudoTransport, admin_transport
from fairway.remote.trust import EvidenceKey, Trust, believing, look_over, policy_differences, rotated

AT, LATER = "2026-01-31T12:00:00.000Z", "2026-02-01T12:00:00.000Z"


def public(seed: int) -> PublicKey:
    kind = b"ssh-ed25519"
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", 32) + bytes([seed]) * 32
    return PublicKey(f"ssh-ed25519 {base64.b64encode(blob).decode()}")


STAGING = EvidenceKey("staging:host1", public(1))
ANEW = EvidenceKey("staging:host1", public(2))


def trust(keys: Keys = Keys(), policy: Policy = Policy(), *, guarded: bool = True) -> Trust:  # noqa: B008
    return Trust(
        policy, keys, EvidenceKey("production:www", public(9)), "root" if guarded else "deploy", guarded, "x", ()
    )


def test_a_host_is_believed_as_its_environment_and_once() -> None:
    keys = believing(Keys(), "staging", STAGING, AT)
    assert keys.keys == (Key("staging:host1", Role.HOST, public(1), AT, environment="staging"),)
    assert believing(keys, "staging", STAGING, LATER) is keys


def test_a_host_s_changed_key_is_not_taken_silently() -> None:
    keys = believing(Keys(), "staging", STAGING, AT)
    with pytest.raises(Refused) as caught:
        believing(keys, "staging", ANEW, LATER)
    assert "fairway keys rotate staging --host" in caught.value.hint


def test_a_revoked_host_comes_back_only_with_another_key() -> None:
    keys = believing(Keys(), "staging", STAGING, AT).ended("staging:host1", Role.HOST, revoked=AT)
    with pytest.raises(Invalid, match="was revoked"):
        believing(keys, "staging", STAGING, LATER)
    assert believing(keys, "staging", ANEW, LATER).keys[-1].valid


def test_a_rotation_ends_the_old_key_and_again_changes_nothing() -> None:
    keys = rotated(believing(Keys(), "staging", STAGING, AT), "staging", ANEW, LATER)
    assert [(key.public, key.until) for key in keys.keys] == [(public(1), LATER), (public(2), None)]
    assert rotated(keys, "staging", ANEW, LATER) == keys


def test_a_person_s_key_is_added_replaced_and_revoked() -> None:
    keys = adding("ann", Role.REVIEWER, public(1))(Keys())
    with pytest.raises(Invalid, match="has two keys"):
        adding("ann", Role.REVIEWER, public(2))(keys)
    with pytest.raises(Invalid, match="already has the role reviewer"):
        adding("ann", Role.DEPLOY, public(1))(keys)
    keys = replacing("ann", Role.REVIEWER, public(2))(keys)
    assert [key.valid for key in keys.keys] == [False, True]
    keys = revoking("ann", Role.REVIEWER, "left")(keys)
    assert (keys.keys[1].why, keys.keys[1].valid) == ("left", False)
    with pytest.raises(Invalid, match="no valid key of ann"):
        revoking("ann", Role.REVIEWER, "")(keys)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END", "that is a private key"),
        ("", "one public key, not 0"),
        (f"{public(1)}\n{public(2)}\n", "one public key, not 2"),
        ("hello", "not an SSH public key"),
    ],
)
def test_what_is_no_public_key_is_refused_without_showing_it(text: str, what: str) -> None:
    with pytest.raises(Invalid) as caught:
        public_key(text)
    assert what in caught.value.what
    assert "c2VjcmV0" not in str(caught.value)
    assert public_key(f"# mine\n{public(1)} ann@laptop\n") == public(1)


def test_the_differing_keys_of_a_policy_are_named() -> None:
    here = Policy(requires=(Requirement("staging", 60),), approvals=1)
    assert policy_differences(here, here) == []
    assert policy_differences(here, Policy()) == ["requires", "approvals"]


def _failed(checks: list[dict[str, object]]) -> list[object]:
    return [check["name"] for check in checks if not check["ok"]]


def test_the_doctor_finds_what_is_open_and_what_is_missing() -> None:
    keys = believing(Keys(), "staging", STAGING, AT)
    assert _failed(look_over("production", Policy(), "root", trust(keys), "staging", STAGING)) == []
    assert _failed(look_over("production", Policy(), "root", trust(keys), "staging", None)) == []
    assert _failed(look_over("production", Policy(), None, trust(keys, guarded=False), None, None)) == []
    assert _failed(look_over("production", Policy(), "root", trust(keys, guarded=False), None, None)) == ["kept by"]
    assert _failed(look_over("production", Policy(approvals=1), "root", trust(keys), "staging", ANEW)) == [
        "policy",
        "believes staging",
    ]
    assert _failed(look_over("production", Policy(), "root", trust(), "staging", STAGING)) == ["believes staging"]


# -- the administrator's way in


class _Noting:
    """A transport that takes down what it is to start."""

    name = "www"

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, argv: list[str]) -> object:
        self.started = argv
        raise RuntimeError


@pytest.mark.parametrize(
    ("wrap", "first"),
    [(SudoTransport, ["sudo", "-n"]), (lambda inner: DeployUserTransport(inner, "deploy"), ["python3", "-I", "-c"])],
)
def test_a_program_is_started_as_the_one_it_is_meant_to_be(
    wrap: Callable[[_Noting], SudoTransport], first: list[str]
) -> None:
    noting = _Noting()
    with pytest.raises(RuntimeError):
        AdminSession(wrap(noting), "/opt/x")
    assert noting.started[: len(first)] == first
    assert noting.started[-4:] == ["python3", "-I", "/opt/x/.fairway/engine/current", "admin"]


def test_the_administrator_comes_with_a_key_of_their_own(tmp_path: Path) -> None:
    from pydantic import SecretStr

    host = Host("deploy@www", "www", user="deploy", port=2222, identity=SecretStr("the pipeline's"))
    root = admin_transport(host, "root", None)
    assert isinstance(root, SshTransport)
    command = root.command()
    assert command[command.index("-l") + 1] == "root"
    assert "2222" in command
    assert "-i" not in command
    assert isinstance(admin_transport(host, "ops", None), SudoTransport)


def test_ssh_itself_says_by_which_user_a_host_is_reached(tmp_path: Path) -> None:
    (tmp_path / "ssh_config").write_text("Host www\n    User carol\n")
    assert SshTransport(Host("www", "www"), tmp_path / "ssh_config").user == "carol"
    assert SshTransport(Host("deploy@www", "www", user="deploy"), tmp_path / "ssh_config").user == "deploy"


def test_an_administrator_who_may_not_be_root_is_told_so() -> None:
    error = explain_end(_Noting(), 1, "sudo: a password is required")  # type: ignore[arg-type]
    assert "does not let the administrator be root" in error.what
