"""From the working tree to the archive: what stops a release, and what does not make another."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from fairway.config import Config
from fairway.config.models import Migrations
from fairway.engine.contract.errors import Failed, Invalid, Refused
from fairway.engine.contract.names import Digest, Repository, Tag
from fairway.registry import Access, Archive, MediaType
from fairway.release import ReleaseOutcome, Silent, make_release
from fairway.release.build import Built, Image
from fairway.release.docker import Docker
from fairway.release.git import read_checkout, release_tag
from fairway.release.publish import find_present, publish, same_image
from fairway.release.release import ci_run, maker
from scripts.schemas import DIRECTORY
from tests.unit.registry.fake_registry import FakeRegistry
from tests.unit.release.conftest import Git

COMPOSE = {
    "services": {
        "app": {"image": "${APP_IMAGE}"},
        "worker": {"image": "${APP_IMAGE}"},
        "migrator": {"image": "${MIGRATOR_IMAGE}"},
    }
}


def image_manifest(name: str) -> tuple[bytes, Digest]:
    """Return an image's manifest, and the digest of its configuration."""
    config = Digest.of(name.encode())
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest.of(b"l"), "size": 400}
    document = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 100},
        "layers": [layer],
    }
    return json.dumps(document).encode(), config


class FakeDocker:
    """A ``docker`` program that builds images by their target's name and "pushes" them by leaving a note.

    The note is taken up by the registry when it is next asked.
    """

    def __init__(self, directory: Path, fake: FakeRegistry) -> None:
        directory.mkdir()
        self.log = directory / "log"
        self.log.touch()
        self._notes = directory / "pushed"
        self._notes.touch()
        self._fake = fake
        self.program = directory / "docker"
        (directory / "model.json").write_text(json.dumps(COMPOSE))
        for target in ("runner", "migrator"):
            (directory / f"{target}.id").write_text(image_manifest(target)[1])
            (directory / f"{target}.digest").write_text(Digest.of(image_manifest(target)[0]))
        self.program.write_text(
            f"""#!/bin/sh
here={directory}
target() {{ case "$1" in *-app:*) echo runner ;; *) echo migrator ;; esac; }}
echo "$1 $2" >> $here/log
case "$1 $2" in
  *version) ;;
  "compose --project-name") cat $here/model.json ;;
  "buildx build") echo "#1 building" ;;
  "image inspect") case "$4" in *.Config*) echo '{{}}' ;; *) cat $here/$(target "$5").id ;; esac ;;
  push*) echo "$2" >> $here/pushed; echo "x: digest: $(cat $here/$(target "$2").digest) size: 1" ;;
esac
"""
        )
        self.program.chmod(0o755)
        fake.before = self._take_notes

    def _take_notes(self, request: object) -> None:
        for reference in self._notes.read_text().split():
            name, _, tag = reference.partition("/")[2].partition(":")
            content = image_manifest("runner" if name.endswith("-app") else "migrator")[0]
            for key in (tag, Digest.of(content)):
                self._fake.manifests[name, key] = (MediaType.OCI_MANIFEST, content)
        self._notes.write_text("")

    @property
    def commands(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.split()[0] in ("buildx", "push")]


