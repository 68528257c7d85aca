"""Two sides of different versions: whichever is older, the message says so and names the one command that helps."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fairway
from fairway.engine.accept import settle
from fairway.engine.contract import versions
from fairway.engine.contract.errors import (
    Failed,
    FairwayError,
    Invalid,
    OtherVersion,
    Refused,
    error_from_json,
)
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.manifest import Release, parse_release
from fairway.engine.contract.names import Digest, Slot, Tag
from fairway.engine.contract.protocol import Operation, encode, read_request, request
from fairway.engine.contract.versions import Relation, compare
from fairway.engine.deployment import Action, Request
from fairway.engine.deployment import read_request as read_deployment
from fairway.engine.hostconfig import HostConfig, read_host_config, read_owner
from fairway.engine.journal import Journal
from fairway.engine.layout import Layout
from fairway.engine.serve import Server
from fairway.engine.state import State, read_state
from fairway.remote.preparing import refuse_older
from fairway.remote.session import EngineSession
from fairway.remote.versions import explain

HERE, OLD, NEW = fairway.__version__, "0.0.1", "99.0.0"
HOST = HostConfig("capakraken", "staging", "3000", "haproxy:3.0", False)


@pytest.mark.parametrize(
    ("version", "other", "relation"),
    [
        ("0.1.0", "0.2.0", Relation.OLDER),
        ("0.10.0", "0.9.1", Relation.NEWER),
        ("1.0", "1.0.0", Relation.SAME),
        ("1.0.0rc1", "1.0.0", Relation.OLDER),
        ("1.0.0.dev3", "0.9", Relation.NEWER),
        ("1.0.0+local", "1.0.0", Relation.SAME),
        ("main", "1.0.0", Relation.UNKNOWN),
        (None, "1.0.0", Relation.UNKNOWN),
    ],
)
def test_the_older_of_two_versions_is_known(version: str | None, other: str, relation: Relation) -> None:
    assert compare(version, other) is relation


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_can_be_compared(version: str, other: str) -> None:
    mirrored = {Relation.OLDER: Relation.NEWER, Relation.NEWER: Relation.OLDER}
    relation = compare(version, other)
    assert compare(other, version) is mirrored.get(relation, relation)


def _answer(layout: Layout, line: dict[str, Any]) -> dict[str, Any]:
    """Return what an engine of this version answers to a line."""
    sink = io.BytesIO()
    Server(layout, io.BytesIO(encode(line)), sink).serve()
    answer: dict[str, Any] = json.loads(sink.getvalue().splitlines()[-1])
    return answer


def _told(answer: dict[str, Any], engine: object) -> FairwayError:
    """Return what this client makes of an error, had an engine of this version sent it."""
    return explain(error_from_json(answer["error"]), engine, "staging")


_STRANGE = [
    {**request(Operation.STATUS), "op": "teleport"},
    request(Operation.STATUS, colour="blue"),
    request(Operation.HISTORY),
    {**request(Operation.STATUS), "trace": True},
    {**request(Operation.STATUS), "protocol": 2},
    {**request(Operation.STATUS), "protocol": 0},
]


@pytest.mark.parametrize("line", _STRANGE)
def test_an_older_engine_is_named_with_the_command_that_renews_it(layout: Layout, line: dict[str, Any]) -> None:
    error = _told(_answer(layout, line), OLD)
    assert error.what.startswith("the host's engine is older than this fairway")
    assert f"the engine is {OLD}, this fairway {HERE}" in error.why
    assert error.hint.endswith("fairway bootstrap staging")


@pytest.mark.parametrize("line", _STRANGE)
def test_an_older_client_is_named_with_the_command_that_upgrades_it(layout: Layout, line: dict[str, Any]) -> None:
    error = _told(_answer(layout, line), NEW)
    assert error.what.startswith("this fairway is older than the host's engine")
    assert f"the engine is {NEW}, this fairway {HERE}" in error.why
    assert "uv tool upgrade fairway" in error.hint


def test_an_engine_from_before_versions_were_said_is_older() -> None:
    error = explain(OtherVersion("request: unknown key 'client'"), None, "staging")
    assert "is of a version that it does not say" in error.why
    assert "fairway bootstrap staging" in error.hint


def test_between_equal_versions_an_error_stays_what_it_is(layout: Layout) -> None:
    error = _told(_answer(layout, request(Operation.STATUS, colour="blue")), HERE)
    assert error.what == "request.args: unknown key 'colour'"


def test_every_error_names_the_environment_it_is_about(layout: Layout) -> None:
    answer = _answer(layout, request(Operation.STATUS))
    assert answer["error"]["hint"] == "fairway bootstrap <environment>"
    assert _told(answer, HERE).hint == "fairway bootstrap staging"


def test_every_answer_says_the_engine_s_version_and_every_request_the_client_s(layout: Layout) -> None:
    hello = _answer(layout, request(Operation.HELLO))
    assert (hello["engine"], hello["protocol"]) == (HERE, 1)
    assert _answer(layout, {"nonsense": 1})["engine"] == HERE
    assert request(Operation.HELLO)["client"] == HERE
    operation, _ = read_request(encode({"protocol": 1, "op": "hello", "args": {}}))
    assert operation is Operation.HELLO


class _Replaying:
    """Reaches a host that answers with these lines, whatever it is asked."""

    name = "host"

    def __init__(self, *lines: dict[str, Any]) -> None:
        self._lines = b"".join(encode(line) for line in lines).decode()

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        program = "import sys; sys.stdin.readline(); print(sys.argv[1], end='')"
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", program, self._lines], stdin=pipe, stdout=pipe, stderr=pipe)


def _call(*lines: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    with EngineSession(_Replaying(*lines), "/opt/x", "staging") as engine:
        return engine.call(Operation.FOLLOW, told.append), told


def test_an_outcome_that_is_not_known_is_never_a_success() -> None:
    with pytest.raises(Failed, match="does not know: 'parked'") as caught:
        _call({"kind": "result", "value": {"outcome": "parked"}, "engine": NEW})
    assert f"engine is {NEW}, this fairway {HERE}" in caught.value.why
    assert "uv tool upgrade fairway" in caught.value.hint
    assert "fairway status staging" in caught.value.hint


def test_events_that_are_not_known_are_passed_over_and_a_newer_engine_is_named() -> None:
    result = {"kind": "result", "value": {"outcome": "succeeded"}}
    _, told = _call({"kind": "smoke", "signal": 1}, {"kind": "smoke"}, {**result, "engine": NEW})
    (note,) = told
    assert note["kind"] == "notice"
    assert f"({NEW}) is newer than this fairway ({HERE})" in note["line"]
    _, told = _call({"kind": "smoke"}, {**result, "engine": HERE})
    assert told == []


def test_the_error_that_a_deployment_ended_with_names_the_environment() -> None:
    error = {"what": "no", "why": "", "hint": "fairway logs <environment>", "exit_code": 1}
    value, _ = _call({"kind": "result", "value": {"outcome": "failed", "error": error}, "engine": HERE})
    assert value["error"]["hint"] == "fairway logs staging"


def _newer(release: Release, **changes: Any) -> bytes:
    return json.dumps({**json.loads(replace(release, fairway=NEW).to_bytes()), **changes}).encode()


@pytest.mark.parametrize("changes", [{"format": 2}, {"phase_of_the_moon": "full"}, {"readiness": {"path": "/"}}])
def test_a_release_made_by_a_newer_fairway_says_so(release: Release, changes: dict[str, Any]) -> None:
    with pytest.raises(OtherVersion, match=r"release\.json was written by a newer Fairway") as caught:
        parse_release(_newer(release, **changes))
    assert NEW in caught.value.why
    assert "uv tool upgrade fairway" in caught.value.hint
    told = explain(caught.value, HERE, "staging")
    assert told.hint == f"upgrade to {NEW} or newer ({versions.UPGRADE}), then: fairway bootstrap staging"


def test_a_release_made_by_this_fairway_that_is_wrong_is_just_wrong(release: Release) -> None:
    with pytest.raises(Invalid, match="phase_of_the_moon") as caught:
        parse_release(json.dumps({**json.loads(release.to_bytes()), "phase_of_the_moon": "full"}).encode())
    assert "newer Fairway" not in caught.value.what


def _request(layout: Layout) -> Request:
    made = Request(
        "20260131-120000-000000", Action.DEPLOY, Tag("sha-4f4f4f4"), Digest.of(b""), Slot.BLUE, "ada", State(None, None)
    )
    made.write(layout)
    return made


def test_files_of_a_newer_engine_say_which_one_wrote_them(layout: Layout) -> None:
    State(None, None).write(layout.state)
    HOST.write(layout.host_config)
    made = _request(layout)
    files: dict[Path, Callable[[], object]] = {
        layout.state: lambda: read_state(layout.state),
        layout.host_config: lambda: read_host_config(layout.host_config),
        layout.deployment(made.id) / "request.json": lambda: read_deployment(layout, made.id),
    }
    for path, read in files.items():
        document = json.loads(path.read_text())
        assert document["engine"] == HERE
        path.write_text(json.dumps({**document, "engine": NEW}))
        read()  # what is the same in both can be read
        path.write_text(json.dumps({**document, "engine": NEW, "mood": "fine"}))
        with pytest.raises(OtherVersion, match=f"{path.name} was written by a newer Fairway") as caught:
            read()
        assert f"that one is {NEW}, this one {HERE}" in caught.value.why
        path.write_text(json.dumps({**document, "mood": "fine"}))
        with pytest.raises(Invalid, match="unknown key 'mood'"):
            read()
    assert read_owner(layout.host_config) == ("capakraken", "staging")


def test_an_action_that_is_not_known_is_refused_in_words(layout: Layout) -> None:
    made = _request(layout)
    path = layout.deployment(made.id) / "request.json"
    path.write_text(path.read_text().replace('"deploy"', '"teleport"').replace(HERE, NEW))
    with pytest.raises(OtherVersion) as caught:
        read_deployment(layout, made.id)
    assert "action has the unknown value 'teleport'" in caught.value.why


@pytest.mark.parametrize("harm", ["a newer engine", "a step that is not known"])
def test_what_a_newer_engine_began_is_left_as_it_is(layout: Layout, harm: str) -> None:
    made = _request(layout)
    journal = Journal(layout.deployment(made.id) / "journal.jsonl")
    journal.accepted(deployment=made.id)
    journal.started("start" if harm == "a newer engine" else "levitate")
    if harm == "a newer engine":
        journal.path.write_text(journal.path.read_text().replace(HERE, NEW))
    before = journal.path.read_bytes()
    with pytest.raises(OtherVersion, match="begun by a newer engine; it was left as it is") as caught:
        settle(layout, HOST, notice=lambda line: None)
    assert journal.path.read_bytes() == before
    assert not layout.ledger.exists()
    assert caught.value.hint.endswith("fairway bootstrap <environment>")
    assert ("levitate" in caught.value.why) == (harm != "a newer engine")


def test_what_a_newer_engine_ended_is_none_of_an_older_one_s_business(layout: Layout) -> None:
    made = _request(layout)
    journal = Journal(layout.deployment(made.id) / "journal.jsonl")
    journal.accepted(deployment=made.id)
    journal.ended(outcome="levitated")
    journal.path.write_text(journal.path.read_text().replace(HERE, NEW))
    settle(layout, HOST, notice=lambda line: None)


@pytest.mark.parametrize("engine", [OLD, HERE, None, "main"])
def test_bootstrap_replaces_any_engine_but_a_newer_one(engine: str | None) -> None:
    refuse_older(engine, "staging")
    with pytest.raises(Refused) as caught:
        refuse_older(NEW, "staging")
    assert "fairway bootstrap staging --downgrade" in caught.value.hint


def test_an_error_of_another_version_is_one_on_both_sides() -> None:
    error = OtherVersion("what", why="why", hint="hint", made_by=NEW)
    again = error_from_json(json.loads(json.dumps(error.as_json())))
    assert isinstance(again, OtherVersion)
    assert (again.as_json(), again.exit_code) == (error.as_json(), 2)


def test_a_key_that_is_missing_may_come_from_an_older_side() -> None:
    with pytest.raises(OtherVersion, match="'limit' is missing"):
        Fields({}, "request.args").integer("limit")
