"""What the reader of environment files accepts, the others that read such files read the same."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import dotenv
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.engine.contract.envtext import parse_env, scan_env
from testbed.docker import docker
from testbed.images import BASE

# Bash keeps some names for itself (UID, RANDOM, ...); what is promised is about all others.
PREFIX = "K"
HAND_PICKED = (
    *("", "a", "=", "==x", "a=b", "-", "--", "%41", "a,b", "1", "007", "true", "null", "a:b@c/d", "+", "x=$y"),
    *("''", "' '", "'#'", "'a #b'", "' a '", "'$x'", "'$'", "'$$'", "'$(id)'", "'`id`'", "'a\"b'", "'\"'", "'!x'"),
    *("'a\\b'", "'\\n'", "'a\\ b'", "'a\\\\b'", "'a\\'", "'\\'", "'${K0}'", "'$K0'", "'%s'", "'~'", "'*'", "'{a,b}'"),
    *(
        "'größe'",
        "'\u2028'",
        "'\x85'",
        "'\u00a0'",
        "'\ufeff'",
        "'🔑'",
        "'a'b'",
        "'a''b'",
        "'x' ",
        "'x'#c",
        "x #c",
        "\tx",
    ),
    *("~", "*", "a b", '"a"', "$x", "`x`", "a\\b", "a;b", "x\r", "é", "(a)", "<x", "|", "&", "!x", "a'b'", "{a}"),
)
ALPHABET = "aZ09_./:@%+=,-'\"$#\\ \t\r{}()`~!*?&;|<>[]^é\u2028\x85\u00a0"
VALUES = st.one_of(
    st.text(alphabet=ALPHABET, max_size=12),
    st.text(alphabet=ALPHABET.replace("'", ""), max_size=12).map(lambda text: f"'{text}'"),
    st.text(st.characters(codec="utf-8"), max_size=12).map(lambda text: f"'{text}'"),
)
COMMENTS = st.text(alphabet=ALPHABET, max_size=12).map(lambda text: f"  # {text}")


def as_text(values: list[str], comments: list[str]) -> str:
    """Return a file of these values under names of their own, as far as the reader accepts them."""
    lines = [*(f"{PREFIX}{number}={value}" for number, value in enumerate(values)), *comments]
    return "".join(f"{line}\n" for line in lines if "\n" not in line and not scan_env(line).problems)


def by_bash(file: Path) -> dict[str, str]:
    argv = ["env", "-i", "bash", "--norc", "-c", 'set -a; . "$1"; exec env -0', "bash", str(file)]
    said = subprocess.run(argv, capture_output=True, check=True)
    assert said.stderr == b""
    return ours(said.stdout.decode().split("\0"))


def by_dotenv(text: str) -> dict[str, str]:
    return {key: value or "" for key, value in dotenv.dotenv_values(stream=StringIO(text)).items()}


def by_compose(file: Path, keys: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a service gets from ``env_file``, and what ``--env-file`` fills in."""
    filled = {f"FILLED_{key}": f"${{{key}}}" for key in keys}
    services = {"a": {"image": "x", "env_file": str(file)}, "b": {"image": "x", "environment": filled}}
    argv = ("compose", "--project-name", "x", "--env-file", file, "--file", "-", "config", "--format", "json")
    model = json.loads(docker(*argv, stdin=json.dumps({"services": services})).stdout)
    given = [model["services"][name].get("environment") or {} for name in ("a", "b")]
    # What it prints is a Compose file again, where a $ is written twice.
    first, second = ({key: str(value).replace("$$", "$") for key, value in found.items()} for found in given)
    return first, {key.removeprefix("FILLED_"): value for key, value in second.items()}


def by_docker_run(file: Path) -> dict[str, str]:
    name = f"fairway-env-{secrets.token_hex(4)}"
    try:
        docker("create", "--pull=never", "--name", name, "--env-file", file, BASE.name, "true")
        found = json.loads(docker("inspect", "--format", "{{json .Config.Env}}", name).stdout)
    finally:
        docker("rm", "--force", name, check=False)
    return ours(found)


def ours(entries: Iterable[str]) -> dict[str, str]:
    """Return the variables that the file is about, of all that a process has."""
    pairs = (entry.partition("=") for entry in entries)
    return {key: value for key, _, value in pairs if key.startswith(PREFIX)}


def hold_against_each_other(text: str, file: Path) -> dict[str, str]:
    """Have all of them read the text; return what they agree on."""
    file.write_text(text, encoding="utf-8", newline="")
    read = parse_env(text, str(file))
    assert by_bash(file) == read
    assert by_dotenv(text) == read
    given, filled = by_compose(file, list(read))
    assert given == read
    assert filled == read
    # The one that takes quotes for a part of the value: bare ones it reads as the others do.
    assert by_docker_run(file) == ours(text.split("\n"))
    return read


def test_what_is_accepted_of_the_known_traps_is_read_alike_by_all(tmp_path: Path) -> None:
    read = hold_against_each_other(as_text(list(HAND_PICKED), ["# c", " # 'x", "   ", ""]), tmp_path / "x.env")
    assert len(read) > 30


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(values=st.lists(VALUES, min_size=60, max_size=120), comments=st.lists(COMMENTS, max_size=20))
def test_whatever_is_accepted_is_read_alike_by_all(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], comments: list[str]
) -> None:
    file = tmp_path_factory.getbasetemp() / "generated.env"
    hold_against_each_other(as_text(values, comments), file)
