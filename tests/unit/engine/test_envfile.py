from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.errors import Invalid
from fairway.engine.envfile import parse_env, read_env

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
        read_env(tmp_path / ".env.production", required=[])
    assert ".env.production.example" in caught.value.hint


def test_missing_and_empty_required_keys_are_named(tmp_path: Path) -> None:
    path = _file(tmp_path, "A=1\nB=\n")
    with pytest.raises(Invalid, match="lacks B, C"):
        read_env(path, required=["A", "B", "C"])


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="0644") as caught:
        read_env(_file(tmp_path, "A=1\n", 0o644), required=[])
    assert "chmod 600" in caught.value.hint
