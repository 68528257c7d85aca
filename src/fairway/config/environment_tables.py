"""The tables of ``fairway.toml`` that say what an environment is, as they are written.

``[backup]`` is among them: an environment may have one of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from fairway.config.environment import default_prefix
from fairway.config.policy import contradictions as policy_contradictions
from fairway.config.values import (
    AcmeServer,
    Allowance,
    CopyTarget,
    Day,
    DeployPath,
    Email,
    EnvironmentName,
    EventName,
    FrontDoor,
    HostEntry,
    ImageReference,
    KeyName,
    Listed,
    PlainPath,
    PrefixName,
    PublishedPort,
    Recipient,
    RelativePath,
    SiteName,
    Table,
    TimeOfDay,
    TimeZone,
    UserName,
    VariableName,
    WhenDue,
)
from fairway.engine.backups.upkeep import Tool
from fairway.engine.groundwork.wish import MAX_BODY_MB, Site, Tls
from fairway.engine.notifications.receivers import MAX_AN_HOUR, MAX_RECEIVERS, USUAL
from fairway.engine.watcher.doors import MAX_INTERVAL_S, MINUTE_S


class Backup(Table):
    """``[backup]``: what is backed up, when, to whom it is encrypted, and how much of it is kept."""

    before_migrations: bool = True
    keep: int = Field(default=20, ge=1, le=10_000)
    keep_daily: int = Field(default=7, ge=0, le=10_000)
    keep_weekly: int = Field(default=4, ge=0, le=10_000)
    keep_monthly: int = Field(default=6, ge=0, le=10_000)
    recipients: Annotated[tuple[Recipient, ...], Listed] = ()
    url_key: VariableName | None = None
    client_image: ImageReference = "postgres:18-alpine"
    schedule: WhenDue | None = None
    drill: WhenDue | None = None
    offsite: CopyTarget | None = None
    offsite_tool: Annotated[Tool, Field(strict=False)] = Tool.RESTIC
    offsite_password: VariableName | None = None
    offsite_env: Annotated[tuple[VariableName, ...], Listed] = ()


class Notification(Table):
    """``[[notifications]]``: somebody who is told what happens on a host, and of what."""

    url_key: VariableName
    events: Annotated[tuple[EventName, ...], Listed] = Field(
        default=tuple(event.value for event in USUAL), min_length=1
    )
    at_most: int = Field(default=6, ge=1, le=MAX_AN_HOUR)


class Retention(Table):
    """``[environments.<name>.retention]``: how much of its past a host keeps."""

    releases: int = Field(default=10, ge=2, le=1000)
    deployments: int = Field(default=100, ge=1, le=100_000)


class Frozen(Table):
    """``[[environments.<name>.policy.frozen]]``: when nothing may be deployed."""

    days: Annotated[tuple[Day, ...], Listed] = Field(min_length=1)
    start: TimeOfDay
    end: TimeOfDay
    zone: TimeZone = "UTC"


class PolicyTable(Table):
    """``[environments.<name>.policy]``: what must hold before the hosts run a release."""

    soak_s: int = Field(default=0, ge=0, le=10**8)
    max_age_s: int = Field(default=30 * 86400, ge=1, le=10**9)
    approvals: int = Field(default=0, ge=0, le=20)
    approvers: Annotated[tuple[KeyName, ...], Listed] | None = None
    author_may_approve: bool = True
    allow: Annotated[tuple[Allowance, ...], Listed] = ()
    frozen: Annotated[tuple[Frozen, ...], Listed] = ()


class SiteTable(Table):
    """``[environments.<name>.site]``: how visitors reach it through the host's own nginx."""

    name: SiteName
    tls: Annotated[Tls, Field(strict=False)]
    certificate: PlainPath | None = None
    certificate_key: PlainPath | None = None
    email: Email | None = None
    acme_server: AcmeServer | None = None
    max_body_mb: int = Field(default=20, ge=1, le=MAX_BODY_MB)

    def site(self) -> Site:
        """Return it as a host is asked for it."""
        return Site(**self.model_dump())


class Watch(Table):
    """``[environments.<name>.watch]``: whether and how often the front door is looked at."""

    enabled: bool | None = None
    interval_s: int = Field(default=MINUTE_S, ge=MINUTE_S, le=MAX_INTERVAL_S, multiple_of=MINUTE_S)


class EnvironmentTable(Table):
    """``[environments.<name>]`` as written; ``Config.environment`` makes it complete."""

    hosts: Annotated[tuple[HostEntry, ...], Listed] = ()
    deploy_path: DeployPath | None = None
    port: PublishedPort | None = None
    edge_image: ImageReference = "haproxy:3.0"
    ssh_config: RelativePath | None = None
    known_hosts: RelativePath | None = None
    promote_from: EnvironmentName | None = None
    url: FrontDoor | None = None
    watched_from: EnvironmentName | None = None
    rehearse: bool = False
    admin: UserName | None = None
    textfile: PlainPath | None = None
    secrets_prefix: PrefixName | None = None
    retention: Retention = Retention()
    policy: PolicyTable = PolicyTable()
    backup: Backup | None = None
    notifications: Annotated[tuple[Notification, ...], Listed] | None = None
    site: SiteTable | None = None
    watch: Watch = Watch()

    @property
    def front_door(self) -> str | None:
        """Where visitors come in, as far as the file says."""
        return self.url or (self.site.site().url if self.site else None)

    @property
    def watched(self) -> bool:
        """Whether its front door is looked at: unless it says so itself, where visitors have an address."""
        return self.front_door is not None if self.watch.enabled is None else self.watch.enabled


