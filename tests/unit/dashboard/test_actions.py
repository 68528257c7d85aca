"""What can be begun from a page: the plan before it, the command that it is, and what is refused."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import pytest
from starlette.testclient import TestClient

from fairway.dashboard.commands import Action, Answer, Command, as_text, cancel_of, plan_of, start_of
from fairway.dashboard.starting import Runs
from fairway.engine.contract.errors import Refused
from fairway.engine.contract.names import Tag
from fairway.engine.contract.protocol import Operation
from tests.unit.dashboard.hosts import Host, Journal, Onlooker, dashboard, status
from tests.unit.dashboard.journals import GOOD, ID, accepted, error
from tests.unit.observe.records import tag

PLAN = {
    "action": "deploy",
    "tag": tag("b"),
    "slot": "green",
    "replaces": tag("a"),
    "unchanged": False,
    "steps": [{"step": "pull", "change": "pull <app>"}],
}
ROLLBACKS = [
    {"tag": tag("b"), "served_at": "2026-06-29T10:00:00Z", "possible": True, "why": "", "warm": True, "seconds": 0.4},
    {"tag": tag("c"), "served_at": "2026-06-20T10:00:00Z", "possible": False, "why": "0007 dropped <b>", "warm": False},
]


class Process:
    """A command that ends when it is told to."""

    def __init__(self, out: Path, err: Path) -> None:
        self._out, self._err = out, err
        self._ended = threading.Event()
        self._code = 0
        out.write_bytes(b"")
        err.write_bytes(b"")

    def say(self, *documents: dict[str, Any]) -> None:
        """Tell progress."""
        with self._err.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(document) + "\n" for document in documents)

    def say_words(self, line: str) -> None:
        """Tell people something."""
        with self._err.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def end(self, code: int, document: dict[str, Any]) -> None:
        """End with a document."""
        self._out.write_text(json.dumps(document), encoding="utf-8")
        self._code = code
        self._ended.set()

    def wait(self, timeout: float | None = None) -> int:
        """Wait as a process does, but not long for nothing."""
        if not self._ended.wait(0.01):
            raise TimeoutExpired("fairway", timeout or 0)
        return self._code

    def terminate(self) -> None:
        """End it."""
        self._ended.set()


class Commands(Command):
    """Notes what would be run; plans are answered from ``plans``, by their first word."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked: list[tuple[str, ...]] = []
        self.started: list[tuple[tuple[str, ...], Process]] = []
        self.plans: dict[str, Answer] = {}

    def ask(self, arguments: tuple[str, ...], root: Path) -> Answer:
        """Answer with what a test says."""
        self.asked.append(arguments)
        return self.plans.get(arguments[0], Answer(0, PLAN, ""))

    def start(self, arguments: tuple[str, ...], root: Path, out: Path, err: Path) -> Process:
        """Start nothing."""
        process = Process(out, err)
        self.started.append((arguments, process))
        return process


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def staging() -> Host:
    return Host()


@pytest.fixture
def client(tmp_path: Path, staging: Host, commands: Commands) -> Iterator[TestClient]:
    with dashboard(tmp_path, {"staging": staging, "production": Host()}, command=commands) as client:
        client.follow_redirects = False
        yield client