@pytest.fixture
def fake() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def docker(tmp_path_factory: pytest.TempPathFactory, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    docker = FakeDocker(tmp_path_factory.mktemp("docker") / "bin", fake)
    monkeypatch.setenv("FAIRWAY_DOCKER", str(docker.program))
    return docker


def test_a_release_is_built_pushed_pinned_and_archived(
    config: Config, git: Git, fake: FakeRegistry, docker: FakeDocker
) -> None:
    made = make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    release = made.named.release
    assert made.outcome is ReleaseOutcome.CREATED
    assert release.tag == f"sha-{git('rev-parse', 'HEAD')}"
    assert release.app.digest == Digest.of(image_manifest("runner")[0])
    assert release.migrator.digest == Digest.of(image_manifest("migrator")[0])
    assert release.app.size_bytes == 500
    assert not release.dirty
    archived = Archive(fake.client(), config.release_repository).get(release.tag)
    assert (archived.manifest_bytes, archived.bundle) == (made.manifest_bytes, made.bundle)
    assert fake.connected == [(config.images.app.registry, Access.PUSH)]
    assert [command.split()[0] for command in docker.commands[-4:]] == ["buildx", "buildx", "push", "push"]


def test_releasing_the_same_commit_again_changes_nothing(
    config: Config, fake: FakeRegistry, docker: FakeDocker
) -> None:
    first = make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    commands, stored = docker.commands, dict(fake.manifests)
    again = make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    assert again.outcome is ReleaseOutcome.EXISTING
    assert (again.named, again.manifest_bytes, again.bundle) == (first.named, first.manifest_bytes, first.bundle)
    assert (docker.commands, fake.manifests) == (commands, stored)


def test_a_run_that_was_interrupted_before_the_archive_is_finished(
    config: Config, fake: FakeRegistry, docker: FakeDocker
) -> None:
    first = make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    del fake.manifests[config.release_repository.path, first.named.release.tag]
    again = make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    assert again.outcome is ReleaseOutcome.CREATED
    assert again.named.release.app == first.named.release.app
    assert [command.split()[0] for command in docker.commands].count("push") == 2


@pytest.mark.parametrize("taken", ["capakraken-app", "capakraken-migrator"])
def test_an_image_tag_that_names_other_bytes_is_refused_before_anything_is_pushed(
    config: Config, fake: FakeRegistry, docker: FakeDocker, taken: str
) -> None:
    tag = release_tag(read_checkout(config.root))
    other, _ = image_manifest("other")
    fake.manifests[f"acme/{taken}", tag] = (MediaType.OCI_MANIFEST, other)
    with pytest.raises(Refused, match="already names another image") as caught:
        make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    assert Digest.of(other) in caught.value.why
    assert caught.value.exit_code == 3
    assert not any(command.startswith("push") for command in docker.commands)
    assert fake.manifests == {(f"acme/{taken}", tag): (MediaType.OCI_MANIFEST, other)}


def test_a_dirty_tree_is_refused_with_its_files(config: Config, docker: FakeDocker, fake: FakeRegistry) -> None:
    (config.root / "new").touch()
    with pytest.raises(Invalid, match="not what its commit says") as caught:
        make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    assert "new" in caught.value.why
    assert fake.requests == []


def test_an_allowed_dirty_tree_does_not_take_the_commits_tag(
    config: Config, git: Git, docker: FakeDocker, fake: FakeRegistry
) -> None:
    (config.root / "new").touch()
    made = make_release(config, allow_dirty=True, reporter=Silent(), connect_to=fake.connect)
    assert made.named.release.dirty
    assert made.named.release.commit == git("rev-parse", "HEAD")
    assert made.named.release.tag != f"sha-{made.named.release.commit}"
    (config.root / "new").unlink()
    clean = make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    assert clean.outcome is ReleaseOutcome.CREATED


def test_a_tree_that_changes_during_the_build_is_not_pushed(
    config: Config, docker: FakeDocker, fake: FakeRegistry
) -> None:
    class Editing(Silent):
        def step(self, name: str) -> AbstractContextManager[None]:
            if name.startswith("build"):
                (config.root / "Dockerfile.prod").write_text("FROM scratch AS edited\n")
            return super().step(name)

    with pytest.raises(Invalid, match="changed while it was built"):
        make_release(config, allow_dirty=False, reporter=Editing(), connect_to=fake.connect)
    assert fake.manifests == {}


def test_an_archived_release_whose_image_is_gone_is_not_reported_as_there(
    config: Config, docker: FakeDocker, fake: FakeRegistry
) -> None:
    made = make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    del fake.manifests[config.images.migrator.path, made.named.release.migrator.digest]
    with pytest.raises(Failed, match="its image is gone"):
        make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)


def test_the_archive_of_another_project_is_refused(config: Config, docker: FakeDocker, fake: FakeRegistry) -> None:
    make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    other = config.model_copy(update={"project": "another"})
    other._root = config.root
    with pytest.raises(Refused, match="holds the releases of capakraken, not of another"):
        make_release(other, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)


def test_a_compose_file_that_cannot_be_deployed_stops_the_release(
    config: Config, docker: FakeDocker, fake: FakeRegistry
) -> None:
    (docker.program.parent / "model.json").write_text(json.dumps({"services": {"app": {"build": "."}}}))
    with pytest.raises(Invalid, match="cannot be deployed") as caught:
        make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    assert len(caught.value.why.splitlines()) == 4
    assert fake.requests == []


def test_a_tag_that_is_moved_during_the_push_is_noticed(config: Config, docker: FakeDocker, fake: FakeRegistry) -> None:
    tag = release_tag(read_checkout(config.root))
    (docker.program.parent / "runner.digest").write_text(Digest.of(b"what was pushed"))
    built = Built(Image("runner", config.images.app, tag), image_manifest("runner")[1])
    with pytest.raises(Refused, match="was moved while it was pushed"):
        publish(Docker(str(docker.program)), fake.client(), built, Silent())


