"""The commands that begin a deployment tell of it, those that see it end tell that; a plan tells nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from fairway.announce.table import FOLLOWING, MAKERS
from fairway.cli.deployment import Options, conduct, follow
from fairway.cli.progress import Progress
from fairway.config import Config
from fairway.config.environment_tables import EnvironmentTable
from fairway.engine.contract.errors import Refused, Unreachable
from fairway.engine.contract.protocol import Operation
from fairway.remote.session import EngineSession
from testbed.announced import GitHubDouble, Received, serve
from tests.unit.announce.records import COMMIT, accepted, deployment, ended, event, step

HOST = {"hosts": ["deploy@host.example"], "deploy_path": "/opt/capakraken", "port": 3000}
SITE = {"name": "www.example.com", "tls": "files", "certificate": "/c.pem", "certificate_key": "/k.pem"}
CONFIG = Config.model_validate(
    {
        "project": "capakraken",
        "images": {"app": "r.example/acme/app", "migrator": "r.example/acme/migrator"},
        "environments": {"staging": HOST, "production": {**HOST, "promote_from": "staging"}},
    }
)


class Engine:
    """A host's engine that says what it is to say, and then returns a result or raises it."""

    def __init__(self, *answers: tuple[list[dict[str, Any]], Any]) -> None:
        self._answers = list(answers)

    def call(self, operation: Operation, on_event: Callable[[dict[str, Any]], None], **args: Any) -> dict[str, Any]:
        entries, result = self._answers.pop(0)
        for entry in entries:
            on_event(event(entry))
        if isinstance(result, Exception):
            raise result
        return dict(result)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubDouble]:
    double = GitHubDouble()
    with serve(double.answer) as service:
        _point_at(monkeypatch, service)
        yield double


def _point_at(monkeypatch: pytest.MonkeyPatch, service: Received) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", GitHubDouble.token)
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/capakraken")
    monkeypatch.setenv("GITHUB_API_URL", service.url)
    monkeypatch.delenv("FAIRWAY_GITHUB_TOKEN", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def _conduct(engine: Engine, options: Options | None = None) -> dict[str, Any]:
    target = CONFIG.environment("production")
    return conduct(CONFIG, target, cast(EngineSession, engine), Progress(), Operation.DEPLOY, options or Options())


def _follow(engine: Engine) -> dict[str, Any]:
    target = CONFIG.environment("production")
    return follow(CONFIG, target, cast(EngineSession, engine), Progress(), Operation.CANCEL)


def test_a_deployment_is_told_from_its_acceptance_to_its_end(double: GitHubDouble) -> None:
    assert _conduct(Engine(([accepted(), *step("verify", 1, 1)], ended())))["outcome"] == "succeeded"
    assert [document.get("state", "created") for _, document in double.heard] == [
        "created",
        "in_progress",
        "pending",
        "success",
        "success",
    ]
    assert double.heard[0][1]["payload"]["fairway"]["kind"] == "promote"


def test_a_host_that_is_lost_sight_of_is_told_and_raised(double: GitHubDouble) -> None:
    with pytest.raises(Unreachable):
        _conduct(Engine(([accepted()], Unreachable("production cannot be reached"))))
    assert [document["state"] for _, document in double.heard[-2:]] == ["in_progress", "pending"]


@pytest.mark.parametrize("options, answer", [(Options(planning=True), {"steps": []}), (Options(), ended("unchanged"))])
def test_where_nothing_begins_nothing_is_told(double: GitHubDouble, options: Options, answer: dict[str, Any]) -> None:
    _conduct(Engine(([], answer)), options)
    assert double.heard == []


def test_a_refusal_of_what_a_host_did_not_accept_is_not_told(double: GitHubDouble) -> None:
    with pytest.raises(Refused):
        _conduct(Engine(([], Refused("locked"))))
    assert double.heard == []


def test_what_cannot_be_told_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, double: GitHubDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_wrong")
    assert _conduct(Engine(([accepted()], ended())))["outcome"] == "succeeded"
    notices = [line for line in capsys.readouterr().err.splitlines() if line.startswith("!")]
    assert len(notices) == 1
    assert notices[0].startswith("! not told: GitHub (answered 401, to create a deployment: Bad credentials;")


def test_what_cannot_be_told_for_its_settings_is_said_once_something_is_begun(
    monkeypatch: pytest.MonkeyPatch, double: GitHubDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "ftp://api.github.example")
    with pytest.raises(Refused):
        _conduct(Engine(([], Refused("locked"))))
    assert capsys.readouterr().err == ""
    _conduct(Engine(([accepted()], ended())))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "! not told: GitHub (GITHUB_API_URL is not an address that begins with https://)"


@pytest.mark.parametrize("still_running", [True, False])
def test_who_cancels_tells_the_end_of_what_another_began(double: GitHubDouble, still_running: bool) -> None:
    payload = {"fairway": {"deployment": deployment().id}}
    double.deployments = [{"id": 4711, "sha": COMMIT, "environment": "production", "payload": payload}]
    double.statuses = [{"id": 1, "state": "in_progress", "created_at": "2026-01-31T12:00:00Z"}]
    cancelled = ([accepted(), *step("verify", 1, 1)], ended("cancelled"))
    nothing: tuple[list[dict[str, Any]], Any] = ([], {"outcome": "unchanged"})
    result = _follow(Engine(cancelled) if still_running else Engine(nothing, cancelled))
    assert result["outcome"] == ("cancelled" if still_running else "unchanged")
    assert [document["state"] for _, document in double.heard] == ["inactive", "error"]


@pytest.mark.parametrize("makers", [MAKERS, FOLLOWING])
def test_nobody_is_told_twice(makers: tuple[tuple[str, Any], ...]) -> None:
    assert len({make for _, make in makers}) == len(makers)


@pytest.mark.parametrize("own", [{"url": "https://www.example.com"}, {"admin": "root", "site": SITE}])
def test_github_is_told_where_visitors_come_in(double: GitHubDouble, own: dict[str, Any]) -> None:
    config = CONFIG.model_copy(
        update={"environments": {"production": EnvironmentTable.model_validate({**HOST, **own})}}
    )
    conduct(
        config,
        config.environment("production"),
        cast(EngineSession, Engine(([accepted()], ended()))),
        Progress(),
        Operation.DEPLOY,
        Options(),
    )
    addresses = {document["environment_url"] for _, document in double.heard if "environment_url" in document}
    assert addresses == {"https://www.example.com"}