def contradictions(environments: Mapping[str, EnvironmentTable]) -> list[str]:
    """List what is wrong between keys that are right by themselves, each with the key first."""
    problems: list[str] = []
    prefixes: dict[str, str] = {}
    for name, table in environments.items():
        where = f"environments.{name}"
        if table.backup is not None:
            problems += [f"{where}.backup.{line}" for line in backup_contradictions(table.backup)]
        if table.notifications is not None:
            problems += [f"{where}.{line}" for line in notification_contradictions(table.notifications)]
        if len({(host.user, host.destination, host.port) for host in table.hosts}) < len(table.hosts):
            problems.append(f"{where}.hosts: lists the same host twice")
        source = table.promote_from
        if source is not None and source not in environments:
            known = ", ".join(environments)
            problems.append(f"{where}.promote_from: there is no environment {source!r} (there are {known})")
        elif _goes_round(environments, name):
            problems.append(f"{where}.promote_from: leads back to {name}")
        problems += [f"{where}.policy.{line}" for line in policy_contradictions(table.policy, source)]
        problems += [f"{where}.site.{line}" for line in _site_contradictions(table.site)]
        problems += [f"{where}.{line}" for line in _watch_contradictions(environments, name)]
        if table.site is not None and table.admin is None:
            problems.append(f"{where}.site: needs an administrator, who sets nginx up: {where}.admin")
        prefix = table.secrets_prefix or default_prefix(name)
        if prefix in prefixes:
            problems.append(f"{where}.secrets_prefix: {prefix} is already the prefix of {prefixes[prefix]}")
        prefixes.setdefault(prefix, name)
    return problems


def backup_contradictions(backup: Backup) -> list[str]:
    """List what is wrong between keys of ``[backup]``, each with the key first."""
    needs = backup.offsite is not None and backup.offsite_tool is Tool.RESTIC
    if needs and backup.offsite_password is None:
        return ["offsite_password: restic encrypts: name the key of the environment file that holds its password"]
    if not needs and backup.offsite_password is not None:
        return ["offsite_password: is for copies by restic: without them nothing reads it"]
    return []


def _watch_contradictions(environments: Mapping[str, EnvironmentTable], name: str) -> list[str]:
    table = environments[name]
    other = table.watched_from
    if other is None:
        return []
    if other == name:
        return [f"watched_from: must name another environment: its own host watches {name} anyway"]
    if other not in environments:
        known = ", ".join(environments)
        return [f"watched_from: there is no environment {other!r} (there are {known})"]
    problems = []
    if table.front_door is None:
        problems.append("url: is missing: watched_from has another host ask there")
    if table.watch.enabled is False:
        problems.append(f"watch.enabled: is false, but watched_from has {other} watch it")
    if table.hosts and table.hosts == environments[other].hosts:
        problems.append(f"watched_from: {other} is on the same host, which sees no more than it sees itself")
    return problems


def notification_contradictions(receivers: Sequence[Notification]) -> list[str]:
    """List what is wrong between receivers that are right by themselves."""
    keys = [receiver.url_key for receiver in receivers]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    problems = [f"notifications: {key} is the url_key of two receivers" for key in twice]
    if len(keys) > MAX_RECEIVERS:
        problems.append(f"notifications: there are {len(keys)} receivers, at most {MAX_RECEIVERS}")
    return problems


def _site_contradictions(site: SiteTable | None) -> list[str]:
    if site is None:
        return []
    problems = []
    for key in ("certificate", "certificate_key"):
        if site.tls is Tls.FILES and getattr(site, key) is None:
            problems.append(f'{key}: is missing: tls = "files" serves with it')
        if site.tls is not Tls.FILES and getattr(site, key) is not None:
            problems.append(f'{key}: is for tls = "files": otherwise nothing reads it')
    if site.tls is Tls.CERTBOT and site.email is None:
        problems.append("email: is missing: it is told to whoever hands the certificate out")
    for key in ("email", "acme_server"):
        if site.tls is not Tls.CERTBOT and getattr(site, key) is not None:
            problems.append(f'{key}: is for tls = "certbot": otherwise nothing reads it')
    return problems


def _goes_round(environments: Mapping[str, EnvironmentTable], start: str) -> bool:
    seen: set[str] = set()
    step = environments[start].promote_from
    while step is not None and step in environments and step not in seen:
        if step == start:
            return True
        seen.add(step)
        step = environments[step].promote_from
    return False
