"""The systemd unit: what it says, and that systemd takes it."""

from __future__ import annotations

import getpass
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fairway.engine import unit
from fairway.engine.contract.errors import Refused
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.process import Completed
from fairway.remote.installer import install

HOST = HostConfig("capakraken", "staging", "3000", "haproxy:3.0", False)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A host with systemd, whose systemctl and sudo take notes and say yes."""
    asked: list[list[str]] = []

    def note(argv: list[str]) -> Completed:
        asked.append(argv)
        return Completed(0, "", "")

    (tmp_path / "units").mkdir()
    monkeypatch.setattr(unit, "UNITS", tmp_path / "units")
    monkeypatch.setattr(unit, "_RUNNING", tmp_path)
    monkeypatch.setattr(unit, "_run", note)
    return asked


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_systemd_finds_nothing_wrong_with_it(layout: Layout, tmp_path: Path) -> None:
    text = unit.render(layout, HOST, user=getpass.getuser(), python=sys.executable)
    file = tmp_path / unit.unit_name(HOST)
    file.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
    about_it = [line for line in (done.stdout + done.stderr).splitlines() if unit.unit_name(HOST) in line]
    # Where Docker is installed in another way there is no docker.service, and Wants= makes that no failure.
    assert [line for line in about_it if "docker.service" not in line] == []


def test_it_runs_the_current_engine_as_the_owner_of_the_deploy_path(layout: Layout) -> None:
    lines = unit.render(layout, HOST, user="deploy", python="/usr/bin/python3").splitlines()
    assert f"ExecStart=/usr/bin/python3 -I {layout.engines}/current recover" in lines
    assert {"User=deploy", "Type=oneshot", "After=docker.service network-online.target"} <= set(lines)
    assert f"ReadWritePaths={layout.deploy_path}" in lines


def test_it_is_written_for_all_to_read_and_enabled(layout: Layout, systemd: list[list[str]]) -> None:
    assert "is not installed" in unit.describe(layout, HOST)
    unit.install(layout, HOST)
    file = unit.UNITS / "fairway-capakraken-staging.service"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert systemd[0] == ["systemctl", "daemon-reload"]
    assert systemd[1] == ["systemctl", "enable", "fairway-capakraken-staging.service"]
    assert unit.describe(layout, HOST) == "fairway-capakraken-staging.service is enabled"
    file.write_text("[Unit]\n")
    assert "is another engine's" in unit.describe(layout, HOST)


def test_who_may_not_install_it_is_told_the_command(
    layout: Layout, systemd: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    note = unit.offer(layout, HOST)
    assert note.endswith(f"sudo /usr/bin/python3 -I {layout.engines}/current install-unit")
    assert systemd == [["sudo", "-n", "/usr/bin/python3", "-I", f"{layout.engines}/current", "install-unit"]]


def test_what_is_there_already_is_not_installed_again(layout: Layout, systemd: list[list[str]]) -> None:
    unit.install(layout, HOST)
    systemd.clear()
    assert unit.offer(layout, HOST) == ""
    assert systemd == [["systemctl", "is-enabled", "fairway-capakraken-staging.service"]]


def test_without_systemd_the_next_command_recovers(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit, "_RUNNING", tmp_path / "nothing")
    assert "next Fairway command recovers" in unit.offer(layout, HOST)
    with pytest.raises(Refused, match="does not run systemd"):
        unit.install(layout, HOST)


def test_the_engine_is_a_command_beside_the_operator_s_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    sha256 = "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447"
    engine = {"file_name": "fairway-engine-x.pyz", "content": "aGVsbG8gd29ybGQK", "sha256": sha256}
    before = os.umask(0o077)
    try:
        for _ in range(2):
            assert "error" not in install(str(tmp_path), **engine)
        assert os.access(tmp_path / "fairway", os.X_OK)
        (tmp_path / "fairway").unlink()
        (tmp_path / "fairway").write_text("the operator's own")
        install(str(tmp_path), **engine)
    finally:
        os.umask(before)
    assert (tmp_path / "fairway").read_text() == "the operator's own"
