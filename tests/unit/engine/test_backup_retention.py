"""Which backups stay: the rules by themselves and together, and what no rule may take."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.backups.retention import Candidate, Keep, keep

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
NONE = Keep(last=0, daily=0, weekly=0, monthly=0)


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def staying(backups: list[Candidate], policy: Keep, **options: list[str]) -> list[str]:
    return [one.id for one in keep(backups, policy, NOW, **options) if one.stays]


# Sunday the 15th back to the middle of January; two on the 14th.
MONTHS = [
    Candidate(text, at(text))
    for text in (
        "2026-03-15 03:15",
        "2026-03-14 22:00",
        "2026-03-14 03:15",
        "2026-03-13 03:15",
        "2026-03-08 03:15",
        "2026-03-02 03:15",
        "2026-03-01 03:15",
        "2026-02-28 03:15",
        "2026-02-10 03:15",
        "2026-01-31 03:15",
        "2026-01-15 03:15",
    )
]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Keep(2, 0, 0, 0), ["2026-03-15 03:15", "2026-03-14 22:00"]),
        # The last one of a day; days without a backup do not count.
        (Keep(0, 4, 0, 0), ["2026-03-15 03:15", "2026-03-14 22:00", "2026-03-13 03:15", "2026-03-08 03:15"]),
        # Weeks begin on Monday: the 2nd to the 8th is one.
        (Keep(0, 0, 3, 0), ["2026-03-15 03:15", "2026-03-08 03:15", "2026-03-01 03:15"]),
        (Keep(0, 0, 0, 3), ["2026-03-15 03:15", "2026-02-28 03:15", "2026-01-31 03:15"]),
        (Keep(1, 2, 2, 2), ["2026-03-15 03:15", "2026-03-14 22:00", "2026-03-08 03:15", "2026-02-28 03:15"]),
        (NONE, ["2026-03-15 03:15"]),
        (Keep(100, 0, 0, 0), [one.id for one in MONTHS]),
    ],
)
def test_each_rule_keeps_what_restic_s_does(policy: Keep, expected: list[str]) -> None:
    assert staying(MONTHS[::-1], policy) == expected


def test_a_year_s_last_week_is_not_mistaken_for_the_next_year_s() -> None:
    backups = [Candidate("new", at("2026-01-02 03:00")), Candidate("old", at("2025-01-01 03:00"))]
    assert staying(backups, Keep(0, 0, 5, 0)) == ["new", "old"]


def test_a_bad_one_counts_for_no_rule_and_never_takes_a_good_one_s_place() -> None:
    backups = [
        Candidate("bad-new", NOW - timedelta(hours=1), good=False),
        Candidate("good", NOW - timedelta(hours=2), tried=True),
        Candidate("bad-old", NOW - timedelta(hours=3), good=False),
    ]
    assert staying(backups, Keep(1, 0, 0, 0)) == ["bad-new", "good"]


def test_a_bad_one_stays_until_a_newer_one_was_restored_and_that_one_stays_with_the_newest() -> None:
    newest, newer = Candidate("newest", NOW), Candidate("newer", NOW - timedelta(hours=1))
    bad, old = Candidate("bad", NOW - timedelta(hours=2), good=False), Candidate("old", NOW - timedelta(hours=3))
    assert staying([newest, newer, bad, old], NONE) == ["newest", "bad"]
    assert staying([newest, newer, bad, replace(old, tried=True)], NONE) == ["newest", "bad", "old"]
    assert staying([newest, replace(newer, tried=True), bad, old], NONE) == ["newest", "newer"]


def test_while_nothing_is_good_nothing_goes() -> None:
    backups = [Candidate(str(day), NOW - timedelta(days=day), good=False) for day in range(50)]
    assert len(staying(backups, NONE)) == 50


def test_the_only_one_of_a_deployment_that_is_kept_stays() -> None:
    backups = [
        Candidate("nightly", NOW),
        Candidate("only", NOW - timedelta(days=400), deployment="d1"),
        Candidate("second", NOW - timedelta(days=401), deployment="d2"),
        Candidate("first", NOW - timedelta(days=402), deployment="d2"),
        Candidate("forgotten", NOW - timedelta(days=403), deployment="d3"),
    ]
    assert staying(backups, NONE, deployments=["d1", "d2"]) == ["nightly", "only"]
    # A bad one beside it is no reason to give up the good one.
    backups.append(Candidate("bad", NOW - timedelta(days=404), good=False, deployment="d1"))
    assert "only" in staying(backups, NONE, deployments=["d1"])


def test_one_from_the_future_stays_and_counts_for_no_rule() -> None:
    backups = [
        Candidate("future", NOW + timedelta(days=9)),
        Candidate("past", NOW),
        Candidate("older", NOW - timedelta(days=1)),
    ]
    assert staying(backups, Keep(1, 0, 0, 0)) == ["future", "past"]


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.booleans(), st.booleans()), max_size=40),
    st.builds(Keep, *(st.integers(0, 8) for _ in range(4))),
    st.integers(0, 10**6),
)
def test_the_newest_good_one_never_goes_and_pruning_again_takes_nothing_more(
    minutes: list[tuple[int, bool, bool]], policy: Keep, moment: int
) -> None:
    start = at("2025-01-01 00:00")
    backups = [
        Candidate(str(n), start + timedelta(minutes=m), good, good and tried)
        for n, (m, good, tried) in enumerate(minutes)
    ]
    now = start + timedelta(minutes=moment)
    first = {one.id for one in keep(backups, policy, now) if one.stays}
    good = [one for one in backups if one.good]
    if good:
        assert max(good, key=lambda one: (one.at, one.id)).id in first
    else:
        assert len(first) == len(backups)
    left = [one for one in backups if one.id in first]
    assert {one.id for one in keep(left, policy, now) if one.stays} == first
