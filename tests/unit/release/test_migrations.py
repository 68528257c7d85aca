"""Which migrations a release names."""

from __future__ import annotations

import json

import pytest

from fairway.config import Config, load
from fairway.config.load import parse
from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.manifest import Verdict
from fairway.engine.contract.names import Digest
from fairway.migrations.choices import Form
from fairway.migrations.report import render
from fairway.release.migrations import accept, lint, read_migrations, read_shipped
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


@pytest.fixture
def judged(config: Config, git: Git) -> Config:
    """The project with migrations of a kind: one that only expands, one that does not."""
    versions = config.root / "db"
    versions.mkdir()
    (versions / "1_start.sql").write_text("CREATE TABLE t (a text);\n")
    (versions / "2_end.sql").write_text("DROP TABLE old;\n")
    (config.root / "fairway.toml").open("a").write('[migrations]\npath = "db"\nkind = "sql"\n')
    git("add", ".")
    git("commit", "--quiet", "--message", "Migrate")
    return load(config.root / "fairway.toml", {})


def test_a_release_is_refused_with_every_reason_at_once(judged: Config) -> None:
    (judged.root / "db/3_more.sql").write_text("DO $$ BEGIN END $$;\n")
    (judged.root / "docker-compose.cicd.yml").write_text("services: {a: {command: npx prisma db push}}\n")
    (judged.root / "db/verdicts.toml").write_text(
        f'[[accepted]]\nmigration = "9"\nsha256 = "{"0" * 64}"\nverdict = "expand"\nreason = "x"\n'
    )

    with pytest.raises(Refused) as caught:
        read_shipped(judged)

    lines = caught.value.why.split("\n")
    assert [line.partition(": ")[0] for line in lines] == [
        "docker-compose.cicd.yml:1",
        "db/2_end.sql",
        "db/3_more.sql",
        "verdicts.toml, line 1",
    ]


def test_what_is_accepted_is_shipped_with_its_words(judged: Config) -> None:
    assert accept(judged, [], Verdict.CONTRACT, "gone since  March", everything=True) == ("2",)

    shipped = read_shipped(judged)

    assert [(one.id, one.verdict, one.words) for one in shipped.migrations] == [
        ("1", Verdict.EXPAND, ""),
        ("2", Verdict.CONTRACT, "gone since March"),
    ]
    assert list(shipped.files) == ["db/1_start.sql", "db/2_end.sql"]


def test_an_edit_after_it_was_accepted_is_refused(judged: Config) -> None:
    accept(judged, ["2"], Verdict.CONTRACT, "gone", everything=False)
    (judged.root / "db/2_end.sql").write_text("DROP TABLE other;\n")

    with pytest.raises(Refused, match="cannot be released") as caught:
        read_shipped(judged)

    assert "verdicts.toml, line 4: 2 was edited since" in caught.value.why


def test_a_contract_cannot_be_accepted_as_an_expansion(judged: Config) -> None:
    with pytest.raises(Refused, match="2 is a contract"):
        accept(judged, ["2"], Verdict.EXPAND, "it is fine", everything=False)

    assert not (judged.root / "db/verdicts.toml").exists()


def test_what_a_migration_was_squashed_from_is_said_of_a_single_one_and_shipped(judged: Config) -> None:
    accept(judged, ["2"], Verdict.CONTRACT, "squashed", everything=False, replaces=["0a", "0b"])
    assert [one.replaces for one in read_shipped(judged).migrations] == [(), ("0a", "0b")]
    with pytest.raises(Invalid, match="1 is still there"):
        accept(judged, ["2"], Verdict.CONTRACT, "squashed", everything=False, replaces=["1"])
    with pytest.raises(Invalid, match="name the one migration"):
        accept(judged, ["1", "2"], Verdict.CONTRACT, "squashed", everything=False, replaces=["0a"])


def test_only_what_came_since_a_commit_is_judged(judged: Config, git: Git) -> None:
    assert not lint(judged, "HEAD").refused
    assert lint(judged, "HEAD~1").refused
    (judged.root / "db/3_more.sql").write_text("DROP TABLE third;\n")

    assert [one.source.id for one in lint(judged, "HEAD").unsettled] == ["3"]
    with pytest.raises(Invalid, match="there is no commit 'nowhere'"):
        lint(judged, "nowhere")


@pytest.mark.parametrize("form", Form)
def test_every_form_names_what_needs_a_word(judged: Config, form: Form) -> None:
    text = render(lint(judged), form)

    assert "2_end.sql" in text
    assert "CONTRACT" in text or '"contract"' in text
    if form in (Form.JSON, Form.SARIF):
        json.loads(text)


def test_a_forbidden_command_stops_a_release_without_a_kind_too(config: Config, git: Git) -> None:
    (config.root / "tooling/deploy/deploy.sh").write_text("set -e\nnpx prisma db push\n")

    with pytest.raises(Refused) as caught:
        read_shipped(config)

    assert caught.value.why.startswith("tooling/deploy/deploy.sh:2: prisma db push")
