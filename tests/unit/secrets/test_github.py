"""``fairway secrets github``, by the real ``gh`` against the part of GitHub's API that it speaks to."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairway.config import Config, load
from fairway.engine.contract.errors import Invalid
from fairway.secrets.github import Gh, checked, look_over, missing, secrets_of
from tests.unit.secrets.github_api import GitHub

FAIRWAY = Path(sys.executable).parent / "fairway"
CONFIG = """
project = "shop"
[images]
app = "registry.example.com/acme/shop-app"
migrator = "registry.example.com/acme/shop-migrator"
[environments.staging]
hosts = ["ssh://deploy@one.example.com:2222"]
deploy_path = "/opt/shop"
port = "127.0.0.1:3000"
[environments.production]
promote_from = "staging"
"""
TOKEN = "ghp_thisisnotreal"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    (root / "fairway.toml").write_text(CONFIG)
    return root


@pytest.fixture
def config(root: Path) -> Config:
    return load(root / "fairway.toml", {})


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _key(tmp_path_factory.mktemp("keys") / "deploy", "")


def _key(file: Path, passphrase: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", file], check=True)
    return file


@pytest.fixture
def github(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """GitHub, and the real ``gh`` logged in to it."""
    assert shutil.which("gh"), "gh is not installed: scripts/test-tools.sh unit"
    socket = tmp_path / "gh.sock"
    settings = tmp_path / "gh"
    settings.mkdir()
    (settings / "config.yml").write_text(f"http_unix_socket: {socket}\n")
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GITHUB_ENTERPRISE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GH_CONFIG_DIR", str(settings))
    monkeypatch.setenv("GH_HOST", "github.example.com")
    monkeypatch.setenv("GH_ENTERPRISE_TOKEN", "the-login")
    monkeypatch.setenv("GH_REPO", "github.example.com/acme/shop")
    with GitHub(socket, "the-login", "staging", "production") as server:
        yield server


def fairway(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    argv = [str(FAIRWAY), "secrets", "github", *arguments]
    environ = {**os.environ, **variables}
    return subprocess.run(
        argv, cwd=root, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_each_environment_has_the_eight_by_its_prefix(config: Config) -> None:
    suffixes = [
        "SSH_HOST",
        "SSH_PORT",
        "SSH_USER",
        "SSH_KEY",
        "DEPLOY_PATH",
        "APP_HOST_PORT",
        "GHCR_USERNAME",
        "GHCR_TOKEN",
    ]
    assert [one.name for one in secrets_of(config, "staging")] == [f"STAGING_{suffix}" for suffix in suffixes]
    assert [one.name for one in secrets_of(config, "production")] == [f"PROD_{suffix}" for suffix in suffixes]
    with pytest.raises(Invalid, match="no environment 'qa'"):
        secrets_of(config, "qa")


def test_what_fairway_toml_knows_is_not_asked_for(config: Config) -> None:
    staging = {one.suffix: one for one in secrets_of(config, "staging")}
    assert {suffix: one.value for suffix, one in staging.items() if one.value is not None} == {
        "SSH_HOST": "ssh://deploy@one.example.com:2222",
        "SSH_PORT": "2222",
        "SSH_USER": "deploy",
        "DEPLOY_PATH": "/opt/shop",
        "APP_HOST_PORT": "127.0.0.1:3000",
    }
    assert {suffix for suffix, one in staging.items() if one.required} == {"SSH_KEY"}
    production = secrets_of(config, "production")
    assert {one.suffix for one in production if one.required} == {"SSH_HOST", "SSH_KEY", "DEPLOY_PATH", "APP_HOST_PORT"}


def test_a_value_that_is_set_is_one_that_a_deployment_takes(config: Config) -> None:
    for one in secrets_of(config, "staging"):
        if one.value is not None:
            assert checked(one, one.value) == one.value


def test_half_a_login_is_missing_its_other_half(config: Config) -> None:
    secrets = secrets_of(config, "staging")
    assert [one.suffix for one in missing(secrets, frozenset({"STAGING_SSH_KEY"}))] == []
    there = frozenset({"STAGING_SSH_KEY", "STAGING_GHCR_TOKEN"})
    assert [one.suffix for one in missing(secrets, there)] == ["GHCR_USERNAME"]


def test_the_list_is_told_without_gh(root: Path, tmp_path: Path) -> None:
    shown = fairway(root, PATH=str(tmp_path))
    assert shown.returncode == 0
    assert "PROD_SSH_KEY" in shown.stdout
    document = json.loads(fairway(root, "staging", "--json").stdout)
    assert document["environments"]["staging"][0] == {
        "name": "STAGING_SSH_HOST",
        "what": "the hosts, as in fairway.toml; several with commas between",
        "required": False,
        "from": "fairway.toml",
        "value": "ssh://deploy@one.example.com:2222",
    }


def test_what_is_set_opens_to_its_value_and_is_nowhere_told(root: Path, key: Path, github: GitHub) -> None:
    variables = {"STAGING_GHCR_USERNAME": "puller", "STAGING_GHCR_TOKEN": TOKEN}
    done = fairway(root, "staging", "--set", "--key", str(key), **variables)
    assert done.returncode == 0, done.stderr
    assert github.opened("staging") == {
        "STAGING_SSH_HOST": "ssh://deploy@one.example.com:2222",
        "STAGING_SSH_PORT": "2222",
        "STAGING_SSH_USER": "deploy",
        "STAGING_SSH_KEY": key.read_text().strip(),
        "STAGING_DEPLOY_PATH": "/opt/shop",
        "STAGING_APP_HOST_PORT": "127.0.0.1:3000",
        "STAGING_GHCR_USERNAME": "puller",
        "STAGING_GHCR_TOKEN": TOKEN,
    }
    assert github.opened("production") == {}
    assert "set STAGING_SSH_KEY in staging" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
    assert "PRIVATE KEY" not in done.stdout + done.stderr


def test_a_deployment_takes_what_a_job_then_gets(root: Path, key: Path, github: GitHub) -> None:
    assert fairway(root, "staging", "--set", "--key", str(key)).returncode == 0
    environment = load(root / "fairway.toml", github.opened("staging")).environment("staging")
    (host,) = environment.hosts
    assert (host.destination, host.user, host.port) == ("one.example.com", "deploy", 2222)
    assert host.identity is not None
    assert host.identity.get_secret_value() == key.read_text()


def test_nothing_is_set_when_a_value_is_missing(root: Path, key: Path, github: GitHub) -> None:
    done = fairway(root, "production", "--set", "--key", str(key))
    assert done.returncode == 2
    assert "PROD_DEPLOY_PATH: the directory of the deployment on the host" in done.stderr
    assert github.opened("production") == {}


def test_what_github_has_need_not_be_given_again(root: Path, key: Path, github: GitHub) -> None:
    assert fairway(root, "staging", "--set", "--key", str(key)).returncode == 0
    done = fairway(root, "staging", "--set", STAGING_SSH_PORT="22")
    assert done.returncode == 0, done.stderr
    assert github.opened("staging")["STAGING_SSH_PORT"] == "22"
    assert "STAGING_SSH_KEY" in github.opened("staging")


def test_what_nobody_gave_is_asked_for_and_a_token_is_not_echoed(root: Path, key: Path, github: GitHub) -> None:
    answers = {"SSH_KEY": str(key), "GHCR_USERNAME": "puller", "GHCR_TOKEN": TOKEN}
    seen, code = _answer([str(FAIRWAY), "secrets", "github", "staging", "--set"], root, answers)
    assert code == 0, seen
    assert github.opened("staging")["STAGING_GHCR_TOKEN"] == TOKEN
    assert github.opened("staging")["STAGING_SSH_KEY"] == key.read_text().strip()
    assert TOKEN not in seen
    assert "puller" in seen


def _answer(argv: list[str], root: Path, answers: dict[str, str]) -> tuple[str, int]:
    """Run a command on a terminal of its own, and answer it as it asks."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(root)
        os.execv(argv[0], argv)
    seen, asked = "", list(answers)
    with contextlib.suppress(OSError):  # how a terminal ends
        while text := os.read(terminal, 1024).decode():
            seen += text
            if asked and f"STAGING_{asked[0]}: " in seen and seen.endswith("]: "):
                os.write(terminal, f"{answers[asked.pop(0)]}\n".encode())
    return seen, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_an_environment_that_is_not_there_is_told_how_to_make(root: Path, key: Path, github: GitHub) -> None:
    del github.sealed["staging"]
    done = fairway(root, "staging", "--set", "--key", str(key))
    assert done.returncode == 1
    assert "gh api --method PUT 'repos/{owner}/{repo}/environments/staging'" in done.stderr


