"""Running ``fairway init`` again: what is brought up to date, and what a person has changed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from fairway.engine.contract.errors import Failed, Invalid
from fairway.workflows import Plan, Provider, State, Wishes, prepare
from fairway.workflows.record import FILE
from tests.unit.workflows import shapes
from tests.unit.workflows.conftest import Begin, by_default

FAIRWAY = Path(sys.executable).parent / "fairway"
CI = ".github/workflows/ci.yml"
STAGING = ".github/workflows/deploy-staging.yml"


def again(root: Path, **wishes: object) -> Plan:
    return prepare(root, Wishes(**wishes), by_default)  # type: ignore[arg-type]


def states(plan: Plan) -> dict[str, State]:
    return {one.file.path: one.state for one in plan.changes}


def fairway(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Nobody sits at the terminal, and standard input never ends: what waited for an answer would wait for ever.
    reading, writing = os.pipe()
    try:
        return subprocess.run(
            [FAIRWAY, *arguments], cwd=root, stdin=reading, capture_output=True, text=True, check=False, timeout=60
        )
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_a_second_run_has_nothing_to_write(begin: Begin, shape: str) -> None:
    root = begin(shape).root
    plan = again(root)
    assert not plan.drifts
    assert not plan.writes


def test_the_files_follow_fairway_toml(begin: Begin) -> None:
    root = begin("fastapi").root
    toml = root / "fairway.toml"
    toml.write_text(toml.read_text() + '\n[environments.demo]\ndeploy_path = "/opt/demo"\nport = 3001\n')
    plan = again(root)
    assert states(plan)[".github/workflows/deploy-demo.yml"] is State.NEW
    assert states(plan)[".github/workflows/rollback.yml"] is State.OLD
    plan.write()
    assert "DEMO_SSH_KEY" in (root / ".github/workflows/deploy-demo.yml").read_text()
    assert not again(root).drifts


def test_what_a_person_changed_is_left_and_shown(begin: Begin) -> None:
    root = begin("fastapi").root
    (root / CI).write_text((root / CI).read_text() + "# ours\n")
    plan = again(root)
    assert states(plan)[CI] is State.CHANGED
    assert plan.drifts
    assert "-# ours" in next(one for one in plan.changes if one.file.path == CI).diff()
    plan.write()
    assert (root / CI).read_text().endswith("# ours\n")
    assert again(root).drifts, "that it was left is not that it was meant"


def test_a_change_that_is_meant_is_kept_until_either_side_changes_again(begin: Begin) -> None:
    root = begin("fastapi").root
    (root / STAGING).write_text((root / STAGING).read_text() + "# ours\n")
    again(root, keeping=(STAGING,)).write()
    assert states(again(root))[STAGING] is State.MEANT
    assert not again(root).drifts

    toml = root / "fairway.toml"
    before = toml.read_text()
    toml.write_text(before.replace("[environments.staging]\n", '[environments.staging]\nsecrets_prefix = "STAGE"\n'))
    assert states(again(root))[STAGING] is State.CHANGED
    toml.write_text(before)
    assert states(again(root))[STAGING] is State.MEANT
    (root / STAGING).write_text((root / STAGING).read_text() + "# more\n")
    assert states(again(root))[STAGING] is State.CHANGED


def test_a_change_can_be_given_up(begin: Begin) -> None:
    root = begin("fastapi").root
    written = (root / CI).read_text()
    (root / CI).write_text("ours\n")
    again(root, replacing=(CI,)).write()
    assert (root / CI).read_text() == written
    assert not again(root).drifts


def test_what_was_taken_away_comes_back_but_the_teams_own_files_do_not(begin: Begin) -> None:
    root = begin("fastapi").root
    (root / CI).unlink()
    (root / "Dockerfile.prod").unlink()
    plan = again(root)
    assert states(plan)[CI] is State.NEW
    assert "Dockerfile.prod" not in states(plan)


def test_another_provider_leaves_what_the_first_one_had_and_says_so(begin: Begin) -> None:
    root = begin("fastapi").root
    plan = again(root, provider=Provider.GITLAB)
    assert any(CI in note for note in plan.notes)
    plan.write()
    assert (root / CI).exists()
    assert (root / ".gitlab-ci.yml").exists()
    assert not again(root).drifts, "the provider is remembered"


def test_a_file_that_is_none_of_these_is_refused(begin: Begin) -> None:
    root = begin("fastapi").root
    with pytest.raises(Invalid, match="none of the files"):
        again(root, replacing=("src/main.py",))


def test_nothing_is_written_through_a_link_out_of_the_repository(begin: Begin, tmp_path: Path) -> None:
    root = shapes.make(tmp_path / "here", "plain")
    (tmp_path / "elsewhere").mkdir()
    (root / ".github").symlink_to(tmp_path / "elsewhere")
    plan = prepare(root, Wishes(), by_default)
    with pytest.raises(Failed, match="a link leads elsewhere"):
        plan.write()
    assert not list((tmp_path / "elsewhere").rglob("*"))


def test_a_link_where_a_file_is_prepared_is_not_written_through_either(tmp_path: Path) -> None:
    root = shapes.make(tmp_path / "here", "plain")
    (tmp_path / "mine").write_text("mine\n")
    (root / ".fairway.toml.fairway").symlink_to(tmp_path / "mine")
    prepare(root, Wishes(), by_default).write()
    assert (tmp_path / "mine").read_text() == "mine\n"
    assert not (root / "fairway.toml").is_symlink()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ci": "jenkins", "branch": "main", "files": {}}', "\x00"])
def test_a_record_that_cannot_be_read_is_said(begin: Begin, text: str) -> None:
    root = begin("plain").root
    (root / FILE).write_text(text)
    with pytest.raises(Invalid, match="cannot be read"):
        again(root)


# -- the command


def test_without_a_terminal_nothing_is_asked_and_nothing_written(tmp_path: Path) -> None:
    root = shapes.make(tmp_path, "plain")
    done = fairway(root, "init")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert "+requires = " in done.stdout
    assert not (root / "fairway.toml").exists()


def test_what_cannot_be_seen_and_was_not_said_is_named(tmp_path: Path) -> None:
    root = shapes.make(tmp_path, "plain", remote="/srv/git/hello")
    done = fairway(root, "init", "--yes")
    assert (done.returncode, "--images" in done.stderr) == (2, True)
    assert fairway(root, "init", "--yes", "--images", "registry.example.com/acme").returncode == 0


def test_the_command_writes_updates_and_checks(tmp_path: Path) -> None:
    root = shapes.make(tmp_path, "plain")
    assert fairway(root, "init", "--check").returncode == 2
    done = fairway(root, "init", "--yes", "--project", "greeter", "--staging", "deploy@staging.example.com")
    assert done.returncode == 0, done.stderr
    assert 'deploy_path = "/opt/greeter"' in (root / "fairway.toml").read_text()
    assert fairway(root, "init", "--check").returncode == 0
    (root / CI).unlink()
    (root / STAGING).write_text("ours\n")
    done = fairway(root, "init", "--check", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["drift"], answer["written"]) == (1, True, False)
    assert {one["path"]: one["state"] for one in answer["files"]}[STAGING] == "changed by hand"
    done = fairway(root, "init", "--update", "--yes")
    assert done.returncode == 0
    assert (root / CI).exists()
    assert (root / STAGING).read_text() == "ours\n"
    assert f"--keep {STAGING}" in done.stdout
    assert fairway(root, "init", "--check").returncode == 1
    assert fairway(root, "init", "--update", "--yes", "--keep", STAGING).returncode == 0
    assert fairway(root, "init", "--check").returncode == 0


def test_an_answer_that_cannot_be_is_refused(tmp_path: Path) -> None:
    root = shapes.make(tmp_path, "plain")
    for option, value in (("--port", "70000"), ("--staging", "-oProxyCommand=x"), ("--project", "No Name")):
        done = fairway(root, "init", "--yes", option, value)
        assert (done.returncode, option in done.stderr) == (2, True), done.stderr


def test_on_a_terminal_it_asks_until_the_answer_can_be_one(tmp_path: Path) -> None:
    root = shapes.make(tmp_path, "plain")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [FAIRWAY, "init"], cwd=root, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        os.close(theirs)
        # project (wrong, then right), images, branch, both hosts, admin, path, port, app port, ready path, write?
        os.write(ours, b"No Name\ngreeter\n" + b"\n" * 9 + b"y\n")
        output, _ = process.communicate(timeout=60)
        os.close(ours)
    assert process.returncode == 0, output
    assert "not a project name" in output
    assert 'project = "greeter"' in (root / "fairway.toml").read_text()
