"""Statements in the archive: put by many, found for one release, none hidden by another."""

from __future__ import annotations

import json
from dataclasses import replace

import httpx
import pytest

from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Digest
from fairway.engine.contract.statement import Kind, Signed, Statement, parse_statement
from fairway.registry import Archive, MediaType, statements
from fairway.registry.statements import statement_tag
from tests.unit.registry.fake_registry import FakeRegistry
from tests.unit.registry.test_archive import BUNDLE, REPOSITORY, release

NAMED = NamedRelease.read(release().to_bytes())
SAID = {
    Kind.READY: {"host": "staging:host1", "deployment": "20260131-120000-000000"},
    Kind.APPROVED: {"expires": "2026-03-01T12:00:00.000Z"},
    Kind.REJECTED: {"reason": "not on a Friday"},
    Kind.SOAKED: {"host": "staging:host1", "deployment": "20260131-120000-000000", "soaked_s": 600},
}


def signed(kind: Kind = Kind.READY, second: int = 0, about: Digest = NAMED.name) -> Signed:
    statement = Statement(
        kind=kind,
        release=about,
        tag=NAMED.release.tag,
        project="capakraken",
        environment="staging",
        at=f"2026-01-31T12:{second // 60:02}:{second % 60:02}.000Z",
        **SAID[kind],  # type: ignore[arg-type]
    )
    return Signed(statement.to_bytes(), f"-----BEGIN SSH SIGNATURE-----\n{second}\n-----END SSH SIGNATURE-----\n")


@pytest.fixture
def archive(fake: FakeRegistry) -> Archive:
    archive = Archive(fake.client(), REPOSITORY)
    archive.put(release().to_bytes(), BUNDLE)
    return archive


def test_a_statement_comes_out_as_it_went_in(archive: Archive) -> None:
    later, first = signed(Kind.APPROVED, 9), signed(Kind.READY, 1)
    tags = [archive.statements.put(one) for one in (later, first)]
    found = archive.statements.about(NAMED.name)
    assert [(one.tag, one.signed) for one in found.statements] == [(tags[1], first), (tags[0], later)]
    assert [one.statement.kind for one in found.statements] == [Kind.READY, Kind.APPROVED]
    assert (found.unusable, found.left_off) == ((), 0)


def test_a_tag_says_the_release_the_kind_and_the_content(archive: Archive) -> None:
    one = signed()
    tag = archive.statements.put(one)
    assert tag == f"ev-{NAMED.name[7:39]}-ready-{one.name[7:39]}"
    assert tag != archive.statements.put(replace(one, signature="another signature"))


def test_the_artifact_names_the_release_as_its_subject(fake: FakeRegistry, archive: Archive) -> None:
    tag = archive.statements.put(signed())
    document = json.loads(fake.manifests[REPOSITORY.path, tag][1])
    assert document["artifactType"] == "application/vnd.fairway.statement.v1+json"
    assert document["subject"]["digest"] == archive.find(NAMED.release.tag)
    assert fake.blobs[document["layers"][0]["digest"]] == signed().to_bytes()


def test_putting_it_again_changes_nothing(fake: FakeRegistry, archive: Archive) -> None:
    tag = archive.statements.put(signed())
    before, stored = len(fake.requests), dict(fake.manifests)
    assert archive.statements.put(signed()) == tag
    assert {line.split()[0] for line in fake.log[before:]} == {"GET", "HEAD"}
    assert fake.manifests == stored


def test_what_the_registry_lost_is_put_again(fake: FakeRegistry, archive: Archive) -> None:
    archive.statements.put(signed())
    del fake.blobs[Digest.of(signed().to_bytes())]
    archive.statements.put(signed())
    assert len(archive.statements.about(NAMED.name).statements) == 1


def test_what_is_no_statement_is_not_archived(fake: FakeRegistry, archive: Archive) -> None:
    before = len(fake.requests)
    with pytest.raises(Invalid):
        archive.statements.put(Signed(b"{}", "signature"))
    assert len(fake.requests) == before


