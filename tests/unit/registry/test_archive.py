"""Releases in the archive: put, found, read back, and never moved."""

from __future__ import annotations

import json
from dataclasses import replace

import httpx
import pytest

from fairway.engine.contract.environment import EnvironmentFile
from fairway.engine.contract.errors import Failed, Invalid, Refused
from fairway.engine.contract.manifest import (
    Bundle,
    ComposeRoles,
    Migrations,
    NamedRelease,
    Readiness,
    Release,
    Soak,
)
from fairway.engine.contract.names import Digest, PinnedImage, Repository, Tag
from fairway.registry import Archive, MediaType
from tests.unit.registry.fake_registry import APP, HOST, FakeRegistry

REPOSITORY = Repository(f"{HOST}/acme/release")
BUNDLE = b"a bundle"


def release(commit: str = "4f" * 20, created_at: str = "2026-01-31T12:00:00Z") -> Release:
    digest = Digest.of(b"bytes")
    return Release(
        project="capakraken",
        tag=Tag(f"sha-{commit}"),
        commit=commit,
        author="jane@example.com",
        source="https://github.com/acme/capakraken",
        dirty=False,
        created_at=created_at,
        created_by="Jane Doe <jane@example.com>",
        ci_run=None,
        fairway="0.1.0",
        app=PinnedImage(APP, digest, 1000),
        migrator=PinnedImage(APP, digest, 500),
        bundle=Bundle(Digest.of(BUNDLE), len(BUNDLE), {"docker-compose.cicd.yml": digest}),
        compose=ComposeRoles("docker-compose.cicd.yml", "app", 3000, "migrator", ()),
        readiness=Readiness("/api/ready", 3, 0.1, 60.0, 5.0),
        migrations=Migrations(3600.0, 5.0, 900.0, 3),
        soak=Soak(0.0, (), 30.0, 20, 0.02, 3.0),
        drain_timeout_s=30.0,
        warm_keep_s=3600.0,
        env=EnvironmentFile(".env.production", ()),
    )


@pytest.fixture
def archive(fake: FakeRegistry) -> Archive:
    return Archive(fake.client(), REPOSITORY)


def test_a_release_comes_out_as_it_went_in(archive: Archive) -> None:
    content = release().to_bytes()
    archive.put(content, BUNDLE)
    found = archive.get(release().tag)
    assert (found.named, found.manifest_bytes, found.bundle) == (NamedRelease.read(content), content, BUNDLE)
    assert archive.read(release().tag) == found.named


def test_the_artifact_is_one_that_registries_understand(fake: FakeRegistry, archive: Archive) -> None:
    digest = archive.put(release().to_bytes(), BUNDLE)
    media_type, content = fake.manifests[REPOSITORY.path, release().tag]
    assert Digest.of(content) == digest
    document = json.loads(content)
    assert media_type == document["mediaType"] == MediaType.OCI_MANIFEST
    assert document["artifactType"] == "application/vnd.fairway.release.v1+json"
    assert document["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert [layer["mediaType"] for layer in document["layers"]] == [
        "application/vnd.fairway.release.v1+json",
        "application/vnd.fairway.bundle.v1.tar+gzip",
    ]
    assert all(fake.blobs[layer["digest"]] for layer in [document["config"], *document["layers"]])


def test_archiving_the_same_release_again_changes_nothing(fake: FakeRegistry, archive: Archive) -> None:
    first = archive.put(release().to_bytes(), BUNDLE)
    before = len(fake.requests)
    assert archive.put(release().to_bytes(), BUNDLE) == first
    assert {line.split()[0] for line in fake.log[before:]} == {"HEAD"}


def test_a_tag_that_names_another_release_is_refused(fake: FakeRegistry, archive: Archive) -> None:
    archive.put(release().to_bytes(), BUNDLE)
    stored = dict(fake.manifests)
    with pytest.raises(Refused, match="already names another release"):
        archive.put(release(created_at="2026-02-01T12:00:00Z").to_bytes(), BUNDLE)
    assert fake.manifests == stored


