"""What can be told of settings without telling one, and an encrypted file from its first line to a deploy."""

from __future__ import annotations

import json
import secrets
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
import pytest

from testbed.bed import Testbed
from testbed.host import USER
from testbed.process import run
from testbed.workspace import FAIRWAY, Workspace
from tests.host.asking import history, release, serving, status

CANARY = f"canary ${secrets.token_hex(12)}"
BARE = f"canary-{secrets.token_hex(12)}"


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A project with a release that serves on staging, and production prepared."""
    made = Workspace(bed, project=f"t-{secrets.token_hex(4)}", port=20_000 + secrets.randbelow(5_000))
    identity = pyrage.x25519.Identity.generate()
    (made.path.parent / f"{made.project}.key").write_text(f"{identity}\n")
    made.configure(
        env={"recipients": [str(identity.to_public())]}, environments={"production": {"promote_from": "staging"}}
    )
    made.commit("Name who can open the settings")
    yield made
    made.remove()


def key_file(work: Workspace) -> Path:
    """Return the file of the operator's age key."""
    return work.path.parent / f"{work.project}.key"


def given(work: Workspace, value: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``fairway`` with something on standard input."""
    env = {**work.environment, "FAIRWAY_AGE_IDENTITY": str(key_file(work))}
    return run([FAIRWAY, *arguments], cwd=work.path, env=env, stdin=value, check=False)


def test_a_check_names_every_key_and_every_bad_line_and_no_value(work: Workspace) -> None:
    work.prepare_host("staging")
    work.fairway("bootstrap", "staging")
    values = work.prepare_host("staging", {"SMTP_USER": "mailer", "EXTRA_FLAG": BARE, "OPENAI_API_KEY": ""})
    path = f"{work.deploy_path}/.env.production"
    found = work.fairway("env", "check", "staging", check=False)
    assert found.returncode == 2
    assert "SMTP_PASSWORD has no value: required when SMTP_USER is set" in found.stdout
    document = json.loads(work.fairway("env", "check", "staging", "--json", check=False).stdout)
    rows = {row["key"]: row for row in document["keys"]}
    assert (rows["NEXTAUTH_SECRET"]["state"], rows["NEXTAUTH_SECRET"]["length"]) == ("present", 48)
    assert (rows["OPENAI_API_KEY"]["state"], rows["OPENAI_API_KEY"]["rule"]) == ("empty", "optional")
    assert (rows["EXTRA_FLAG"]["rule"], rows["GEMINI_API_KEY"]["state"]) == ("not declared", "missing")
    assert (rows["ANONYMIZATION_SEED"]["needed"], document["lacking"]) == (
        "",
        {"SMTP_PASSWORD": "required when SMTP_USER is set"},
    )
    host = work.host("staging")
    host.sh(f"printf 'A=\"%s\"\\nB=$x\\n' {BARE} >>{path}")
    broken = work.fairway("env", "check", "staging", check=False)
    lines = len(values) + 1
    assert f"line {lines}: the value of A is quoted" in broken.stdout
    assert f"line {lines + 1}: the value of B needs single quotes" in broken.stdout
    shown = found.stdout + broken.stdout + json.dumps(document)
    assert not [value for value in values.values() if len(value) > 6 and value in shown]


def test_a_setting_that_staging_has_and_production_lacks_stops_a_promotion(work: Workspace) -> None:
    values = work.prepare_host("staging", {"SMTP_USER": "mailer", "SMTP_PASSWORD": BARE})
    work.prepare_host("production")
    work.fairway("bootstrap", "production")
    refused = work.prepare_host("production", {**values, "SMTP_PASSWORD": ""})
    tag = release(work)
    work.fairway("deploy", "staging", tag)
    differing = work.fairway("env", "diff", "staging", "production", check=False)
    assert differing.returncode == 1
    rows = {line.split()[0]: line for line in differing.stdout.splitlines() if line}
    assert "present" in rows["SMTP_PASSWORD"]
    assert "empty" in rows["SMTP_PASSWORD"]
    assert rows["NEXTAUTH_SECRET"].endswith("the same")
    stopped = work.fairway("promote", tag, check=False)
    assert stopped.returncode == 3
    assert "production lacks SMTP_PASSWORD, which staging has" in stopped.stderr
    assert history(work, "production") == []
    work.prepare_host("production", {**refused, "SMTP_PASSWORD": BARE, "NEXTAUTH_SECRET": secrets.token_hex(24)})
    equal = work.fairway("env", "diff", "staging", "production", "--json")
    same = {row["key"]: row["equal"] for row in json.loads(equal.stdout)}
    assert (same["SMTP_PASSWORD"], same["NEXTAUTH_SECRET"], same["GEMINI_API_KEY"]) == (True, False, None)
    assert BARE not in differing.stdout + equal.stdout + stopped.stderr


def test_an_encrypted_file_is_begun_changed_and_deployed_and_is_readable_nowhere(work: Workspace) -> None:
    host, path = work.host("staging"), f"{work.deploy_path}/.env.production"
    plain = host.get(path)
    refused = given(work, CANARY, "env", "set", "staging", "OPENAI_API_KEY")
    assert refused.returncode == 3
    assert "is a plain file" in refused.stderr
    host.sh(f"rm {path}")
    with Watch() as watch:
        begun = given(work, plain, "env", "edit", "staging")
        assert begun.returncode == 0, begun.stderr
        changed = given(work, CANARY + "\n", "env", "set", "staging", "OPENAI_API_KEY")
        assert "changed: OPENAI_API_KEY" in changed.stdout, changed.stderr
        broken = given(work, f"{CANARY}'", "env", "set", "staging", "OPENAI_API_KEY")
        assert broken.returncode == 2
        lost = given(work, "OPENAI_API_KEY=x\n", "env", "edit", "staging")
        assert lost.returncode == 2
        assert "lacks POSTGRES_PASSWORD" in lost.stderr
        assert host.sh(f"stat -c %a:%U {path}.age") == f"600:{USER}"
        assert f"{path.rpartition('/')[2]} changed" in " ".join(status(work, "staging")["drift"])
        restarted = work.fairway("restart", "staging")
        checked = work.fairway("env", "check", "staging")
    assert "(encrypted)" in checked.stdout
    assert serving(work, "staging") == work.tag
    environment = host.docker("inspect", "--format", "{{json .Config.Env}}", f"{work.project}-app-green")
    assert f"OPENAI_API_KEY={CANARY}" in json.loads(environment)
    assert status(work, "staging")["drift"] == []
    last = next(entry for entry in reversed(history(work, "staging")) if entry["action"] == "env")
    assert last["changed"] == ["OPENAI_API_KEY"]
    said = "".join(done.stdout + done.stderr for done in (begun, changed, broken, lost, restarted, checked))
    assert watch.looked
    assert not watch.seen
    for canary in (CANARY, BARE):
        assert canary not in said
        assert host.sh(f"grep -rlF -- '{canary}' {work.deploy_path} /tmp /home || true") == ""


def test_two_files_and_a_file_that_this_host_cannot_open_are_refused(work: Workspace) -> None:
    host, path = work.host("staging"), f"{work.deploy_path}/.env.production"
    host.put(path, "A=1\n", mode=0o600, owner=USER)
    both = work.fairway("restart", "staging", check=False)
    assert both.returncode == 2
    assert "there are both" in both.stderr
    host.sh(f"rm {path}; mv {path}.age /root/kept.age")
    foreign = pyrage.encrypt(b"A=1\n", [pyrage.x25519.Identity.generate().to_public()], armored=True)
    host.put(f"{path}.age", foreign.decode(), mode=0o600, owner=USER)
    shut = work.fairway("restart", "staging", check=False)
    assert shut.returncode == 2
    assert "cannot be opened with this host's key" in shut.stderr
    host.sh(f"mv /root/kept.age {path}.age")
    assert serving(work, "staging") == work.tag


class Watch:
    """Looks at the arguments of every process, over and over; those on the hosts are this machine's, too."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        #: Whether it looked while what it is about was going on.
        self.looked = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.002):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    arguments = path.read_bytes()
                except OSError:
                    continue
                self.looked |= b"\0env\0set\0" in arguments
                self.seen |= {value for value in (CANARY, BARE) if value.encode() in arguments}
