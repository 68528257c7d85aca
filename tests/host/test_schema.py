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

_ODD = """
CREATE SCHEMA "o'd""d.one";
CREATE TABLE "o'd""d.one"._prisma_migrations (
    id text, checksum text, finished_at timestamptz, migration_name text, logs text, rolled_back_at timestamptz,
    started_at timestamptz, applied_steps_count integer, t text);
INSERT INTO "o'd""d.one"._prisma_migrations VALUES
    ('1', 'ab', now(), E'2024 "it''s\\nodd".sql', NULL, NULL, now(), 1, 'x')
"""


@dataclass(frozen=True)
class Story:
    """Three releases: the second expands the schema, the third contracts it and waits to be deployed."""

    work: Workspace
    first: str
    expands: str
    contracts: str


def _accept(work: Workspace, verdict: str, reason: str, *names: str) -> None:
    work.fairway("migrations", "accept", *(names or ("--all",)), "--as", verdict, "--reason", reason)
    work.commit(f"Say of the migrations what they are: {verdict}")


@pytest.fixture(scope="module")
def story(bed: Testbed) -> Iterator[Story]:
    """Deploy the first two releases to staging."""
    work = Workspace(bed, project=f"t-{secrets.token_hex(4)}", port=25_000 + secrets.randbelow(2_000))
    try:
        work.configure(migrations={"kind": "alembic"})
        work.commit("Say what the migrations are")
        for verdict in ("expand", "contract"):
            _accept(work, verdict, "from before there were verdicts")
        work.prepare_host("staging")
        work.fairway("bootstrap", "staging")
        first = release(work)
        work.fairway("deploy", "staging", first)
        changes.add_location(work)
        _accept(work, "expand", "a column that nobody has to write")
        expands = release(work)
        work.fairway("deploy", "staging", expands)
        changes.require_location(work)
        _accept(work, "contract", "requires a value that older code does not write", "0010")
        yield Story(work, first, expands, release(work))
    finally:
        work.remove()


def test_a_rollback_over_an_expanding_migration_is_free_and_one_over_a_contracting_one_is_refused(story: Story) -> None:
    work = story.work
    assert "fits" in work.fairway("rollback", "staging", "--plan").stdout
    work.fairway("rollback", "staging")
    assert serving(work, "staging") == story.first
    assert status(work, "staging")["rollback_floor"] == story.expands
    work.fairway("rollback", "staging", story.expands)

    work.fairway("deploy", "staging", story.contracts)
    planned = work.fairway("rollback", "staging", "--plan").stdout
    assert planned.count("not possible") == 2
    assert "0010: code from before it does not run on the schema after it: requires a value" in planned
    refused = work.fairway("rollback", "staging", check=False)
    assert refused.returncode == 3
    assert "0010: code from before it does not run" in refused.stderr
    assert serving(work, "staging") == story.contracts
    assert status(work, "staging")["rollback_floor"] is None


def test_an_older_release_is_refused_before_its_migrator_meets_the_newer_database(story: Story) -> None:
    work = story.work
    refused = work.fairway("deploy", "staging", story.expands, check=False)
    assert refused.returncode == 3
    assert "0010: the release's own migrator stops at a revision that it does not have" in refused.stderr
    entry = history(work, "staging")[-1]
    assert (entry["outcome"], entry["error"]["exit_code"]) == ("failed", 3)
    assert "migrate" not in entry["steps"]


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
        ("0001", "0002", "0003", "0004", "0004b", "0005", "0006", "0010"), "applied"
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


def test_a_record_in_an_odd_schema_with_odd_names_is_read_as_it_is(story: Story) -> None:
    work = story.work
    sql(work, "staging", _ODD)
    try:
        assert status(work, "staging")["schema"]["applied"] == ["alembic 0010", 'prisma 2024 "it\'s\nodd".sql']
    finally:
        sql(work, "staging", """DROP SCHEMA "o'd""d.one" CASCADE""")


def test_a_migrator_that_ends_well_having_applied_nothing_is_not_believed(story: Story) -> None:
    work = story.work
    changes.idle_migrator(work)
    _accept(work, "expand", "a column that nobody has to write")
    tag = release(work)
    failed = work.fairway("deploy", "staging", tag, check=False)
    assert failed.returncode == 1
    assert "not applied: 0011" in failed.stderr
    assert serving(work, "staging") == story.contracts
    schema = history(work, "staging")[-1]["schema"]
    assert (schema["before"], schema["missing"]) == (["alembic 0010"], ["0011"])
