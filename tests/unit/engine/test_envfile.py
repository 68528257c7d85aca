from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.environment import Condition, EnvironmentFile
from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.manifest import Release
from fairway.engine.contract.names import Digest, Slot
from fairway.engine.envfile import parse_env, read_env
from fairway.engine.files import in_memory
from fairway.engine.layout import Layout
from fairway.engine.model import reading_instead
from fairway.engine.releases import StoredRelease
from fairway.engine.settings import describe, describe_for_comparison
from fairway.engine.state import Occupant, State

SECRET = "hunter2hunter2"


def test_the_subset_is_read() -> None:
    text = "# settings\n\nA=plain-1.2/x:y@z%+=,\nB='with $dollar \"and\" #hash'\nEMPTY=\n"
    assert parse_env(text, "f") == {"A": "plain-1.2/x:y@z%+=,", "B": 'with $dollar "and" #hash', "EMPTY": ""}


@pytest.mark.parametrize(
    "line",
    [
        f'A="{SECRET}"',
        f"A={SECRET} # comment",
        f"A=${SECRET}",
        f"A='{SECRET}' ",
        f"A='{SECRET}''x'",
        f"A={SECRET}\r",
        f"A=\t{SECRET}",
        f"export A={SECRET}",
        f"A = {SECRET}",
        f"{SECRET}",
        f"A={SECRET}\nA={SECRET}",
        f"A=`{SECRET}`",
        f"A='{SECRET}\\'",
        f"A='{SECRET}\\\\x'",
        f"A='${{HOME}}{SECRET}'",
        f"# x\rA={SECRET}",
    ],
)
def test_what_readers_disagree_on_is_refused_with_its_line_and_without_its_value(line: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_env("OK=1\n" + line, ".env.production")
    assert ".env.production, line" in str(caught.value)
    assert SECRET not in str(caught.value)


@given(st.text(alphabet="AB='\"$#\\ \t\r\n`{}", max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        values = parse_env(text, "f")
    except Invalid:
        return
    assert all("\n" not in value and "'" not in value for value in values.values())


def _file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / ".env.production"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="missing") as caught:
        read_env(Layout(tmp_path), ".env.production", required=[])
    assert ".env.production.example" in caught.value.hint


def test_missing_and_empty_required_keys_are_named(tmp_path: Path) -> None:
    _file(tmp_path, "A=1\nB=\n")
    with pytest.raises(Invalid, match="lacks B, C"):
        read_env(Layout(tmp_path), ".env.production", required=["A", "B", "C"])


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="0644") as caught:
        read_env(Layout(_file(tmp_path, "A=1\n", 0o644).parent), ".env.production", required=[])
    assert "chmod 600" in caught.value.hint


def test_a_file_in_a_directory_of_its_own_is_opened_with_the_host_s_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def open_sealed(layout: Layout, content: bytes, name: str) -> str:
        opened.append(layout.env_identity)
        return "A=1\n"

    monkeypatch.setattr("fairway.engine.envfile.open_sealed", open_sealed)
    (tmp_path / "config").mkdir()
    sealed = tmp_path / "config" / "app.env.age"
    sealed.write_text("-----BEGIN AGE ENCRYPTED FILE-----\n")
    sealed.chmod(0o600)
    assert read_env(Layout(tmp_path), "config/app.env", required=["A"]) == {"A": "1"}
    assert opened == [Layout(tmp_path).env_identity]


def test_an_encrypted_file_of_somebody_else_is_told_as_a_plain_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", refuse)
    for name in (".env.production", ".env.production.age"):
        file = tmp_path / name
        file.touch(0o600)
        with pytest.raises(Invalid, match="cannot be read by the deploy user"):
            read_env(Layout(tmp_path), ".env.production", required=[])
        file.unlink()


def test_a_description_tells_everything_of_the_settings_but_their_values(tmp_path: Path) -> None:
    rules = EnvironmentFile(".env.production", ("A", "B"), (), (Condition("D", "A"),))
    _file(tmp_path, f"A={SECRET}\nC='{SECRET} x'\nD=\n")
    own = describe(Layout(tmp_path), rules)
    rows = {row["key"]: (row["state"], row["rule"], row["needed"], row["length"]) for row in own["keys"]}
    assert rows == {
        "A": ("present", "required", "required", 14),
        "B": ("missing", "required", "required", 0),
        "C": ("present", "not declared", "", 16),
        "D": ("empty", "required when A is set", "required when A is set", 0),
    }
    assert (own["problems"], own["unnamed"]) == ([], 0)
    assert SECRET not in str(own)


def test_a_line_of_a_value_that_runs_on_is_not_taken_for_a_key(tmp_path: Path) -> None:
    rules = EnvironmentFile(".env.production", ("A",))
    _file(tmp_path, f"A=1\nB='-----BEGIN\n{SECRET}=\n{SECRET}X==\n'\n")
    found = describe(Layout(tmp_path), rules)
    assert [row["key"] for row in found["keys"]] == ["A"]
    assert found["unnamed"] == 2
    assert [problem["line"] for problem in found["problems"]] == [2, 5]
    assert SECRET not in str(found)


def test_fingerprints_of_two_hosts_compare_only_with_a_key_for_both(tmp_path: Path) -> None:
    rules = EnvironmentFile(".env.production", ("A", "B"))
    made: dict[str, list[str]] = {}
    for host in ("one", "two"):
        (tmp_path / host).mkdir()
        _file(tmp_path / host, f"A={SECRET}\nB={SECRET}\n")
        for key in (None, b"x" * 32, b"y" * 32):
            where = Layout(tmp_path / host)
            found = describe(where, rules) if key is None else describe_for_comparison(where, rules, key)
            made[f"{host} {key!r}"] = [row["fingerprint"] for row in found["keys"]]
    shared, once_more = made[f"one {b'x' * 32!r}"], made[f"one {b'y' * 32!r}"]
    assert shared == made[f"two {b'x' * 32!r}"]
    # Nor does it show that two keys have the same value.
    assert len({*made["one None"], *made["two None"], *shared, *once_more}) == 8
    # Whoever chose the key could guess on: too little is told to know that a guess is right.
    assert {len(mark) for mark in shared} == {5}
    assert not any("length" in row for row in found["keys"])


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 33])
def test_a_key_for_a_comparison_has_one_size(tmp_path: Path, key: bytes) -> None:
    with pytest.raises(Invalid, match="32 bytes"):
        describe_for_comparison(Layout(tmp_path), EnvironmentFile(".env.production", ()), key)