def test_somebody_else_archiving_at_the_same_time_is_noticed(fake: FakeRegistry, archive: Archive) -> None:
    other = b'{"schemaVersion":2}'

    def before(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PUT" and "/manifests/" in request.url.path:
            fake.manifests[REPOSITORY.path, release().tag] = (MediaType.OCI_MANIFEST, other)
            return httpx.Response(201)
        return None

    fake.before = before
    with pytest.raises(Refused, match="at the same time"):
        archive.put(release().to_bytes(), BUNDLE)


def test_a_bundle_that_is_not_the_releases_own_is_refused(fake: FakeRegistry, archive: Archive) -> None:
    with pytest.raises(Invalid, match="not the one"):
        archive.put(release().to_bytes(), b"a bundlf")
    assert fake.requests == []


def moved(fake: FakeRegistry, document: dict[str, object]) -> None:
    content = json.dumps(document).encode()
    fake.manifests[REPOSITORY.path, release().tag] = (MediaType.OCI_MANIFEST, content)


def test_what_is_altered_is_never_used(fake: FakeRegistry, archive: Archive) -> None:
    """Whoever can write to the registry can make every digest fit, up to the release's own name and bundle."""
    archive.put(release().to_bytes(), BUNDLE)
    document = json.loads(fake.manifests[REPOSITORY.path, release().tag][1])
    other = release("ab" * 20).to_bytes()
    other_bundle = b"another bundle"
    fake.blobs.update({Digest.of(other): other, Digest.of(other_bundle): other_bundle})

    layers = document["layers"]
    moved(fake, {**document, "layers": [layers[0], {**layers[1], "digest": Digest.of(other_bundle)}]})
    with pytest.raises(Failed, match="was altered"):
        archive.get(release().tag)

    moved(fake, {**document, "layers": [{**layers[0], "digest": Digest.of(other)}, layers[1]]})
    with pytest.raises(Failed, match="was altered"):
        archive.get(release().tag)

    for broken in (
        {**document, "artifactType": "application/other"},
        {**document, "layers": layers[:1]},
        {**document, "layers": [*layers, layers[1]]},
        {**document, "layers": layers[::-1]},
    ):
        moved(fake, broken)
        with pytest.raises(Failed, match="is not a release"):
            archive.get(release().tag)
    moved(fake, {**document, "layers": [{"mediaType": 3}]})
    with pytest.raises(Failed, match="not a proper descriptor"):
        archive.get(release().tag)


def test_a_release_that_is_not_there_is_said(archive: Archive) -> None:
    with pytest.raises(Failed, match="there is no release sha-4f4f4f4"):
        archive.get(release().tag)


def test_other_things_in_the_repository_are_no_releases(fake: FakeRegistry, archive: Archive) -> None:
    archive.put(release().to_bytes(), BUNDLE)
    fake.manifests[REPOSITORY.path, "latest"] = (MediaType.OCI_MANIFEST, b"{}")
    fake.manifests[REPOSITORY.path, "ev-4f2a9c1-ready-00"] = (MediaType.OCI_MANIFEST, b"{}")
    assert archive.tags() == [release().tag]


def test_all_are_read_newest_first_and_the_unreadable_last(fake: FakeRegistry, archive: Archive) -> None:
    old, new = release("aa" * 20, "2026-01-01T00:00:00Z"), release("bb" * 20, "2026-02-01T00:00:00Z")
    for one in (old, new):
        archive.put(one.to_bytes(), BUNDLE)
    broken = Tag("sha-" + "cc" * 20)
    fake.manifests[REPOSITORY.path, broken] = (MediaType.OCI_MANIFEST, b'{"layers": []}')
    entries = archive.read_all(archive.tags())
    assert [entry.tag for entry in entries] == [new.tag, old.tag, broken]
    assert entries[0].named == NamedRelease.read(new.to_bytes())
    assert entries[2].named is None
    assert "is not a release" in str(entries[2].error)


@pytest.fixture
def filled(archive: Archive) -> Archive:
    for commit in ("aaaa" + "0" * 36, "aaab" + "0" * 36, "bbbb" + "0" * 36):
        archive.put(release(commit).to_bytes(), BUNDLE)
    return archive


@pytest.mark.parametrize(
    "prefix", ["bbbb", "sha-bbbb", "bbbb0000", " sha-bbbb000 ", "bbbb" + "0" * 36, "sha-bbbb" + "0" * 36]
)
def test_a_prefix_means_one_release(filled: Archive, prefix: str) -> None:
    assert filled.resolve(prefix) == "sha-bbbb" + "0" * 36


def test_a_short_tag_that_is_itself_a_release_goes_before_longer_ones(filled: Archive) -> None:
    short = replace(release(), tag=Tag("sha-bbbb000"))
    filled.put(short.to_bytes(), BUNDLE)
    assert filled.resolve("bbbb000") == "sha-bbbb000"


def test_a_prefix_that_means_several_or_none_is_refused(filled: Archive) -> None:
    filled.put(release("aaab1" + "0" * 35).to_bytes(), BUNDLE)
    with pytest.raises(Invalid, match="sha-aaab means 2 releases: sha-aaab"):
        filled.resolve("aaab")
    for missing in ("cccc", "c" * 40):
        with pytest.raises(Failed, match="there is no release sha-cccc"):
            filled.resolve(missing)


@pytest.mark.parametrize("prefix", ["", "aaa", "sha-", "AAAA", "latest", "aaaa;id", "../aaaa", "a" * 65])
def test_what_is_no_prefix_is_refused(fake: FakeRegistry, archive: Archive, prefix: str) -> None:
    with pytest.raises(Invalid, match="not a release tag"):
        archive.resolve(prefix)
    assert fake.requests == []
