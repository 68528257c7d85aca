"""The secrets of a GitHub Environment: which a pipeline needs, which are known, and how they get there.

A value goes to GitHub's own ``gh`` command on its standard input, which encrypts it for the
repository; nothing here speaks to GitHub by itself, or keeps a value.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairway import process
from fairway.config import Config
from fairway.config.environment import check_variable, default_prefix
from fairway.engine.contract.errors import Failed, FairwayError, Invalid

_TIMEOUT_S = 60.0
_INSTALL = "install GitHub's command: apt-get install gh, brew install gh, or https://cli.github.com"
_WHAT = {
    "SSH_HOST": "the hosts, as in fairway.toml; several with commas between",
    "SSH_PORT": "the port of SSH there, 22 when it is not set",
    "SSH_USER": "the user whose forced command is Fairway's",
    "SSH_KEY": "the private key of the pipeline for that user, of its own and without a passphrase",
    "DEPLOY_PATH": "the directory of the deployment on the host",
    "APP_HOST_PORT": "the port that the edge publishes there",
    "GHCR_USERNAME": "the user by which the host pulls from {registry}; with its token, or neither",
    "GHCR_TOKEN": "the token of that user, with the right to read packages and no other",
}


@dataclass(frozen=True)
class EnvironmentSecret:
    """One secret of one GitHub Environment.

    ``value`` is what ``fairway.toml`` knows of it, which is no secret; None when a person has to give it.
    Without one that is ``required`` a deployment cannot begin.
    """

    environment: str
    suffix: str
    name: str
    what: str
    value: str | None
    required: bool

    @property
    def kept_back(self) -> bool:
        """Whether its value is for nobody's eyes."""
        return self.suffix in ("SSH_KEY", "GHCR_TOKEN")

    def as_json(self) -> dict[str, object]:
        """Return what is shown of it."""
        return {
            "name": self.name,
            "what": self.what,
            "required": self.required,
            "from": "fairway.toml" if self.value is not None else "you",
            "value": self.value,
        }


def secrets_of(config: Config, name: str) -> tuple[EnvironmentSecret, ...]:
    """List the secrets of an environment. Raises ``Invalid`` for one that ``fairway.toml`` does not have."""
    table = config.environments.get(name)
    if table is None:
        known = ", ".join(config.environment_order) or "none"
        raise Invalid(f"there is no environment {name[:60]!r}", why=f"fairway.toml has {known}")
    prefix = table.secrets_prefix or default_prefix(name)
    remote = [host for host in table.hosts if not host.local]
    known_values = {
        "SSH_HOST": ",".join(host.name for host in table.hosts) or None,
        "SSH_PORT": _common([str(host.port) if host.port else None for host in remote]),
        "SSH_USER": _common([host.user for host in remote]),
        "DEPLOY_PATH": table.deploy_path,
        "APP_HOST_PORT": table.port,
    }
    # What fairway.toml has, a variable may override and need not; a login is for images that are not public.
    needed = {"SSH_KEY"} if remote or not table.hosts else set()
    needed |= {suffix for suffix in ("SSH_HOST", "DEPLOY_PATH", "APP_HOST_PORT") if known_values[suffix] is None}
    return tuple(
        EnvironmentSecret(
            environment=name,
            suffix=suffix,
            name=f"{prefix}_{suffix}",
            what=what.format(registry=config.images.app.registry),
            value=known_values.get(suffix),
            required=suffix in needed,
        )
        for suffix, what in _WHAT.items()
    )


def _common(values: Sequence[str | None]) -> str | None:
    return values[0] if len(set(values)) == 1 else None


def checked(secret: EnvironmentSecret, value: str) -> str:
    """Return a value as it is set. Raises ``Invalid`` when a deployment would not take it; it is not told."""
    try:
        check_variable(secret.suffix, value)
    except ValueError as error:
        why = "the text is not a private key" if secret.kept_back else str(error)
        raise Invalid(f"{secret.name} is not usable", why=why, hint=secret.what) from None
    if secret.suffix == "SSH_KEY" and _needs_passphrase(value):
        raise Invalid(
            f"{secret.name} is not usable",
            why="the key has a passphrase, which nobody types in a pipeline",
            hint="make one of its own: ssh-keygen -t ed25519 -N '' -f deploy-key",
        )
    return value.strip()


def _needs_passphrase(key: str) -> bool:
    """Say whether a private key is encrypted, from what stands in it unencrypted."""
    import base64
    import binascii

    if "ENCRYPTED" in key:
        return True
    found = re.search(r"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", key, re.DOTALL)
    if found is None:
        return False
    try:
        content = base64.b64decode("".join(found[1].split())[:64])
    except binascii.Error:
        return False
    # openssh-key-v1\0, then the cipher's name behind four bytes of length
    return content[15 + 4 :][:4] != b"none"


def read_key(file: Path) -> str:
    """Read the file of a private key. Raises ``Invalid``."""
    try:
        return file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text"
        raise Invalid(f"the key file {file} cannot be read", why=str(reason)) from None


