"""The ssh command line, as ssh itself reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fairway.config import Host
from fairway.remote.transport import SshTransport


@pytest.mark.parametrize("directory", ["plain", "with two spaces", "100%d", "it's"])
def test_with_a_file_of_host_keys_no_other_key_is_taken(tmp_path: Path, directory: str) -> None:
    file = tmp_path / directory / "known_hosts"
    file.parent.mkdir()
    file.write_text("www.example.com ssh-ed25519 AAAA\n")
    command = SshTransport(Host("www", "www.example.com", known_hosts=file), None).command()
    said = subprocess.run([*command, "-G", "www.example.com"], capture_output=True, text=True, check=True).stdout
    read = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    assert read["userknownhostsfile"].replace("%%", "%").strip('"') == str(file)
    assert read["stricthostkeychecking"] in ("true", "yes")
    assert read["globalknownhostsfile"] == "none"


def test_without_one_the_users_own_configuration_decides() -> None:
    command = SshTransport(Host("www", "www.example.com"), None).command()
    assert not any("KnownHosts" in part or "StrictHostKeyChecking" in part for part in command)