def test_who_may_not_is_told_who_may(root: Path, key: Path, github: GitHub) -> None:
    github.forbidden = True
    done = fairway(root, "staging", "--set", "--key", str(key))
    assert done.returncode == 1
    assert "administrator of the repository" in done.stderr


def test_without_a_login_it_says_how(root: Path, github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GH_ENTERPRISE_TOKEN")
    done = fairway(root, "staging", "--set")
    assert done.returncode == 1
    assert "gh auth login" in done.stderr


def test_without_gh_it_says_how(root: Path, tmp_path: Path) -> None:
    done = fairway(root, "staging", "--set", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "apt-get install gh" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set"], "name the environment"),
        (["staging", "--key", "x"], "are for --set"),
        (["qa"], "no environment 'qa'"),
    ],
)
def test_a_wrong_use_is_told_in_words(root: Path, arguments: list[str], said: str) -> None:
    done = fairway(root, *arguments)
    assert (done.returncode, said in done.stderr) == (2, True)


def test_a_key_that_a_pipeline_cannot_use_is_refused_unseen(root: Path, tmp_path: Path, github: GitHub) -> None:
    for file in (_key(tmp_path / "locked", "geheim"), tmp_path / "none"):
        done = fairway(root, "staging", "--set", "--key", str(file))
        assert done.returncode == 2
    (tmp_path / "text").write_text("hunter2")
    done = fairway(root, "staging", "--set", "--key", str(tmp_path / "text"))
    assert (done.returncode, "hunter2" in done.stderr) == (2, False)
    assert github.opened("staging") == {}