def _form(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def _ended(client: TestClient, path: str, seen: str) -> str:
    deadline = time.monotonic() + 10
    while seen not in (page := client.get(path).text):
        assert time.monotonic() < deadline, page
    return page


@pytest.mark.parametrize(
    ("action", "told", "text"),
    [
        (Action.DEPLOY, ("deploy", "--json", "--", "staging", tag("b")), f"fairway deploy staging {tag('b')}"),
        (
            Action.PROMOTE,
            ("promote", "--to=staging", "--json", "--", tag("b")),
            f"fairway promote --to=staging {tag('b')}",
        ),
        (Action.ROLLBACK, ("rollback", "--json", "--", "staging", tag("b")), f"fairway rollback staging {tag('b')}"),
        (Action.RESTART, ("restart", "--json", "--", "staging"), "fairway restart staging"),
    ],
)
def test_an_action_is_the_command_that_a_person_would_type(action: Action, told: tuple[str, ...], text: str) -> None:
    assert start_of(action, "staging", Tag(tag("b"))) == told
    assert as_text(told) == text
    assert set(plan_of(action, "staging", Tag(tag("b")))) - set(told) == {"--plan"}
    assert as_text(cancel_of("staging")) == "fairway cancel staging"


def test_the_plan_is_shown_before_anything_is_begun(client: TestClient, commands: Commands) -> None:
    page = client.get("/actions/staging/deploy", params={"tag": tag("b")}).text
    assert commands.asked == [("deploy", "--plan", "--json", "--", "staging", tag("b"))]
    assert "pull &lt;app&gt;" in page
    assert f'href="/releases/{tag("b")}"' in page
    assert (_form(page)["tag"], _form(page)["serving"]) == (tag("b"), tag("a"))
    assert commands.started == []
    assert client.get("/api/plans/staging/deploy", params={"tag": tag("b")}).json()["obstacle"] == ""


def test_without_a_release_one_is_asked_for(client: TestClient, commands: Commands) -> None:
    page = client.get("/actions/production/promote").text
    # What staging serves stands first.
    assert page.index(f"/actions/production/promote?tag={tag('a')}") < page.index(f"?tag={tag('c')}")
    assert commands.asked == []


def test_what_is_refused_is_shown_with_the_reason_and_no_button(client: TestClient, commands: Commands) -> None:
    no = error("production takes only what staging has run", "promote_from", "fairway promote", 3)
    commands.plans["deploy"] = Answer(3, {"error": no}, "")
    page = client.get("/actions/production/deploy", params={"tag": tag("b")}).text
    assert "takes only what staging has run" in page
    assert 'action="/actions/' not in page
    problem = {"step": "verify", "change": "would fail: not approved", "problem": "nobody has said so"}
    commands.plans["promote"] = Answer(0, {**PLAN, "steps": [problem]}, "")
    page = client.get("/actions/production/promote", params={"tag": tag("b")}).text
    assert "it would fail in verify" in page
    assert "nobody has said so" in page
    assert 'action="/actions/' not in page


def test_a_rollback_shows_what_can_be_gone_back_to_and_why_not(client: TestClient, commands: Commands) -> None:
    commands.plans["rollback"] = Answer(0, {**PLAN, "action": "rollback", "rollbacks": ROLLBACKS}, "")
    page = client.get("/actions/staging/rollback").text
    assert commands.asked == [("rollback", "--plan", "--json", "--", "staging")]
    assert "no: 0007 dropped &lt;b&gt;" in page
    # What is begun is what was found, by name.
    assert f"fairway rollback staging {tag('b')}" in page
    assert _form(page)["tag"] == tag("b")


def test_one_that_cannot_be_gone_back_to_does_not_hide_the_others(
    client: TestClient, staging: Host, commands: Commands
) -> None:
    staging.answers[Operation.STATUS] = status(rollbacks=ROLLBACKS)
    commands.plans["rollback"] = Answer(3, {"error": error("0007 drops a column", exit_code=3)}, "")
    page = client.get("/actions/staging/rollback", params={"tag": tag("c")}).text
    assert f'href="/actions/staging/rollback?tag={tag("b")}"' in page
    assert 'action="/actions/' not in page


def test_nothing_can_be_begun_beside_a_deployment(client: TestClient, staging: Host, commands: Commands) -> None:
    staging.answers[Operation.STATUS] = status(deploying=True, deployment={"id": ID})
    page = client.get("/actions/staging/restart").text
    assert "a deployment is running there" in page
    assert 'action="/actions/' not in page


def test_a_click_begins_it_and_leads_to_its_page_once_the_host_has_it(client: TestClient, commands: Commands) -> None:
    form = _form(client.get("/actions/staging/deploy", params={"tag": tag("b")}).text)
    begun = client.post("/actions/staging/deploy", data=form)
    assert begun.status_code == 303
    run = begun.headers["location"]
    assert "the host has not taken it on yet" in client.get(run).text
    # A second click is the first one.
    assert client.post("/actions/staging/deploy", data=form).headers["location"] == run
    ((arguments, process),) = commands.started
    assert arguments == ("deploy", "--json", "--", "staging", tag("b"))
    process.say({"kind": "step", "step": "evidence", "mark": "done"}, {"kind": "journal", "entry": accepted()})
    deadline = time.monotonic() + 10
    while client.get(run).status_code != 303:
        assert time.monotonic() < deadline
    assert client.get(run).headers["location"] == f"/deployments/staging/{ID}"
    assert client.get(f"/parts{run}").headers["HX-Redirect"] == run
    told = client.get(f"/api{run}").json()
    assert (told["action"], told["deployment"], told["exit_code"]) == ("deploy", ID, None)
    assert told["said"] == ["evidence: done"]
    process.end(0, {})


def test_its_page_says_what_began_it(client: TestClient, commands: Commands, staging: Host) -> None:
    form = _form(client.get("/actions/staging/deploy", params={"tag": tag("b")}).text)
    client.post("/actions/staging/deploy", data=form)
    staging.journals[ID] = Journal(*GOOD)
    process = commands.started[0][1]
    process.say({"kind": "journal", "entry": accepted()})
    page = _ended(client, f"/deployments/staging/{ID}", "is at work")
    # The deployment has ended, what archives its statements has not: there is more to come.
    assert "sse-connect" in page

    def archive() -> None:
        process.say({"kind": "notice", "line": "what it signed is not archived"})
        process.say_words("why: an error in words, which")
        process.end(0, {"outcome": "succeeded"})

    threading.Timer(0.1, archive).start()
    assert client.get(f"/events/deployments/staging/{ID}").text.count("event: changed") >= 2
    page = client.get(f"/deployments/staging/{ID}").text
    assert "ended with exit code 0" in page
    assert "what it signed is not archived" in page
    assert "an error in words" not in page
    assert "sse-connect" not in page


def test_a_command_that_never_got_accepted_says_why(client: TestClient, commands: Commands) -> None:
    form = _form(client.get("/actions/staging/deploy", params={"tag": tag("b")}).text)
    run = client.post("/actions/staging/deploy", data=form).headers["location"]
    locked = error("another deployment holds the host", "a deploy by grace", "wait for it", 4)
    commands.started[0][1].end(4, {"error": locked})
    page = _ended(client, run, "ended with exit code 4")
    assert "another deployment holds the host" in page
    assert "a deploy by grace" in page
    assert "hx-trigger" not in page


def test_a_plan_that_is_stale_is_not_carried_out(client: TestClient, staging: Host, commands: Commands) -> None:
    form = _form(client.get("/actions/staging/deploy", params={"tag": tag("b")}).text)
    serving = status()["serving"]
    staging.answers[Operation.STATUS] = status(serving={**serving, "tag": tag("c")})
    refused = client.post("/actions/staging/deploy", data=form)
    assert refused.status_code == 409
    assert "something else serves by now" in refused.text
    assert commands.started == []


@pytest.mark.parametrize(
    "change", [{"tag": "--force"}, {"tag": "sha-zz"}, {"ticket": "short"}, {"tag": f"{tag('b')} --force"}]
)
def test_only_checked_values_become_arguments(client: TestClient, commands: Commands, change: dict[str, str]) -> None:
    form = {**_form(client.get(f"/actions/staging/deploy?tag={tag('b')}").text), **change}
    commands.asked.clear()
    assert client.post("/actions/staging/deploy", data=form).status_code == 404
    assert client.post("/actions/--json/deploy", data=form).status_code == 404
    assert client.post("/actions/staging/prune", data=form).status_code == 422
    assert client.get("/actions/staging/deploy", params={"tag": "--force"}).status_code == 404
    assert (commands.started, commands.asked) == ([], [])


def test_one_at_a_time_is_begun_for_an_environment(tmp_path: Path, commands: Commands) -> None:
    runs = Runs(commands, tmp_path)
    first = runs.start("a" * 16, "staging", "deploy", "", ("deploy",))
    with pytest.raises(Refused, match="still at work"):
        runs.start("b" * 16, "staging", "restart", "", ("restart",))
    assert runs.start("a" * 16, "staging", "deploy", "", ("deploy",)) == first
    runs.start("c" * 16, "production", "restart", "", ("restart",))
    runs.start("d" * 16, "staging", "cancel", "", ("cancel",), about=ID)
    assert [arguments for arguments, _ in commands.started] == [("deploy",), ("restart",), ("cancel",)]
    assert [one.action for one in runs.of("staging", ID)] == ["cancel"]
    for _, process in commands.started:
        process.end(0, {})


def test_what_runs_is_cancelled_and_nothing_else(client: TestClient, staging: Host, commands: Commands) -> None:
    staging.journals[ID] = Journal(accepted())
    staging.answers[Operation.STATUS] = status(deploying=True, deployment={"id": ID})
    form = _form(client.get(f"/deployments/staging/{ID}").text)
    assert form["deployment"] == ID
    stale = client.post("/actions/staging/cancel", data={**form, "deployment": "20200101-000000-000000"})
    assert stale.status_code == 409
    asked = client.post("/actions/staging/cancel", data=form)
    assert asked.headers["location"] == f"/deployments/staging/{ID}"
    ((arguments, process),) = commands.started
    assert arguments == ("cancel", "--json", "--", "staging")
    process.end(1, {"error": error("it cannot be cancelled", "the new release serves", "roll back")})
    assert "it cannot be cancelled" in _ended(client, f"/deployments/staging/{ID}", "ended with exit code 1")


def test_somebody_who_only_looks_begins_nothing(tmp_path: Path, commands: Commands) -> None:
    host = Host()
    host.journals[ID] = Journal(accepted())
    hosts = {"staging": host, "production": Host()}
    with dashboard(tmp_path, hosts, access=Onlooker(), command=commands) as client:
        form = {"ticket": "t" * 32, "tag": tag("b"), "serving": tag("a"), "deployment": ID}
        assert client.get(f"/actions/staging/deploy?tag={tag('b')}").status_code == 403
        assert client.get(f"/api/plans/staging/deploy?tag={tag('b')}").status_code == 403
        assert client.post("/actions/staging/deploy", data=form).status_code == 403
        assert client.post("/actions/staging/cancel", data=form).status_code == 403
        for prefix in ("", "/parts", "/api"):
            assert client.get(f"{prefix}/runs/" + "t" * 32).status_code == 403
        page = client.get(f"/deployments/staging/{ID}").text
    assert "Cancel and revert" not in page
    assert (commands.started, commands.asked) == ([], [])


def test_the_command_is_run_by_this_python_where_the_configuration_is(tmp_path: Path) -> None:
    """Nothing in the repository is taken for a module, and what it says is read as it is."""
    (tmp_path / "fairway").mkdir()
    (tmp_path / "fairway" / "__main__.py").write_text("raise SystemExit('not this one')")
    answer = Command().ask(("deploy", "--plan", "--json", "--", "staging", tag("b")), tmp_path)
    assert answer.error is not None
    assert answer.code == 2
    assert "no fairway.toml" in answer.error.what


def test_a_started_command_has_a_session_of_its_own(tmp_path: Path) -> None:
    class Python(Command):
        def _argv(self, arguments: tuple[str, ...]) -> list[str]:
            return [
                sys.executable,
                "-c",
                "import os; print(os.getsid(0) == os.getpid(), os.environ['FAIRWAY_PROGRESS'])",
            ]

    out = tmp_path / "out"
    assert Python().start((), tmp_path, out, tmp_path / "err").wait(30) == 0
    assert out.read_text() == "True json\n"
