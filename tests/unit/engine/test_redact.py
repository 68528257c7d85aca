"""What of a host's settings counts as secret, and what a log is still to show."""

from __future__ import annotations

import pytest

from fairway.engine.redact import Redactor


@pytest.mark.parametrize(
    "key", ["DB_PWD", "HASH_SALT", "PIN", "USER_PIN_2", "HMAC", "URL_SIGNING", "SIGN", "COOKIE", "SLACK_WEBHOOK", "dsn"]
)
def test_a_short_value_is_a_secret_when_its_name_says_so(key: str) -> None:
    assert Redactor({key: "h4x"})("got h4x") == "got [redacted]"


@pytest.mark.parametrize("key", ["SHIPPING", "PING_TARGET", "DESIGN", "REGION", "MODE"])
def test_an_ordinary_word_is_none(key: str) -> None:
    assert Redactor({key: "berlin"})("in berlin") == "in berlin"


@pytest.mark.parametrize("value", ["https://www.example.com", "http://localhost:3000/"])
def test_the_site_s_own_address_is_none_whatever_its_name(value: str) -> None:
    assert Redactor({"NEXTAUTH_URL": value})(f"down: {value}: 502") == f"down: {value}: 502"
    for secret in (f"{value.rstrip('/')}/a-path", f"{value}?key=1", value.replace("//", "//user:pw@")):
        assert Redactor({"SLACK_WEBHOOK": secret})(secret) == "[redacted]"


def test_a_switch_is_none_whatever_its_name() -> None:
    redact = Redactor({"COOKIE_SECURE": "true", "AUTH_MODE": "Strict"})
    assert redact("it is true, Strict") == "it is true, Strict"


@pytest.mark.parametrize("value", ["ab/cd+efgh12345==", "k9Jx/Lm2/Qw8Zt5", "word-word-word"])
def test_a_long_value_is_a_secret_whatever_its_name(value: str) -> None:
    assert Redactor({"X": value})(f"X={value};") == "X=[redacted];"


@pytest.mark.parametrize(
    "value",
    [
        "/var/lib/data/files",
        "./some/directory",
        "https://example.com/a/b",
        "http://app:3000/ready",
        "redis://cache:6379/0",
        "ghcr.io/acme/app@sha256:" + "4f" * 32,
    ],
)
def test_a_path_an_address_and_an_image_are_none(value: str) -> None:
    assert Redactor({"X": value})(f"X={value};") == f"X={value};"


@pytest.mark.parametrize("password", ["hunter2", "hu/nt/er2", "hu%2Fnter2", "hu:nter2"])
def test_a_password_in_an_address_is_masked_there_and_elsewhere(password: str) -> None:
    redact = Redactor({"DATABASE_URL": f"postgresql://app:{password}@db:5432/app?x=jane@example.com"})
    assert redact(f"with {password} at postgresql://app:{password}@db") == (
        "with [redacted] at postgresql://app:[redacted]@db"
    )
    assert Redactor({})(f"redis://:{password}@cache") == "redis://:[redacted]@cache"


@pytest.mark.parametrize("password", ["hun@ter2", "hun@t@er2"])
def test_a_password_with_an_at_sign_is_masked_whole(password: str) -> None:
    assert Redactor({"URL": f"amqp://app:{password}@mq/x"})(f"({password})") == "([redacted])"
    assert Redactor({"URL": "amqp://app:hun%40ter2@mq/x"})("(hun@ter2)") == "([redacted])"


def test_what_a_container_was_started_with_is_masked_as_well_but_nothing_that_is_no_setting() -> None:
    redact = Redactor({"TOKEN": "new-one"}, {"TOKEN": "old-one", "PATH_TOKEN": "of-the-image"}, {"TOKEN": "older"})
    assert redact("new-one old-one older of-the-image") == "[redacted] [redacted] [redacted] of-the-image"


def test_a_line_of_json_is_left_whole() -> None:
    line = '{"url":"http://app:3000/x","by":"jane@example.com"}'
    assert Redactor({})(line) == line


def test_an_address_that_is_a_secret_is_taken_out_whole_and_by_its_tokens() -> None:
    values = {
        "OPS_URL": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/%23alerts",
        "SITE": "https://example.com/a",
    }
    redact = Redactor(values, addresses=("OPS_URL",))
    assert redact(f"to {values['OPS_URL']}") == "to [redacted]"
    assert (
        redact("hooks.slack.com/services/x/TIiajkdnlazkcOXrIdevi7FQ: 403")
        == "hooks.slack.com/services/x/[redacted]: 403"
    )
    assert redact("alerts at https://example.com/a") == "alerts at https://example.com/a"
    assert "TIiajkdnlazkcOXrIdevi7FQ" in Redactor(values)("TIiajkdnlazkcOXrIdevi7FQ")


@pytest.mark.parametrize(
    "address",
    [
        "mailtos://jane:hunter2hunter2@mail.example.com?to=ops@www.example.com",
        "mailto://jane:hunter2hunter2@example.com:587/ops@www.example.com/",
        "ntfys://www.example.com/hunter2hunter2",
    ],
)
def test_the_site_is_named_also_where_it_is_a_part_of_a_secret_address(address: str) -> None:
    redact = Redactor({"OPS_URL": address, "DOMAIN": "www.example.com"}, addresses=("OPS_URL",))
    assert redact("down: https://www.example.com: 502") == "down: https://www.example.com: 502"
    assert redact(f"to {address}, hunter2hunter2") == "to [redacted], [redacted]"


def test_the_address_of_a_receiver_s_host_is_no_secret() -> None:
    redact = Redactor({"OPS_URL": "json://10.231.5.1:8080/hook"}, addresses=("OPS_URL",))
    assert redact("down: http://10.231.5.13") == "down: http://10.231.5.13"


def test_what_looks_like_a_host_is_masked_where_it_stands_for_none() -> None:
    redact = Redactor(
        {"OPS_URL": "ntfys://ntfy.example.com/a.secret.topic", "X": "some.dotted.words"}, addresses=("OPS_URL",)
    )
    assert redact("a.secret.topic some.dotted.words") == "[redacted] [redacted]"
    assert Redactor({"SITE_SECRET": "some.dotted.words"})("some.dotted.words") == "[redacted]"
