from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.engine.contract.errors import FairwayError, Invalid, OtherVersion
from fairway.engine.contract.manifest import (
    Migration,
    MigratorKind,
    NamedRelease,
    Release,
    Verdict,
    parse_release,
)
from fairway.engine.contract.names import Digest, Repository, Tag
from fairway.engine.contract.tracker import Service, Tracker


def test_a_manifest_is_read_back_as_it_was_written(release: Release) -> None:
    named = NamedRelease.read(release.to_bytes())
    assert named.release == release
    assert named.name == Digest.of(release.to_bytes())


#: What releases did not say in the first version, by the part that says it now.
_CAME_LATER = {
    "": ("author", "source", "ci_run", "migrations", "soak", "leftovers", "errors"),
    "images.app": ("config", "platforms"),
    "images.migrator": ("config", "platforms"),
    "compose": ("database_service",),
    "readiness": ("listen_s",),
    "env": ("optional", "when"),
}


def _part(document: dict[str, Any], path: str) -> dict[str, Any]:
    for step in filter(None, path.split(".")):
        document = document[step]
    return document


def _as_first_written(release: Release) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(release.to_bytes())
    for path, keys in _CAME_LATER.items():
        for key in keys:
            _part(document, path).pop(key, None)
    return document


def test_a_release_of_the_first_version_means_what_it_meant_then(release: Release) -> None:
    old = parse_release(json.dumps(_as_first_written(release)).encode())
    assert (old.author, old.source, old.ci_run, old.leftovers) == (None, None, None, ())
    assert (old.app.config, dict(old.app.platforms), old.compose.database_service) == (None, {}, None)
    assert (old.env.optional, old.env.when) == ((), ())
    assert (old.migrations.kind, old.migrations.shipped, dict(old.migrations.files)) == (None, (), {})
    assert (old.soak.for_s, old.soak.canary) == (0.0, ())
    assert (old.tag, old.app.digest, old.bundle) == (release.tag, release.app.digest, release.bundle)
    assert parse_release(old.to_bytes()) == old


@pytest.mark.parametrize("key", ["author", "soak", "leftovers", "migrations.files", "migrations.kind", "env.when"])
def test_a_key_that_came_later_may_be_absent_for_itself(release: Release, key: str) -> None:
    document = json.loads(release.to_bytes())
    path, _, last = key.rpartition(".")
    del _part(document, path)[last]
    parse_release(json.dumps(document).encode())


@pytest.mark.parametrize("key", ["tag", "images.app.digest", "migrations.attempts", "soak.for_s", "env.required"])
def test_a_key_that_was_always_there_is_missed(release: Release, key: str) -> None:
    document = json.loads(release.to_bytes())
    path, _, last = key.rpartition(".")
    del _part(document, path)[last]
    with pytest.raises(Invalid, match=f"{last}' is missing"):
        parse_release(json.dumps(document).encode())


def test_what_a_migration_replaces_is_said_only_where_it_replaces(release: Release) -> None:
    def made(*replaces: str) -> Release:
        one = Migration("0002", Digest.of(b"one"), Verdict.EXPAND, Verdict.EXPAND, replaces=replaces)
        return replace(release, migrations=replace(release.migrations, kind=MigratorKind.SQL, shipped=(one,)))

    assert b"replaces" not in made().to_bytes()
    assert parse_release(made("0001", "0001b").to_bytes()).migrations.shipped[0].replaces == ("0001", "0001b")


def test_an_error_tracker_is_spoken_of_only_where_there_is_one(release: Release) -> None:
    tracker = Tracker("https://sentry.io", Service.SENTRY, "acme", "capakraken", "SENTRY_READ_TOKEN", 2)
    assert b"errors" not in release.to_bytes()  # a host that knows nothing of it yet takes the release
    assert parse_release(replace(release, errors=tracker).to_bytes()).errors == tracker


def test_a_newer_format_is_told_from_a_mistake(release: Release) -> None:
    document = {**json.loads(release.to_bytes()), "format": 2}
    with pytest.raises(OtherVersion) as caught:
        parse_release(json.dumps(document).encode())
    assert "written by a newer Fairway" in caught.value.what
    assert "fairway bootstrap" in caught.value.hint


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
        (_ship(_shipped(replaces=["a\nb"])), "replaces"),
        (_ship(_shipped(replaces="0001")), "replaces"),
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
