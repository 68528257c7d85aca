"""A lock that a person holds: by name, through reboots, on the record."""

from __future__ import annotations

import pytest

from fairway.engine.accept import Acceptance, Asked
from fairway.engine.contract.errors import Locked
from fairway.engine.gate.hold import read_hold, refuse_held
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger

HOST = HostConfig("capakraken", "production", "3000", "haproxy:3.0", True)


def asked(by: str) -> Asked:
    return Asked(by=by, notice=lambda line: None)


def test_who_locked_it_and_why_is_told_to_everybody_until_somebody_unlocks_it(layout: Layout) -> None:
    accept = Acceptance(layout, HOST)
    accept.hold("the auditors are here", asked("ann"))
    for change in (accept.rollback, lambda tag, by: accept.restart(by), lambda tag, by: accept.reconcile(by)):
        with pytest.raises(Locked, match="production is locked by ann: the auditors are here") as refused:
            change(None, asked("ben"))
        assert "fairway unlock production" in refused.value.hint
    held = accept.give_hold_up(asked("ben"))
    assert held is not None
    refuse_held(layout, "production")
    assert [(e["action"], e["by"], e["outcome"]) for e in Ledger(layout.ledger).entries()] == [
        ("lock", "ann", "succeeded"),
        ("unlock", "ben", "succeeded"),
    ]


def test_a_second_lock_does_not_take_the_first_ones_place(layout: Layout) -> None:
    accept = Acceptance(layout, HOST)
    accept.hold("the auditors are here", asked("ann"))
    with pytest.raises(Locked, match="already locked by ann"):
        accept.hold("mine", asked("ben"))


def test_unlocking_what_is_not_locked_changes_nothing(layout: Layout) -> None:
    assert Acceptance(layout, HOST).give_hold_up(asked("ben")) is None
    assert Ledger(layout.ledger).entries() == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"by": 1}', b"[]"])
def test_a_lock_that_cannot_be_read_is_still_one(layout: Layout, content: bytes) -> None:
    layout.hold.write_bytes(content)
    assert read_hold(layout) is not None
    with pytest.raises(Locked, match="unreadable"):
        refuse_held(layout, "production")
