"""A release made with the real Docker client, builder and registry."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from fairway.config import Config, load
from fairway.engine.contract.errors import Failed, Invalid, Refused
from fairway.engine.contract.manifest import Verdict
from fairway.engine.contract.names import Digest
from fairway.engine.releases import open_bundle
from fairway.registry import Archive, connect
from fairway.release import ReleaseOutcome, ReleaseResult, Silent, make_release
from testbed.bed import Testbed
from testbed.docker import docker

COMPOSE = """
x-app: &app
  image: ${APP_IMAGE:?set by the deployment}
  env_file: [.env.production]
  environment:
    DATABASE_URL: postgresql://capa:${POSTGRES_PASSWORD:?}@postgres/capa
services:
  postgres: {image: "postgres:17"}
  app: {<<: *app, ports: ["${APP_HOST_PORT:-3000}:3000"]}
  worker: {<<: *app}
  migrator: {image: "${MIGRATOR_IMAGE}", profiles: [migrate]}
"""
DOCKERFILE = """
FROM scratch AS base
COPY shared /
FROM base AS runner
COPY app /
FROM base AS migrator
COPY migrations /
"""


@pytest.fixture
def project(bed: Testbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """A committed project of the smallest images there are."""
    for name, value in bed.environment.items():
        monkeypatch.setenv(name, value)
    base = f"{bed.registry.address}/test/p{secrets.token_hex(6)}"
    (tmp_path / "fairway.toml").write_text(
        f'project = "capakraken"\n[images]\napp = "{base}-app"\nmigrator = "{base}-migrator"\n'
        '[compose]\nworkers = ["worker"]\n'
    )
    (tmp_path / "docker-compose.cicd.yml").write_text(COMPOSE)
    (tmp_path / "Dockerfile.prod").write_text(DOCKERFILE)
    for name in ("shared", "app", "migrations"):
        (tmp_path / name).write_text(secrets.token_hex(8))
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    config = load(tmp_path / "fairway.toml", {})
    yield config
    for repository in (config.images.app, config.images.migrator):
        images = docker("image", "ls", "--quiet", "--no-trunc", repository).stdout.split()
        if images:
            docker("image", "rm", "--force", *set(images))


def git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(directory), *arguments], check=True, capture_output=True, encoding="utf-8")
    return done.stdout.strip()


def commit(directory: Path) -> str:
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "--allow-empty", "--message", "Change")
    return git(directory, "rev-parse", "HEAD")


def make(config: Config, *, allow_dirty: bool = False) -> ReleaseResult:
    return make_release(config, allow_dirty=allow_dirty, reporter=Silent())


def test_a_release_pins_what_the_registry_has(project: Config) -> None:
    made = make(project)
    release = made.named.release
    assert made.outcome is ReleaseOutcome.CREATED
    assert release.tag == f"sha-{git(project.root, 'rev-parse', 'HEAD')}"
    with connect(release.app.repository.registry) as client:
        for image in (release.app, release.migrator):
            by_tag = client.get_manifest(image.repository, release.tag)
            assert by_tag.descriptor.digest == image.digest
            assert image.size_bytes == by_tag.content_size_bytes > 0
        archived = Archive(client, project.release_repository).get(release.tag)
    assert archived.named == made.named
    files = open_bundle(release.bundle, archived.bundle)
    assert files == {"docker-compose.cicd.yml": COMPOSE.encode()}


def test_the_images_say_what_they_were_built_from(project: Config) -> None:
    release = make(project).named.release
    label = '{{index .Config.Labels "org.opencontainers.image.%s"}}'
    shown = docker("image", "inspect", "--format", label % "revision", f"{release.app.repository}:{release.tag}")
    assert shown.stdout.strip() == release.commit


def test_a_second_run_finds_the_first_one(project: Config) -> None:
    first, again = make(project), make(project)
    assert again.outcome is ReleaseOutcome.EXISTING
    assert (again.named, again.bundle) == (first.named, first.bundle)


class Interrupting(Silent):
    """Ends the run as soon as the second push would begin."""

    def step(self, name: str) -> AbstractContextManager[None]:
        if name == "push migrator":
            raise KeyboardInterrupt
        return super().step(name)


def test_a_run_that_was_interrupted_after_the_first_push_is_finished(project: Config) -> None:
    """What the interrupted run pushed is found to be the same image, and kept."""
    with pytest.raises(KeyboardInterrupt):
        make_release(project, allow_dirty=False, reporter=Interrupting())
    tag = f"sha-{git(project.root, 'rev-parse', 'HEAD')}"
    with connect(project.images.app.registry) as client:
        pushed = client.head_manifest(project.images.app, tag)
    assert pushed is not None
    made = make(project)
    assert made.outcome is ReleaseOutcome.CREATED
    assert made.named.release.app.digest == pushed.digest


def test_a_tag_that_names_other_bytes_is_refused(project: Config) -> None:
    first = make(project).named.release
    (project.root / "app").write_text("another")
    tag = f"sha-{commit(project.root)}"
    with connect(first.app.repository.registry) as client:
        other = client.get_manifest(first.app.repository, first.app.digest)
        client.put_manifest(first.app.repository, tag, other.descriptor.media_type, other.content)
        with pytest.raises(Refused, match="already names another image"):
            make(project)
        still = client.head_manifest(first.app.repository, tag)
        assert still is not None
        assert still.digest == first.app.digest
        assert client.head_manifest(project.images.migrator, tag) is None
        assert client.head_manifest(project.release_repository, tag) is None


def test_a_dirty_tree_gets_a_tag_of_its_own_when_allowed(project: Config) -> None:
    (project.root / "app").write_text("edited")
    with pytest.raises(Invalid, match="not what its commit says"):
        make(project)
    dirty = make(project, allow_dirty=True).named.release
    assert dirty.dirty
    assert dirty.tag != f"sha-{dirty.commit}"
    git(project.root, "checkout", "--quiet", "app")
    clean = make(project).named.release
    assert clean.tag == f"sha-{dirty.commit}"
    assert clean.app.digest != dirty.app.digest
    assert clean.migrator.digest == dirty.migrator.digest


def test_a_build_that_fails_shows_why_and_pushes_nothing(project: Config) -> None:
    (project.root / "Dockerfile.prod").write_text(DOCKERFILE + "COPY nowhere /\n")
    tag = f"sha-{commit(project.root)}"
    with pytest.raises(Failed, match="building the target 'migrator'") as caught:
        make(project)
    assert "nowhere" in caught.value.why
    with connect(project.images.app.registry) as client:
        assert client.head_manifest(project.images.app, tag) is None


def test_a_compose_file_that_builds_is_refused(project: Config) -> None:
    broken = COMPOSE.replace('migrator: {image: "${MIGRATOR_IMAGE}"', 'migrator: {build: "."')
    (project.root / "docker-compose.cicd.yml").write_text(broken)
    commit(project.root)
    with pytest.raises(Invalid, match="cannot be deployed") as caught:
        make(project)
    assert "services.migrator.build: a host never builds" in caught.value.why
    (project.root / "docker-compose.cicd.yml").write_text("services: [")
    commit(project.root)
    with pytest.raises(Invalid, match="not a Compose file that can be read"):
        make(project)


def check_again(config: Config) -> tuple[int, dict[str, Any]]:
    """Run the command itself; return its exit code and its document."""
    command = [sys.executable, "-m", "fairway", "release", "--rebuild-check", "--json"]
    done = subprocess.run(command, cwd=config.root, capture_output=True, encoding="utf-8", check=False)
    return done.returncode, json.loads(done.stdout)


def test_a_rebuilt_commit_is_compared_with_its_release(project: Config) -> None:
    (project.root / "fairway.toml").open("a").write('[build.args]\nA = "1"\n')
    commit(project.root)
    config = load(project.root / "fairway.toml", {})
    release = make(config).named.release
    code, found = check_again(config)
    assert (code, found["same"], found["tag"]) == (0, True, release.tag)
    assert found["images"]["application"]["parts"][0]["released"] == release.app.config
    assert [part["part"] for part in found["images"]["migrator"]["parts"]] == ["configuration", "layer 1", "layer 2"]

    os.utime(config.root / "app", (0, 1_000_000_000))  # the same file with another time: the tree stays clean
    code, found = check_again(config)
    assert (code, found["same"]) == (1, False)
    application = found["images"]["application"]
    assert [part["part"] for part in application["parts"] if not part["same"]] == ["configuration", "layer 2"]
    assert "COPY app /" in application["parts"][2]["made_by"]
    assert application["settings"] == []
    assert found["images"]["migrator"]["same"]
    assert any("Times are the usual cause" in paragraph for paragraph in found["meaning"])

    assert docker("image", "ls", "--quiet", "fairway-rebuild").stdout == ""
    assert docker("image", "ls", "--quiet", f"{release.app.repository}:{release.tag}").stdout
    with connect(release.app.repository.registry) as client:
        for image in (release.app, release.migrator):
            assert client.list_tags(image.repository) == [release.tag]


def test_migrations_and_their_author_are_in_the_release(project: Config) -> None:
    directory = project.root / "db/versions"
    directory.mkdir(parents=True)
    (directory / "0001_start.sql").write_text("create table t (id int);\n")
    (project.root / "fairway.toml").open("a").write('[migrations]\npath = "db/versions"\n')
    commit(project.root)
    release = make(load(project.root / "fairway.toml", {})).named.release
    assert release.migrations.files == {"db/versions/0001_start.sql": Digest.of(b"create table t (id int);\n")}
    assert release.author == git(project.root, "log", "-1", "--format=%ae")
    with connect(release.app.repository.registry) as client:
        manifest = client.get_manifest(release.app.repository, release.app.digest)
    assert release.app.config == manifest.config.digest


def test_a_migrator_image_with_other_migrations_than_the_commit_is_refused(project: Config) -> None:
    """They are read out of the image without running anything: it has nothing that could be run."""
    directory = project.root / "db/versions"
    directory.mkdir(parents=True)
    (directory / "0001_start.sql").write_text("create table t (id int);\n")
    (project.root / "fairway.toml").open("a").write('[migrations]\npath = "db/versions"\nkind = "sql"\n')
    labels = 'LABEL dev.fairway.migrator.kind="sql" dev.fairway.migrator.path="/db"\nCOPY db /db\n'
    (project.root / "Dockerfile.prod").write_text(DOCKERFILE + labels)
    commit(project.root)
    config = load(project.root / "fairway.toml", {})
    (shipped,) = make(config).named.release.migrations.shipped
    assert (shipped.id, shipped.verdict, shipped.digest) == (
        "0001",
        Verdict.EXPAND,
        Digest.of(b"create table t (id int);\n"),
    )

    (directory / "0002_more.sql").write_text("alter table t add column a text;\n")
    (project.root / ".dockerignore").write_text("db/versions/0002*\n")
    tag = f"sha-{commit(project.root)}"
    with pytest.raises(Refused, match="is not what this commit says") as caught:
        make(config)
    assert caught.value.why == "0002 is not in its /db"
    (project.root / "Dockerfile.prod").write_text((DOCKERFILE + labels).replace('"sql"', '"prisma"'))
    commit(project.root)
    with pytest.raises(Refused) as caught:
        make(config)
    assert 'says "prisma", fairway.toml says "sql"' in caught.value.why
    with connect(config.images.app.registry) as client:
        assert client.head_manifest(config.images.app, tag) is None
    assert docker("ps", "--all", "--quiet", "--filter", "status=created").stdout == ""
