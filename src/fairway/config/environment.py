"""An environment as it is used: ``fairway.toml`` with the pipeline's variables on top."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from fairway.config import checks
from fairway.config.hosts import Host, parse_host
from fairway.config.policy import policy_for
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.names import Repository
from fairway.engine.contract.trust import Policy
from fairway.engine.groundwork.wish import Site

if TYPE_CHECKING:
    from fairway.config.environment_tables import Backup, EnvironmentTable, Notification, Retention
    from fairway.config.models import Rehearsal

T = TypeVar("T")

VARIABLES = (
    "SSH_HOST",
    "SSH_PORT",
    "SSH_USER",
    "SSH_KEY",
    "DEPLOY_PATH",
    "APP_HOST_PORT",
    "GHCR_USERNAME",
    "GHCR_TOKEN",
)


@dataclass(frozen=True)
class RegistryLogin:
    """What a host logs in to the registry with, to pull."""

    registry: str
    username: str
    token: SecretStr


@dataclass(frozen=True)
class Promotion:
    """From which environment to which a release is promoted."""

    source: str
    target: str


@dataclass(frozen=True)
class Environment:
    """One environment, complete and checked: what a deployment needs to know about it.

    The first host is the primary one. ``port`` is a port, or an IPv4 address and a
    port, as Docker publishes it. ``admin`` is the user by whom an administrator comes
    to the same hosts, None where the deploy user keeps everything. ``rehearsal`` is
    None where migrations are not rehearsed. ``textfile`` is where node_exporter looks
    for figures on the host. ``url`` is where visitors come in, ``watched_from`` the
    environment whose host looks at that, too, ``notifications`` who is told what happens there.
    """

    name: str
    hosts: tuple[Host, ...]
    deploy_path: str
    port: str
    edge_image: str
    ssh_config: Path | None
    promote_from: str | None
    login: RegistryLogin | None
    retention: Retention
    backup: Backup
    rehearsal: Rehearsal | None
    admin: str | None
    policy: Policy
    site: Site | None = None
    textfile: str | None = None
    url: str | None = None
    watched_from: str | None = None
    notifications: tuple[Notification, ...] = ()

    @property
    def port_number(self) -> int:
        """The published port without its address."""
        return int(self.port.rpartition(":")[2])


def default_prefix(name: str) -> str:
    """Return the variables' prefix of an environment: ``STAGING``, and ``PROD`` for production."""
    return "PROD" if name == "production" else name.upper().replace("-", "_")


def check_variable(suffix: str, text: str) -> None:
    """Check the text of one of an environment's variables. Raises ``ValueError`` with the end of a sentence."""
    _CHECKS[suffix](text if suffix.endswith(("KEY", "TOKEN")) else text.strip())


