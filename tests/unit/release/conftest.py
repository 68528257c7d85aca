from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fairway.config import Config, load

FILE = """
project = "capakraken"
[images]
app = "registry.example.com/acme/capakraken-app"
migrator = "registry.example.com/acme/capakraken-migrator"
[compose]
workers = ["worker"]
[bundle]
files = ["tooling/deploy/README.md"]
"""

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """An empty repository in ``tmp_path``; call it to run Git there."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")

    def run(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True, encoding="utf-8"
        ).stdout.strip()

    run("init", "--quiet")
    run("config", "user.name", "Jane Doe")
    run("config", "user.email", "jane@example.com")
    return run


@pytest.fixture
def config(tmp_path: Path, git: Git) -> Config:
    """A committed project with everything a release needs."""
    (tmp_path / "tooling/deploy").mkdir(parents=True)
    (tmp_path / "tooling/deploy/README.md").write_text("Read me.\n")
    (tmp_path / "docker-compose.cicd.yml").write_text("services: {}\n")
    (tmp_path / "Dockerfile.prod").write_text("FROM scratch\n")
    (tmp_path / "fairway.toml").write_text(FILE)
    git("add", ".")
    git("commit", "--quiet", "--message", "First")
    return load(tmp_path / "fairway.toml", {})
