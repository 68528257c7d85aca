from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.contract.manifest import NamedRelease, Release, parse_release
from fairway.engine.contract.names import Digest, Repository, Tag


def test_a_manifest_is_read_back_as_it_was_written(release: Release) -> None:
    named = NamedRelease.read(release.to_bytes())
    assert named.release == release
    assert named.name == Digest.of(release.to_bytes())


@pytest.mark.parametrize("key", ["author", "ci_run", "images.app.config", "images.app.platforms", "migrations.files"])
def test_what_may_be_empty_must_still_be_said(release: Release, key: str) -> None:
    document = part = json.loads(release.to_bytes())
    *path, last = key.split(".")
    for step in path:
        part = part[step]
    del part[last]
    with pytest.raises(Invalid, match=f"{last}' is missing"):
        parse_release(json.dumps(document).encode())


def test_a_manifest_says_all_there_is_to_say(release: Release) -> None:
    digest = Digest.of(b"one")
    said = replace(
        release,
        ci_run="https://github.com/acme/capakraken/actions/runs/7",
        app=replace(release.app, config=None, platforms={"linux/amd64": digest, "linux/arm/v7": digest}),
        migrator=replace(release.migrator, config=digest),
        migrations=replace(release.migrations, files={"migrations/versions/0001_größe und mehr.sql": digest}),
    )
    assert parse_release(said.to_bytes()) == said


def _shipped(**other: Any) -> dict[str, Any]:
    """Return a migration as ``release.json`` has it."""
    made = {
        "id": "0002",
        "digest": "sha256:" + "0" * 64,
        "verdict": "expand",
        "judged": "review",
        "words": "",
        "parents": [],
    }
    return {**made, **other}


def _ship(*migrations: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["migrations"].update(kind="alembic", shipped=list(migrations))

    return change


def _change(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_change("tag", to="latest"), "tag"),
        (_change("images", "app", "digest", to="sha256:12"), "digest"),
        (_change("images", "app", "repository", to="ghcr.io/acme/app:latest"), "repository"),
        (_change("images", "edge", to={}), "images"),
        (_change("images", "app", "config", to="sha256:12"), "config"),
        (_change("images", "app", "platforms", to={"linux": "sha256:" + "0" * 64}), "platform"),
        (_change("images", "app", "platforms", to={"linux/amd64": "amd64"}), "digest"),
        (_change("images", "app", "platforms", to=None), "platforms"),
        (_change("author", to=""), "author"),
        (_change("author", to="jane@example.com\n"), "author"),
        (_change("author", to=None), "author"),
        (_change("ci_run", to="javascript:alert(1)"), "ci_run"),
        (_change("ci_run", to="https://ci.example.com/1\x1b[2J"), "ci_run"),
        (_change("migrations", "files", to={"../x": "sha256:" + "0" * 64}), "migration's path"),
        (_change("migrations", "files", to={"/etc/x": "sha256:" + "0" * 64}), "migration's path"),
        (_change("migrations", "files", to={"a\nb": "sha256:" + "0" * 64}), "migration's path"),
        (_change("migrations", "files", to={"a.sql": "0"}), "digest"),
        (_change("migrations", "files", to={f"{n}.sql": "sha256:" + "0" * 64 for n in range(5001)}), "at most 5000"),
        (_change("migrations", "kind", to="liquibase"), "prisma, alembic, django, sql, exec"),
        (_change("migrations", "shipped", to=[_shipped()]), "needs a kind"),
        (_ship(_shipped(), _shipped()), "shipped twice"),
        (_ship(_shipped(id="a\nb")), "id"),
        (_ship(_shipped(verdict="fine")), "expand, contract, review"),
        (_ship(_shipped(words="x" * 501)), "words"),
        (_ship(_shipped(parents=["", "0001"])), "parents"),
        (_change("compose", "file", to="../docker-compose.yml"), "file"),
        (_change("compose", "file", to=".fairway/host.json"), "file"),
        (_change("compose", "app_port", to=70000), "app_port"),
        (_change("compose", "app_port", to=True), "app_port"),
        (_change("compose", "workers", to=["--privileged"]), "workers"),
        (_change("readiness", "path", to="/api\r\nHost: x"), "path"),
        (_change("readiness", "timeout_s", to=float("inf")), "JSON"),
        (_change("bundle", "files", to={}), "compose file"),
        (_change("bundle", "files", to={"/etc/passwd": "sha256:" + "0" * 64}), "bundle"),
        (_change("bundle", "files", ".env.production", to="sha256:" + "0" * 64), "host's own|contains"),
        (_change("bundle", "files", "deploy.env", to="sha256:" + "0" * 64), "contains"),
        (_change("only_if", to="monday"), "only_if"),
        (_change("format", to=2), "format 2"),
    ],
)
def test_a_manifest_that_is_not_quite_one_is_refused_by_name(
    release: Release, change: Callable[[dict[str, Any]], None], named: str
) -> None:
    document = json.loads(release.to_bytes())
    change(document)
    with pytest.raises(Invalid, match=named):
        parse_release(json.dumps(document).encode())


def test_a_key_that_is_there_twice_is_refused(release: Release) -> None:
    text = release.to_bytes().decode().replace('"tag":', '"tag": "sha-0000000", "tag":', 1)
    with pytest.raises(Invalid) as caught:
        parse_release(text.encode())
    assert "twice" in caught.value.why


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5).map(lambda v: json.dumps(v).encode())
)
def test_no_bytes_are_more_than_refused(content: bytes) -> None:
    with pytest.raises(FairwayError):
        parse_release(content)


@settings(max_examples=300)
@given(position=st.integers(min_value=0), byte=st.integers(min_value=0, max_value=255))
def test_a_changed_byte_never_keeps_the_name(position: int, byte: int) -> None:
    content = b'{"format": 1, "tag": "sha-4f4f4f4"}'
    index = position % len(content)
    changed = content[:index] + bytes([byte]) + content[index + 1 :]
    assert (Digest.of(changed) == Digest.of(content)) == (changed == content)


@pytest.mark.parametrize("text", ["sha-", "sha-XYZ1234", "latest", "sha-123456", "sha-1234567\n", "-sha-1234567"])
def test_only_a_commit_makes_a_tag(text: str) -> None:
    with pytest.raises(Invalid):
        Tag(text)


@pytest.mark.parametrize(
    "text",
    [
        "app",
        "ghcr.io/Acme/app",
        "ghcr.io/acme/app:v1",
        "ghcr.io/acme/../app",
        "--flag/x",
        "ghcr.io/a b",
        "a/" + "b" * 300,
    ],
)
def test_only_a_plain_repository_is_one(text: str) -> None:
    with pytest.raises(Invalid):
        Repository(text)
