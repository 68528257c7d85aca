"""What the application decides, without a database."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal

import pytest

from capakraken.auth import Role, check_password, hash_password
from capakraken.planning import BadAllocation, parse_hours, week_of, weeks_from
from capakraken.readiness import NotReady, examine, missing_columns
from capakraken.runtime_secrets import NotCleared, statuses, wanted_key
from capakraken.schema import metadata
from capakraken.settings import SettingsError, read_settings
from capakraken.sse.event_bus import Event, encode
from capakraken.sse.subscription_policy import channel_of

WHOLE = {"POSTGRES_PASSWORD": "p@ss/word", "NEXTAUTH_URL": "https://x.example", "NEXTAUTH_SECRET": "s" * 32}


@pytest.mark.parametrize("key", sorted(WHOLE))
def test_a_missing_setting_is_named(key: str) -> None:
    with pytest.raises(SettingsError, match=f"{key} is not set"):
        read_settings({**WHOLE, key: ""})


@pytest.mark.parametrize(
    ("given", "missing"),
    [({"SMTP_USER": "mail"}, "SMTP_PASSWORD"), ({"ANONYMIZATION_MODE": "deterministic"}, "ANONYMIZATION_SEED")],
)
def test_a_setting_that_another_needs_is_named(given: dict[str, str], missing: str) -> None:
    with pytest.raises(SettingsError, match=missing):
        read_settings({**WHOLE, **given})
    assert read_settings({**WHOLE, **given, missing: "x"})


def test_no_secret_is_in_the_settings_representation() -> None:
    settings = read_settings({**WHOLE, "ADMIN_PASSWORD": "hunter2"})
    shown = repr(settings)
    assert all(secret not in shown for secret in ("p@ss", "s" * 32, "hunter2"))
    assert settings.database_url.password == "p@ss/word"


@pytest.mark.parametrize(
    ("day", "monday"),
    [("2026-01-01", "2025-12-29"), ("2026-11-23", "2026-11-23"), ("2026-11-29", "2026-11-23")],
)
def test_a_week_begins_on_monday(day: str, monday: str) -> None:
    assert week_of(date.fromisoformat(day)) == date.fromisoformat(monday)


def test_weeks_follow_each_other_over_the_year() -> None:
    weeks = weeks_from(date(2026, 12, 24), 3)
    assert weeks == [date(2026, 12, 21), date(2026, 12, 28), date(2027, 1, 4)]


@pytest.mark.parametrize(("text", "hours"), [("12", "12"), (" 7,5 ", "7.5"), ("", "0"), ("80", "80")])
def test_hours_are_read_as_planners_type_them(text: str, hours: str) -> None:
    assert parse_hours(text) == Decimal(hours)


@pytest.mark.parametrize("text", ["-1", "80.1", "many", "NaN", "Infinity"])
def test_hours_that_nobody_can_work_are_refused(text: str) -> None:
    with pytest.raises(BadAllocation):
        parse_hours(text)


def test_only_a_viewer_may_not_plan() -> None:
    assert [role for role in Role if not role.may_plan] == [Role.VIEWER]


def test_a_password_is_known_again_and_no_other() -> None:
    stored = hash_password("correct-horse")
    assert check_password("correct-horse", stored)
    assert not check_password("correct-horsf", stored)
    assert stored != hash_password("correct-horse")


@pytest.mark.parametrize("stored", ["", "plain", "scrypt$zz$zz", "md5$00$00"])
def test_a_damaged_hash_lets_nobody_in(stored: str) -> None:
    assert not check_password("x", stored)


def test_an_audience_is_one_user() -> None:
    assert channel_of(7) != channel_of(77)


def test_an_event_cannot_break_out_of_its_line() -> None:
    assert encode(Event("allocation", {"note": "a\n\nevent: x"})).count(b"\n\n") == 1


def test_readiness_names_what_fails_and_not_why_in_secrets() -> None:
    async def fine() -> None:
        pass

    async def known() -> None:
        raise NotReady("the database lacks people.location")

    async def unknown() -> None:
        raise ConnectionError("postgresql://capakraken:hunter2@db")

    found = asyncio.run(examine({"redis": fine, "schema": known, "database": unknown}))
    assert not found.ready
    assert found.as_json()["failing"] == ["schema", "database"]
    assert "hunter2" not in str(found.as_json())
    assert asyncio.run(examine({"redis": fine})).ready


def test_a_newer_schema_is_ready_and_an_older_one_names_the_column() -> None:
    present = {(table.name, column.name) for table in metadata.tables.values() for column in table.columns}
    assert missing_columns(present | {("people", "location")}) == []
    assert missing_columns(present - {("people", "full_name")}) == ["people.full_name"]


def test_a_secret_s_status_has_its_source_and_never_its_value() -> None:
    environ = {"OPENAI_API_KEY": "sk-hunter2", "SMTP_USER": "mail", "ANONYMIZATION_MODE": "random"}
    found = {one.key: one for one in statuses(environ, frozenset({"GEMINI_API_KEY"}))}
    assert (found["OPENAI_API_KEY"].source, found["OPENAI_API_KEY"].status) == ("environment", "set, 10 characters")
    assert found["SMTP_PASSWORD"].status == "missing, and required"
    assert found["ANONYMIZATION_SEED"].status == "not set"
    assert [key for key, one in found.items() if one.left_over] == ["GEMINI_API_KEY"]
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"key": "SMTP_PASSWORD", "value": "x"},
        {"value": "x"},
        {"key": "POSTGRES_PASSWORD"},
        {"key": ["SMTP_PASSWORD"]},
    ],
)
def test_only_the_name_of_a_leftover_is_taken(form: dict[str, object]) -> None:
    with pytest.raises(NotCleared):
        wanted_key(form)
    assert wanted_key({"key": "SMTP_PASSWORD"}) == "SMTP_PASSWORD"