def test_no_argument_of_gh_holds_a_value(root: Path, tmp_path: Path, key: Path) -> None:
    """Seen by a program in the place of ``gh`` that writes down how it is called."""
    stand_in = tmp_path / "bin" / "gh"
    stand_in.parent.mkdir()
    stand_in.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/argv\nenv >> {tmp_path}/environ\ncat >> {tmp_path}/stdin\n'
    )
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    path = f"{stand_in.parent}:{os.environ['PATH']}"
    variables = {"STAGING_GHCR_USERNAME": "puller", "STAGING_GHCR_TOKEN": TOKEN}
    assert fairway(root, "staging", "--set", "--key", str(key), PATH=path, **variables).returncode == 0
    argv = (tmp_path / "argv").read_text()
    assert "secret set STAGING_GHCR_TOKEN --env staging\n" in argv
    for seen in (argv, (tmp_path / "environ").read_text()):
        assert TOKEN not in seen
        assert "PRIVATE KEY" not in seen
    assert TOKEN in (tmp_path / "stdin").read_text()


def test_doctor_says_what_github_lacks(config: Config, github: GitHub) -> None:
    github.sealed["staging"] = {"STAGING_SSH_KEY": "", "STAGING_GHCR_USERNAME": ""}
    del github.sealed["production"]
    staging, production = look_over(config, ["staging", "production"])
    assert (staging["ok"], staging["found"]) == (False, "lacks STAGING_GHCR_TOKEN")
    assert staging["hint"] == "fairway secrets github staging --set"
    assert production["ok"] is False
    assert "environments/production" in str(production["hint"])
    github.sealed["staging"]["STAGING_GHCR_TOKEN"] = ""
    assert look_over(config, ["staging"]) == [
        {"name": "environment staging", "ok": True, "found": "has its secrets", "hint": ""}
    ]


def test_doctor_is_silent_where_gh_cannot_tell(
    config: Config, github: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as nowhere:
        nowhere.delenv("GH_REPO")
        assert look_over(config, ["staging"]) == []
    with monkeypatch.context() as logged_out:
        logged_out.delenv("GH_ENTERPRISE_TOKEN")
        assert look_over(config, ["staging"]) == []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert look_over(config, ["staging"], Gh(tmp_path)) == []
