"""The whole job with a value in every secret that occurs nowhere else; then the search for it everywhere else.

What may have one, and why, stands in docs/how-to/secrets.md; the exceptions below are these and no others.
"""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed import changes, legacy
from testbed.bed import Testbed
from testbed.docker import docker, environment
from testbed.leaks import Sampler, Searcher, Seen, record_programs
from testbed.workspace import Workspace

_PROGRAMS = ("docker", "git", "ssh", "ssh-keygen")


@dataclass(frozen=True)
class Job:
    """What was done, with all that it left to look at."""

    work: Workspace
    application: Searcher
    pipeline: Searcher
    everything: Searcher
    said: str
    called: list[tuple[list[str], dict[str, str]]]
    processes: dict[str, list[Seen]]


@pytest.fixture(scope="module")
def job(bed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """Do the main job once: release, deploy, fail, promote, roll back, restart, look, clear."""
    work = Workspace(bed, project="t-leaks", port=25_439)
    names = [*work.config["env"]["required"], "OPENAI_API_KEY", "SMTP_PASSWORD", "ANONYMIZATION_SEED", "ADMIN_PASSWORD"]
    own = {name: f'{secrets.token_hex(12)} "%/+=&\\{name[:3]}' for name in names if name != "NEXTAUTH_URL"}
    left = {"GEMINI_API_KEY": f"left-{secrets.token_hex(12)}"}
    key = (bed.state / "id_ed25519").read_text()
    # The first line of the body says what kind of a key it is: every key of the kind has it.
    begin, _, *rest = key.splitlines()
    pipeline = {"_SSH_KEY": "\n".join([begin, *rest]), "_GHCR_TOKEN": bed.registry.password}
    directory = tmp_path_factory.mktemp("recorders")
    file = record_programs(directory, _PROGRAMS)
    handed = {"GHCR_USERNAME": bed.registry.username, "GHCR_TOKEN": pipeline["_GHCR_TOKEN"]}
    handed["SSH_KEY"] = key
    env = {f"{prefix}_{name}": value for prefix in ("STAGING", "PROD") for name, value in handed.items()}
    env["PATH"] = os.pathsep.join((str(directory), work.environment["PATH"]))
    said: list[str] = []

    def fairway(*args: str, expect: int | None = 0) -> None:
        done = work.fairway(*args, env=env, check=False)
        said.append(done.stdout + done.stderr)
        assert expect is None or done.returncode == expect, done.stdout + done.stderr

    samplers = {name: Sampler(work.host(name)) for name in ("staging", "production")}
    with samplers["staging"], samplers["production"]:
        for name in samplers:
            work.prepare_host(name, own)
            fairway("bootstrap", name)
        first = work.tag
        fairway("release")
        fairway("deploy", "staging", first)
        fairway("promote", first)
        legacy.leave_secrets(work, "staging", left)
        changes.tells_its_environment(work)
        fairway("release")
        fairway("deploy", "staging", work.tag, expect=1)
        fairway("restart", "production")
        fairway("rollback", "production", expect=None)
        fairway("secrets", "scan", "staging", expect=1)
        fairway("secrets", "clear", "staging", "--yes")
        for args in (("status",), ("status", "staging", "--json"), ("doctor", "staging"), ("logs", "staging")):
            fairway(*args, expect=None)
        fairway("history", "staging", "--json")
        # A line that the strict reader refuses, with a secret in it.
        broken = work.host("staging")
        path = f"{work.deploy_path}/.env.production"
        kept = broken.get(path)
        broken.put(path, kept + f'BROKEN="{own["NEXTAUTH_SECRET"]}" # $x\n', mode=0o600, owner=work.user)
        fairway("restart", "staging", expect=None)
        broken.put(path, kept, mode=0o600, owner=work.user)
    called = [json.loads(line) for line in file.read_text().splitlines()]
    yield Job(
        work=work,
        application=Searcher(own),
        pipeline=Searcher(pipeline),
        everything=Searcher({**own, **pipeline, **left}),
        said="\n".join(said),
        called=[(argv, dict(environ)) for argv, environ in called],
        processes={name: sampler.processes() for name, sampler in samplers.items()},
    )
    work.remove()


def test_the_application_did_tell_its_environment(job: Job) -> None:
    # Or the rest would prove nothing: it reached the screen, and what was secret in it did not.
    assert "NEXTAUTH_SECRET" in job.said
    assert "[redacted]" in job.said


def test_no_secret_is_on_the_screen(job: Job) -> None:
    assert job.everything.names_in(job.said) == set()


def test_no_program_that_fairway_starts_here_is_given_a_secret(job: Job) -> None:
    assert {Path(argv[0]).name for argv, _ in job.called} >= {"docker", "git", "ssh"}
    for argv, environ in job.called:
        assert job.everything.names_in(json.dumps(argv)) == set(), argv
        assert job.everything.names_in(json.dumps(environ)) == set(), argv


def test_no_process_on_a_host_has_a_secret_but_compose_what_it_fills_in(job: Job) -> None:
    for processes in job.processes.values():
        compose = [one for one in processes if b"compose" in one.arguments]
        # They are seen at all, and have what they are to have.
        assert any(job.application.names_in(one.environment) for one in compose)
        assert any(b"/.fairway/engine/" in one.arguments for one in processes)
        for one in processes:
            assert job.everything.names_in(one.arguments) == set(), one.arguments
            found = job.everything if one not in compose else job.pipeline
            assert found.names_in(one.environment) == set(), one.arguments


def test_on_a_host_s_disk_only_the_files_that_are_for_secrets_have_one(job: Job) -> None:
    for name in job.processes:
        host, base = job.work.host(name), job.work.deploy_path
        packed = base64.b64decode(host.run(f"tar --create --directory={base} . | base64 --wrap=0").stdout)
        found = {}
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None and (names := job.everything.names_in(file.read())):
                    found[member.name.removeprefix("./")] = names
        assert set(found) == {".env.production", ".fairway/docker/config.json"}
        assert found[".fairway/docker/config.json"] == {"_GHCR_TOKEN"}


def test_docker_shows_a_secret_only_in_the_environment_of_the_application_and_its_database(job: Job) -> None:
    for name in job.processes:
        host = job.work.host(name)
        listed = host.docker(
            "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={job.work.project}"
        ).split()
        shown = set()
        for container in json.loads(host.docker("inspect", *listed)):
            container["Config"]["Env"], environ = [], container["Config"]["Env"]
            assert job.everything.names_in(json.dumps(container)) == set(), container["Name"]
            assert job.pipeline.names_in("\n".join(environ)) == set()
            if job.application.names_in("\n".join(environ)):
                shown.add(
                    container["Config"]["Labels"]["com.docker.compose.service"]
                    .removeprefix("fairway-")
                    .partition("-")[0]
                )
        assert shown <= {"app", "worker", "postgres", "migrator"}
        assert {"app", "postgres"} <= shown


def test_no_image_has_a_secret_in_its_layers_or_its_history(job: Job, bed: Testbed, tmp_path: Path) -> None:
    base = set(json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", bed.python_image).stdout))
    for part in ("app", "migrator"):
        image = f"{bed.registry.address}/{job.work.project}/{part}:{job.work.tag}"
        facts = docker("image", "inspect", image).stdout + docker("history", "--no-trunc", image).stdout
        assert job.everything.names_in(facts) == set()
        saved = tmp_path / f"{part}.tar"
        subprocess.run(["docker", "save", "--output", saved, image], check=True, env=environment())
        looked = 0
        with tarfile.open(saved) as archive:
            for member in archive:
                if not member.isfile() or f"sha256:{Path(member.name).name}" in base:
                    continue
                file = archive.extractfile(member)
                assert file is not None
                looked += 1
                assert job.everything.names_in(file.read()) == set(), member.name
        assert looked > 2
        saved.unlink()


def test_the_registry_has_a_release_s_documents_without_a_secret(job: Job) -> None:
    for tag in json.loads(job.work.fairway("releases", "--json").stdout):
        assert job.everything.names_in(json.dumps(tag)) == set()
    assert job.everything.names_in(job.work.bed.registry.logs()) == set()
