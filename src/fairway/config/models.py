"""The models of ``fairway.toml``: one class a table, one field a key.

Every key, its default, unit and limits are described in
``docs/reference/configuration.md``; a test fails when one is missing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from fairway.config import checks
from fairway.config.ci import contradictions as ci_contradictions
from fairway.config.environment import Environment, Promotion, default_prefix, resolve
from fairway.config.hosts import Host, parse_host
from fairway.config.policy import contradictions as policy_contradictions
from fairway.config.requires import requirement
from fairway.engine.backups.schedule import Schedule
from fairway.engine.backups.upkeep import Tool, target
from fairway.engine.contract.environment import EQUALS, SEALED, Condition, EnvironmentFile
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.leftovers import (
    MAX_NAMES,
    MAX_TABLES,
    Leftovers,
    column_name,
    key_name,
    shape_problem,
    table_name,
)
from fairway.engine.contract.manifest import MigratorKind, bundle_path, migration_path
from fairway.engine.contract.names import Repository, project_name
from fairway.engine.contract.trust import DAYS
from fairway.engine.contract.trust import key_name as trusted_key_name
from fairway.engine.groundwork.wish import ACME_SERVER, EMAIL, MAX_BODY_MB, PLAIN_PATH, SITE_NAME, Site, Tls
from fairway.engine.hostconfig import recipient


def _text(check: Any) -> PlainValidator:
    """Validate a string with one of the checks, whatever type the check returns."""

    def validate(value: Any) -> Any:
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "must be a string")
        return check(value)

    return PlainValidator(validate, json_schema_input_type=str)


def _port(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("port_type", 'must be a port, or a string like "127.0.0.1:3000"')
    return checks.published_port(value)


def _listed(value: Any) -> Any:
    """Take TOML's lists for tuples, which strict validation would not, and no value twice."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if item in value[:index]:
                raise PydanticCustomError("twice", "lists {item} twice", {"item": repr(item)[:60]})
        return tuple(value)
    return value


def _program(value: Any) -> str | tuple[str, ...]:
    """Take a string for a script, and a list for a program and its arguments."""
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, list) and value and value[0] and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise PydanticCustomError("program", 'must be a script, or a program and its arguments like ["pnpm", "test"]')