def test_another_file_than_that_of_the_release_that_serves_is_not_compared(
    layout: Layout, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = StoredRelease(Digest.of(b"x"), release, {})
    monkeypatch.setattr("fairway.engine.settings.load_release", lambda layout, tag: stored)
    occupant = Occupant(Slot.BLUE, release.tag, stored.name, "d1", "2026-01-31T12:00:00.000Z", "jane")
    State(occupant, None).write(layout.state)
    for name in (".env.other", ".env.production"):
        _file(layout.deploy_path, "A=1\n").rename(layout.deploy_path / name)
    assert describe_for_comparison(layout, release.env, b"x" * 32)["file"] == ".env.production"
    with pytest.raises(Refused, match=r"\.env\.other is not compared"):
        describe_for_comparison(layout, EnvironmentFile(".env.other", ()), b"x" * 32)
    assert describe(layout, EnvironmentFile(".env.other", ()))["file"] == ".env.other"


def test_a_plain_file_and_an_encrypted_one_together_are_refused(tmp_path: Path) -> None:
    _file(tmp_path, "A=1\n")
    (tmp_path / ".env.production.age").write_text("-----BEGIN AGE ENCRYPTED FILE-----\n")
    with pytest.raises(Invalid, match="there are both"):
        read_env(Layout(tmp_path), ".env.production", required=[])


def test_compose_reads_what_is_in_memory_in_place_of_the_file() -> None:
    files: list[dict[str, Any]] = [{"path": "/opt/x/./.env", "required": True}, {"path": "/opt/x/other.env"}]
    raw: dict[str, Any] = {"services": {"a": {"env_file": files}, "b": {"image": "x"}, "c": {"env_file": "/opt/y"}}}
    with in_memory("A=1\n") as path:
        over = reading_instead(raw, "/opt/x/.env", path)
        assert Path(path).read_text() == "A=1\n"
    entries = f'[{{"path": "{path}", "required": true}}, {{"path": "/opt/x/other.env"}}]'
    assert over == f'services:\n  "a":\n    env_file: !override {entries}\n'
    assert not Path(path).exists()
    assert reading_instead(raw, "/opt/x/another.env", path) is None


@pytest.mark.parametrize("declared", ["/opt/x/${E}", ["/opt/x/.env", {"path": "/opt/x/$E", "required": False}]])
def test_a_variable_in_the_name_of_an_env_file_is_refused_and_not_skipped(declared: Any) -> None:
    with pytest.raises(Invalid, match="variable in the name of its env_file"):
        reading_instead({"services": {"a": {"env_file": declared}}}, "/opt/x/.env", "/proc/1/fd/3")
