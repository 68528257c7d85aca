"""Secrets that an earlier version left in the database: found by name, cleared on the record, never shown."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from testbed import legacy
from testbed.bed import Testbed
from testbed.workspace import Workspace
from tests.host.asking import history, sql, status

VALUE = "hunter2-canary-61f0c2"
ADMIN = {"ADMIN_EMAIL": "admin@example.com", "ADMIN_PASSWORD": "correct-horse-battery"}
_MAIL = """
    CREATE TABLE mail_settings (id integer PRIMARY KEY, host text, "smtpPassword" text NOT NULL, token jsonb NOT NULL);
    INSERT INTO mail_settings VALUES (1, 'mx', '{value}', '"{value}"'), (2, 'mx', '', 'null');
"""


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A staging host that serves a release which names three tables, one of which is nowhere."""
    made = Workspace(bed, project="t-leftovers", port=25_437)
    places = made.config["secrets"]["leftovers"]
    places += [
        {"table": "public.mail_settings", "columns": ["smtpPassword", "token", "gone"]},
        {"table": "Settings; DROP", "columns": ["x"]},
    ]
    made.configure(secrets={"leftovers": places})
    refused = made.fairway("status", check=False)
    assert refused.returncode == 2
    assert "not a table's name: 'Settings; DROP'" in refused.stderr
    places[2]["table"] = "nowhere"
    made.configure(secrets={"leftovers": places})
    made.commit("Name the leftovers")
    made.prepare_host("staging", {**ADMIN, "OPENAI_API_KEY": "sk-of-today"})
    yield made
    made.remove()


@pytest.fixture(scope="module")
def started(work: Workspace) -> Workspace:
    """The same, serving."""
    work.fairway("bootstrap", "staging")
    work.fairway("release")
    work.fairway("deploy", "staging", work.tag)
    return work


@pytest.fixture
def left(started: Workspace) -> Workspace:
    """The same, with two rows and two columns of the past."""
    legacy.leave_secrets(started, "staging", {"OPENAI_API_KEY": VALUE, "SMTP_PASSWORD": VALUE, "THEME": "dark"})
    sql(started, "staging", "DROP TABLE IF EXISTS mail_settings" + ";" + _MAIL.format(value=VALUE))
    return started


def test_a_scan_counts_by_name_and_says_what_is_not_there(left: Workspace) -> None:
    done = left.fairway("secrets", "scan", "staging", "--json", check=False)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    counts = {one["key"]: one["rows"] for one in found["scan"]["found"] if one["rows"]}
    assert counts == {"OPENAI_API_KEY": 1, "SMTP_PASSWORD": 1, "smtpPassword": 1, "token": 1}
    assert found["scan"]["missing"] == [
        "the table public.mail_settings has no column gone",
        "there is no table nowhere",
    ]
    assert found["set"] == ["OPENAI_API_KEY"]
    shown = left.fairway("secrets", "scan", "staging", check=False)
    assert VALUE not in done.stdout + done.stderr + shown.stdout + shown.stderr
    assert "staging: 4 values left" in shown.stdout
    assert status(left, "staging")["leftovers"]["rows"] == 4
    assert "secrets left in the database: 4" in left.fairway("status", "staging").stdout


def _values(work: Workspace) -> int:
    """Count the values of the past, in the database itself."""
    tables = """SELECT value FROM "SystemSettings" UNION ALL SELECT "smtpPassword" FROM mail_settings"""
    query = (
        f"SELECT count(*) FROM ({tables} UNION ALL SELECT token::text FROM mail_settings) t(v) WHERE v LIKE '%{VALUE}%'"
    )
    return int(sql(work, "staging", query))


def test_nothing_is_cleared_without_an_answer(left: Workspace) -> None:
    done = left.fairway("secrets", "clear", "staging", check=False)
    assert done.returncode == 2
    assert "there is no terminal to ask on" in done.stderr
    assert _values(left) == 4


def test_what_was_found_is_cleared_on_the_record_and_nothing_else(left: Workspace) -> None:
    done = left.fairway("secrets", "clear", "staging", "--yes")
    assert "cleared 4 values in staging" in done.stdout
    assert "rotate each of them" in done.stdout
    assert sql(left, "staging", 'SELECT key, value FROM "SystemSettings" ORDER BY key').splitlines() == [
        "OPENAI_API_KEY|",
        "SMTP_PASSWORD|",
        "THEME|dark",
    ]
    # A column that may not be null gets what is empty in its type.
    rows = sql(left, "staging", "SELECT * FROM mail_settings ORDER BY id").splitlines()
    assert rows == ["1|mx||null", "2|mx||null"]
    entry = history(left, "staging")[-1]
    assert (entry["action"], entry["outcome"], entry["named_by"]) == ("clear-secrets", "succeeded", left.tag)
    assert {(one["table"], one["key"], one["rows"]) for one in entry["cleared"]} == {
        ("SystemSettings", "OPENAI_API_KEY", 1),
        ("SystemSettings", "SMTP_PASSWORD", 1),
        ("public.mail_settings", "smtpPassword", 1),
        ("public.mail_settings", "token", 1),
    }
    scanned = left.fairway("secrets", "scan", "staging", check=False)
    # What was looked at has none; what is named and not there is no proof of that.
    assert scanned.returncode == 2
    assert "nothing is left where it was looked" in scanned.stdout
    assert "secrets left in the database: none" in left.fairway("status", "staging").stdout
    assert left.fairway("secrets", "clear", "staging", "--yes").returncode == 0
    assert len([e for e in history(left, "staging") if e == entry]) == 1


@dataclass(frozen=True)
class _Answer:
    value: dict[str, object] | None
    error: dict[str, object] | None


