"""Everything that goes wrong before the switch: the old release goes on serving, and the reason is on the screen."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from testbed import changes
from testbed.bed import Testbed
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, slots_running, start_on, status


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A project whose first release serves on staging; every test here leaves it so."""
    made = Workspace(bed, project="t-refusals", port=19_990)
    made.configure(readiness={"timeout_s": 5})
    made.commit("Give up sooner")
    start_on(made, "staging")
    yield made
    made.remove()


@pytest.fixture(autouse=True)
def _serves_on(work: Workspace) -> Iterator[None]:
    """Start each test from the first commit, and see that what served still does."""
    first = serving(work, "staging")
    work.git("checkout", "--quiet", "--detach", first.removeprefix("sha-"))
    yield
    assert serving(work, "staging") == first
    assert status(work, "staging")["drift"] == []


def _refuse(work: Workspace, *arguments: str, code: int) -> str:
    done = work.fairway(*arguments, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    return said


def test_a_failed_migration_shows_the_database_s_error(work: Workspace) -> None:
    changes.migration_that_fails(work)
    said = _refuse(work, "deploy", "staging", release(work), code=1)
    assert "could not create unique index" in said
    assert "is duplicated" in said
    last = history(work, "staging")[-1]
    assert (last["outcome"], last["error"]["what"]) == ("failed", "the migration failed (exit code 1)")
    left = work.host("staging").docker("ps", "--all", "--quiet", "--filter", f"name={work.project}-migrate")
    assert left == ""


def test_a_release_that_is_never_ready_shows_its_last_answer(work: Workspace) -> None:
    changes.never_ready(work)
    said = _refuse(work, "deploy", "staging", release(work), code=1)
    assert "was not ready within 5 s" in said
    assert '"forecast":"the forecast service at forecast:8080 is not there"' in said
    assert len(slots_running(work, "staging")) == 1


def test_a_container_that_ends_at_boot_is_seen_at_once_with_its_log(work: Workspace) -> None:
    changes.crash_at_boot(work)
    said = _refuse(work, "deploy", "staging", release(work), code=1)
    assert "does not stay up: it exited with code 1" in said
    assert "/app/models/forecast.bin is missing" in said
    assert history(work, "staging")[-1]["seconds"] < 20


def test_a_tag_that_does_not_exist_is_named(work: Workspace) -> None:
    said = _refuse(work, "deploy", "staging", "sha-0000000", code=1)
    assert "sha-0000000" in said
    _refuse(work, "deploy", "staging", "latest", code=2)


def test_an_unknown_environment_names_the_known_ones(work: Workspace) -> None:
    said = _refuse(work, "deploy", "productoin", work.tag, code=2)
    assert "staging" in said
    assert "production" in said


def test_production_takes_nothing_directly(work: Workspace) -> None:
    said = _refuse(work, "deploy", "production", work.tag, code=3)
    assert "fairway promote" in said


def test_a_rollback_with_nothing_before_is_refused(work: Workspace) -> None:
    said = _refuse(work, "rollback", "staging", "sha-0000000", code=3)
    assert "never been on this host" in said


def test_a_rollback_to_a_release_that_failed_here_is_refused(work: Workspace) -> None:
    changes.never_ready(work)
    changes.retitle(work, "Never")
    tag = release(work)
    _refuse(work, "deploy", "staging", tag, code=1)
    said = _refuse(work, "rollback", "staging", tag, code=3)
    assert "has never served on this host" in said


@pytest.mark.parametrize("line", ["POSTGRES_PASSWORD=", "NEXTAUTH_SECRET=$(id)", "NEXTAUTH_SECRET = x"])
def test_a_bad_environment_file_is_refused_by_file_and_key_or_line(work: Workspace, line: str) -> None:
    host, path = work.host("staging"), f"{work.deploy_path}/.env.production"
    good = host.get(path)
    key = line.split("=")[0].strip()
    kept = "".join(f"{row}\n" for row in good.splitlines() if not row.startswith(key))
    changes.retitle(work, f"Title {line[:12]}".replace("$", "").replace("<", ""))
    tag = release(work)
    host.put(path, kept + line + "\n", mode=0o600, owner="deploy")
    try:
        said = _refuse(work, "deploy", "staging", tag, code=2)
    finally:
        host.put(path, good, mode=0o600, owner="deploy")
    assert ".env.production" in said
    assert key in said or "line" in said


def test_a_missing_environment_file_says_how_to_make_one(work: Workspace) -> None:
    host, path = work.host("staging"), f"{work.deploy_path}/.env.production"
    changes.retitle(work, "Missing")
    tag = release(work)
    host.sh(f"mv {path} {path}.away")
    try:
        said = _refuse(work, "deploy", "staging", tag, code=2)
    finally:
        host.sh(f"mv {path}.away {path}")
    assert ".env.production is missing" in said
    assert "chmod 600" in said


def test_a_registry_that_the_host_cannot_reach_is_named(work: Workspace) -> None:
    changes.retitle(work, "Unreachable")
    tag = release(work)
    host = work.host("staging")
    address = work.bed.registry.address.partition(":")[0]
    host.sh(f"iptables -w -I OUTPUT -d {address} -j REJECT")
    try:
        said = _refuse(work, "deploy", "staging", tag, code=1)
    finally:
        host.sh(f"iptables -w -D OUTPUT -d {address} -j REJECT")
    assert f"could not be pulled from {work.bed.registry.address}" in said
    assert history(work, "staging")[-1]["outcome"] == "failed"


def test_a_registry_that_is_down_is_named_before_the_host_is_asked(work: Workspace) -> None:
    changes.retitle(work, "Down")
    tag = release(work)
    attempts = len(history(work, "staging"))
    work.bed.registry.stop()
    try:
        said = _refuse(work, "deploy", "staging", tag, code=5)
    finally:
        work.bed.registry.start()
    assert work.bed.registry.address in said
    assert len(history(work, "staging")) == attempts


def test_a_wrong_ssh_key_is_refused_in_words(work: Workspace) -> None:
    key = work.bed.state / "wrong-key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    text = work.bed.ssh_config.read_text().replace("IdentityFile ", f"IdentityFile {key} #")
    work.write("wrong_ssh_config", text)
    work.configure(environments={"staging": {"ssh_config": "wrong_ssh_config"}})
    try:
        said = _refuse(work, "status", "staging", code=5)
        assert "cannot be reached" in said
        assert "refused the key" in said
    finally:
        work.git("checkout", "--quiet", "fairway.toml")
        work.git("clean", "--quiet", "--force")


def test_a_moved_image_tag_is_never_overwritten(work: Workspace) -> None:
    changes.retitle(work, "Moved")
    images = work.config["images"]
    _tag_other_bytes(work, f"{images['app']}:{work.tag}", serving(work, "staging"))
    said = _refuse(work, "release", code=3)
    assert "sha256:" in said
    assert work.tag[:11] in said or work.tag in said


def test_a_tree_with_uncommitted_changes_is_not_released(work: Workspace) -> None:
    work.edit("README.md", "# CapaKraken", "# CapaKraken, changed")
    try:
        said = _refuse(work, "release", code=2)
    finally:
        work.git("checkout", "--quiet", "README.md")
    assert "README.md" in said


def test_releasing_a_commit_twice_is_the_same_release(work: Workspace) -> None:
    again = work.fairway("release")
    assert "released before" in again.stdout


def _tag_other_bytes(work: Workspace, reference: str, tag: str) -> None:
    """Have the registry's tag name an image that was built from another commit."""
    source = f"{work.config['images']['app']}:{tag}"
    environment = {**work.environment}
    for command in (["tag", source, reference], ["push", "--quiet", reference]):
        subprocess.run(["docker", *command], check=True, capture_output=True, env=environment)
