"""An engine of another version on a real host: both sides say which is older and what to do."""

from __future__ import annotations

import base64
import hashlib
import io
import shlex
import zipfile
from collections.abc import Mapping

from fairway import __version__
from fairway.remote.engine_archive import build_engine
from testbed import changes
from testbed.workspace import Workspace
from tests.host.asking import release, serving, start_on, status, wait_for_step


def _install(work: Workspace, version: str, replaced: Mapping[str, tuple[str, str]] | None = None) -> None:
    """Put an engine on the host that says it is of this version, with a text in some of its files replaced."""
    changed = {"fairway/__init__.py": (f'"{__version__}"', f'"{version}"'), **(replaced or {})}
    source, target = zipfile.ZipFile(io.BytesIO(build_engine().content)), io.BytesIO(b"")
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            text = source.read(name).decode()
            old, new = changed.get(name, ("", ""))
            assert old in text
            archive.writestr(name, text.replace(old, new, 1) if old else text)
    content = target.getvalue()
    name = f"fairway-engine-{hashlib.sha256(content).hexdigest()[:16]}.pyz"
    directory = shlex.quote(f"{work.deploy_path}/.fairway/engine")
    script = f"cd {directory} && base64 -d >{name} && ln -sfn {name} current"
    work.host("staging").run(script, user="deploy", stdin=base64.b64encode(content).decode())


def test_both_sides_say_which_is_older_and_what_to_do(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    protocol = "fairway/engine/contract/protocol.py"

    _install(work, "0.0.1", {protocol: ('PRUNE = "prune"', 'PRUNE = "tidy"')})
    old = work.fairway("prune", "staging", check=False)
    assert old.returncode == 2
    assert "the host's engine is older than this fairway" in old.stderr
    assert f"the engine is 0.0.1, this fairway {__version__}" in old.stderr
    assert "fairway bootstrap staging" in old.stderr
    assert status(work, "staging")["serving"]["tag"] == first  # what both know goes on
    assert "0.0.1, older than this fairway" in work.fairway("doctor", "staging").stdout

    _install(work, "99.0.0", {protocol: ("PROTOCOL = 1", "PROTOCOL = 2")})
    new = work.fairway("status", "staging", check=False)
    assert new.returncode == 2
    assert "this fairway is older than the host's engine" in new.stdout
    assert "uv tool upgrade fairway" in new.stdout
    refused = work.fairway("bootstrap", "staging", check=False)
    assert refused.returncode == 3
    assert f"the engine is 99.0.0, this fairway {__version__}" in refused.stderr
    assert "fairway bootstrap staging --downgrade" in refused.stderr
    work.fairway("bootstrap", "staging", "--downgrade")
    assert status(work, "staging")["serving"]["tag"] == first

    _install(work, "0.0.1")
    work.fairway("bootstrap", "staging")  # an older one is replaced without being asked for
    assert f"engine                 {__version__}" in work.fairway("doctor", "staging").stdout


def test_an_older_engine_leaves_alone_what_a_newer_one_began(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.never_ready(work)
    work.configure(readiness={"timeout_s": 40})
    work.commit("Wait for long")
    tag = release(work)
    _install(work, "99.0.0")
    client = work.start_fairway("deploy", "staging", tag)
    identity = wait_for_step(work, "staging", "ready")
    host = work.host("staging")
    host.sh(f"pkill -KILL -f '{work.deploy_path}/[.]fairway/engine/current serve'")
    client.communicate(timeout=60)
    journal = f"{work.deploy_path}/.fairway/deployments/{identity}/journal.jsonl"
    before = host.get(journal)

    work.fairway("bootstrap", "staging", "--downgrade")
    done = work.fairway("deploy", "staging", first, check=False)
    assert done.returncode == 2
    assert "was begun by a newer engine; it was left as it is" in done.stderr
    assert "upgrade to 99.0.0 or newer" in done.stderr
    assert "then: fairway bootstrap staging" in done.stderr
    assert host.get(journal) == before

    _install(work, "99.0.0")
    ended = work.fairway("deploy", "staging", first)
    assert f"undid the interrupted deploy of {tag[:11]}" in ended.stderr
    assert serving(work, "staging") == first