_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
ImageRepository = Annotated[Repository, _text(checks.repository)]
ProjectName = Annotated[str, _text(checks.told(project_name))]
BundlePath = Annotated[str, _text(checks.told(bundle_path))]
ServiceName = Annotated[str, _text(checks.matching(_NAME, "a Compose service name"))]
StageName = Annotated[str, _text(checks.matching(_NAME, "a stage of the Dockerfile"))]
ArgumentName = Annotated[str, _text(checks.matching(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "a build argument's name"))]
VariableName = Annotated[str, _text(checks.matching(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "a variable's name"))]
PrefixName = Annotated[str, _text(checks.matching(r"[A-Z][A-Z0-9_]{0,62}", "upper-case letters, digits and '_'"))]
EnvironmentName = Annotated[
    str,
    _text(checks.matching(r"[a-z][a-z0-9-]{0,40}", "an environment name: lower-case letters, digits and '-'")),
]
ImageReference = Annotated[str, _text(checks.matching(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}", "an image reference"))]
Recipient = Annotated[str, _text(checks.told(recipient))]
WhenDue = Annotated[str, _text(checks.told(lambda text: Schedule(text).text))]
CopyTarget = Annotated[str, _text(checks.told(target))]
UrlPath = Annotated[str, _text(checks.matching(r"/[A-Za-z0-9._~/%?=&-]{0,254}", "a path that starts with '/'"))]
RelativePath = Annotated[
    str,
    _text(checks.matching(r"(?!/)[^\x00-\x1f\x7f]{1,1000}", "a path relative to fairway.toml")),
]
FileGlob = Annotated[
    str, _text(checks.matching(r"(?![/:!])[^\x00-\x1f\x7f]{1,1000}", "a glob relative to fairway.toml, like src/**"))
]
CiStageName = Annotated[
    str, _text(checks.matching(r"[a-z0-9][a-z0-9_-]{0,30}", "a stage's name: lower-case letters, digits, '-' and '_'"))
]
Program = Annotated[str | tuple[str, ...], PlainValidator(_program, json_schema_input_type=str | list[str])]
PresetName = Annotated[str, _text(checks.matching(_NAME, "a preset's name"))]
MigrationsPath = Annotated[str, _text(checks.told(migration_path))]
TableName = Annotated[str, _text(checks.told(table_name))]
ColumnName = Annotated[str, _text(checks.told(column_name))]
LeftoverKey = Annotated[str, _text(checks.told(key_name))]
DeployPath = Annotated[str, _text(checks.deploy_path)]
PublishedPort = Annotated[str, PlainValidator(_port, json_schema_input_type=int | str)]
HostEntry = Annotated[Host, _text(parse_host)]
SiteName = Annotated[str, _text(checks.matching(SITE_NAME.pattern, "a host name in lower case, like www.example.com"))]
PlainPath = Annotated[str, _text(checks.matching(PLAIN_PATH.pattern, "an absolute path of plain characters"))]
Email = Annotated[str, _text(checks.matching(EMAIL.pattern, "an address for mail"))]
AcmeServer = Annotated[str, _text(checks.matching(ACME_SERVER.pattern, "a URL like https://ca.example.com/directory"))]
Requirement = Annotated[str, _text(requirement)]
UserName = Annotated[str, _text(checks.matching(checks.USER, "a user name"))]
KeyName = Annotated[str, _text(checks.told(trusted_key_name))]
Decider = Annotated[str, _text(checks.matching(EQUALS.pattern, "one line of at most 200 characters without a quote"))]
AgeRecipient = Annotated[str, _text(checks.matching(checks.AGE_RECIPIENT, "an age recipient or an SSH public key"))]
Allowance = Annotated[str, _text(checks.allowance)]
Day = Annotated[str, _text(checks.matching("|".join(DAYS), f"one of {', '.join(DAYS)}"))]
TimeOfDay = Annotated[
    str, _text(checks.matching(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00", 'a time of day like "16:00"'))
]
TimeZone = Annotated[str, _text(checks.time_zone)]
Argument = Annotated[str, _text(checks.matching(r"[^\x00-\x1f\x7f]{1,1000}", "one line of 1 to 1000 characters"))]
Percentage = Annotated[int, Field(ge=1, le=99)]
Listed = BeforeValidator(_listed)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Images(_Table):
    """``[images]``: where the images and the release archive live."""

    app: ImageRepository
    migrator: ImageRepository
    release: ImageRepository | None = None


class Build(_Table):
    """``[build]``: how the two images are built."""

    dockerfile: RelativePath = "Dockerfile.prod"
    context: RelativePath = "."
    app_target: StageName = "runner"
    migrator_target: StageName = "migrator"
    args: dict[ArgumentName, str] = Field(default_factory=dict)


class Compose(_Table):
    """``[compose]``: which service of the Compose file plays which part."""

    file: BundlePath = "docker-compose.cicd.yml"
    app_service: ServiceName = "app"
    app_port: int = Field(default=3000, ge=1, le=65535)
    migrator_service: ServiceName = "migrator"
    workers: Annotated[tuple[ServiceName, ...], Listed] = ()
    database_service: ServiceName | None = None


class Bundle(_Table):
    """``[bundle]``: what travels with the release besides the Compose file."""

    files: Annotated[tuple[BundlePath, ...], Listed] = ()


class Readiness(_Table):
    """``[readiness]``: when a new container counts as ready."""

    path: UrlPath = "/api/ready"
    successes: int = Field(default=3, ge=1, le=100)
    interval_s: float = Field(default=0.1, ge=0.01, le=60)
    timeout_s: float = Field(default=60.0, ge=0.1, le=3600)
    listen_s: float = Field(default=5.0, ge=0.1, le=3600)


class Migrations(_Table):
    """``[migrations]``: where they lie and whose they are, the limits of the migrator's run and its session."""

    path: MigrationsPath | None = None
    kind: Annotated[MigratorKind | None, Field(strict=False)] = None
    status: Annotated[tuple[str, ...], Listed] = ()
    timeout_s: float = Field(default=3600.0, ge=1, le=86400)
    lock_timeout_s: float = Field(default=5.0, ge=0.1, le=600)
    statement_timeout_s: float = Field(default=900.0, ge=0, le=86400)
    attempts: int = Field(default=3, ge=1, le=100)


class Soak(_Table):
    """``[soak]``: how a release is watched once it takes traffic."""

    for_s: float = Field(default=0.0, ge=0, le=86400)
    canary: Annotated[tuple[Percentage, ...], Listed] = ()
    canary_s: float = Field(default=30.0, ge=0, le=86400)
    min_requests: int = Field(default=20, ge=1, le=1_000_000)
    max_error_ratio: float = Field(default=0.02, ge=0, le=1)
    max_slowdown: float = Field(default=3.0, ge=1, le=1000)

    @model_validator(mode="after")
    def _rises(self) -> Soak:
        if list(self.canary) != sorted(self.canary):
            raise PydanticCustomError("falls", "canary must rise, for example [5, 25]")
        return self


class Drain(_Table):
    """``[drain]``: how long open connections may take after the switch."""

    timeout_s: float = Field(default=30.0, ge=0, le=86400)


class Warm(_Table):
    """``[warm]``: how long the previous slot is kept running."""

    keep_s: float = Field(default=3600.0, ge=0, le=30 * 86400)


class EnvCondition(_Table):
    """``[[env.when]]``: a key that another one makes required."""

    key: VariableName
    condition: VariableName = Field(alias="if")
    equals: Decider | None = None


class EnvFile(_Table):
    """``[env]``: the host's file of long-lived settings."""

    file: BundlePath = ".env.production"
    required: Annotated[tuple[VariableName, ...], Listed] = ()
    optional: Annotated[tuple[VariableName, ...], Listed] = ()
    when: Annotated[tuple[EnvCondition, ...], Listed] = ()
    recipients: Annotated[tuple[AgeRecipient, ...], Listed] = ()

    @property
    def rules(self) -> EnvironmentFile:
        """What a host is asked to hold the file against."""
        conditions = tuple(Condition(one.key, one.condition, one.equals) for one in self.when)
        return EnvironmentFile(self.file, self.required, self.optional, conditions)


class Backup(_Table):
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


class Rehearsal(_Table):
    """``[rehearsal]``: what a rehearsal of migrations asks of the release before, besides its readiness."""

    smoke: Annotated[tuple[Argument, ...], Field(strict=False, max_length=100)] = ()
    smoke_timeout_s: float = Field(default=60.0, ge=1, le=3600)


class LeftoversTable(_Table):
    """``[[secrets.leftovers]]``: one table of the database where copies of secrets may still lie."""

    table: TableName
    key_column: ColumnName | None = None
    value_column: ColumnName | None = None
    keys: Annotated[tuple[LeftoverKey, ...], Listed] = Field(default=(), max_length=MAX_NAMES)
    columns: Annotated[tuple[ColumnName, ...], Listed] = Field(default=(), max_length=MAX_NAMES)

    def place(self) -> Leftovers:
        """Return it as a release names it."""
        return Leftovers(self.table, self.key_column, self.value_column, self.keys, self.columns)


class Secrets(_Table):
    """``[secrets]``: what is to be found nowhere but in the hosts' own settings."""

    leftovers: Annotated[tuple[LeftoversTable, ...], Listed] = Field(default=(), max_length=MAX_TABLES)


class Guardrails(_Table):
    """``[guardrails]``: which rules hold for the code, and for which of it."""

    path: RelativePath = "guardrails"
    presets: Annotated[tuple[PresetName, ...], Listed] = ()
    include: Annotated[tuple[FileGlob, ...], Listed] = ()
    exclude: Annotated[tuple[FileGlob, ...], Listed] = ()
    baseline: RelativePath = "guardrails/baseline.json"


class CiStage(_Table):
    """``[ci.stages.<name>]``: what one stage runs, after what, and with what beside it."""

    run: Program
    needs: Annotated[tuple[CiStageName, ...], Listed] = ()
    services: Annotated[tuple[ServiceName, ...], Listed] = ()
    env: dict[VariableName, str] = Field(default_factory=dict)
    dir: RelativePath = "."
    timeout_s: float = Field(default=1800.0, ge=1, le=86400)
    junit: Annotated[tuple[FileGlob, ...], Listed] = ()


class Ci(_Table):
    """``[ci]``: the stages of ``fairway ci``."""

    compose: RelativePath | None = None
    logs: RelativePath = ".fairway/ci"
    stages: dict[CiStageName, CiStage] = Field(default_factory=dict)


class Retention(_Table):
    """``[environments.<name>.retention]``: how much of its past a host keeps."""

    releases: int = Field(default=10, ge=2, le=1000)
    deployments: int = Field(default=100, ge=1, le=100_000)


class Frozen(_Table):
    """``[[environments.<name>.policy.frozen]]``: when nothing may be deployed."""

    days: Annotated[tuple[Day, ...], Listed] = Field(min_length=1)
    start: TimeOfDay
    end: TimeOfDay
    zone: TimeZone = "UTC"


class PolicyTable(_Table):
    """``[environments.<name>.policy]``: what must hold before the hosts run a release."""

    soak_s: int = Field(default=0, ge=0, le=10**8)
    max_age_s: int = Field(default=30 * 86400, ge=1, le=10**9)
    approvals: int = Field(default=0, ge=0, le=20)
    approvers: Annotated[tuple[KeyName, ...], Listed] | None = None
    author_may_approve: bool = True
    allow: Annotated[tuple[Allowance, ...], Listed] = ()
    frozen: Annotated[tuple[Frozen, ...], Listed] = ()


class SiteTable(_Table):
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


class EnvironmentTable(_Table):
    """``[environments.<name>]`` as written; ``Config.environment`` makes it complete."""

    hosts: Annotated[tuple[HostEntry, ...], Listed] = ()
    deploy_path: DeployPath | None = None
    port: PublishedPort | None = None
    edge_image: ImageReference = "haproxy:3.0"
    ssh_config: RelativePath | None = None
    known_hosts: RelativePath | None = None
    promote_from: EnvironmentName | None = None
    rehearse: bool = False
    admin: UserName | None = None
    secrets_prefix: PrefixName | None = None
    retention: Retention = Retention()
    policy: PolicyTable = PolicyTable()
    backup: Backup | None = None
    site: SiteTable | None = None


class Config(_Table):
    """A whole ``fairway.toml``, checked."""

    requires: Requirement | None = None
    project: ProjectName
    images: Images
    build: Build = Build()
    compose: Compose = Compose()
    bundle: Bundle = Bundle()
    readiness: Readiness = Readiness()
    migrations: Migrations = Migrations()
    soak: Soak = Soak()
    drain: Drain = Drain()
    warm: Warm = Warm()
    env: EnvFile = EnvFile()
    secrets: Secrets = Secrets()
    guardrails: Guardrails = Guardrails()
    ci: Ci = Ci()
    backup: Backup = Backup()
    rehearsal: Rehearsal = Rehearsal()
    environments: dict[EnvironmentName, EnvironmentTable] = Field(default_factory=dict)

    _root: Path = PrivateAttr(default_factory=Path.cwd)
    _variables: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Config:
        if problems := _contradictions(self):
            raise PydanticCustomError("contradictions", "{lines}", {"lines": "\n".join(problems)})
        return self

    @property
    def root(self) -> Path:
        """The directory of ``fairway.toml``; every path in it is relative to this."""
        return self._root

    @property
    def release_repository(self) -> Repository:
        """Where releases are archived: ``images.release``, or the application's name with ``-release``."""
        return self.images.release or Repository(self.images.app.removesuffix("-app") + "-release")

    @property
    def environment_order(self) -> tuple[str, ...]:
        """The environments, each after the one it is promoted from; otherwise as in the file."""
        order: list[str] = []
        for name in self.environments:
            chain: list[str] = []
            step: str | None = name
            while step is not None and step not in order:
                chain.append(step)
                step = self.environments[step].promote_from
            order.extend(reversed(chain))
        return tuple(order)

    def environment(self, name: str) -> Environment:
        """Return one environment, with the pipeline's variables over the file.

        Raises ``Invalid`` for an unknown name, and when a value is missing in both.
        """
        table = self._table(name)
        return resolve(
            name,
            table,
            root=self.root,
            registry=self.images.app,
            backup=table.backup or self.backup,
            rehearsal=self.rehearsal,
            environ=self._variables,
        )

    def _table(self, name: str) -> EnvironmentTable:
        table = self.environments.get(name)
        if table is None:
            known = ", ".join(self.environment_order)
            raise Invalid(
                f"there is no environment {name[:60]!r}",
                why=f"fairway.toml has {known}" if known else "fairway.toml has no environments yet",
                hint="" if known else "add a table like [environments.staging]",
            )
        return table

    def promotion(self, target: str | None = None) -> Promotion:
        """Return what ``fairway promote`` means: into ``target``, or the one that has ``promote_from``.

        Raises ``Invalid`` when no, or no single, environment is promoted to.
        """
        sources = {name: table.promote_from for name, table in self.environments.items() if table.promote_from}
        if target is not None:
            source = self._table(target).promote_from
            if source is None:
                raise Invalid(
                    f"nothing is promoted to {target}",
                    why=f"environments.{target} has no promote_from in fairway.toml",
                    hint=f"deploy to it with: fairway deploy {target} <tag>",
                )
            return Promotion(source, target)
        if len(sources) != 1:
            listed = ", ".join(sources) or "none"
            raise Invalid(
                "it is not clear which environment to promote to",
                why=f"environments with promote_from in fairway.toml: {listed}",
                hint="name it" if sources else 'add promote_from = "staging" to the environment that follows',
            )
        ((only, source),) = sources.items()
        return Promotion(source, only)


def _contradictions(config: Config) -> list[str]:
    """List what is wrong between keys that are right by themselves, each with the key first."""
    problems: list[str] = []
    images = config.images
    if len({images.app, images.migrator, config.release_repository}) < 3:
        problems.append("images: app, migrator and release must be three different repositories")
    if config.migrations.kind is not None and config.migrations.path is None:
        problems.append("migrations.path: is needed with migrations.kind: it says where they lie")
    if (config.migrations.kind is MigratorKind.EXEC) != bool(config.migrations.status):
        problems.append('migrations.status: is the command of kind = "exec" that tells the state, and of no other kind')
    for secret in (config.env.file, config.env.file + SEALED):
        if secret in (config.compose.file, *config.bundle.files):
            problems.append(f"bundle.files: {secret} holds the hosts' secrets: it must stay out of a release")
    for key in config.env.required:
        if key in config.env.optional or any(one.key == key for one in config.env.when):
            problems.append(f"env: {key} is required, so it is neither optional nor required under a condition")
    for one in config.env.when:
        if one.key == one.condition:
            problems.append(f"env.when: {one.key} cannot be its own condition")
    places = [one.place() for one in config.secrets.leftovers]
    problems += [f"secrets.leftovers: {problem}" for one in places if (problem := shape_problem(one))]
    if len({one.table for one in places}) < len(places):
        problems.append("secrets.leftovers: a table is there twice")
    if config.compose.file in config.bundle.files:
        problems.append(f"bundle.files: {config.compose.file} is the compose file, which always travels with a release")
    roles = (config.compose.app_service, config.compose.migrator_service, *config.compose.workers)
    if len(set(roles)) < len(roles):
        problems.append("compose: app_service, migrator_service and workers must be different services")
    prefixes: dict[str, str] = {}
    problems += [f"ci.{line}" for line in ci_contradictions(config.ci)]
    problems += [f"backup.{line}" for line in _backup_contradictions(config.backup)]
    for name, table in config.environments.items():
        where = f"environments.{name}"
        if table.backup is not None:
            problems += [f"{where}.backup.{line}" for line in _backup_contradictions(table.backup)]
        if len({(host.user, host.destination, host.port) for host in table.hosts}) < len(table.hosts):
            problems.append(f"{where}.hosts: lists the same host twice")
        source = table.promote_from
        if source is not None and source not in config.environments:
            known = ", ".join(config.environments)
            problems.append(f"{where}.promote_from: there is no environment {source!r} (there are {known})")
        elif _goes_round(config.environments, name):
            problems.append(f"{where}.promote_from: leads back to {name}")
        problems += [f"{where}.policy.{line}" for line in policy_contradictions(table.policy, source)]
        problems += [f"{where}.site.{line}" for line in _site_contradictions(table.site)]
        if table.site is not None and table.admin is None:
            problems.append(f"{where}.site: needs an administrator, who sets nginx up: {where}.admin")
        prefix = table.secrets_prefix or default_prefix(name)
        if prefix in prefixes:
            problems.append(f"{where}.secrets_prefix: {prefix} is already the prefix of {prefixes[prefix]}")
        prefixes.setdefault(prefix, name)
    return problems


def _backup_contradictions(backup: Backup) -> list[str]:
    needs = backup.offsite is not None and backup.offsite_tool is Tool.RESTIC
    if needs and backup.offsite_password is None:
        return ["offsite_password: restic encrypts: name the key of the environment file that holds its password"]
    if not needs and backup.offsite_password is not None:
        return ["offsite_password: is for copies by restic: without them nothing reads it"]
    return []


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
