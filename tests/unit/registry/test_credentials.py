"""Who Docker logs in as."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.errors import Failed, Invalid
from fairway.registry import Credentials, find_credentials
from fairway.registry.credentials import DockerConfig, parse_docker_config

AUTH = base64.b64encode(b"robot:s3:cret").decode()


def environ(tmp_path: Path, config: object, **helpers: str) -> dict[str, str]:
    """Write a Docker configuration and helper programs, and return the environment that finds them."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name, script in helpers.items():
        program = tmp_path / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("GHCR.io", "ghcr.io"),
        ("10.0.0.1:5000", "10.0.0.1:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_a_login_is_found_under_every_spelling(tmp_path: Path, key: str, registry: str) -> None:
    variables = environ(tmp_path, {"auths": {key: {"auth": AUTH}}})
    assert find_credentials(registry, variables) == Credentials("robot", "s3:cret")


@pytest.mark.parametrize("user", ["AWS", "robot$acme+ci", "robot$ci", "$oauthtoken", "_json_key", "jane@example.com"])
def test_a_login_may_have_the_names_that_registries_give(tmp_path: Path, user: str) -> None:
    auth = base64.b64encode(f"{user}:s3:cret=".encode()).decode()
    found = find_credentials("r.example", environ(tmp_path, {"auths": {"r.example": {"auth": auth}}}))
    assert found == Credentials(user, "s3:cret=")
    assert found.basic == f"Basic {auth}"


def test_a_login_is_for_its_own_registry_only(tmp_path: Path) -> None:
    variables = environ(tmp_path, {"auths": {"ghcr.io": {"auth": AUTH}}})
    for other in ("ghcr.io:443", "io", "evil-ghcr.io", "ghcr.io.evil.example"):
        assert find_credentials(other, variables) is None


def test_no_configuration_is_no_login(tmp_path: Path) -> None:
    assert find_credentials("ghcr.io", {"HOME": str(tmp_path)}) is None


def test_the_configuration_is_looked_for_in_the_home_directory(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    environ(tmp_path / ".docker", {"auths": {"ghcr.io": {"username": "u", "password": "p"}}})
    assert find_credentials("ghcr.io", {"HOME": str(tmp_path)}) == Credentials("u", "p")


GIVES = 'read key; printf \'{"ServerURL":"%s","Username":"helper","Secret":"for %s"}\' "$key" "$key"'


def test_a_helper_goes_before_the_store_and_the_store_before_the_file(tmp_path: Path) -> None:
    config = {
        "auths": {"ghcr.io": {"auth": AUTH}, "b.example": {}},
        "credHelpers": {"a.example": "special"},
        "credsStore": "store",
    }
    variables = environ(tmp_path, config, special=GIVES.replace("helper", "special"), store=GIVES)
    assert find_credentials("a.example", variables) == Credentials("special", "for a.example")
    assert find_credentials("ghcr.io", variables) == Credentials("helper", "for ghcr.io")
    assert find_credentials("docker.io", variables) == Credentials("helper", "for https://index.docker.io/v1/")


def test_a_store_that_knows_nothing_leaves_it_to_the_file(tmp_path: Path) -> None:
    config = {"auths": {"ghcr.io": {"auth": AUTH}}, "credsStore": "store"}
    variables = environ(tmp_path, config, store='echo "credentials not found in native keychain"; exit 1')
    assert find_credentials("ghcr.io", variables) == Credentials("robot", "s3:cret")
    assert find_credentials("other.example", variables) is None


def test_an_identity_token_is_told_from_a_password(tmp_path: Path) -> None:
    token = 'echo \'{"Username":"<token>","Secret":"refresh"}\''
    variables = environ(tmp_path, {"credsStore": "store"}, store=token)
    assert find_credentials("acr.example", variables) == Credentials("", identity_token="refresh")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo the keychain is locked >&2; exit 1", "the keychain is locked"),
        ("echo nonsense", "did not answer with credentials"),
    ],
)
def test_a_helper_that_fails_is_named(tmp_path: Path, script: str, sentence: str) -> None:
    variables = environ(tmp_path, {"credsStore": "store"}, store=script)
    with pytest.raises(Failed, match="docker-credential-store") as caught:
        find_credentials("ghcr.io", variables)
    assert sentence in str(caught.value)


def test_a_helper_that_is_not_installed_is_named(tmp_path: Path) -> None:
    variables = environ(tmp_path, {"credsStore": "nowhere"})
    with pytest.raises(Failed, match="docker-credential-nowhere is not installed"):
        find_credentials("ghcr.io", variables)


def test_a_broken_file_is_refused_without_its_content() -> None:
    with pytest.raises(Invalid) as caught:
        parse_docker_config(b'{"auths": {"ghcr.io": {"auth": "hunter2', "config.json")
    assert "hunter2" not in str(caught.value)


def test_no_secret_is_in_the_representation() -> None:
    shown = repr(Credentials("robot", "hunter2", "hunter3"))
    assert "robot" in shown
    assert "hunter" not in shown


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["auths", "credHelpers", "credsStore", "x"]), json_values))
def test_no_document_breaks_the_parser(document: dict[str, object]) -> None:
    config = parse_docker_config(json.dumps(document).encode(), "config.json")
    assert isinstance(config, DockerConfig)
    assert config.helper_for("ghcr.io") is None or "/" not in str(config.helper_for("ghcr.io"))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(content: bytes) -> None:
    with suppress(Invalid):
        assert isinstance(parse_docker_config(content, "config.json"), DockerConfig)
