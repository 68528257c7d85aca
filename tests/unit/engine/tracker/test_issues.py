"""What an error tracker is asked, and what is made of an answer that nobody vouches for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.contract.tracker import Service, Tracker, tracker_url
from fairway.engine.tracker.issues import Issue, Subject, judge, question, read_issues

SENTRY = Tracker("https://sentry.example.com/errors", Service.SENTRY, "acme", "capakraken", "TOKEN")
GLITCHTIP = replace(SENTRY, service=Service.GLITCHTIP, url="https://glitchtip.example.com")
SUBJECT = Subject("sha-4f4f4f4", "production", "2026-01-31T12:00:00Z")


def item(**other: Any) -> dict[str, Any]:
    """Return an issue as Sentry lists it."""
    made = {
        "id": "7",
        "shortId": "CAPA-7",
        "title": "ZeroDivisionError: division by zero",
        "permalink": "https://acme.sentry.io/issues/7/",
        "level": "error",
        "firstSeen": "2026-01-31T12:00:01.123456Z",
    }
    return {key: value for key, value in {**made, **other}.items() if value is not ...}


def read(tracker: Tracker, *items: Any) -> tuple[Issue, ...]:
    return read_issues(tracker, SUBJECT, json.dumps(list(items)).encode())


@pytest.mark.parametrize(("tracker", "key"), [(SENTRY, "firstRelease"), (GLITCHTIP, "release")])
def test_each_service_is_asked_in_its_own_words(tracker: Tracker, key: str) -> None:
    asked = urlsplit(question(tracker, SUBJECT))
    assert asked.path.endswith("/api/0/projects/acme/capakraken/issues/")
    assert asked.path.startswith("/errors/") is (tracker is SENTRY)
    query = parse_qs(asked.query)
    assert query["query"] == [f'is:unresolved {key}:"sha-4f4f4f4"']
    assert query["environment"] == ["production"]


@pytest.mark.parametrize("name", ["", '1" OR is:resolved "', "a b", "*", "x\n", "a" * 201])
def test_a_name_that_would_be_another_question_is_not_asked_for(name: str) -> None:
    for subject in (replace(SUBJECT, release=name), replace(SUBJECT, environment=name)):
        with pytest.raises(Invalid, match="no query can name"):
            question(SENTRY, subject)


@pytest.mark.parametrize(
    ("tracker", "other", "new"),
    [
        (SENTRY, {}, True),
        (SENTRY, {"level": "fatal"}, True),
        (SENTRY, {"level": "warning"}, False),  # somebody's message
        (SENTRY, {"level": ...}, True),
        (SENTRY, {"firstSeen": "2020-01-31T12:00:00Z"}, True),  # in another environment, perhaps
        (GLITCHTIP, {}, True),
        (GLITCHTIP, {"firstSeen": "2026-01-31T12:00:00+00:00"}, True),
        (GLITCHTIP, {"firstSeen": "2026-01-31T11:59:59.999Z"}, False),  # an old one that it has as well
        (GLITCHTIP, {"firstRelease": {"version": "sha-4f4f4f4"}, "firstSeen": "2020-01-31T12:00:00Z"}, True),
        (GLITCHTIP, {"firstRelease": {"version": "sha-0000000"}}, False),
    ],
)
def test_what_counts_as_new(tracker: Tracker, other: dict[str, Any], new: bool) -> None:
    assert len(read(tracker, item(**other))) == new


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ({"title": "a\x1b[31mred\r\nnext: rm -rf /\u202eevil"}, "a [31mred next: rm -rf / evil"),
        ({"title": "x" * 5000}, "x" * 120 + "..."),
        ({"title": 7}, "untitled"),
        ({"title": "\n"}, "untitled"),
    ],
)
def test_a_title_does_nothing_to_whoever_reads_it(written: dict[str, Any], shown: str) -> None:
    (issue,) = read(SENTRY, item(**written))
    assert issue.title == shown


@pytest.mark.parametrize(
    "link", [None, 7, "javascript:alert(1)", "https://a@b/", "https://x/\x1b[2J", "https://x/" + "a" * 400]
)
def test_a_link_that_is_none_is_made(link: Any) -> None:
    assert read(SENTRY, item(permalink=link, shortId="a\nb"))[0] == Issue(
        "issue 7",
        "ZeroDivisionError: division by zero",
        "https://sentry.example.com/errors/organizations/acme/issues/7",
    )
    assert read(GLITCHTIP, item(permalink=link))[0].link == "https://glitchtip.example.com/acme/issues/7"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b'{"detail": "throttled"}',
        b"[1]",
        b'[{"title": "no id"}]',
        b'[{"id": "../../x"}]',
        b"\xff",
        b"[" * 100_000,
        json.dumps([{"id": "1"}] * 1001).encode(),
    ],
)
def test_an_answer_that_is_none_is_told_from_one_without_issues(content: bytes) -> None:
    with pytest.raises(Invalid):
        read_issues(SENTRY, SUBJECT, content)


@pytest.mark.parametrize("seen", [..., None, "yesterday", 1769860800, "2026-01-31T12:00:00+05:00"])
def test_an_issue_of_which_it_cannot_be_told_whether_it_is_new_is_no_answer(seen: Any) -> None:
    with pytest.raises(Invalid, match="does not say when"):
        read(GLITCHTIP, item(firstSeen=seen))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
_KEYS = ("id", "shortId", "title", "permalink", "level", "firstSeen", "firstRelease")


@given(
    st.lists(st.dictionaries(st.sampled_from(_KEYS), _JSON) | _JSON, max_size=3), st.sampled_from([SENTRY, GLITCHTIP])
)
def test_any_answer_is_read_or_refused_in_words(document: list[Any], tracker: Tracker) -> None:
    try:
        found = read(tracker, *document)
    except FairwayError:
        return
    assert all("\n" not in str(one) and str(one).isprintable() and len(str(one)) < 600 for one in found)


@pytest.mark.parametrize(("allowed", "found", "kept"), [(0, 0, True), (0, 1, False), (2, 2, True), (2, 3, False)])
def test_a_release_may_bring_as_many_new_issues_as_it_is_allowed(allowed: int, found: int, kept: bool) -> None:
    issues = [Issue(f"CAPA-{n}", "KeyError", f"https://x/{n}") for n in range(found)]
    assert (judge(issues, replace(SENTRY, max_new_issues=allowed)) is None) is kept


def test_the_reason_names_the_first_issues_and_counts_the_rest() -> None:
    issues = [Issue(f"CAPA-{n}", "KeyError", f"https://x/{n}") for n in range(7)]
    reason = judge(issues, SENTRY)
    assert reason is not None
    assert reason.splitlines()[:2] == [
        "7 new issues in the error tracker, none may be",
        "CAPA-0: KeyError (https://x/0)",
    ]
    assert reason.splitlines()[-1] == "and 2 more"


@pytest.mark.parametrize(
    "url",
    [
        "sentry.io",
        "ftp://sentry.io",
        "https://user:secret@sentry.io",
        "https://sentry.io/",
        "https://sentry.io?x=1",
        "https://sentry.io#x",
        "https://sentry.io/../x",
        "https://sentry.io:99999",
        "https://[::1",
        "https:///x",
        "http://sentry.io",
        "http://8.8.8.8",
        "http://localhost.example.com",
        "https://a b",
    ],
)
def test_an_address_to_which_no_token_should_go_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        tracker_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://sentry.io",
        "https://example.com/sentry",
        "http://localhost:8000",
        "http://10.0.0.7",
        "http://[::1]:8000",
    ],
)
def test_an_address_with_tls_or_nearby_is_taken(url: str) -> None:
    assert tracker_url(url) == url
