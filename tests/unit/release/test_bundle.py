"""The deploy bundle: the same files, the same bytes."""

from __future__ import annotations

import gzip
import io
import os
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.config import Config
from fairway.engine.contract.errors import Invalid
from fairway.engine.releases import open_bundle
from fairway.release.bundle import make_bundle, pack, read_files
from tests.unit.release.conftest import Git

names = st.from_regex(r"[a-z][a-z0-9._-]{0,20}", fullmatch=True)


@given(st.dictionaries(names, st.binary(max_size=200), min_size=1, max_size=5))
def test_what_is_packed_is_what_the_engine_opens(files: dict[str, bytes]) -> None:
    packed = pack(files)
    assert open_bundle(packed.description, packed.content) == files
    assert pack(dict(reversed(files.items()))) == packed


def test_nothing_of_the_machine_is_in_the_archive(config: Config) -> None:
    first = make_bundle(config)
    for name in first.description.files:
        os.utime(config.root / name, (0, 0))
        (config.root / name).chmod(0o600)
    assert make_bundle(config) == first
    assert first.content[4:8] == b"\0\0\0\0"  # gzip's time
    with tarfile.open(fileobj=io.BytesIO(first.content)) as archive:
        for entry in archive:
            assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode) == (0, 0, 0, "", "", 0o644)


def test_the_archive_is_small_because_it_is_packed() -> None:
    content = pack({"a": b"x" * 100_000}).content
    assert len(content) < 1000
    assert len(gzip.decompress(content)) > 100_000


def test_the_compose_file_always_travels(config: Config) -> None:
    assert sorted(read_files(config)) == ["docker-compose.cicd.yml", "tooling/deploy/README.md"]


def test_a_file_that_is_missing_is_named(config: Config) -> None:
    (config.root / "tooling/deploy/README.md").unlink()
    with pytest.raises(Invalid, match=r"bundle\.files: there is no .*README"):
        make_bundle(config)


def test_a_file_that_git_does_not_track_is_refused(config: Config, git: Git) -> None:
    """A file that Git ignores does not make the tree dirty, and may hold anything."""
    git("rm", "--quiet", "--cached", "tooling/deploy/README.md")
    (config.root / ".gitignore").write_text("README.md\n")
    with pytest.raises(Invalid, match=r"Git does not track tooling/deploy/README\.md"):
        make_bundle(config)


def test_a_link_or_a_directory_is_refused(config: Config) -> None:
    readme = config.root / "tooling/deploy/README.md"
    readme.unlink()
    readme.symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match="is not a plain file"):
        make_bundle(config)
    readme.unlink()
    readme.mkdir()
    with pytest.raises(Invalid, match="is not a plain file"):
        make_bundle(config)


def test_a_file_reached_through_a_linked_directory_is_refused(config: Config) -> None:
    (config.root / "tooling/deploy").rename(config.root / "elsewhere")
    (config.root / "tooling/deploy").symlink_to("../elsewhere")
    with pytest.raises(Invalid, match="is not a plain file"):
        make_bundle(config)


def test_too_much_is_refused() -> None:
    with pytest.raises(Invalid, match="too large"):
        pack({"a": b"\0" * (8 * 1024 * 1024 + 1)})
