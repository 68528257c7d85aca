"""Who Docker logs in as: its own configuration, its helpers and its store.

Source: ``docker login`` and https://github.com/docker/docker-credential-helpers.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairway import process
from fairway.engine.contract.errors import Failed, FairwayError, Invalid

_MAX_BYTES = 1024 * 1024
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# A helper answers with this user when the secret is an identity token, to be exchanged for access tokens.
_IDENTITY_TOKEN_USER = "<token>"  # noqa: S105 - a marker, not a secret
_DOCKER_HUB = "docker.io"
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class Credentials:
    """What a registry is logged in to with: a user and a password, or an identity token."""

    username: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` field with these credentials."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


def find_credentials(registry: str, environ: Mapping[str, str] = os.environ) -> Credentials | None:
    """Return what Docker would log in to ``registry`` with, or ``None``.

    Reads ``$DOCKER_CONFIG/config.json`` or ``~/.docker/config.json``. A helper named
    for the registry goes before the store, the store before the file's own entries.
    Raises ``Invalid`` when the file is not usable, ``Failed`` when a helper is not.
    """
    directory = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or "~").expanduser() / ".docker")
    path = directory / "config.json"
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Invalid(f"Docker's configuration {path} cannot be read", why=os.strerror(error.errno or 0)) from None
    config = parse_docker_config(content, str(path))
    helper = config.helper_for(registry)
    if helper is not None:
        return _ask_helper(helper, registry, environ) or config.entry_for(registry)
    return config.entry_for(registry)


@dataclass(frozen=True)
class DockerConfig:
    """The parts of Docker's ``config.json`` that say how to log in; hosts are normalised."""

    entries: Mapping[str, Credentials]
    helpers: Mapping[str, str]
    store: str | None

    def helper_for(self, registry: str) -> str | None:
        """Return the name of the credential helper that is asked for a registry."""
        return self.helpers.get(_host(registry), self.store)

    def entry_for(self, registry: str) -> Credentials | None:
        """Return the credentials the file itself holds for a registry."""
        return self.entries.get(_host(registry))


def parse_docker_config(content: bytes, name: str) -> DockerConfig:
    """Parse Docker's ``config.json``, leaving out entries that hold nothing usable.

    Raises ``Invalid`` when it is not a JSON object; never shows a value.
    """
    try:
        document = json.loads(content[: _MAX_BYTES + 1])
    except (ValueError, RecursionError):
        raise Invalid(f"{name} is not valid JSON", hint="run docker login again") from None
    if not isinstance(document, dict) or len(content) > _MAX_BYTES:
        raise Invalid(f"{name} is not a Docker configuration", hint="run docker login again")
    entries = {
        _host(key): found
        for key, value in _object(document.get("auths")).items()
        if (found := _entry(value)) is not None
    }
    helpers = {
        _host(key): value
        for key, value in _object(document.get("credHelpers")).items()
        if isinstance(value, str) and _HELPER.fullmatch(value)
    }
    store = document.get("credsStore")
    return DockerConfig(entries, helpers, store if isinstance(store, str) and _HELPER.fullmatch(store) else None)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _host(key: str) -> str:
    """Return the host of a key of ``auths``, which may be a host or an old-style URL."""
    host = re.sub(r"^https?://", "", key.strip()).partition("/")[0].lower()
    return _DOCKER_HUB if host in ("index.docker.io", "registry-1.docker.io") else host


def _entry(value: Any) -> Credentials | None:
    fields = {key: text for key, text in _object(value).items() if isinstance(text, str)}
    username, password = fields.get("username", ""), fields.get("password", "")
    if encoded := fields.get("auth"):
        try:
            decoded = base64.b64decode(encoded, validate=True).decode("utf-8").rstrip("\0")
        except (binascii.Error, ValueError):
            return None
        username, _, password = decoded.partition(":")
    token = fields.get("identitytoken", "")
    return Credentials(username, password, token) if (username and password) or token else None


def _ask_helper(helper: str, registry: str, environ: Mapping[str, str]) -> Credentials | None:
    program = f"docker-credential-{helper}"
    key = _DOCKER_HUB_KEY if _host(registry) == _DOCKER_HUB else registry
    try:
        answer = process.run([program, "get"], input=key, env=environ, timeout_s=30)
    except FairwayError as error:
        raise Failed(
            f"the credentials for {registry} could not be read: {error.what}",
            why=f"Docker's configuration names the helper {program}",
            hint=f"install it, or take it out of Docker's config.json and run: docker login {registry}",
        ) from None
    if answer.returncode != 0:
        # The helpers' one agreed answer for "none"; anything else is a fault worth showing.
        if "credentials not found" in (answer.stdout + answer.stderr).lower():
            return None
        raise Failed(
            f"the credentials for {registry} could not be read: {program} failed",
            why=answer.stderr.strip()[:200],
            hint=f"docker login {registry}",
        )
    try:
        fields = _object(json.loads(answer.stdout))
    except (ValueError, RecursionError):
        raise Failed(f"{program} did not answer with credentials", hint=f"docker login {registry}") from None
    username, secret = fields.get("Username"), fields.get("Secret")
    if not isinstance(username, str) or not isinstance(secret, str) or not secret:
        return None
    if username == _IDENTITY_TOKEN_USER:
        return Credentials("", identity_token=secret)
    return Credentials(username, secret)
