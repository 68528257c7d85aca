"""When changes were committed, asked of a repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from fairway.observe.commits import commit_times


def _commit(root: Path, seconds: int) -> str:
    when = f"{seconds} +0000"
    env = {**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, "GIT_CONFIG_GLOBAL": os.devnull}
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *who, "commit", "--quiet", "--allow-empty", "-m", "x"], cwd=root, env=env, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
    return f"sha-{head.stdout.strip()}"


def test_a_release_brings_the_commits_since_the_one_before(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    first, _, third = (_commit(tmp_path, 1_700_000_000 + n) for n in range(3))
    stamps = [at.timestamp() - 1_700_000_000 for at in commit_times(tmp_path, third, first) or []]
    assert sorted(stamps) == [1, 2]
    assert len(commit_times(tmp_path, third, None) or []) == 1
    assert len(commit_times(tmp_path, third, f"sha-{'0' * 40}") or []) == 1
    assert commit_times(tmp_path, first, third) == []


def test_what_git_does_not_know_is_not_known(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    assert commit_times(tmp_path, f"sha-{'1' * 40}", None) is None
    assert commit_times(tmp_path, "sha-x --output=y", None) is None
