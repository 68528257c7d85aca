"""Which migrations a release names."""

from __future__ import annotations

import pytest

from fairway.config import Config
from fairway.config.load import parse
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.names import Digest
from fairway.release.migrations import read_migrations
from tests.unit.release.conftest import FILE, Git


@pytest.fixture
def migrating(config: Config, git: Git) -> Config:
    """The project with two migrations and what lies about beside them."""
    versions = config.root / "db/versions"
    (versions / "__pycache__").mkdir(parents=True)
    (versions / "0001_start.py").write_text("one\n")
    (versions / "0002_größe.py").write_text("two\n")
    (versions / "__pycache__/0001_start.pyc").write_bytes(b"x")
    (versions / "notes.swp").touch()
    (config.root / "db/env.py").touch()
    (config.root / ".gitignore").write_text("*.swp\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "Migrate")
    return at(config, "db/versions")


def at(config: Config, path: str) -> Config:
    made = parse(FILE + f'[migrations]\npath = "{path}"\n')
    made._root = config.root
    return made


EXPECTED = {
    "db/versions/0001_start.py": Digest.of(b"one\n"),
    "db/versions/0002_größe.py": Digest.of(b"two\n"),
}


def test_each_file_of_the_commit_is_named_by_its_digest(migrating: Config) -> None:
    assert read_migrations(migrating) == EXPECTED
    assert list(read_migrations(migrating)) == sorted(EXPECTED)


def test_without_the_key_none_is_named(config: Config) -> None:
    assert read_migrations(config) == {}


def test_a_dirty_tree_has_the_files_it_would_commit(migrating: Config) -> None:
    """It is what the migrator is built from; without its new migration the release would name too few."""
    (migrating.root / "db/versions/0003_new.py").write_text("three\n")
    (migrating.root / "db/versions/0001_start.py").unlink()
    assert list(read_migrations(migrating)) == ["db/versions/0002_größe.py", "db/versions/0003_new.py"]


def test_a_link_is_refused(migrating: Config, git: Git) -> None:
    (migrating.root / "db/versions/0003_link.py").symlink_to("../env.py")
    git("add", ".")
    with pytest.raises(Invalid, match=r"0003_link\.py is not a plain file"):
        read_migrations(migrating)


def test_a_directory_that_is_a_link_is_refused(migrating: Config, git: Git) -> None:
    (migrating.root / "elsewhere").symlink_to("db")
    git("add", ".")
    with pytest.raises(Invalid, match=r"migrations\.path"):
        read_migrations(at(migrating, "elsewhere"))


@pytest.mark.parametrize(
    ("path", "words"),
    [("nowhere", "there is no directory"), ("Dockerfile.prod", "there is no directory"), ("empty", "has no files")],
)
def test_a_path_without_migrations_is_refused(migrating: Config, path: str, words: str) -> None:
    (migrating.root / "empty").mkdir()
    with pytest.raises(Invalid, match=words):
        read_migrations(at(migrating, path))


def test_a_name_that_cannot_be_shown_is_refused(migrating: Config) -> None:
    (migrating.root / "db/versions/00\n03.py").touch()
    with pytest.raises(Invalid, match="not a migration's path"):
        read_migrations(migrating)


@pytest.mark.parametrize("path", ["/srv/migrations", "../migrations", "a/../b", "./a", "a/", ""])
def test_only_a_directory_below_the_file_is_taken(config: Config, path: str) -> None:
    with pytest.raises(Invalid, match=r"migrations\.path"):
        at(config, path)
