"""What Git knows about a release's source."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.config import Config
from fairway.engine.contract.errors import Invalid
from fairway.release.git import identity, parse_status, public_url, read_checkout, release_tag, untracked
from tests.unit.release.conftest import Git


def test_a_clean_tree_is_its_commit(config: Config, git: Git) -> None:
    checkout = read_checkout(config.root)
    assert not checkout.dirty
    assert checkout.commit == git("rev-parse", "HEAD")
    assert int(checkout.committed_at.timestamp()) == int(git("log", "-1", "--format=%ct"))
    assert release_tag(checkout) == f"sha-{checkout.commit}"
    assert checkout.source is None


def test_the_author_is_who_the_commit_names_whatever_a_mailmap_says(config: Config, git: Git) -> None:
    (config.root / ".mailmap").write_text("Ann <ann@example.com> <jane@example.com>\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "Map")
    assert read_checkout(config.root).author == "jane@example.com"
    git("commit", "--quiet", "--allow-empty", "--message", "Nobody's", "--author", "Nobody <>")
    assert read_checkout(config.root).author == ""


def test_every_kind_of_change_makes_a_tree_dirty(config: Config, git: Git) -> None:
    (config.root / "Dockerfile.prod").write_text("FROM scratch AS runner\n")
    (config.root / "docker-compose.cicd.yml").unlink()
    (config.root / "new file").touch()
    git("mv", "tooling/deploy/README.md", "tooling/README.md")
    changed = set(read_checkout(config.root).changed)
    assert changed == {"Dockerfile.prod", "docker-compose.cicd.yml", "new file", "tooling/README.md"}


def test_a_change_elsewhere_in_the_repository_counts(config: Config, git: Git) -> None:
    (config.root / "other").mkdir()
    (config.root / "Dockerfile.prod").write_text("changed\n")
    assert read_checkout(config.root / "other").changed == ("Dockerfile.prod",)


def test_ignored_files_do_not_count(config: Config, git: Git) -> None:
    (config.root / ".gitignore").write_text(".env*\n")
    git("add", ".gitignore")
    git("commit", "--quiet", "--message", "Ignore")
    (config.root / ".env.production").write_text("SECRET=1\n")
    assert not read_checkout(config.root).dirty


def test_a_dirty_tree_has_a_tag_of_its_own_that_follows_its_content(config: Config, git: Git) -> None:
    clean = release_tag(read_checkout(config.root))
    (config.root / "new").write_text("one\n")
    first = release_tag(read_checkout(config.root))
    assert first == release_tag(read_checkout(config.root))
    (config.root / "new").write_text("two\n")
    second = release_tag(read_checkout(config.root))
    assert len({clean, first, second}) == 3


def test_asking_for_the_tag_of_a_dirty_tree_changes_nothing(config: Config, git: Git) -> None:
    (config.root / "new").write_text("one\n")
    before = (git("status", "--porcelain"), git("count-objects"), (config.root / ".git/index").read_bytes())
    release_tag(read_checkout(config.root))
    assert (git("status", "--porcelain"), git("count-objects"), (config.root / ".git/index").read_bytes()) == before


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="not in a Git working tree"):
        read_checkout(tmp_path)


def test_a_repository_without_a_commit_is_refused(tmp_path: Path, git: Git) -> None:
    with pytest.raises(Invalid, match="no commit yet"):
        read_checkout(tmp_path)


def test_untracked_files_are_found(config: Config) -> None:
    (config.root / "new").touch()
    assert untracked(config.root, ["new", "Dockerfile.prod", "missing"]) == ("new", "missing")


def test_the_identity_is_that_of_the_commits(config: Config) -> None:
    assert identity(config.root) == "Jane Doe <jane@example.com>"


def test_the_origin_is_the_source(config: Config, git: Git) -> None:
    git("remote", "add", "origin", "https://jane:hunter2@github.com/acme/capakraken.git")
    assert read_checkout(config.root).source == "https://github.com/acme/capakraken"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://github.com/acme/app.git", "https://github.com/acme/app"),
        ("https://x-access-token:hunter2@github.com/acme/app", "https://github.com/acme/app"),
        ("https://hunter2@git.example.com:8443/acme/app.git/", "https://git.example.com:8443/acme/app"),
        ("https://git.example.com/acme/app.git?private_token=hunter2", "https://git.example.com/acme/app"),
        ("git@github.com:acme/app.git", "https://github.com/acme/app"),
        ("ssh://git@github.com/acme/app.git", "https://github.com/acme/app"),
        ("git@git.example.com:acme/app.git", "ssh://git.example.com/acme/app"),
        ("/srv/git/app.git", None),
        ("../app.git", None),
        ("file:///srv/git/app.git", None),
        ("https://[::1", None),
        ("https://host:port/x", None),
        ("ext::sh -c hunter2", None),
        ("", None),
    ],
)
def test_the_source_is_shown_without_credentials(url: str, shown: str | None) -> None:
    assert public_url(url) == shown


secret = st.text(alphabet="hunter2!$%&", min_size=1)


@given(secret, st.sampled_from(["https", "http", "ssh"]))
def test_no_password_is_ever_shown(password: str, scheme: str) -> None:
    shown = public_url(f"{scheme}://user:{password}@example.com/acme/app.git")
    assert shown in (None, f"{scheme}://example.com/acme/app")


@given(st.text(max_size=100))
def test_no_remote_breaks_the_parser(url: str) -> None:
    shown = public_url(url)
    assert shown is None or "@" not in shown


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("", ()),
        (" M a b\0?? c\0", ("a b", "c")),
        ("R  new\0old\0 D gone\0", ("new", "gone")),
    ],
)
def test_the_status_is_read(text: str, paths: tuple[str, ...]) -> None:
    assert parse_status(text) == paths


@given(st.text(max_size=100))
def test_no_status_breaks_the_parser(text: str) -> None:
    assert all(parse_status(text))
