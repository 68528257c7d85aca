"""Rates from what the edge counts, and where none can be told."""

from __future__ import annotations

from typing import Any

from fairway.observe.rates import bars, figures, rates, scale


def _answer(clock_s: float, requests: int, failed: int = 0, **slot: Any) -> dict[str, Any]:
    counted = {"2xx": requests - failed, "3xx": 0, "4xx": 0, "5xx": failed}
    one = {
        "state": "no check",
        "weight": 1,
        "connections": 2,
        "queue": 0,
        "requests": requests,
        "answers": counted,
        "failures": 0,
        "queue_ms": 0,
        "response_ms": 12,
        "total_ms": 15,
        **slot,
    }
    edge = {"connections": 3, "queue": 1, "requests": requests, "answers": counted}
    return {"clock_s": clock_s, **edge, "slots": {"blue": one}}


def test_rates_are_what_was_counted_by_the_host_s_own_clock() -> None:
    found = rates(_answer(10.0, 100), _answer(12.0, 300, failed=50))
    edge, blue = found["edge"], found["blue"]
    assert edge is not None
    assert blue is not None
    assert (edge.requests, edge.answers["5xx"], edge.failures) == (100.0, 25.0, None)
    assert blue.failures == 0.0


def test_the_first_look_and_counters_that_began_anew_give_no_rate() -> None:
    assert rates(None, _answer(1.0, 5)) == {"edge": None, "blue": None}
    assert rates(_answer(1.0, 500), _answer(2.0, 20)) == {"edge": None, "blue": None}
    assert rates(_answer(2.0, 5), _answer(2.0, 6)) == {"edge": None, "blue": None}


def test_the_table_has_a_dash_for_what_is_not_known_and_nothing_for_what_there_is_not() -> None:
    answer = _answer(2.0, 300)
    lines = dict(figures(answer, rates(_answer(1.0, 0), answer)))
    assert lines["requests/s"] == ["300", "300"]
    assert lines["broken/s"] == ["", "0"]
    assert lines["state"] == ["", "up"]
    assert dict(figures(answer, rates(None, answer)))["requests/s"] == ["-", "-"]


def test_bars_are_as_tall_as_the_highest_of_the_newest_that_fit() -> None:
    assert bars([9, 0, 5, 10], 3) == "▁▅█"
    assert bars([0, 0], 5) == "▁▁"
    assert bars([1, 2], 2, ascii_only=True).isascii()
    assert bars([1], 0) == ""


def test_the_bars_say_how_much_the_tallest_of_them_is() -> None:
    assert scale([900, 0, 5.25, 48.2], 3) == "requests/s, the highest 48.2"
    assert scale([], 3) == scale([1], 0) == ""
