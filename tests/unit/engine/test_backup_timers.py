"""What starts backups and drills by themselves: what is installed, and what goes again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fairway.engine import unit
from fairway.engine.backups import timers
from fairway.engine.backups.schedule import Schedule
from fairway.engine.backups.upkeep import Offsite, Tool, Upkeep
from fairway.engine.contract.errors import Refused
from fairway.engine.hostconfig import HostConfig, read_host_config
from fairway.engine.layout import Layout
from fairway.engine.process import Completed
from fairway.engine.watcher.doors import Door

PLAIN = HostConfig("capakraken", "staging", "3000", "haproxy:3.0", False)
TIMED = replace(PLAIN, upkeep=Upkeep(schedule=Schedule("02:30"), drill=Schedule("weekly")))
BACKUP, DRILL = "fairway-capakraken-staging-backup", "fairway-capakraken-staging-drill"


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A host with systemd, whose systemctl takes notes and says yes."""
    asked: list[list[str]] = []

    def note(argv: list[str]) -> Completed:
        asked.append(argv)
        return Completed(0, "", "")

    (tmp_path / "units").mkdir()
    monkeypatch.setattr(unit, "UNITS", tmp_path / "units")
    monkeypatch.setattr(unit, "_RUNNING", tmp_path)
    monkeypatch.setattr(unit, "_run", note)
    return asked


