"""What ``fairway init`` writes, with real hosts: the workflows' own scripts, and the Compose files."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from fairway.config import load
from fairway.config.requires import suggested
from fairway.release.compose import problems_of, read_model
from fairway.release.docker import find_docker
from fairway.workflows import Wishes, prepare
from testbed import changes
from testbed.workspace import FAIRWAY, Workspace
from tests.host.asking import history, release, serving, slots_running, start_on, wait_for_step
from tests.unit.workflows import shapes


def _script(work: Workspace, workflow: str, step: str) -> str:
    """Return the script of a step of one of the example's workflows."""
    document = YAML(typ="safe", pure=True).load(work.path / f".github/workflows/{workflow}")
    steps = [one for job in document["jobs"].values() for one in job["steps"]]
    return str(next(one["run"] for one in steps if one["name"] == step))


def _start(work: Workspace, script: str, page: Path, **env: str) -> subprocess.Popen[str]:
    """Start a step's script as GitHub's runner does, with this Fairway installed in the place of the asked one."""
    home = page.parent / "home"
    place = home / hashlib.sha256(suggested().encode()).hexdigest()[:16] / "path"
    if not place.exists():
        place.mkdir(parents=True)
        (place / "fairway").symlink_to(FAIRWAY)
    file = page.parent / "step.sh"
    file.write_text(script)
    return subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)],
        cwd=work.path,
        env={**work.environment, "FAIRWAY_HOME": str(home), "GITHUB_STEP_SUMMARY": str(page), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_workflows_steps_deploy_tell_the_page_and_revert_when_their_job_is_cancelled(
    workspace: Workspace, tmp_path: Path
) -> None:
    work, page = workspace, tmp_path / "page.md"
    first = start_on(work, "staging")
    page.touch()
    step = _start(work, _script(work, "release-image.yml", "Release"), page)
    said, _ = step.communicate(timeout=60)
    assert step.returncode == 0, said
    assert f"### Released before: `{first}`" in page.read_text()

    # A job has the way to the hosts of its own environment only: what staging says goes by the archive.
    work.prepare_host("production")
    work.fairway("bootstrap", "production")
    nowhere = "ssh://nobody@127.0.0.1:1"
    for workflow_step, env in (
        ("Ask staging", {"PROD_SSH_HOST": nowhere}),
        ("What production asks of it", {"STAGING_SSH_HOST": nowhere}),
        ("Promote", {"STAGING_SSH_HOST": nowhere}),
    ):
        step = _start(work, _script(work, "deploy-prod.yml", workflow_step), page, TAG=first, **env)
        said, _ = step.communicate(timeout=120)
        assert step.returncode == 0, said
    assert serving(work, "production") == first
    shown = page.read_text()
    assert f"### production: everything is met for `{first[:11]}`" in shown
    assert f"### ✅ production: deploy {first[:11]}" in shown

    changes.never_ready(work)
    work.configure(readiness={"timeout_s": 120})
    work.commit("Wait for long")
    tag = release(work)
    page.write_text("")
    # Without a tag it is that of the commit the workflow was started on.
    step = _start(work, _script(work, "deploy-staging.yml", "Deploy"), page, TAG="", GITHUB_SHA=work.head)
    wait_for_step(work, "staging", "ready")
    step.send_signal(signal.SIGINT)
    said, _ = step.communicate(timeout=60)
    assert step.returncode == 130, said
    assert serving(work, "staging") == first
    assert history(work, "staging")[-1]["outcome"] == "cancelled"
    shown = page.read_text()
    assert shown.startswith(f"### ❌ staging: deploy {tag[:11]}")
    assert "| ↩️ | start |" in shown

    # The second belt finds nothing left to do, which is no failure.
    step = _start(work, _script(work, "deploy-staging.yml", "See the cancelled deployment reverted"), page)
    said, _ = step.communicate(timeout=60)
    assert step.returncode == 0, said

    # A pipeline meets a host for the first time each time: it goes by the repository's own list of keys.
    known = work.path / "tooling/deploy/known_hosts"
    work.configure(environments={"staging": {"known_hosts": "tooling/deploy/known_hosts"}})
    refused = work.fairway("status", "staging", check=False)
    assert refused.returncode == 5
    assert "known_hosts of the environment in fairway.toml" in refused.stdout + refused.stderr
    known.write_text((work.bed.state / "known_hosts").read_text())
    assert work.fairway("status", "staging").returncode == 0


def test_an_application_that_was_only_looked_at_is_released_and_serves(
    make_workspace: Callable[..., Workspace], tmp_path: Path
) -> None:
    root = shapes.make(tmp_path / "orders", "fastapi")
    wishes = Wishes(answers={"admin": ""})
    prepare(root, wishes, lambda question: question.default or "").write()
    work = make_workspace(example=root)
    tag = start_on(work, "staging")
    with urllib.request.urlopen(work.url("staging", "/api/ready"), timeout=10) as answer:
        # Nobody but the migrator has made the table.
        assert json.load(answer) == {"orders": 0}
    (container,) = slots_running(work, "staging")
    assert work.host("staging").docker("exec", container, "id", "-u").strip() == "10001"
    assert history(work, "staging")[-1]["tag"] == tag
    # What a deployment leaves in the checkout is nothing that a release would trip over.
    assert work.git("status", "--porcelain") == ""


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_the_compose_file_of_every_shape_can_be_released(tmp_path: Path, shape: str) -> None:
    root = shapes.make(tmp_path, shape)
    prepare(root, Wishes(), lambda question: question.default or "").write()
    config = load(root / "fairway.toml", {})
    assert problems_of(read_model(find_docker(), config), config) == []
