"""What a reviewer is shown: the whole difference, and nothing that a terminal would obey."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from fairway.cli.review import show_review
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.manifest import Migration, MigratorKind, Verdict
from fairway.engine.contract.names import Digest
from fairway.evidence.review import compare, compare_files, plain, read_commits, review, review_serving
from fairway.registry import Archive, ArchivedRelease
from tests.unit.evidence.releases import COMPOSE, FILES, archived
from tests.unit.registry.fake_registry import FakeRegistry
from tests.unit.registry.test_archive import REPOSITORY

A, B = Digest.of(b"a"), Digest.of(b"b")


def shown(root: Path, new: ArchivedRelease, old: ArchivedRelease | None, unknown: str = "") -> str:
    sink = io.StringIO()
    show_review(review(root, new, old, unknown=unknown), Console(file=sink, soft_wrap=True, highlight=False))
    return sink.getvalue()


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, list[str]]:
    """A repository with three commits, the first of them also where a side branch begins; the last is the side's."""

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "log.showSignature=true")
        done = subprocess.run(["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    commits = []
    for subject in ("First", "Second", "Third: \x1b[2Jnothing to see"):
        git("commit", "--quiet", "--allow-empty", "--message", subject)
        commits.append(git("rev-parse", "HEAD"))
    git("checkout", "--quiet", "-b", "side", commits[0])
    git("commit", "--quiet", "--allow-empty", "--message", "Aside")
    return tmp_path, [*commits, git("rev-parse", "HEAD")]


def test_the_commits_since_what_serves_are_listed(repository: tuple[Path, list[str]]) -> None:
    root, (first, second, third, _) = repository
    old, new = archived(commit=first).named.release, archived(commit=third).named.release
    found = read_commits(root, old, new)
    assert [(commit.commit, commit.author) for commit in found.come] == [
        (third, "ann@example.com"),
        (second, "ann@example.com"),
    ]
    assert (found.go, found.unknown) == ((), "")
    text = shown(root, archived(commit=third), archived(commit=first))
    assert "Second" in text
    assert "\\x1b[2Jnothing to see" in text
    assert "\x1b" not in text


def test_commits_that_serve_now_and_would_be_gone_are_listed_too(repository: tuple[Path, list[str]]) -> None:
    root, (_, second, _, aside) = repository
    found = read_commits(root, archived(commit=second).named.release, archived(commit=aside).named.release)
    assert [commit.subject for commit in found.come] == ["Aside"]
    assert [commit.subject for commit in found.go] == ["Second"]
    assert "1 that serve now and are not in it" in shown(root, archived(commit=aside), archived(commit=second))


def test_commits_that_are_not_here_say_how_to_get_them(repository: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, (first, *_) = repository
    missing = archived(commit="ab" * 20).named.release
    for where in (root, tmp_path.parent):
        found = read_commits(where, archived(commit=first).named.release, missing)
        assert (found.come, found.go) == ((), ())
        assert "git fetch (from https://github.com/acme/capakraken)" in found.unknown


def test_the_compose_file_is_shown_as_a_diff_and_other_files_too() -> None:
    old = {COMPOSE: b"services:\n  app: {}\n", "gone.md": b"x\n", "same": b"1", "logo": b"\xff\x00"}
    new = {COMPOSE: b"services:\n  app: {privileged: true}\n", "new.md": b"y\n", "same": b"1", "logo": b"\xff"}
    found = {change.path: change.diff for change in compare_files(old, new)}
    assert sorted(found) == sorted([COMPOSE, "gone.md", "logo", "new.md"])
    assert "-  app: {}" in found[COMPOSE]
    assert "+  app: {privileged: true}" in found[COMPOSE]
    assert found["new.md"] == "--- /dev/null\n+++ b/new.md\n@@ -0,0 +1 @@\n+y"
    assert found["gone.md"].startswith("--- a/gone.md\n+++ /dev/null")
    assert found["logo"].startswith("not text: 2 bytes")


def test_a_last_line_break_is_a_difference() -> None:
    assert compare_files({"a": b"x"}, {"a": b"x\n"})[0].diff == (
        "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x"
    )


def test_migrations_that_come_go_or_were_edited_are_named(tmp_path: Path) -> None:
    old = archived()
    limits = old.named.release.migrations
    old = archived(migrations=replace(limits, files={"m/1.sql": A, "m/2.sql": A}))
    new = archived(commit="5e" * 20, migrations=replace(limits, files={"m/1.sql": A, "m/2.sql": B, "m/3.sql": A}))
    text = shown(tmp_path, new, old)
    assert "new      m/3.sql" in text
    assert "changed  m/2.sql, which may have run already" in text
    assert "m/1.sql" not in text
    assert "gone     m/3.sql" in shown(tmp_path, old, new)


def test_migrations_that_come_are_shown_with_their_verdicts(tmp_path: Path) -> None:
    limits = replace(archived().named.release.migrations, kind=MigratorKind.SQL)
    first = Migration("1", A, Verdict.EXPAND, Verdict.EXPAND)
    second = Migration("2", B, Verdict.CONTRACT, Verdict.REVIEW, "gone\u202e since March")
    old = archived(migrations=replace(limits, shipped=(first,)))
    new = archived(commit="5e" * 20, migrations=replace(limits, shipped=(first, second)))

    text = shown(tmp_path, new, old)
    assert "2: CONTRACT (judged review): gone\\u202e since March" in text
    assert "1: EXPAND" not in text
    assert "migrations.shipped" not in text

    edited = archived(commit="5e" * 20, migrations=replace(limits, shipped=(replace(first, digest=B),)))
    assert "1: EXPAND, edited since the release before" in shown(tmp_path, edited, old)

    by_file = archived(migrations=replace(limits, kind=None, files={"m/1.sql": A}))
    assert [one["id"] for one in review(tmp_path, new, by_file).as_json()["judged"]] == ["2"]


def test_images_and_settings_that_changed_are_named_and_nothing_else(tmp_path: Path) -> None:
    old = archived().named.release
    new = archived(
        commit="5e" * 20,
        created_by="somebody else",
        app=replace(old.app, digest=B),
        readiness=replace(old.readiness, path="/healthz"),
        env=replace(old.env, required=("SMTP_PASSWORD",)),
    )
    found = review(tmp_path, new, archived())
    assert [(change.name, change.old, change.new) for change in found.settings] == [
        ("env.required", "[]", '["SMTP_PASSWORD"]'),
        ("readiness.path", '"/api/ready"', '"/healthz"'),
    ]
    assert [change.name for change in found.images] == ["application"]
    text = shown(tmp_path, new, archived())
    assert 'readiness.path: "/api/ready" -> "/healthz"' in text
    assert "Deploy files: the same" in text
    assert found.as_json()["before"]["tag"] == old.tag


def test_where_nothing_serves_everything_is_new(tmp_path: Path) -> None:
    text = shown(tmp_path, archived(), None)
    assert "nothing serves there yet" in text
    assert "+  app:" in text


def test_what_serves_is_read_out_of_the_archive_and_must_be_what_serves(tmp_path: Path) -> None:
    archive = Archive(FakeRegistry().client(), REPOSITORY)
    old, new = archived(), archived(commit="5e" * 20)
    archive.put(old.manifest_bytes, old.bundle)
    tag, name = old.named.release.tag, old.named.name
    found = review_serving(tmp_path, archive, new, {"replaces_tag": tag, "replaces": name})
    assert (found.before, found.unknown) == (old.named, "")
    assert review_serving(tmp_path, archive, new, {"replaces_tag": None, "replaces": None}).unknown == ""
    other = review_serving(tmp_path, archive, new, {"replaces_tag": tag, "replaces": A})
    assert (other.before, name.short in other.unknown) == (None, True)
    gone = review_serving(tmp_path, archive, new, {"replaces_tag": new.named.release.tag, "replaces": A})
    assert "cannot be read" in gone.unknown
    assert "cannot be read" in shown(tmp_path, new, None, gone.unknown)


def test_a_bundle_that_is_not_as_described_is_not_shown_as_if_it_were(tmp_path: Path) -> None:
    described = archived().named.release.bundle
    foreign = archived({**FILES, "more": b"x"}).bundle
    forged = ArchivedRelease(archived().named, b"", foreign)
    assert described.files != {}
    for bundle in (foreign, b"no archive", archived({COMPOSE: b"other"}).bundle):
        with pytest.raises(Failed, match="bundle"):
            review(tmp_path, replace(forged, bundle=bundle), None)


@pytest.mark.parametrize(
    "text, told",
    [
        ("as it is\tüñ\n", "as it is\tüñ\n"),
        ("\x1b[8mhidden", "\\x1b[8mhidden"),
        ("a\rb", "a\\rb"),
        ("if \u202e x", "if \\u202e x"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\x9b2J", "\\x9b2J"),
        ("tag\U000e0041", "tag\\U000e0041"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(text: str, told: str) -> None:
    assert plain(text) == told


def test_equal_values_are_no_change() -> None:
    assert compare({"a": "1"}, {"a": "1"}) == ()