@dataclass(frozen=True)
class Gh:
    """GitHub's command, for one repository: that of the working directory, unless one is named."""

    root: Path
    repository: str | None = None

    def ready(self) -> None:
        """Raise ``Failed`` unless the command is there and logged in."""
        if not installed():
            raise Failed("gh is not installed, or not on PATH", hint=_INSTALL)
        done = process.run(["gh", "auth", "status"], cwd=self.root, timeout_s=_TIMEOUT_S)
        if done.returncode != 0:
            raise Failed("gh is not logged in", why=_first(done.stderr), hint="gh auth login, or give it GH_TOKEN")

    def names(self, environment: str) -> frozenset[str]:
        """Return the names of an environment's secrets; GitHub shows nobody their values. Raises ``Failed``."""
        done = self._run("secret", "list", "--env", environment)
        if done.returncode != 0:
            raise self._failure(done, f"the secrets of {environment} cannot be listed", environment)
        # To a pipe it writes a line for each, its name and its time; --json is not in every version.
        return frozenset(line.split("\t", 1)[0].strip() for line in done.stdout.splitlines() if line.strip())

    def set(self, secret: EnvironmentSecret, value: str) -> None:
        """Set a secret; its value goes to the command's standard input. Raises ``Failed``."""
        done = self._run("secret", "set", secret.name, "--env", secret.environment, input=value)
        if done.returncode != 0:
            raise self._failure(done, f"{secret.name} was not set", secret.environment, value)

    def _run(self, *arguments: str, input: str | None = None) -> process.Completed:  # noqa: A002
        where = ["--repo", self.repository] if self.repository else []
        return process.run(["gh", *arguments, *where], input=input, cwd=self.root, timeout_s=_TIMEOUT_S)

    @staticmethod
    def _failure(done: process.Completed, what: str, environment: str, value: str = "") -> Failed:
        said = done.stderr.replace(value, "...") if value else done.stderr
        hint = "see what it says with: gh auth status"
        if "404" in said:
            hint = f"create the environment in the repository's settings, or with: {create_command(environment)}"
        elif "403" in said:
            hint = "who is logged in must be an administrator of the repository; a token needs the right to its secrets"
        elif "git remote" in said or "not a git repository" in said:
            hint = "name it: --repo owner/name"
        return Failed(what, why=_first(said), hint=hint)


def create_command(environment: str) -> str:
    """Return how an environment is created. It is not done unasked: done to one that is there, it takes its rules."""
    return f"gh api --method PUT 'repos/{{owner}}/{{repo}}/environments/{environment}'"


def installed() -> bool:
    """Say whether ``gh`` is on PATH."""
    return shutil.which("gh") is not None


def _first(text: str) -> str:
    return "\n".join(text.strip().splitlines()[:3])[:300]


def missing(secrets: Iterable[EnvironmentSecret], there: frozenset[str]) -> tuple[EnvironmentSecret, ...]:
    """Return the secrets without which a deployment cannot begin, or that only make sense together."""
    secrets = list(secrets)
    login = [one for one in secrets if one.suffix.startswith("GHCR_")]
    half = any(one.name in there for one in login)
    return tuple(one for one in secrets if one.name not in there and (one.required or (half and one in login)))


def look_over(config: Config, environments: Iterable[str], gh: Gh | None = None) -> list[dict[str, object]]:
    """Say which secrets GitHub lacks, an environment a check; nothing where ``gh`` cannot tell.

    Not having ``gh``, or not being logged in, is no fault of this machine's: deployments do not need it.
    """
    gh = gh or Gh(config.root)
    try:
        gh.ready()
    except FairwayError:
        return []
    checks = []
    for name in environments:
        secrets = secrets_of(config, name)
        try:
            lacking = missing(secrets, gh.names(name))
        except FairwayError as error:
            if "--repo" in error.hint:
                return []  # the repository is not on GitHub
            checks.append(_check(name, False, f"{error.what}: {error.why}", error.hint))
            continue
        found = f"lacks {', '.join(one.name for one in lacking)}" if lacking else "has its secrets"
        checks.append(_check(name, not lacking, found, f"fairway secrets github {name} --set" if lacking else ""))
    return checks


def _check(environment: str, ok: bool, found: str, hint: str) -> dict[str, object]:
    return {"name": f"environment {environment}", "ok": ok, "found": found, "hint": hint}


def values_of(secrets: Iterable[EnvironmentSecret], environ: Mapping[str, str], key: Path | None) -> dict[str, str]:
    """Return what is known without asking: the key's file, a variable of the secret's own name, ``fairway.toml``."""
    found: dict[str, str] = {}
    for secret in secrets:
        if secret.suffix == "SSH_KEY" and key is not None:
            found[secret.name] = checked(secret, read_key(key))
        elif environ.get(secret.name, "").strip():
            found[secret.name] = checked(secret, environ[secret.name])
        elif secret.value is not None:
            found[secret.name] = secret.value
    return found
