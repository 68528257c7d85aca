"""What was said of a release: from the archive and from hosts, none lost for another."""

from __future__ import annotations

import httpx
import pytest

from fairway.engine.contract.errors import Failed, OtherVersion, Unreachable
from fairway.engine.contract.names import Digest
from fairway.engine.contract.statement import MAX_STATEMENTS, Kind, Signed
from fairway.evidence.collect import Collected, collect, in_a_line, keep, keep_issued, merge
from fairway.registry import Archive
from tests.unit.engine.gate.signers import statement
from tests.unit.evidence.hosts import Answer, StubHost
from tests.unit.evidence.releases import archived
from tests.unit.registry.fake_registry import FakeRegistry
from tests.unit.registry.test_archive import REPOSITORY

RELEASED = archived()
NAMED = RELEASED.named
AWAY = Unreachable("staging.example.com cannot be reached", why="no route", hint="check that the host is up")


def said(kind: Kind, n: int = 0, about: Digest = NAMED.name) -> Signed:
    """Return a statement; ``n`` makes a later one of it."""
    at = f"2026-01-31T12:{n // 60:02}:{n % 60:02}.000Z"
    return Signed(statement(kind, release=about, tag=NAMED.release.tag, at=at).to_bytes(), f"signature {n}")


def saying(*statements: Signed) -> Answer:
    return {"statements": [one.as_json() for one in statements]}


@pytest.fixture
def archive() -> Archive:
    made = Archive(FakeRegistry().client(), REPOSITORY)
    made.put(RELEASED.manifest_bytes, RELEASED.bundle)
    return made


def test_what_is_archived_and_what_a_host_says_come_together_once(archive: Archive) -> None:
    ready, approved, soaked = said(Kind.READY, 1), said(Kind.APPROVED, 2), said(Kind.SOAKED, 3)
    keep(archive.statements, [ready, approved])
    found = collect(NAMED, archive.statements, {"staging": StubHost(evidence=saying(ready, soaked))})
    assert found.statements == (ready, approved, soaked)
    assert found.heard == (ready, soaked)
    assert found.notices == []


@pytest.mark.parametrize(
    "problem", [AWAY, OtherVersion("the engine is older"), Failed("this host has no evidence key")]
)
def test_a_host_that_says_nothing_is_told_and_the_archive_is_enough(archive: Archive, problem: Failed) -> None:
    keep(archive.statements, [said(Kind.READY)])
    for engine in (problem, StubHost(evidence=problem)):
        found = collect(NAMED, archive.statements, {"staging": engine}).or_fail()
        assert found.statements == (said(Kind.READY),)
        assert found.unheard == (problem,)
        assert problem.what in found.notices[0]


def test_with_neither_a_host_s_word_nor_the_archive_s_it_ends_with_the_host_s_reason(archive: Archive) -> None:
    found = collect(NAMED, archive.statements, {"staging": AWAY})
    with pytest.raises(Unreachable, match="cannot be reached"):
        found.or_fail()
    assert collect(NAMED, archive.statements, {}).or_fail() == Collected(())


def test_a_statement_that_is_none_hides_no_other(archive: Archive) -> None:
    good, other = said(Kind.READY, 1), said(Kind.READY, 2, about=Digest.of(b"another"))
    answer = saying(good, other, Signed(b"{}", "x"))
    assert isinstance(answer, dict)
    answer["statements"] += [{"statement": "{}"}, "nonsense"]
    found = collect(NAMED, archive.statements, {"staging": StubHost(evidence=answer)})
    assert found.statements == (good,)
    assert len(found.problems) == 4
    assert "other bytes under the same tag" in found.notices[0]


def test_an_archive_that_cannot_be_read_is_told_and_the_host_is_enough() -> None:
    fake = FakeRegistry()
    fake.before = lambda request: httpx.Response(403) if "tags/list" in request.url.path else None
    statements = Archive(fake.client(), REPOSITORY).statements
    found = collect(NAMED, statements, {"staging": StubHost(evidence=saying(said(Kind.READY)))}).or_fail()
    assert found.statements == (said(Kind.READY),)
    assert "does not allow" in found.notices[0]


def test_of_too_many_statements_those_that_decide_are_kept() -> None:
    heard = [said(Kind.SOAKED, 1), said(Kind.READY, 2)]
    approved = said(Kind.APPROVED, 0)
    flood = [said(Kind.DEPLOYED, n) for n in range(3, MAX_STATEMENTS + 50)]
    kept = merge(heard, [*flood, approved])
    assert len(kept) == MAX_STATEMENTS
    assert {*heard, approved} <= set(kept)
    assert flood[-1] in kept
    assert flood[0] not in kept


def test_what_a_request_cannot_hold_is_left_out() -> None:
    large = [Signed(said(Kind.READY, n).statement, f"{n}" + "x" * 60_000) for n in range(60)]
    assert sum(len(one.to_bytes()) for one in merge([], large)) <= 2 * 1024 * 1024


def test_what_a_host_signs_when_it_serves_is_archived_with_what_it_rests_on(archive: Archive) -> None:
    deployed, ready, soaked = said(Kind.DEPLOYED, 5), said(Kind.READY, 6), said(Kind.SOAKED, 7)
    elsewhere = said(Kind.SOAKED, 1)
    keep_issued(archive.statements, StubHost(evidence=saying(deployed, ready, soaked)), NAMED, [elsewhere])
    found = archive.statements.about(NAMED.name).statements
    # That it has served for no time at all says nothing yet.
    assert [one.signed for one in found] == [elsewhere, deployed, ready]


def test_a_registry_that_takes_nothing_from_this_login_says_so_in_words() -> None:
    fake = FakeRegistry()
    fake.before = lambda request: httpx.Response(403) if request.method in ("POST", "PUT") else None
    archive = Archive(fake.client(), REPOSITORY)
    with pytest.raises(Failed, match="does not allow anyone without a login to push") as caught:
        keep_issued(archive.statements, StubHost(evidence=saying(said(Kind.READY))), NAMED, [])
    assert "docker login" in in_a_line(caught.value)