@pytest.fixture
def cron(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host without systemd, with cron."""
    (tmp_path / "cron.d").mkdir()
    monkeypatch.setattr(unit, "CRON", tmp_path / "cron.d")
    monkeypatch.setattr(unit, "_RUNNING", tmp_path / "nothing")
    return tmp_path / "cron.d" / "fairway-capakraken-staging"


def names() -> set[str]:
    return {path.name for path in unit.UNITS.iterdir()}


def test_what_is_scheduled_gets_a_timer_and_loses_it_again(layout: Layout, systemd: list[list[str]]) -> None:
    assert unit.install(layout, TIMED) == (
        f"fairway-capakraken-staging.service, {BACKUP}.timer, {DRILL}.timer are enabled"
    )
    assert ["systemctl", "restart", f"{BACKUP}.timer"] in systemd
    assert "OnCalendar=*-*-* 02:30:00\n" in (unit.UNITS / f"{BACKUP}.timer").read_text()
    assert "OnCalendar=Sun *-*-* 04:15:00\n" in (unit.UNITS / f"{DRILL}.timer").read_text()
    assert unit.describe(layout, TIMED).endswith("is enabled, backup 02:30, drill weekly")
    assert unit.unscheduled(layout, TIMED) is None

    systemd.clear()
    only_backup = replace(TIMED, upkeep=replace(TIMED.upkeep, drill=None))
    assert unit.describe(layout, only_backup).startswith(f"{DRILL}.timer is not wanted any more")
    unit.install(layout, only_backup)
    assert ["systemctl", "disable", "--now", f"{DRILL}.timer"] in systemd
    # A timer that is as it should be is not begun anew: what it has missed would be due at once.
    assert ["systemctl", "restart", f"{BACKUP}.timer"] not in systemd
    assert names() == {"fairway-capakraken-staging.service", f"{BACKUP}.timer", f"{BACKUP}.service"}

    unit.install(layout, PLAIN)
    assert names() == {"fairway-capakraken-staging.service"}


def test_figures_for_prometheus_are_written_each_minute_by_the_deploy_user(
    layout: Layout, systemd: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit, "_STATE", tmp_path)
    host = replace(PLAIN, textfile=str(tmp_path / "figures"))
    host.write(layout.host_config)
    assert read_host_config(layout.host_config) == host
    unit.install(layout, host)
    name = "fairway-capakraken-staging-metrics"
    assert (tmp_path / "figures").stat().st_mode & 0o777 == 0o755
    assert "OnCalendar=*-*-* *:*:00\n" in (unit.UNITS / f"{name}.timer").read_text()
    lines = (unit.UNITS / f"{name}.service").read_text().splitlines()
    assert f"ExecStart=/usr/bin/python3 -I {layout.engines}/current metrics --write" in lines
    assert f"ReadWritePaths={layout.deploy_path} -{tmp_path}/figures" in lines
    assert ["systemctl", "restart", f"{name}.timer"] in systemd
    assert unit.describe(layout, host).endswith("is enabled, metrics each minute")
    unit.install(layout, PLAIN)
    assert names() == {"fairway-capakraken-staging.service"}


def test_a_front_door_is_looked_at_each_minute_by_the_deploy_user(layout: Layout, systemd: list[list[str]]) -> None:
    host = replace(PLAIN, watch=(Door("staging", "https://x.org", "/api/ready"),))
    name = "fairway-capakraken-staging-look"
    assert unit.unwatched(layout, PLAIN) is None
    assert unit.unwatched(layout, host) == f"{name}.service is not installed"
    unit.install(layout, host)
    # That nothing recovers at boot does not stop anybody from looking.
    (unit.UNITS / "fairway-capakraken-staging.service").unlink()
    assert unit.unwatched(layout, host) is None
    unit.install(layout, host)
    assert "OnCalendar=*-*-* *:*:00\n" in (unit.UNITS / f"{name}.timer").read_text()
    lines = (unit.UNITS / f"{name}.service").read_text().splitlines()
    assert f"ExecStart=/usr/bin/python3 -I {layout.engines}/current scheduled look" in lines
    assert {f"ReadWritePaths={layout.deploy_path}", "ProtectSystem=strict", "NoNewPrivileges=yes"} <= set(lines)
    assert unit.describe(layout, host).endswith("is enabled, a look at the front door each minute")
    (unit.UNITS / f"{name}.timer").unlink()
    assert unit.unwatched(layout, host) == f"{name}.timer is not installed"
    unit.install(layout, PLAIN)
    assert names() == {"fairway-capakraken-staging.service"}


def test_a_directory_elsewhere_than_in_var_lib_is_not_made_by_root(layout: Layout, systemd: list[list[str]]) -> None:
    wanted = layout.deploy_path.parent / "somewhere" / "docker.service.d"
    unit.install(layout, replace(PLAIN, textfile=str(wanted)))
    assert not wanted.parent.exists()


def test_who_may_not_install_timers_is_told_the_command(
    layout: Layout, systemd: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    note = unit.offer(layout, TIMED)
    assert "do what is scheduled, an administrator runs on it: sudo /usr/bin/python3" in note
    assert unit.unscheduled(layout, TIMED) == "fairway-capakraken-staging.service is not installed"


def test_the_service_runs_the_engine_as_the_deploy_user_in_a_sandbox(layout: Layout, tmp_path: Path) -> None:
    offsite = Offsite(Tool.RCLONE, "/mnt/copies", ".env.production")
    host = replace(TIMED, upkeep=replace(TIMED.upkeep, offsite=offsite))
    files = timers.unit_files(layout, host, user="deploy", home=Path("/home/deploy"), python="/p", with_key=True)
    lines = files[f"{BACKUP}.service"].splitlines()
    assert f"ExecStart=/p -I {layout.engines}/current scheduled backup" in lines
    assert {"User=deploy", "Type=oneshot", "ProtectSystem=strict", "NoNewPrivileges=yes"} <= set(lines)
    assert f"ReadWritePaths={layout.deploy_path} -/mnt/copies -/home/deploy/.config/rclone" in lines
    # Only systemd can read root's key, and only the drill is handed it.
    key = "LoadCredential=drill-identity:/etc/fairway/capakraken-staging-drill.key"
    assert key not in lines
    assert key in files[f"{DRILL}.service"].splitlines()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_systemd_finds_nothing_wrong_with_them(layout: Layout, tmp_path: Path) -> None:
    files = timers.unit_files(layout, TIMED, user="root", home=Path("/root"), python=sys.executable, with_key=False)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / name for name in files)], capture_output=True, text=True, check=False
    )
    about = [line for line in (done.stdout + done.stderr).splitlines() if "fairway-capakraken" in line]
    assert [line for line in about if "docker.service" not in line] == []


def test_without_systemd_cron_does_it(layout: Layout, cron: Path) -> None:
    assert "does not run systemd" in unit.offer(layout, PLAIN)
    with pytest.raises(Refused, match="does not run systemd"):
        unit.install(layout, PLAIN)
    assert unit.install(layout, TIMED) == f"{cron} is there"
    user = cron.owner()
    command = f"{user} /usr/bin/python3 -I {layout.engines}/current scheduled"
    assert cron.read_text().splitlines()[-2:] == [
        f"30 2 * * * {command} backup >/dev/null 2>&1",
        f"15 4 * * 0 {command} drill >/dev/null 2>&1",
    ]
    assert unit.unscheduled(layout, TIMED) is None
    unit.install(layout, replace(TIMED, textfile="/srv/figures"))
    assert cron.read_text().splitlines()[-1] == (
        f"* * * * * {user} /usr/bin/python3 -I {layout.engines}/current metrics --write >/dev/null 2>&1"
    )
    unit.install(layout, replace(PLAIN, watch=(Door("staging", "https://x.org", "/api/ready"),)))
    assert cron.read_text().splitlines()[2:] == [f"* * * * * {command} look >/dev/null 2>&1"]
    assert "is not wanted any more" in unit.describe(layout, PLAIN)
    assert unit.install(layout, PLAIN) == f"{cron} is removed"
    assert not cron.exists()


def test_with_neither_the_operator_is_told_what_to_run(layout: Layout, cron: Path) -> None:
    cron.parent.rmdir()
    with pytest.raises(Refused, match="neither systemd nor cron") as caught:
        unit.install(layout, TIMED)
    assert caught.value.hint.endswith("current scheduled backup")
    assert "install cron" in unit.offer(layout, TIMED)
