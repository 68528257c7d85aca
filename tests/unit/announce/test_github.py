"""What GitHub is told, held against its documented interface on this machine; the real one cannot be reached here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fairway.announce import Ending, Kind
from fairway.announce.github import GitHub, from_environ
from fairway.announce.model import read_ending
from fairway.config import Config
from fairway.engine.contract.errors import Failed, Invalid, Unreachable
from tests.unit.announce.records import COMMIT, RELEASE, TAG, deployment, ended
from tests.unit.announce.services import GitHubDouble, Received, serve

CONFIG = Config.model_validate(
    {"project": "capakraken", "images": {"app": "r.example/acme/app", "migrator": "r.example/acme/migrator"}}
)
RUN = "https://github.example/acme/capakraken/actions/runs/77/attempts/2"
ERROR = {"what": "the release was not ready", "why": "503: no database", "hint": "", "exit_code": 1}


@pytest.fixture
def double() -> GitHubDouble:
    return GitHubDouble()


@pytest.fixture
def service(double: GitHubDouble) -> Iterator[Received]:
    with serve(double.answer) as received:
        yield received


def _environ(url: str, **changes: str) -> dict[str, str]:
    return {
        "GITHUB_TOKEN": GitHubDouble.token,
        "GITHUB_REPOSITORY": "acme/capakraken",
        "GITHUB_API_URL": url,
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_RUN_ID": "77",
        "GITHUB_RUN_ATTEMPT": "2",
        **changes,
    }


def _github(url: str, **changes: str) -> GitHub:
    announcer = from_environ(_environ(url, **changes), CONFIG)
    assert announcer is not None
    return announcer


def _end(outcome: str, **facts: Any) -> Ending:
    return read_ending(ended(outcome, **facts), ())


def test_a_deployment_is_created_for_the_commit_and_merges_nothing(double: GitHubDouble, service: Received) -> None:
    github = _github(service.url)
    github.begun(deployment())
    github.ended(deployment(), _end("succeeded"))
    kinds = [kind for kind, _ in double.heard]
    assert kinds == ["deployment", "deployment status", "commit status", "deployment status", "commit status"]
    created, running, waiting, done, green = (document for _, document in double.heard)
    assert (created["ref"], created["environment"]) == (COMMIT, "production")
    assert (created["auto_merge"], created["required_contexts"]) == (False, [])
    assert created["production_environment"] is True
    assert created["payload"]["fairway"] == {
        "deployment": "20260131-120000-000000",
        "kind": "promote",
        "tag": TAG,
        "release": RELEASE,
    }
    assert (running["state"], running["log_url"]) == ("in_progress", RUN)
    assert (done["state"], done["environment_url"], done["log_url"]) == ("success", "https://capakraken.example", RUN)
    assert (waiting["state"], green["state"]) == ("pending", "success")
    assert waiting["context"] == green["context"] == "fairway/production"
    assert green["description"] == "promoted sha-4f2a9c1 in 9.0 s"
    assert [path for path, _, _ in service.requests][-1] == f"/repos/acme/capakraken/statuses/{COMMIT}"


@pytest.mark.parametrize(
    "ending, states, words",
    [
        (
            _end("failed", error=ERROR, failed_in="ready"),
            ("failure", "failure"),
            "failed in ready: the release was not ready",
        ),
        (_end("cancelled", error=ERROR), ("inactive", "error"), "cancelled, and reverted"),
        (
            read_ending(Unreachable("gone"), ()),
            ("in_progress", "pending"),
            "goes on at the host, out of sight: fairway attach production",
        ),
        (
            _end("succeeded", error=ERROR),
            ("success", "success"),
            "promoted sha-4f2a9c1 in 9.0 s, but: the release was not ready",
        ),
    ],
)
def test_how_it_ended_is_said_in_both_places(
    double: GitHubDouble, service: Received, ending: Ending, states: tuple[str, str], words: str
) -> None:
    github = _github(service.url)
    github.begun(deployment())
    github.ended(deployment(), ending)
    told = [document for _, document in double.heard][-2:]
    assert tuple(one["state"] for one in told) == states
    assert {one["description"] for one in told} == {words}
    assert ("environment_url" in told[0]) is (states[0] in ("success", "in_progress"))


@pytest.mark.parametrize("kind", [Kind.ROLLBACK, Kind.RESTART, Kind.RECONCILE])
def test_a_rollback_and_a_restart_are_deployments_too(double: GitHubDouble, service: Received, kind: Kind) -> None:
    _github(service.url).begun(deployment(kind=kind, environment="staging", production=False, url=None))
    created = double.heard[0][1]
    assert (created["task"], created["production_environment"]) == (kind.value, False)


def test_a_long_reason_is_cut_to_what_github_takes(double: GitHubDouble, service: Received) -> None:
    github = _github(service.url)
    github.begun(deployment(by="x" * 200))
    github.ended(deployment(), _end("failed", error={**ERROR, "what": "never\nready " * 30}))
    assert all(len(document["description"]) <= 140 for _, document in double.heard)


def test_a_token_without_one_of_the_rights_does_the_other(double: GitHubDouble, service: Received) -> None:
    double.refusing["deployment"] = [(403, b'{"message": "Resource not accessible by integration"}')]
    github = _github(service.url)
    with pytest.raises(Failed) as met:
        github.begun(deployment())
    assert met.value.what == "answered 403, to create a deployment: Resource not accessible by integration"
    github.ended(deployment(), _end("succeeded"))
    assert [kind for kind, _ in double.heard] == ["commit status", "commit status"]


def test_a_status_is_sent_again_once_and_a_deployment_is_not(double: GitHubDouble, service: Received) -> None:
    bad = (502, b"<html>bad gateway")
    double.refusing = {"deployment": [bad]}
    with pytest.raises(Failed, match=r"answered 502, to create a deployment$"):
        _github(service.url).begun(deployment())
    assert [path for path, _, _ in service.requests].count("/repos/acme/capakraken/deployments") == 1
    double.refusing = {}
    github = _github(service.url)
    github.begun(deployment())
    double.refusing = {"deployment status": [bad, (201, b"{}")], "commit status": [bad]}
    with pytest.raises(Failed, match=r"^answered 502, to set the commit's status$"):
        github.ended(deployment(), _end("succeeded"))


def test_one_that_nothing_listens_for_is_not_waited_for(service: Received) -> None:
    with serve(lambda *asked: (500, b"")) as other:
        pass
    with pytest.raises(Failed, match="not to be reached, to create a deployment: ConnectError"):
        _github(other.url).begun(deployment())


@pytest.mark.parametrize(
    "changes",
    [
        {"GITHUB_TOKEN": ""},
        {"GITHUB_REPOSITORY": ""},
    ],
)
def test_without_a_token_or_a_repository_github_is_not_told(changes: dict[str, str]) -> None:
    assert from_environ(_environ("https://api.github.example", **changes), CONFIG) is None


def test_a_token_of_ones_own_goes_before_that_of_the_workflow(double: GitHubDouble, service: Received) -> None:
    _github(service.url, GITHUB_TOKEN="other", FAIRWAY_GITHUB_TOKEN=double.token + "\n").begun(deployment())
    assert double.heard


@pytest.mark.parametrize(
    "changes, what",
    [
        ({"GITHUB_API_URL": "http://api.github.example"}, "GITHUB_API_URL is not an address"),
        ({"GITHUB_API_URL": "https://user@api.github.example"}, "GITHUB_API_URL is not an address"),
        ({"GITHUB_REPOSITORY": "acme/../../user"}, "GITHUB_REPOSITORY is not"),
        ({"GITHUB_TOKEN": "a\nb"}, "the token is not one line"),
    ],
)
def test_a_token_goes_nowhere_but_to_an_address_that_is_one(changes: dict[str, str], what: str) -> None:
    with pytest.raises(Invalid, match=what):
        from_environ(_environ("https://api.github.example", **changes), CONFIG)