class _Variables:
    """The variables of one environment; an empty one counts as unset, as CI systems pass those."""

    def __init__(self, prefix: str, environ: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._environ = environ
        self.problems: list[str] = []

    def name(self, suffix: str) -> str:
        return f"{self._prefix}_{suffix}"

    def get(self, suffix: str, parse: Callable[[str], T]) -> T | None:
        text = self._environ.get(self.name(suffix), "")
        if not text.strip():
            return None
        try:
            return parse(text if suffix.endswith(("KEY", "TOKEN")) else text.strip())
        except ValueError as error:
            self.problems.append(f"{self.name(suffix)} {error}")
            return None


def resolve(
    name: str,
    table: EnvironmentTable,
    *,
    root: Path,
    registry: Repository,
    backup: Backup,
    rehearsal: Rehearsal,
    notifications: tuple[Notification, ...],
    environ: Mapping[str, str],
) -> Environment:
    """Put the variables over the table and check that nothing is missing.

    Raises ``Invalid`` with every problem at once, each naming the key or the variable.
    """
    variables = _Variables(table.secrets_prefix or default_prefix(name), environ)
    hosts = variables.get("SSH_HOST", _hosts) or table.hosts
    user = variables.get("SSH_USER", _user)
    port = variables.get("SSH_PORT", checks.port_number)
    identity = variables.get("SSH_KEY", _private_key)
    deploy_path = variables.get("DEPLOY_PATH", checks.deploy_path) or table.deploy_path
    published = variables.get("APP_HOST_PORT", checks.published_port) or table.port
    login = _login(variables, registry.registry)
    problems = variables.problems
    for key, value, suffix in (
        ("hosts", hosts, "SSH_HOST"),
        ("deploy_path", deploy_path, "DEPLOY_PATH"),
        ("port", published, "APP_HOST_PORT"),
    ):
        broken = any(problem.startswith(variables.name(suffix) + " ") for problem in problems)
        if not value and not broken:
            unset = variables.name(suffix)
            problems.append(f"fairway.toml: environments.{name}.{key}: is missing, and {unset} is not set")
    ssh_config = root / table.ssh_config if table.ssh_config else None
    known_hosts = root / table.known_hosts if table.known_hosts else None
    for key, file in (("ssh_config", ssh_config), ("known_hosts", known_hosts)):
        if file and not file.is_file():
            problems.append(f"fairway.toml: environments.{name}.{key}: there is no file {file}")
    if problems or not deploy_path or not published:
        raise Invalid(f"the environment {name!r} is not usable", why="\n".join(problems))
    return Environment(
        name=name,
        hosts=tuple(
            host.with_login(user=user, port=port, identity=identity, known_hosts=known_hosts) for host in hosts
        ),
        deploy_path=deploy_path,
        port=published,
        edge_image=table.edge_image,
        ssh_config=ssh_config,
        promote_from=table.promote_from,
        login=login,
        retention=table.retention,
        backup=backup,
        rehearsal=rehearsal if table.rehearse else None,
        admin=table.admin,
        policy=policy_for(table.policy, table.promote_from),
        site=table.site.site() if table.site else None,
        textfile=table.textfile,
        url=table.front_door,
        watched_from=table.watched_from,
        notifications=notifications,
    )


_user = checks.matching(checks.USER, "a user name")
_username = checks.matching(r"[^\s:]{1,255}", "a user name without ':'")


def _token(text: str) -> SecretStr:
    return SecretStr(text.strip())


def _hosts(text: str) -> tuple[Host, ...]:
    return tuple(parse_host(entry.strip()) for entry in text.split(",") if entry.strip())


def _private_key(text: str) -> SecretStr:
    """Check that the text is a private key; a CI secret may have lost its last line break."""
    key = text.replace("\r\n", "\n").strip()
    if not (key.startswith("-----BEGIN ") and " PRIVATE KEY-----" in key and key.endswith("-----")):
        raise ValueError("must hold the text of a private key, from -----BEGIN to -----END ... -----")
    return SecretStr(key + "\n")


def _login(variables: _Variables, registry: str) -> RegistryLogin | None:
    username = variables.get("GHCR_USERNAME", _username)
    token = variables.get("GHCR_TOKEN", _token)
    if username and token:
        return RegistryLogin(registry, username, token)
    if username or token:
        given, missing = ("GHCR_USERNAME", "GHCR_TOKEN") if username else ("GHCR_TOKEN", "GHCR_USERNAME")
        variables.problems.append(
            f"{variables.name(missing)} is not set, and {variables.name(given)} is: both are needed"
        )
    return None


_CHECKS: Mapping[str, Callable[[str], object]] = {
    "SSH_HOST": _hosts,
    "SSH_PORT": checks.port_number,
    "SSH_USER": _user,
    "SSH_KEY": _private_key,
    "DEPLOY_PATH": checks.deploy_path,
    "APP_HOST_PORT": checks.published_port,
    "GHCR_USERNAME": _username,
    "GHCR_TOKEN": _token,
}
