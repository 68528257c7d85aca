from __future__ import annotations

import json
from collections.abc import Callable
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