def test_both_image_stores_tell_the_same_image(config: Config, fake: FakeRegistry) -> None:
    """The classic store knows an image by its configuration, the containerd store by its manifest."""
    content, config_digest = image_manifest("runner")
    image = Image("runner", config.images.app, release_tag(read_checkout(config.root)))
    fake.manifests[config.images.app.path, image.tag] = (MediaType.OCI_MANIFEST, content)
    manifest = fake.client().get_manifest(config.images.app, image.tag)
    assert same_image(manifest, config_digest)
    assert same_image(manifest, Digest.of(content))
    assert not same_image(manifest, Digest.of(b"other"))
    assert find_present(fake.client(), Built(image, config_digest)) == manifest


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "jane",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/capakraken",
    "GITHUB_RUN_ID": "7",
}
GITLAB = {"GITLAB_USER_LOGIN": "jane", "CI_JOB_URL": "https://gitlab.example.com/acme/app/-/jobs/7"}


@pytest.mark.parametrize(
    ("environ", "identity", "expected"),
    [
        ({}, "Jane Doe <jane@example.com>", "Jane Doe <jane@example.com>"),
        (GITHUB, "runner", "jane"),
        (GITLAB, "runner", "jane"),
        ({}, "a\x1b[31mb\n" + "c" * 300, ("a [31mb " + "c" * 300)[:200]),
    ],
)
def test_who_makes_a_release_is_who_started_it(environ: dict[str, str], identity: str, expected: str) -> None:
    assert maker(environ, identity) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        (GITHUB, "https://github.com/acme/capakraken/actions/runs/7"),
        (GITLAB, "https://gitlab.example.com/acme/app/-/jobs/7"),
        ({**GITHUB, "GITHUB_RUN_ID": ""}, None),
        ({"CI_JOB_URL": "javascript:alert(1)"}, None),
        ({"CI_JOB_URL": "https://ci.example.com/\x1b[2J"}, None),
        ({"CI": "true"}, None),
    ],
)
def test_the_run_is_the_one_this_is(environ: dict[str, str], expected: str | None) -> None:
    assert ci_run(environ) == expected


def test_a_release_says_whose_commit_it_is_and_which_migrations_it_has(
    config: Config, git: Git, fake: FakeRegistry, docker: FakeDocker
) -> None:
    (config.root / "migrations").mkdir()
    (config.root / "migrations/0001.sql").write_text("select 1;\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "Migrate", "--author", "Ann <ann@example.com>")
    told = config.model_copy(update={"migrations": Migrations(path="migrations")})
    told._root = config.root
    result = make_release(told, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    published = Draft202012Validator(json.loads((DIRECTORY / "release.schema.json").read_bytes()))
    published.validate(json.loads(result.manifest_bytes))
    made = result.named.release
    assert made.author == "ann@example.com"
    assert made.migrations.files == {"migrations/0001.sql": Digest.of(b"select 1;\n")}
    assert (made.app.config, made.app.platforms) == (image_manifest("runner")[1], {})


def test_a_commit_without_an_author_is_not_released(
    config: Config, git: Git, fake: FakeRegistry, docker: FakeDocker
) -> None:
    """A host that keeps authors from approving must know who the author is."""
    git("commit", "--quiet", "--allow-empty", "--message", "Nobody's", "--author", "Nobody <>")
    with pytest.raises(Invalid, match="does not say whose it is"):
        make_release(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)


def test_an_index_is_pinned_with_the_image_of_each_platform(fake: FakeRegistry, docker: FakeDocker) -> None:
    repository = Repository("registry.example.com/acme/app")
    entries: list[dict[str, object]] = []
    digests: dict[int, Digest] = {}
    for system, architecture, extra in (
        ("linux", "amd64", {}),
        ("linux", "arm", {"variant": "v7"}),
        ("windows", "amd64", {"os.version": "10.0.17763.1"}),
        ("unknown", "unknown", {}),  # an attestation
        ("linux", "amd64", {}),  # a second one, which Docker passes over
    ):
        content, _ = image_manifest(f"{system}/{architecture}/{len(entries)}")
        digests[len(entries)] = Digest.of(content)
        fake.manifests[repository.path, Digest.of(content)] = (MediaType.OCI_MANIFEST, content)
        platform = {"os": system, "architecture": architecture, **extra}
        descriptor = {"mediaType": MediaType.OCI_MANIFEST, "digest": Digest.of(content), "size": len(content)}
        entries.append({**descriptor, "platform": platform})
    index = json.dumps({"schemaVersion": 2, "mediaType": MediaType.OCI_INDEX, "manifests": entries}).encode()
    for key in ("sha-4f4f4f4", Digest.of(index)):
        fake.manifests[repository.path, key] = (MediaType.OCI_INDEX, index)
    built = Built(Image("runner", repository, Tag("sha-4f4f4f4")), Digest.of(index))
    pinned = publish(Docker(str(docker.program)), fake.client(), built, Silent())
    assert (pinned.digest, pinned.config) == (Digest.of(index), None)
    assert pinned.platforms == {
        "linux/amd64": digests[0],
        "linux/arm/v7": digests[1],
        "windows(10.0.17763.1)/amd64": digests[2],
    }
