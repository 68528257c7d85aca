"""Backups are tried and copied off the host, by hand and by timers, and status says how that stands."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testbed import images
from testbed.bed import Testbed
from testbed.host import Host
from testbed.workspace import FAIRWAY, Workspace
from tests.host.asking import sql, status
from tests.host.receiving import Receiver

REPOSITORY = "/home/deploy/copies"
PASSWORD = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A project that serves on staging, with a backup that is three rows behind the database."""
    made = Workspace(bed, project="t-offsite", port=19_970)
    _configure(made, recipients=[])
    made.prepare_host("staging", {"RESTIC_PASSWORD": PASSWORD})
    made.fairway("bootstrap", "staging")
    made.fairway("release")
    made.fairway("deploy", "staging", made.tag)
    sql(made, "staging", "CREATE TABLE kept AS SELECT n, md5(n::text) AS word FROM generate_series(1, 20000) n")
    yield made
    for host in ("staging", "production"):
        bed.host(host).sh(f"rm -rf {REPOSITORY} /home/deploy/.ssh/id_ed25519* /home/deploy/.ssh/known_hosts")
    made.remove()


def _configure(work: Workspace, **backup: Any) -> None:
    work.configure(backup=backup)
    work.commit("Configure backups")


def _json(work: Workspace, *args: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(work.fairway("backup", *args, "--json").stdout)
    return document


def _create(work: Workspace) -> str:
    return str(_json(work, "create", "staging")["backup"]["id"])


def _with_stdin(work: Workspace, text: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(FAIRWAY), *args],
        cwd=work.path,
        env=work.environment,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def _left(work: Workspace) -> str:
    return work.host("staging").docker("ps", "--all", "--quiet", "--filter", "label=dev.fairway.drill")


def test_a_drill_restores_a_backup_beside_what_serves_and_counts_it(work: Workspace) -> None:
    identity = _create(work)
    sql(work, "staging", "DELETE FROM kept WHERE n > 10")
    volumes = work.host("staging").docker("volume", "ls", "--quiet")
    shown = _json(work, "drill", "staging")
    assert (shown["backup"]["id"], shown["restored"], shown["counted"]) == (identity, True, True)
    assert shown["rows"] >= 20000
    assert set(shown["took"]) == {"check", "start", "restore", "count"}
    # Nothing of it stays, and nothing of it touched the database in use.
    assert _left(work) == ""
    assert work.host("staging").docker("volume", "ls", "--quiet") == volumes
    assert sql(work, "staging", "SELECT count(*) FROM kept") == "10"
    stands = status(work, "staging")["backups"]
    assert (stands["drill"]["outcome"], stands["drill"]["backup"], stands["warnings"]) == ("succeeded", identity, [])
    assert "last drill: succeeded" in work.fairway("status", "staging").stdout


def test_a_damaged_backup_fails_its_drill_and_status_says_so(work: Workspace) -> None:
    identity = _create(work)
    dump = f"{work.deploy_path}/.fairway/backups/{identity}"
    host = work.host("staging")
    # The file is as it was written, but the rows are not those it was said to have.
    host.sh(f'sed -i \'s/"public.kept": [0-9]*/"public.kept": 11/\' {dump}.json')
    failed = work.fairway("backup", "drill", "staging", check=False)
    assert failed.returncode == 1
    assert "public.kept: 10 rows, not 11 rows" in failed.stderr
    host.sh(f"printf x | dd of={dump}.dump bs=1 seek=900 conv=notrunc status=none")
    failed = work.fairway("backup", "drill", "staging", identity, check=False)
    assert (failed.returncode, f"the backup {identity} is damaged" in failed.stderr) == (1, True)
    assert _left(work) == ""
    assert (
        f"backups: the last drill failed: the backup {identity} is damaged" in work.fairway("status", "staging").stdout
    )
    # A newer good one than that must be there before it may go.
    host.sh(f"rm {dump}.*")


def test_an_encrypted_backup_is_tried_with_its_key_alone(work: Workspace) -> None:
    host = work.host("staging")
    key = host.sh("age-keygen 2>/dev/null")
    _configure(work, recipients=[key.split("public key: ")[1].split()[0]])
    work.fairway("bootstrap", "staging")
    _create(work)
    refused = work.fairway("backup", "drill", "staging", check=False)
    assert (refused.returncode, "no key was given" in refused.stderr) == (3, True)
    done = _with_stdin(work, key, "backup", "drill", "staging", "--identity")
    assert (done.returncode, "as when it was taken" in done.stdout) == (0, True), done.stderr
    # The timer has no key, checks what can be checked, and says that this was all.
    engine = f"python3 -I {work.deploy_path}/.fairway/engine/current scheduled drill"
    host.run(engine, user="deploy")
    stands = status(work, "staging")["backups"]
    assert stands["drill"]["restored"] is False
    assert any("bytes only" in line for line in stands["warnings"])
    # Root may put one on the host, for cron's drills readable by the deploy user.
    host.sh("install -d /etc/fairway")
    host.put("/etc/fairway/t-offsite-staging-drill.key", key, mode=0o400, owner="deploy")
    host.run(engine, user="deploy")
    assert status(work, "staging")["backups"]["drill"]["restored"] is True
    host.sh("rm -r /etc/fairway")


def test_copies_go_to_a_restic_repository_over_sftp_and_come_back_whole(work: Workspace, bed: Testbed) -> None:
    staging, vault = bed.host("staging"), bed.host("production")
    public = staging.sh(
        "ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519 && cat ~/.ssh/id_ed25519.pub", user="deploy"
    )
    vault.sh(f"echo '{public}' >>~/.ssh/authorized_keys", user="deploy")
    target = f"sftp:deploy@{vault.address}:{REPOSITORY}"
    _configure(work, recipients=[], offsite=target, offsite_password="RESTIC_PASSWORD")
    work.fairway("bootstrap", "staging")
    failed = work.fairway("backup", "copy", "staging", check=False)
    # restic gives what ssh says on a line of its own, which comes before its own error or is lost behind it.
    assert failed.returncode == 1
    assert "Host key verification failed" in failed.stderr or "unable to start the sftp session" in failed.stderr
    assert any("the last copy off the host failed" in line for line in status(work, "staging")["backups"]["warnings"])

    staging.sh(f"ssh-keyscan -t ed25519 {vault.address} 2>/dev/null >~/.ssh/known_hosts", user="deploy")
    copied = _json(work, "copy", "staging")
    there = [one["id"] for one in _json(work, "list", "staging")["backups"]]
    assert sorted(copied["copied"]) == sorted(there)
    assert _json(work, "copy", "staging")["copied"] == []
    newest = _create(work)
    restic = f"RESTIC_PASSWORD={PASSWORD} restic --repo {REPOSITORY} --no-cache --quiet"
    assert newest in vault.sh(f"{restic} snapshots --json", user="deploy")
    path = f"{work.deploy_path}/.fairway/backups/{newest}.dump"
    mine, theirs = staging.sh(f"sha256sum <{path}"), vault.sh(f"{restic} dump --tag {newest} latest {path} | sha256sum")
    assert mine == theirs
    assert status(work, "staging")["backups"]["warnings"] == []
    assert PASSWORD not in staging.sh(f"cat {work.deploy_path}/.fairway/ledger.jsonl")

    # What a wrong password and a repository with a hole say.
    staging.sh(f"sed -i s/{PASSWORD}/another-one-altogether/ {work.deploy_path}/.env.production")
    wrong = work.fairway("backup", "copy", "staging", check=False)
    assert (wrong.returncode, "offsite_password" in wrong.stderr) == (1, True), wrong.stderr
    staging.sh(f"sed -i s/another-one-altogether/{PASSWORD}/ {work.deploy_path}/.env.production")
    vault.sh(f"find {REPOSITORY}/data -type f | head -n 1 | xargs rm")
    holed = work.fairway("backup", "copy", "staging", check=False)
    assert (holed.returncode, "the repository for copies is damaged" in holed.stderr) == (1, True), holed.stderr


def test_copies_go_by_rclone_to_where_it_is_configured_to(work: Workspace) -> None:
    _configure(work, recipients=[], offsite="/home/deploy/copies", offsite_tool="rclone", offsite_password=None)
    work.fairway("bootstrap", "staging")
    host = work.host("staging")
    newest = _create(work)
    there = host.sh(f"ls {REPOSITORY}/t-offsite-staging").split()
    assert {f"{newest}.dump", f"{newest}.json"} <= set(there)
    host.sh(f"echo altered >>{REPOSITORY}/t-offsite-staging/{newest}.dump")
    failed = work.fairway("backup", "copy", "staging", check=False)
    assert (failed.returncode, "not what the backup is" in failed.stderr) == (1, True), failed.stderr


@pytest.fixture
def systemd(bed: Testbed) -> Iterator[Host]:
    """A host of the test's own that boots with systemd."""
    host = bed.add_host(f"systemd-{secrets.token_hex(3)}", image=images.provide_systemd())
    yield host
    bed.remove_host(host.name)


def test_timers_do_it_all_as_the_deploy_user_and_go_when_nothing_is_scheduled(
    systemd: Host, make_workspace: Callable[..., Workspace]
) -> None:
    work = make_workspace(environments={"staging": systemd.name})
    # As on any machine, and not in a container: systemd's credentials reach a service by a mount that is shared.
    systemd.sh("mount --make-rshared /")
    key = systemd.sh("age-keygen 2>/dev/null")
    systemd.sh("install -d /etc/fairway; install -d -o deploy -g deploy /srv/copies")
    systemd.put(f"/etc/fairway/{work.project}-staging-drill.key", key, mode=0o600)
    systemd.put("/etc/sudoers.d/fairway", "deploy ALL=(root) NOPASSWD: /usr/bin/python3 -I /opt/*\n", mode=0o440)
    receiver = Receiver(systemd.address)
    work.configure(notifications=[{"url_key": "OPS_URL"}])
    _configure(
        work,
        schedule="daily",
        drill="Sat 02:30",
        recipients=[key.split("public key: ")[1].split()[0]],
        offsite="/srv/copies",
        offsite_password="RESTIC_PASSWORD",
    )
    work.prepare_host("staging", {"RESTIC_PASSWORD": PASSWORD, "OPS_URL": receiver.url})
    work.fairway("bootstrap", "staging")
    base = f"fairway-{work.project}-staging"
    units = [f"{base}-{what}.{kind}" for what in ("backup", "drill") for kind in ("timer", "service")]
    assert systemd.sh(f"systemctl is-active {base}-backup.timer {base}-drill.timer").split() == ["active", "active"]
    assert systemd.sh(f"systemd-analyze verify {' '.join(units)} 2>&1") == ""
    systemd.run(f"systemctl start {base}-backup.service", check=False)
    said = systemd.sh(f"journalctl --unit {base}-backup --output cat --no-pager")
    assert any("the last backup failed: the database of" in one for one in _warnings(work)), said
    # By a teller that systemd would end with the service, if the service did not wait for it.
    assert receiver.titles == ["the backup failed"], systemd.sh(
        f"cat {work.deploy_path}/.fairway/notifications/teller.log"
    )
    receiver.go_away()

    labels = " ".join(
        f"--label com.docker.compose.{label}={value}"
        for label, value in (("project", work.project), ("service", "postgres"), ("container-number", "1"))
    )
    name = f"{work.project}-postgres-1"
    systemd.sh(f"docker run --detach --name {name} {labels} --env POSTGRES_PASSWORD=x postgres:17")
    systemd.sh(f"until docker exec {name} pg_isready -q -h 127.0.0.1; do sleep 0.1; done")
    for what in ("backup", "drill"):
        done = systemd.run(f"systemctl start {base}-{what}.service", check=False)
        assert done.returncode == 0, systemd.sh(f"journalctl --unit {base}-{what} --output cat --no-pager")
    stands = status(work, "staging")["backups"]
    assert (stands["drill"]["restored"], stands["copy"]["outcome"], stands["warnings"]) == (True, "succeeded", [])

    _configure(work, schedule=None, drill=None)
    work.fairway("bootstrap", "staging")
    assert systemd.sh(f"cd /etc/systemd/system && ls {' '.join(units)} 2>/dev/null || true") == ""
    assert f"{base}.service is enabled" in work.fairway("doctor", "staging", check=False).stdout


def _warnings(work: Workspace) -> list[str]:
    found: list[str] = status(work, "staging")["backups"]["warnings"]
    return found
