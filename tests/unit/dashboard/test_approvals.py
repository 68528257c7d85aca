"""Approvals on the page: what is signed is what was shown, and the host decides whether it counts."""

from __future__ import annotations

import base64
import html
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.statement import Kind, Statement, parse_statement
from fairway.engine.contract.trust import Role
from tests.unit.dashboard.hosts import Onlooker
from tests.unit.dashboard.story import ago, usual, written
from tests.unit.engine.gate.signers import private_key, sign

ANN, MALLORY = "ann@example.com", "mallory@example.com"


@pytest.fixture(autouse=True)
def _no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def way(named: NamedRelease, more: str = "") -> str:
    return f"/approvals/production/{named.release.tag}{more}"


def fields(page: str, action: str) -> dict[str, str]:
    """Return the hidden fields of the form of a page that posts there."""
    form = re.search(f'<form method="post" action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    assert form is not None, f"no form posts to {action}"
    hidden = re.findall('<input type="hidden" name="([^"]*)" value="([^"]*)">', form[0])
    return {name: html.unescape(value) for name, value in hidden}


def shown(client: TestClient, named: NamedRelease, action: str = "/statement-approve") -> dict[str, str]:
    """Return what the form on the review's page carries."""
    return fields(client.get(way(named)).text, way(named, action))


def send(client: TestClient, named: NamedRelease, action: str, form: dict[str, str]) -> Any:
    """Send a form as a browser does."""
    headers = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
    return client.post(way(named, action), data=form, headers=headers)


def test_what_waits_is_shown_with_what_is_missing_and_what_was_decided_with_whose_word_it_was(tmp_path: Path) -> None:
    story, (first, second, third) = usual(tmp_path)
    before = {"replaces": None, "expires": written(ago(days=6)), "at": written(ago(days=7)), "reason": "go on"}
    used = story.say(first.named, Kind.APPROVED, ANN, Role.REVIEWER, "production", **before)
    story.say(second.named, Kind.REJECTED, MALLORY, Role.REVIEWER, "production", reason="just so")
    story.production.entries[0]["evidence"] = [{"statement": used.digest, "kind": "approved", "by": ANN}]
    with story.served() as client:
        found = client.get("/api/approvals").json()
        page = client.get("/approvals").text
    (queue,) = found["queues"]
    assert (queue["environment"], queue["source"], queue["serves"]) == (
        "production",
        "staging",
        first.named.release.tag,
    )
    # The second one was never ready in staging.
    (one,) = queue["waiting"]
    assert (one["tag"], one["migrations"]) == (third.named.release.tag, {"count": 2, "verdict": "contract"})
    assert {check["name"]: check["met"] for check in one["gate"]["checks"]} == {
        "ready on staging": True,
        "approvals": False,
    }
    assert f'href="{way(third.named)}"' in page
    rejected, approved = found["decisions"]
    assert (rejected["kind"], rejected["valid"]) == ("rejected", False)
    assert "does not know" in rejected["why"]
    assert (approved["who"], approved["reason"], approved["used_by"]) == (
        ANN,
        "go on",
        story.production.entries[0]["deployment"],
    )


def test_an_approval_on_the_page_is_signed_with_the_person_s_key_and_meets_the_gate(tmp_path: Path) -> None:
    story, (first, _, third) = usual(tmp_path)
    story.sign_with(private_key(ANN))
    with story.served() as client:
        form = {**shown(client, third.named), "expires": "8h", "reason": "looks right"}
        assert form["replaces"] == first.named.name
        assert not client.get("/api" + way(third.named)).json()["gate"]["met"]
        answer = send(client, third.named, "/approve", form)
        assert answer.history[0].status_code == 303
        assert f"<strong>Approved by {ANN}</strong>" in answer.text
        assert "everything is met" in answer.text
        assert f'href="/actions/production/promote?tag={third.named.release.tag}"' in answer.text
        assert client.get("/api" + way(third.named)).json()["gate"]["met"]
    (said,) = story.said_by_people(third.named)
    assert (said.kind, said.replaces, said.reason) == (Kind.APPROVED, first.named.name, "looks right")
    lasts = datetime.fromisoformat(str(said.expires)) - datetime.fromisoformat(said.at)
    assert lasts == timedelta(hours=8)


def test_a_rejection_needs_a_reason_and_is_archived(tmp_path: Path) -> None:
    story, (_, _, third) = usual(tmp_path)
    story.sign_with(private_key(ANN))
    with story.served() as client:
        form = shown(client, third.named)
        assert send(client, third.named, "/reject", {**form, "reason": " "}).status_code == 422
        assert story.said_by_people(third.named) == []
        done = send(client, third.named, "/reject", {**form, "reason": "drops a column"})
        assert "rejected by ann@example.com: drops a column" in done.text
    assert [(one.kind, one.reason) for one in story.said_by_people(third.named)] == [(Kind.REJECTED, "drops a column")]


def test_what_was_shown_against_something_else_than_serves_now_is_not_signed(tmp_path: Path) -> None:
    story, (_, second, third) = usual(tmp_path)
    story.sign_with(private_key(ANN))
    with story.served() as client:
        form = {**shown(client, third.named), "reason": "looks right"}
        story.production.serve(second.named, datetime.now(UTC))
        refused = send(client, third.named, "/approve", form)
        assert refused.status_code == 409
        assert "something else serves by now: look again" in refused.text
        # The page that says so shows the new difference, and has what was written.
        assert f"Commits since <code>{second.named.release.tag.short}" in refused.text
        assert f'value="{second.named.name}"' in refused.text
        assert 'value="looks right"' in refused.text
    assert story.said_by_people(third.named) == []


def test_another_release_under_the_tag_that_was_shown_is_not_signed(tmp_path: Path) -> None:
    story, (first, _, third) = usual(tmp_path)
    story.sign_with(private_key(ANN))
    with story.served() as client:
        form = {**shown(client, third.named), "release": first.named.name}
        refused = send(client, third.named, "/approve", form)
        assert (refused.status_code, "another release than the one that was shown" in refused.text) == (409, True)
    assert story.said_by_people(third.named) == []


def test_what_serves_already_is_not_approved(tmp_path: Path) -> None:
    story, (first, _, third) = usual(tmp_path)
    story.sign_with(private_key(ANN))
    with story.served() as client:
        assert way(first.named, "/approve") not in client.get(way(first.named)).text
        form = {**shown(client, third.named), "release": first.named.name, "replaces": first.named.name}
        assert send(client, first.named, "/approve", form).status_code == 409
    assert story.said_by_people(first.named) == []


def test_a_key_that_the_host_does_not_believe_is_told_in_its_words_and_archived_nowhere(tmp_path: Path) -> None:
    story, (_, _, third) = usual(tmp_path)
    story.sign_with(private_key(MALLORY))
    with story.served() as client:
        refused = send(client, third.named, "/approve", shown(client, third.named))
    assert refused.status_code == 409
    assert "signed with a key that this host does not know" in refused.text
    assert story.said_by_people(third.named) == []


def test_a_key_with_a_passphrase_and_no_agent_is_an_error_and_nobody_is_asked(tmp_path: Path) -> None:
    story, (_, _, third) = usual(tmp_path)
    key = tmp_path / "locked"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", str(key)]
    subprocess.run(argv, check=True)
    story.sign_with(key)
    with story.served() as client:
        failed = send(client, third.named, "/approve", shown(client, third.named))
    assert failed.status_code == 502
    assert "the key cannot be used" in failed.text
    assert "ssh-add" in failed.text
    assert story.said_by_people(third.named) == []


# -- signed elsewhere


def carried(answer: Any) -> str:
    """Return what the page for signing elsewhere carries back."""
    found = re.search('name="statement" value="([^"]*)"', answer.text)
    assert found is not None, answer.text
    return html.unescape(found[1])


def going_out(client: TestClient, named: NamedRelease, **form: str) -> str:
    """Have a statement go out to be signed."""
    data = {**shown(client, named), "reason": "looks right", **form}
    return carried(send(client, named, "/statement-approve", data))


def hand_in(client: TestClient, named: NamedRelease, statement: str, signature: str) -> Any:
    form = {**shown(client, named), "statement": statement, "signature": signature}
    return send(client, named, "/elsewhere/signed", form)


def signature(text: str, owner: str = ANN, namespace: str = Role.REVIEWER.namespace) -> str:
    return sign(base64.b64decode(text), owner, namespace).signature


def test_where_it_does_not_run_as_the_person_the_statement_is_signed_elsewhere(tmp_path: Path) -> None:
    story, (first, _, third) = usual(tmp_path)
    story.sign_with(private_key(ANN))  # whose key there is on that host is nobody's business
    with story.served(Onlooker()) as client:
        refused = send(client, third.named, "/approve", shown(client, third.named))
        assert (refused.status_code, "does not run as you" in refused.text) == (409, True)
        text = going_out(client, third.named)
        file = send(client, third.named, "/elsewhere/statement", {**shown(client, third.named), "statement": text})
        name = f"approved-production-{third.named.release.tag.short}.json"
        assert file.headers["content-disposition"] == f'attachment; filename="{name}"'
        # As a person does it: the file, the command, the file it writes.
        (tmp_path / name).write_bytes(file.content)
        argv = ["ssh-keygen", "-Y", "sign", "-n", "reviewer@fairway.dev", "-f", str(private_key(ANN)), name]
        subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
        pasted = (tmp_path / f"{name}.sig").read_text().replace("\n", "\r\n")
        done = hand_in(client, third.named, text, f"  {pasted}\r\n")
        assert f"<strong>Approved by {ANN}</strong>" in done.text
        assert client.get("/api" + way(third.named)).json()["gate"]["met"]
    (said,) = story.said_by_people(third.named)
    assert said.to_bytes() == file.content
    assert said.replaces == first.named.name


def test_a_pasted_signature_that_does_not_fit_is_refused_in_the_host_s_words(tmp_path: Path) -> None:
    story, (_, _, third) = usual(tmp_path)
    with story.served(Onlooker()) as client:
        text = going_out(client, third.named)
        other = going_out(client, third.named, reason="something else")
        for pasted, words in (
            (signature(text, MALLORY), "signed with a key that this host does not know"),
            (signature(other), "the signature is not one over these bytes by that key"),
            (signature(text, namespace="file"), "signed in the namespace"),
            (signature(text, "root@example.com"), "is believed as admin, not as reviewer"),
        ):
            refused = hand_in(client, third.named, text, pasted)
            assert (refused.status_code, words in html.unescape(refused.text)) == (409, True), words
            # What was to be signed is still there, for the right key.
            assert carried(refused) == text
        refused = hand_in(client, third.named, text, "ssh-ed25519 AAAA")
        assert (refused.status_code, "not an SSH signature" in refused.text) == (422, True)
    assert story.said_by_people(third.named) == []


def test_a_signature_for_what_served_before_is_refused(tmp_path: Path) -> None:
    story, (_, second, third) = usual(tmp_path)
    with story.served(Onlooker()) as client:
        text = going_out(client, third.named)
        story.production.serve(second.named, datetime.now(UTC))
        refused = hand_in(client, third.named, text, signature(text))
        assert (refused.status_code, "look again" in refused.text) == (409, True)
    assert story.said_by_people(third.named) == []


def altered(text: str, **changes: Any) -> bytes:
    said: Statement = parse_statement(base64.b64decode(text))
    return replace(said, **changes).to_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": "staging"},
        {"project": "another"},
        {"replaces": None},
        {"at": "2026-01-31T12:00:00.000Z"},
        {"at": written(ago(hours=-1))},
        {"expires": written(ago(minutes=1))},
        {"expires": written(ago(days=-31))},
        {"reason": "\u202edlrow"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_comes_back_is_held_against_what_could_have_gone_out(tmp_path: Path, changes: dict[str, Any]) -> None:
    story, (_, _, third) = usual(tmp_path)
    with story.served(Onlooker()) as client:
        content = altered(going_out(client, third.named), **changes)
        text = base64.b64encode(content).decode()
        # Signed by somebody whom the host believes: it is the page that refuses.
        refused = hand_in(client, third.named, text, signature(text))
        assert refused.status_code in (409, 422), refused.text
    assert story.said_by_people(third.named) == []


def test_bytes_that_only_read_like_a_statement_are_not_taken_back(tmp_path: Path) -> None:
    story, (_, _, third) = usual(tmp_path)
    with story.served(Onlooker()) as client:
        content = base64.b64decode(going_out(client, third.named))
        overriding = story.statement(
            third.named, Kind.OVERRIDDEN, "production", expires=written(ago(hours=-1)), reason="a leak"
        )
        carrying = shown(client, third.named)
        for other in (
            content.replace(b'":"', b'": "', 1),
            content[:-1] + b',"x":1}',
            content.replace(b'{"_type"', b'{"_type":"x","_type"', 1),
            b"{}",
            b"\xff",
            overriding.to_bytes(),
        ):
            text = base64.b64encode(other).decode()
            for path in ("/elsewhere/signed", "/elsewhere/statement"):
                form = {**carrying, "statement": text, "signature": signature(text)}
                assert send(client, third.named, path, form).status_code in (404, 409, 422), other
        assert send(client, third.named, "/elsewhere/statement", {**carrying, "statement": "%%%"}).status_code == 404
    assert story.said_by_people(third.named) == []
