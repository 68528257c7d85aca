"""The registry client and the archive, against a real registry with a login and TLS."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fairway.engine.contract.environment import EnvironmentFile
from fairway.engine.contract.errors import Failed, Refused, Unreachable
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
from fairway.engine.contract.statement import Kind, Signed, Statement
from fairway.registry import Archive, Credentials, MediaType, RegistryClient, client, connect, tls
from testbed.bed import Testbed
from testbed.docker import docker

BUNDLE = b"a bundle"


@pytest.fixture(autouse=True)
def environment(bed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """See the bed as Docker's user would: its login, and its CA beside the system's."""
    for name in ("DOCKER_CONFIG", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, bed.environment[name])


@pytest.fixture
def registry(bed: Testbed) -> Iterator[RegistryClient]:
    with connect(bed.registry.address) as connected:
        yield connected


@pytest.fixture
def repository(bed: Testbed) -> Repository:
    return Repository(f"{bed.registry.address}/test/r{secrets.token_hex(6)}")


def release(repository: Repository, commit: str, created_at: str = "2026-01-31T12:00:00Z") -> Release:
    digest = Digest.of(b"bytes")
    return Release(
        project="capakraken",
        tag=Tag(f"sha-{commit}"),
        commit=commit,
        author="jane@example.com",
        source=None,
        dirty=False,
        created_at=created_at,
        created_by="Jane Doe <jane@example.com>",
        ci_run=None,
        fairway="0.1.0",
        app=PinnedImage(repository, digest, 1000),
        migrator=PinnedImage(repository, digest, 500),
        bundle=Bundle(Digest.of(BUNDLE), len(BUNDLE), {"docker-compose.cicd.yml": digest}),
        compose=ComposeRoles("docker-compose.cicd.yml", "app", 3000, "migrator", ()),
        readiness=Readiness("/api/ready", 3, 0.1, 60.0, 5.0),
        migrations=Migrations(3600.0, 5.0, 900.0, 3),
        soak=Soak(0.0, (), 30.0, 20, 0.02, 3.0),
        drain_timeout_s=30.0,
        warm_keep_s=3600.0,
        env=EnvironmentFile(".env.production", ()),
    )


def test_dockers_own_login_is_taken(registry: RegistryClient) -> None:
    registry.ping()


def test_no_login_and_a_wrong_one_are_refused_with_the_next_step(bed: Testbed, repository: Repository) -> None:
    with pytest.raises(Failed, match="wants a login") as caught:
        RegistryClient(bed.registry.address).head_manifest(repository, "sha-4f2a9c1")
    assert caught.value.hint == f"docker login {bed.registry.address}"
    wrong = Credentials(bed.registry.username, "hunter2")
    with pytest.raises(Failed, match="did not accept the login") as caught:
        RegistryClient(bed.registry.address, wrong).head_manifest(repository, "sha-4f2a9c1")
    assert "hunter2" not in str(caught.value)


def test_the_authority_docker_trusts_for_the_registry_is_trusted(
    bed: Testbed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    trusted = tmp_path / bed.registry.address
    trusted.mkdir()
    (trusted / "ca.crt").write_bytes(bed.registry.ca_file.read_bytes())
    monkeypatch.setattr(tls, "docker_certificate_directories", lambda: (tmp_path,))
    connect(bed.registry.address).ping()


def test_a_certificate_of_an_unknown_authority_is_refused(bed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr(tls, "docker_certificate_directories", lambda: ())
    with pytest.raises(Unreachable, match="has a certificate that is not trusted") as caught:
        connect(bed.registry.address).ping()
    assert f"/etc/docker/certs.d/{bed.registry.address}/ca.crt" in caught.value.hint


def test_a_registry_that_is_not_there_is_unreachable(bed: Testbed) -> None:
    with pytest.raises(Unreachable, match="cannot be reached") as caught:
        connect(bed.registry.address.partition(":")[0] + ":5999").ping()
    assert "nothing listens there" in caught.value.why


def test_content_comes_back_as_it_was_put(registry: RegistryClient, repository: Repository) -> None:
    content = secrets.token_bytes(3 * 1024 * 1024)
    digest = registry.put_blob(repository, content)
    assert registry.has_blob(repository, digest)
    assert registry.get_blob(repository, digest, limit_bytes=len(content)) == content
    with pytest.raises(Failed, match="sent more than was asked for"):
        registry.get_blob(repository, digest, limit_bytes=len(content) - 1)


def test_a_blob_that_was_altered_in_the_registry_is_refused(
    bed: Testbed, registry: RegistryClient, repository: Repository
) -> None:
    content = secrets.token_bytes(64)
    digest = registry.put_blob(repository, content)
    alter(bed, digest, "y" * 64)
    with pytest.raises(Failed, match="not to be believed"):
        registry.get_blob(repository, digest, limit_bytes=100)


def alter(bed: Testbed, digest: Digest, content: str) -> None:
    """Write other content over a blob where the registry keeps it."""
    file = bed.registry.blob_path(digest)
    docker("exec", "--interactive", bed.registry.container, "sh", "-c", f"cat > {file}", stdin=content)


def test_tags_are_read_over_many_pages(
    registry: RegistryClient, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registry.list_tags(repository) == []
    archive = Archive(registry, repository)
    commits = [f"{number:040x}" for number in range(5)]
    for commit in commits:
        archive.put(release(repository, commit).to_bytes(), BUNDLE)
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    assert sorted(archive.tags()) == [f"sha-{commit}" for commit in commits]


def test_a_release_is_archived_found_and_never_moved(registry: RegistryClient, repository: Repository) -> None:
    archive = Archive(registry, repository)
    content = release(repository, "4f" * 20).to_bytes()
    digest = archive.put(content, BUNDLE)
    assert archive.put(content, BUNDLE) == digest
    found = archive.get(archive.resolve("4f4f4f4"))
    assert (found.named, found.manifest_bytes, found.bundle) == (NamedRelease.read(content), content, BUNDLE)
    with pytest.raises(Refused, match="already names another release"):
        archive.put(release(repository, "4f" * 20, "2026-02-01T12:00:00Z").to_bytes(), BUNDLE)
    assert archive.find(found.named.release.tag) == digest


def test_a_tag_that_somebody_moved_is_not_taken_for_the_release(
    registry: RegistryClient, repository: Repository
) -> None:
    """The registry lets it happen; what the release says about itself does not fit any more."""
    archive = Archive(registry, repository)
    good, other = release(repository, "aa" * 20), release(repository, "bb" * 20)
    archive.put(good.to_bytes(), BUNDLE)
    archive.put(other.to_bytes(), BUNDLE)
    moved = registry.get_manifest(repository, other.tag)
    registry.put_manifest(repository, good.tag, MediaType.OCI_MANIFEST, moved.content)
    with pytest.raises(Failed, match="was altered"):
        archive.get(good.tag)
    entries = archive.read_all(archive.tags())
    assert [(entry.tag, entry.named is None) for entry in entries] == [(other.tag, False), (good.tag, True)]


def statement(named: NamedRelease, number: int) -> Signed:
    """A statement that nobody else makes; whether its signature holds is a host's business."""
    said = Statement(
        kind=Kind.APPROVED,
        release=named.name,
        tag=named.release.tag,
        project="capakraken",
        environment="production",
        at=f"2026-01-31T12:00:{number:02}.000Z",
        expires="2026-03-01T12:00:00.000Z",
    )
    return Signed(said.to_bytes(), f"-----BEGIN SSH SIGNATURE-----\n{number}\n-----END SSH SIGNATURE-----\n")


