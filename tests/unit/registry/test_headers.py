"""What a registry's header fields mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.registry.headers import Challenge, next_link, parse_challenges, retry_after_s


@pytest.mark.parametrize(
    ("value", "challenges"),
    [
        ('Basic realm="r"', [Challenge("basic", {"realm": "r"})]),
        ("basic realm=r, charset=UTF-8", [Challenge("basic", {"realm": "r", "charset": "UTF-8"})]),
        (
            'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer",
                    {"realm": "https://ghcr.io/token", "service": "ghcr.io", "scope": "repository:a/b:pull,push"},
                )
            ],
        ),
        (
            'Bearer realm="https://t" , service = "s", Basic realm="r"',
            [Challenge("bearer", {"realm": "https://t", "service": "s"}), Challenge("basic", {"realm": "r"})],
        ),
        (r'Basic realm="a \"b\" \\"', [Challenge("basic", {"realm": 'a "b" \\'})]),
        ("Negotiate", [Challenge("negotiate", {})]),
        ('Negotiate, Basic realm="r"', [Challenge("negotiate", {}), Challenge("basic", {"realm": "r"})]),
        ("", []),
        ('="', []),
    ],
)
def test_a_challenge_is_read(value: str, challenges: list[Challenge]) -> None:
    assert parse_challenges(value) == challenges


@given(st.text(alphabet='BbeaReralmBsic,= "\\;\t', max_size=200) | st.text(max_size=200))
def test_no_challenge_breaks_the_parser(value: str) -> None:
    for challenge in parse_challenges(value):
        assert challenge.scheme


token = st.from_regex(r"[a-z]{1,8}", fullmatch=True)


@given(st.dictionaries(token, st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)), min_size=1))
def test_a_challenge_that_was_written_is_read_back(parameters: dict[str, str]) -> None:
    written = ",".join(
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in parameters.items()
    )
    assert parse_challenges(f"Bearer {written}") == [Challenge("bearer", parameters)]


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ('</v2/a/tags/list?last=x&n=2>; rel="next"', "/v2/a/tags/list?last=x&n=2"),
        ("</v2/a/tags/list?last=x>; rel=next", "/v2/a/tags/list?last=x"),
        ('<https://r/x>; title="a, b"; rel="next"', "https://r/x"),
        ('</first>; rel="first", </second>; rel="prev next"', "/second"),
        ('</first>; rel="first"', None),
        ("", None),
        ("rel=next", None),
        ("</x>", None),
    ],
)
def test_the_next_page_is_found(value: str, target: str | None) -> None:
    assert next_link(value) == target


@given(st.text(alphabet='<>;,="rel nxt/?', max_size=200) | st.text(max_size=200))
def test_no_link_breaks_the_parser(value: str) -> None:
    target = next_link(value)
    assert target is None or target in value


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        (" 120 ", 120.0),
        ("Wed, 21 Oct 2026 07:28:10 GMT", 10.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
    ],
)
def test_the_wait_that_is_asked_for_is_read(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC)) == seconds


@given(st.text(max_size=100))
def test_no_wait_breaks_the_parser(value: str) -> None:
    seconds = retry_after_s(value)
    assert seconds is None or seconds >= 0