@pytest.mark.parametrize("status", [400, 404, 405, 415, 422])
def test_a_registry_that_refuses_a_subject_still_takes_the_statement(
    fake: FakeRegistry, archive: Archive, status: int
) -> None:
    """Docker Hub answered 404 (docker/hub-feedback#2307), others call the manifest invalid."""

    def before(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(status) if request.method == "PUT" and b'"subject"' in request.content else None

    fake.before = before
    tag = archive.statements.put(signed())
    assert "subject" not in json.loads(fake.manifests[REPOSITORY.path, tag][1])
    assert [one.signed for one in archive.statements.about(NAMED.name).statements] == [signed()]


def test_a_registry_that_refuses_it_altogether_is_heard(fake: FakeRegistry, archive: Archive) -> None:
    fake.before = lambda request: httpx.Response(400) if request.method == "PUT" and request.content else None
    with pytest.raises(Failed):
        archive.statements.put(signed())


def test_where_tags_cannot_be_written_twice_the_faster_writer_is_enough(fake: FakeRegistry, archive: Archive) -> None:
    """ECR and Harbor can be told so; then 20 writers of one statement are 19 refusals."""
    other = Archive(fake.client(), REPOSITORY)
    raced = [True]

    def before(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PUT" and "/manifests/ev-" in request.url.path and raced:
            raced.clear()
            other.statements.put(signed())
            return httpx.Response(400, json={"errors": [{"code": "TAG_INVALID", "message": "the tag is immutable"}]})
        return None

    fake.before = before
    tag = archive.statements.put(signed())
    assert "subject" in json.loads(fake.manifests[REPOSITORY.path, tag][1])


def test_a_statement_about_a_release_that_is_not_here_has_no_subject(fake: FakeRegistry) -> None:
    archive = Archive(fake.client(), REPOSITORY)
    tag = archive.statements.put(signed())
    assert "subject" not in json.loads(fake.manifests[REPOSITORY.path, tag][1])


def test_statements_about_other_releases_and_releases_themselves_are_not_found(archive: Archive) -> None:
    archive.statements.put(signed(about=Digest.of(b"another")))
    found = archive.statements.about(NAMED.name)
    assert (found.statements, found.unusable) == ((), ())
    assert archive.tags() == [NAMED.release.tag]


def put_as(fake: FakeRegistry, archive: Archive, tag: str, one: Signed) -> None:
    """Archive a statement under a tag that is not its own, as whoever can push may."""
    own = archive.statements.put(one)
    fake.manifests[REPOSITORY.path, tag] = fake.manifests.pop((REPOSITORY.path, own))


def test_what_is_wrong_is_reported_and_hides_nothing(fake: FakeRegistry, archive: Archive) -> None:
    good = archive.statements.put(signed(Kind.APPROVED, 1))
    start = f"ev-{NAMED.name[7:39]}"
    blob_altered = archive.statements.put(signed(Kind.READY, 2))
    fake.blobs[Digest.of(signed(Kind.READY, 2).to_bytes())] = signed(Kind.READY, 3).to_bytes()
    blob_gone = archive.statements.put(signed(Kind.READY, 4))
    del fake.blobs[Digest.of(signed(Kind.READY, 4).to_bytes())]
    put_as(fake, archive, f"{start}-ready-{'0' * 32}", signed(Kind.READY, 5))
    put_as(fake, archive, f"{start}-approved-{signed(Kind.REJECTED, 6).name[7:39]}", signed(Kind.REJECTED, 6))
    put_as(fake, archive, f"{start}-ready-{'1' * 32}", signed(about=Digest.of(b"another")))
    fake.manifests[REPOSITORY.path, f"{start}-latest"] = (MediaType.OCI_MANIFEST, b"{}")
    fake.manifests[REPOSITORY.path, f"{start}-ready-{'2' * 32}"] = (MediaType.OCI_MANIFEST, b'{"layers": 3}')
    fake.manifests[REPOSITORY.path, f"{start}-ready-{'3' * 32}"] = fake.manifests[REPOSITORY.path, NAMED.release.tag]
    not_one = b'{"statement": "{}", "signature": "x"}'
    layers = [{"mediaType": MediaType.STATEMENT, "digest": Digest.of(not_one), "size": len(not_one)}]
    made = json.dumps({"artifactType": MediaType.STATEMENT, "layers": layers}).encode()
    fake.blobs[Digest.of(not_one)] = not_one
    fake.manifests[REPOSITORY.path, f"{start}-soaked-{'4' * 32}"] = (MediaType.OCI_MANIFEST, made)

    found = archive.statements.about(NAMED.name)
    assert [one.tag for one in found.statements] == [good]
    why = {one.tag.removeprefix(f"{start}-"): one.error for one in found.unusable}
    words = {
        blob_altered.removeprefix(f"{start}-"): "not to be believed",
        blob_gone.removeprefix(f"{start}-"): "answered 404",
        f"ready-{'0' * 32}": "another statement than its tag says",
        f"approved-{signed(Kind.REJECTED, 6).name[7:39]}": "another statement than its tag says",
        f"ready-{'1' * 32}": "about another release",
        "latest": "not that of a statement",
        f"ready-{'2' * 32}": "not an artifact that holds a statement",
        f"ready-{'3' * 32}": "not an artifact that holds a statement",
        f"soaked-{'4' * 32}": "_type",
    }
    assert set(why) == set(words)
    for name, said in words.items():
        assert said in why[name].why
        assert name in why[name].what


def test_there_is_an_end_to_them_and_it_is_said(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, fake: FakeRegistry
) -> None:
    """What people decided is not crowded out by hosts that say again how long they have served."""
    monkeypatch.setattr(statements, "MAX_STATEMENTS", 3)
    for second in range(5):
        archive.statements.put(signed(Kind.SOAKED, second))
    approved = archive.statements.put(signed(Kind.APPROVED, 50))
    for number in range(3):  # what cannot be read takes no place
        tag = f"ev-{NAMED.name[7:39]}-approved-{number:032x}"
        fake.manifests[REPOSITORY.path, tag] = (MediaType.OCI_MANIFEST, b"{}")
    found = archive.statements.about(NAMED.name)
    assert len(found.statements) == 3
    assert approved in [one.tag for one in found.statements]
    assert len(found.unusable) == 3
    assert found.left_off == 3


def test_tags_over_many_pages_are_all_looked_at(fake: FakeRegistry, archive: Archive) -> None:
    wanted = sorted(archive.statements.put(signed(Kind.READY, second)) for second in range(5))

    def before(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/tags/list"):
            return None
        tags = sorted(tag for _, tag in fake.manifests if ":" not in tag)
        rest = [tag for tag in tags if tag > request.url.params.get("last", "")]
        link = {"Link": f'</v2/{REPOSITORY.path}/tags/list?n=1&last={rest[0]}>; rel="next"'} if rest[1:] else {}
        return httpx.Response(200, json={"tags": rest[:1]}, headers=link)

    fake.before = before
    assert sorted(one.tag for one in archive.statements.about(NAMED.name).statements) == wanted


@pytest.mark.parametrize("kind", list(SAID))
def test_every_kind_has_a_tag_that_a_registry_takes(kind: Kind) -> None:
    one = signed(kind)
    assert len(statement_tag(parse_statement(one.statement), one)) <= 128