def test_of_20_statements_written_at_once_none_is_lost(registry: RegistryClient, repository: Repository) -> None:
    archive = Archive(registry, repository)
    content = release(repository, "4f" * 20).to_bytes()
    archive.put(content, BUNDLE)
    written = [statement(NamedRelease.read(content), number) for number in range(20)]
    start = threading.Barrier(20)

    def write(one: Signed) -> str:
        with connect(repository.registry) as own:
            start.wait(timeout=60)
            return Archive(own, repository).statements.put(one)

    with ThreadPoolExecutor(max_workers=20) as pool:
        tags = list(pool.map(write, written))
    found = archive.statements.about(Digest.of(content))
    assert [one.signed for one in found.statements] == written
    assert sorted(one.tag for one in found.statements) == sorted(tags)
    assert (found.unusable, found.left_off) == ((), 0)
    assert [archive.statements.put(one) for one in written] == tags


def test_a_registry_that_collects_garbage_loses_nothing(
    bed: Testbed, registry: RegistryClient, repository: Repository
) -> None:
    archive = Archive(registry, repository)
    content = release(repository, "4f" * 20).to_bytes()
    digest = archive.put(content, BUNDLE)
    written = [statement(NamedRelease.read(content), number) for number in range(3)]
    for one in written:
        archive.statements.put(one)
    rubbish = registry.put_blob(repository, secrets.token_bytes(64))
    made = registry.get_manifest(repository, digest).content.replace(b"bundle.tar.gz", b"untagged.tgz.")
    untagged = registry.put_manifest(repository, Digest.of(made), MediaType.OCI_MANIFEST, made)

    bed.registry.collect_garbage()

    assert registry.head_manifest(repository, untagged.digest) is None  # it did collect
    assert not registry.has_blob(repository, rubbish)
    found = archive.get(Tag(f"sha-{'4f' * 20}"))
    assert (found.manifest_bytes, found.bundle) == (content, BUNDLE)
    evidence = archive.statements.about(found.named.name)
    assert [one.signed for one in evidence.statements] == written
    assert evidence.unusable == ()


def test_a_statement_that_was_altered_in_the_registry_is_refused_and_named(
    bed: Testbed, registry: RegistryClient, repository: Repository
) -> None:
    archive = Archive(registry, repository)
    content = release(repository, "4f" * 20).to_bytes()
    archive.put(content, BUNDLE)
    first, other = (statement(NamedRelease.read(content), number) for number in range(2))
    kept, altered = archive.statements.put(first), archive.statements.put(other)
    text = other.to_bytes().decode().replace("production", "productiom")
    alter(bed, Digest.of(other.to_bytes()), text)
    found = archive.statements.about(Digest.of(content))
    assert [one.tag for one in found.statements] == [kept]
    assert [one.tag for one in found.unusable] == [altered]
    assert altered in found.unusable[0].error.what
    assert "not to be believed" in found.unusable[0].error.why
