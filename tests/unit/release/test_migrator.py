"""The migrations in the migrator image, held against the repository's."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.engine.contract.manifest import MigratorKind
from fairway.migrations.sources import read_sources
from fairway.release.migrator import compare, files_of

FILES = {"1_a.sql": b"SELECT 1;", "2_b.sql": b"SELECT 2;"}
HERE = read_sources(MigratorKind.SQL, "db/versions", {f"db/versions/{name}": body for name, body in FILES.items()})


@pytest.mark.parametrize("prefix", ["", "versions/", "db/versions/"])
def test_the_label_may_name_the_directory_or_one_above_it(prefix: str) -> None:
    files = {f"{prefix}{name}": body for name, body in FILES.items()} | {"env.py": b"", "verdicts.toml": b"x"}

    assert compare(MigratorKind.SQL, "db/versions", "/app", files, HERE) == []


def test_every_difference_is_told() -> None:
    files = {"1_a.sql": b"SELECT 1; ", "3_c.sql": b""}

    assert compare(MigratorKind.SQL, "db/versions", "/app", files, HERE) == [
        "1 in its /app has other bytes than in db/versions",
        "2 is not in its /app",
        "3 is in its /app and not in db/versions",
    ]


def test_an_image_without_any_is_not_what_the_commit_says() -> None:
    assert len(compare(MigratorKind.SQL, "db/versions", "/app", {}, HERE)) == 2


def test_an_images_files_that_cannot_be_read_are_a_reason() -> None:
    assert "cannot be read" in compare(MigratorKind.SQL, "db/versions", "/app", {"x.sql": b""}, HERE)[0]


def test_a_link_in_an_image_leads_nowhere_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "root/real").mkdir(parents=True)
    (tmp_path / "root/real/1_a.sql").write_text("SELECT 1;")
    (tmp_path / "secret").write_text("x")
    (tmp_path / "root/2_b.sql").symlink_to(tmp_path / "secret")
    (tmp_path / "root/there").symlink_to(tmp_path)

    assert list(files_of(tmp_path / "root")) == ["real/1_a.sql"]