def _ask(work: Workspace, expected: list[dict[str, object]]) -> _Answer:
    """Send a request of one's own, as whoever has a deploy key can."""
    request = {"protocol": 1, "op": "secrets-clear", "args": {"by": "somebody", "expected": expected}}
    engine = f"python3 -I {work.deploy_path}/.fairway/engine/current serve"
    done = work.host("staging").run(engine, user=work.user, stdin=json.dumps(request) + "\n")
    answer = json.loads(done.stdout.splitlines()[-1])
    return _Answer(answer.get("value"), answer.get("error"))


@pytest.mark.parametrize(
    ("table", "key", "code"),
    [
        ("users", "email", 3),
        ("SystemSettings", "THEME", 3),
        ('SystemSettings"; DROP TABLE users; --', "OPENAI_API_KEY", 2),
        ("SystemSettings", "x' OR '1'='1", 2),
    ],
)
def test_a_request_can_name_nothing_that_the_release_does_not(left: Workspace, table: str, key: str, code: int) -> None:
    answer = _ask(left, [{"table": table, "key": key, "rows": 1}])
    assert answer.error is not None
    assert answer.error["exit_code"] == code
    assert _values(left) == 4


def test_another_count_than_the_expected_rolls_all_of_it_back(left: Workspace) -> None:
    # Somebody wrote one more after the scan: it is not in what the person has agreed to.
    answer = _ask(left, [{"table": "SystemSettings", "key": "OPENAI_API_KEY", "rows": 1}])
    assert answer.error is not None
    assert answer.error["what"] == "the database has something else by now, nothing was changed"
    assert "SMTP_PASSWORD in SystemSettings: 1, expected was 0" in str(answer.error["why"])
    assert _values(left) == 4
    entry = history(left, "staging")[-1]
    assert (entry["action"], entry["outcome"], entry["by"]) == ("clear-secrets", "failed", "somebody")


def test_a_column_that_has_gone_since_the_scan_rolls_all_of_it_back(left: Workspace) -> None:
    expected: list[dict[str, object]] = [
        {"table": "SystemSettings", "key": "OPENAI_API_KEY", "rows": 1},
        {"table": "SystemSettings", "key": "SMTP_PASSWORD", "rows": 1},
        {"table": "public.mail_settings", "key": "smtpPassword", "rows": 1},
        {"table": "public.mail_settings", "key": "token", "rows": 1},
    ]
    sql(left, "staging", "ALTER TABLE mail_settings DROP COLUMN token")
    answer = _ask(left, expected)
    assert answer.error is not None
    assert "token in public.mail_settings: 0, expected was 1" in str(answer.error["why"])
    kept = f"""SELECT count(*) FROM "SystemSettings" WHERE value = '{VALUE}'"""
    assert sql(left, "staging", kept) == "2"


def test_a_value_that_the_database_will_not_give_up_is_not_quoted(left: Workspace) -> None:
    sql(left, "staging", "ALTER TABLE mail_settings ADD CHECK (\"smtpPassword\" <> '' OR id = 2)")
    done = left.fairway("secrets", "clear", "staging", "--yes", check=False)
    assert done.returncode == 1
    assert "a check constraint does not take an empty value (SQLSTATE 23514)" in done.stderr
    logs = left.host("staging").run(f"docker logs {left.project}-postgres-1")
    assert VALUE not in done.stdout + done.stderr + logs.stdout
    assert "Failing row contains" not in logs.stdout + logs.stderr
    assert _values(left) == 4


def test_a_locked_environment_keeps_its_leftovers(left: Workspace) -> None:
    left.fairway("lock", "staging", "--reason", "audit")
    try:
        assert left.fairway("secrets", "clear", "staging", "--yes", check=False).returncode == 4
    finally:
        left.fairway("unlock", "staging")
    assert _values(left) == 4


class _Browser:
    """Somebody who is signed in as the administrator."""

    def __init__(self, work: Workspace) -> None:
        self._base = work.url("staging", "")
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)
        self.ask("POST", "/sign-in", {"email": ADMIN["ADMIN_EMAIL"], "password": ADMIN["ADMIN_PASSWORD"]})

    def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """Return the status and the body."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        request = urllib.request.Request(self._base + path, data=data, method=method)
        try:
            with self._opener.open(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


def test_the_application_s_own_page_clears_one_by_name_and_takes_no_value(left: Workspace) -> None:
    browser = _Browser(left)
    code, shown = browser.ask("GET", "/admin/secrets")
    assert code == 200
    assert shown.count("Clear</button>") == 2
    assert "set, 11 characters" in shown
    assert "sk-of-today" not in shown
    assert VALUE not in shown
    before = sql(left, "staging", 'SELECT md5(string_agg(s::text, chr(10) ORDER BY key)) FROM "SystemSettings" s')
    for form in ({"key": "OPENAI_API_KEY", "value": "x"}, {"OPENAI_API_KEY": "x"}, {"value": "x"}):
        query = "?" + urllib.parse.urlencode(form)
        assert browser.ask("POST", "/admin/secrets/clear", form)[0] == 400
        assert browser.ask("POST", "/admin/secrets/clear" + query, {})[0] == 400
        for method, path in (("POST", "/admin/secrets"), ("PUT", "/admin/secrets"), ("PUT", "/admin/secrets/clear")):
            assert browser.ask(method, path, form)[0] == 405
    after = sql(left, "staging", 'SELECT md5(string_agg(s::text, chr(10) ORDER BY key)) FROM "SystemSettings" s')
    assert after == before
    assert browser.ask("POST", "/admin/secrets/clear", {"key": "OPENAI_API_KEY"})[0] == 200
    assert sql(left, "staging", """SELECT key FROM "SystemSettings" WHERE value LIKE '%canary%'""") == "SMTP_PASSWORD"
