"""What an error tracker is told, held against Sentry's documented API on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from fairway.announce import Kind, tell_of_release
from fairway.announce.model import read_ending
from fairway.announce.sentry import Sentry, from_environ
from fairway.config import Config
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.manifest import Release
from testbed.announced import Received, serve
from tests.unit.announce.records import COMMIT, TAG, deployment, ended
from tests.unit.engine.conftest import release  # noqa: F401 - a fixture

TOKEN = "sntrys_" + "c2Vj" * 12
IMAGES = {"app": "r.example/acme/app", "migrator": "r.example/acme/migrator"}
RELEASES = "/api/0/organizations/acme/releases/"
DEPLOYS = f"{RELEASES}{TAG}/deploys/"
DONE = read_ending(ended(), ())


class Double:
    """Answers as Sentry does, or as it is told to for a path."""

    def __init__(self) -> None:
        self.status: dict[str, int] = {}
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, b'{"detail": "Invalid token"}'
        self.heard.append((path, json.loads(body)))
        return self.status.get(path, 201), b'{"detail": "what it says"}'


@pytest.fixture
def double() -> Double:
    return Double()


@pytest.fixture
def service(double: Double) -> Iterator[Received]:
    with serve(double.answer) as received:
        yield received


def _config(**errors: Any) -> Config:
    table = {"organization": "acme", "project": "capakraken", **errors}
    return Config.model_validate({"project": "capakraken", "images": IMAGES, "errors": table})


def _sentry(url: str, token: str = TOKEN) -> Sentry:
    made = from_environ({"SENTRY_AUTH_TOKEN": token}, _config(url=url))
    assert made is not None
    return made


def test_a_deployment_is_a_deploy_of_its_release(double: Double, service: Received) -> None:
    sentry = _sentry(service.url)
    sentry.begun(deployment())
    assert double.heard == []
    sentry.ended(deployment(), DONE)
    assert double.heard == [
        (RELEASES, {"version": TAG, "ref": COMMIT, "projects": ["capakraken"]}),
        (
            DEPLOYS,
            {
                "environment": "production",
                "name": "20260131-120000-000000",
                "dateStarted": "2026-01-31T12:00:00.000Z",
                "dateFinished": "2026-01-31T12:00:09.000Z",
                "url": "https://capakraken.example",
            },
        ),
    ]


@pytest.mark.parametrize(
    ("kind", "outcome", "told"),
    [
        (Kind.DEPLOY, "succeeded", True),
        (Kind.ROLLBACK, "succeeded", True),
        (Kind.RESTART, "succeeded", False),
        (Kind.RECONCILE, "succeeded", False),
        (Kind.PROMOTE, "failed", False),
        (Kind.PROMOTE, "cancelled", False),
        (Kind.PROMOTE, "unknown", False),
    ],
)
def test_only_what_came_to_serve_is_told(
    double: Double, service: Received, kind: Kind, outcome: str, told: bool
) -> None:
    _sentry(service.url).ended(deployment(kind=kind), read_ending(ended(outcome), ()))
    assert bool(double.heard) is told


@pytest.mark.parametrize(
    ("releases", "deploys", "reason"),
    [
        (208, 201, None),  # Sentry, which has it already
        (500, 201, None),  # GlitchTip, which has it already
        (403, 404, "answered 403, to create the release"),
        (201, 404, "answered 404, to create a deploy"),  # a GlitchTip that has no deploys
    ],
)
def test_a_refusal_is_told_when_the_deploy_is_not_created(
    double: Double, service: Received, releases: int, deploys: int, reason: str | None
) -> None:
    double.status = {RELEASES: releases, DEPLOYS: deploys}
    sentry = _sentry(service.url)
    if reason is None:
        sentry.ended(deployment(), DONE)
        return
    with pytest.raises(Failed, match=reason) as caught:
        sentry.ended(deployment(), DONE)
    assert caught.value.why == "what it says"
    assert TOKEN not in str(caught.value)


def test_a_release_is_told_of_with_its_commit_and_its_run(double: Double, service: Received, release: Release) -> None:  # noqa: F811
    run = "https://github.example/acme/capakraken/actions/runs/7"
    _sentry(service.url).released(replace(release, ci_run=run))
    assert double.heard == [
        (
            RELEASES,
            {
                "version": str(release.tag),
                "ref": release.commit,
                "dateReleased": "2026-01-31T12:00:00Z",
                "url": run,
                "projects": ["capakraken"],
            },
        )
    ]


def test_a_release_that_is_not_told_of_is_a_line_without_the_token(
    monkeypatch: pytest.MonkeyPatch,
    release: Release,  # noqa: F811
) -> None:
    notices: list[str] = []

    def echo(path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        return 403, json.dumps({"detail": f"{headers['authorization']} may not"}).encode()

    with serve(echo) as service:
        tell_of_release(_config(url=service.url), release, notices.append, environ={"SENTRY_AUTH_TOKEN": TOKEN})
    assert notices == ["not told: the error tracker (answered 403, to create the release: Bearer *** may not)"]

    def meet(*given: object) -> None:
        raise KeyError("what nobody thought of")

    monkeypatch.setattr(Sentry, "released", meet)
    tell_of_release(_config(), release, notices.append, environ={"SENTRY_AUTH_TOKEN": TOKEN})
    assert notices[1:] == ["not told: the error tracker (KeyError)"]
    tell_of_release(_config(), release, notices.append, environ={"SENTRY_AUTH_TOKEN": "two\nlines"})
    assert notices[2:] == ["not told: the error tracker (SENTRY_AUTH_TOKEN is not one line of printable characters)"]


def test_nobody_is_told_without_a_token_or_a_table() -> None:
    bare = Config.model_validate({"project": "capakraken", "images": IMAGES})
    assert from_environ({"SENTRY_AUTH_TOKEN": TOKEN}, bare) is None
    assert from_environ({"SENTRY_AUTH_TOKEN": " "}, _config()) is None
    assert from_environ({}, _config()) is None


def test_a_token_that_cannot_be_one_is_refused_without_being_shown() -> None:
    with pytest.raises(Invalid) as caught:
        from_environ({"SENTRY_AUTH_TOKEN": "two\nsecret-lines"}, _config())
    assert "secret" not in str(caught.value)
