"""Expand and contract across releases on a real host: what can be gone back to, and what the database says."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from testbed import changes
from testbed.bed import Testbed
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, sql, status
from tests.host.shipping import migration, ship

BEFORE = [migration("0001"), *(migration(f"000{n}", f"000{n - 1}") for n in range(2, 6))]
EXPAND = migration("0006", "0005")
CONTRACT = migration(
    "0010", "0006", verdict="contract", words="requires a value that code from before it does not write"
)


@dataclass(frozen=True)
class Story:
    """Three releases, each deployed to staging: the second expands the schema, the third contracts it."""

    work: Workspace
    first: str
    expands: str
    contracts: str


@pytest.fixture(scope="module")
def story(bed: Testbed) -> Iterator[Story]:
    """Deploy the first two; the third is released, and deployed by the tests."""
    work = Workspace(bed, project=f"t-{secrets.token_hex(4)}", port=25_000 + secrets.randbelow(2_000))
    try:
        work.prepare_host("staging")
        work.fairway("bootstrap", "staging")
        first = release(work)
        ship(work, first, *BEFORE)
        changes.add_location(work)
        expands = release(work)
        ship(work, expands, *BEFORE, EXPAND)
        changes.require_location(work)
        yield Story(work, first, expands, release(work))
    finally:
        work.remove()


def test_a_rollback_over_an_expanding_migration_is_free_and_one_over_a_contracting_one_is_refused(story: Story) -> None:
    work = story.work
    assert "fits" in work.fairway("rollback", "staging", "--plan").stdout
    work.fairway("rollback", "staging")
    assert serving(work, "staging") == story.first
    # An older migrator on a newer database: told before anything is touched.
    assert status(work, "staging")["rollback_floor"] == story.expands
    work.fairway("rollback", "staging", story.expands)

    ship(work, story.contracts, *BEFORE, EXPAND, CONTRACT)
    planned = work.fairway("rollback", "staging", "--plan").stdout
    assert planned.count("not possible") == 2
    assert "0010: code from before it does not run on the schema after it: requires a value" in planned
    refused = work.fairway("rollback", "staging", check=False)
    assert refused.returncode == 3
    assert "0010" in refused.stderr
    assert serving(work, "staging") == story.contracts
    assert status(work, "staging")["rollback_floor"] is None
    again = ship(work, story.expands, *BEFORE, EXPAND, check=False)
    assert again.returncode == 3
    assert "0010" in again.stderr
    entry = history(work, "staging")[-1]
    assert (entry["outcome"], entry["error"]["exit_code"]) == ("failed", 3)


def test_what_is_forced_is_on_the_record_with_its_reason(story: Story) -> None:
    work = story.work
    assert work.fairway("rollback", "staging", "--force", check=False).returncode == 2
    work.fairway("rollback", "staging", "--force", "--reason", "nobody adds people tonight")
    assert serving(work, "staging") == story.expands
    forced = history(work, "staging")[-1]["forced"]
    assert forced["reason"] == "nobody adds people tonight"
    assert [line.split(":")[0] for line in forced["over"]] == ["0010"]
    assert "forced: nobody adds people tonight" in work.fairway("history", "staging").stdout
    work.fairway("rollback", "staging", story.contracts)


def test_the_state_of_each_migration_is_asked_of_the_database(story: Story) -> None:
    work = story.work
    found = json.loads(work.fairway("migrations", "status", "staging", "--json").stdout)
    assert {row["id"]: row["state"] for row in found["migrations"]} == dict.fromkeys(
        ("0001", "0002", "0003", "0004", "0005", "0006", "0010"), "applied"
    )
    sql(work, "staging", "UPDATE alembic_version SET version_num = 'elsewhere'")
    try:
        odd = work.fairway("migrations", "status", "staging", check=False)
        assert odd.returncode == 1
        assert "1 unknown" in odd.stdout
        refused = work.fairway("rollback", "staging", check=False)
        assert refused.returncode == 3
        assert "elsewhere: is applied, and no release on this host says what it is" in refused.stderr
    finally:
        sql(work, "staging", "UPDATE alembic_version SET version_num = '0010'")


def test_a_migrator_that_ends_well_having_applied_nothing_is_not_believed(story: Story) -> None:
    work = story.work
    changes.idle_migrator(work)
    tag = release(work)
    failed = ship(work, tag, *BEFORE, EXPAND, CONTRACT, migration("0011", "0010"), check=False)
    assert failed.returncode == 1
    assert "not applied: 0011" in failed.stderr
    assert serving(work, "staging") == story.contracts
    entry = history(work, "staging")[-1]
    assert (entry["schema"]["before"], entry["schema"]["missing"]) == (["alembic 0010"], ["0011"])
