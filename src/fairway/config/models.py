"""The models of ``fairway.toml``: one class a table, one field a key.

Every key, its default, unit and limits are described in
``docs/reference/configuration.md``; a test fails when one is missing there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from fairway.config.ci import contradictions as ci_contradictions
from fairway.config.dashboard import Dashboard
from fairway.config.dashboard import contradictions as dashboard_contradictions
from fairway.config.environment import Environment, Promotion, resolve
from fairway.config.environment_tables import (
    Backup,
    EnvironmentTable,
    Notification,
    backup_contradictions,
    notification_contradictions,
)
from fairway.config.environment_tables import contradictions as environment_contradictions
from fairway.config.values import (
    AgeRecipient,
    Argument,
    ArgumentName,
    BundlePath,
    CiStageName,
    ColumnName,
    Decider,
    EnvironmentName,
    FileGlob,
    ImageRepository,
    LeftoverKey,
    Listed,
    MigrationsPath,
    Percentage,
    PresetName,
    Program,
    ProjectName,
    RelativePath,
    Requirement,
    ServiceName,
    StageName,
    Table,
    TableName,
    TrackerSlug,
    TrackerUrl,
    UrlPath,
    VariableName,
)
from fairway.engine.contract.environment import SEALED, Condition, EnvironmentFile
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.leftovers import MAX_NAMES, MAX_TABLES, Leftovers, shape_problem
from fairway.engine.contract.manifest import MigratorKind
from fairway.engine.contract.names import Repository
from fairway.engine.contract.tracker import MAX_NEW_ISSUES, SENTRY_URL, Service, Tracker


class Images(Table):
    """``[images]``: where the images and the release archive live."""

    app: ImageRepository
    migrator: ImageRepository
    release: ImageRepository | None = None


class Build(Table):
    """``[build]``: how the two images are built."""

    dockerfile: RelativePath = "Dockerfile.prod"
    context: RelativePath = "."
    app_target: StageName = "runner"
    migrator_target: StageName = "migrator"
    args: dict[ArgumentName, str] = Field(default_factory=dict)


class Compose(Table):
    """``[compose]``: which service of the Compose file plays which part."""

    file: BundlePath = "docker-compose.cicd.yml"
    app_service: ServiceName = "app"
    app_port: int = Field(default=3000, ge=1, le=65535)
    migrator_service: ServiceName = "migrator"
    workers: Annotated[tuple[ServiceName, ...], Listed] = ()
    database_service: ServiceName | None = None


class Bundle(Table):
    """``[bundle]``: what travels with the release besides the Compose file."""

    files: Annotated[tuple[BundlePath, ...], Listed] = ()


class Readiness(Table):
    """``[readiness]``: when a new container counts as ready."""

    path: UrlPath = "/api/ready"
    successes: int = Field(default=3, ge=1, le=100)
    interval_s: float = Field(default=0.1, ge=0.01, le=60)
    timeout_s: float = Field(default=60.0, ge=0.1, le=3600)
    listen_s: float = Field(default=5.0, ge=0.1, le=3600)


class Migrations(Table):
    """``[migrations]``: where they lie and whose they are, the limits of the migrator's run and its session."""

    path: MigrationsPath | None = None
    kind: Annotated[MigratorKind | None, Field(strict=False)] = None
    status: Annotated[tuple[str, ...], Listed] = ()
    timeout_s: float = Field(default=3600.0, ge=1, le=86400)
    lock_timeout_s: float = Field(default=5.0, ge=0.1, le=600)
    statement_timeout_s: float = Field(default=900.0, ge=0, le=86400)
    attempts: int = Field(default=3, ge=1, le=100)


class Soak(Table):
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


class Errors(Table):
    """``[errors]``: where the application's errors arrive, and whether the soak asks there for new ones."""

    url: TrackerUrl = SENTRY_URL
    service: Annotated[Service, Field(strict=False)] = Service.SENTRY
    organization: TrackerSlug
    project: TrackerSlug
    token_key: VariableName | None = None
    max_new_issues: int = Field(default=0, ge=0, le=MAX_NEW_ISSUES)

    @property
    def tracker(self) -> Tracker | None:
        """What a host asks, None where it has nothing to ask with."""
        if self.token_key is None:
            return None
        return Tracker(self.url, self.service, self.organization, self.project, self.token_key, self.max_new_issues)


class Drain(Table):
    """``[drain]``: how long open connections may take after the switch."""

    timeout_s: float = Field(default=30.0, ge=0, le=86400)


class Warm(Table):
    """``[warm]``: how long the previous slot is kept running."""

    keep_s: float = Field(default=3600.0, ge=0, le=30 * 86400)


class EnvCondition(Table):
    """``[[env.when]]``: a key that another one makes required."""

    key: VariableName
    condition: VariableName = Field(alias="if")
    equals: Decider | None = None


class EnvFile(Table):
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


class Rehearsal(Table):
    """``[rehearsal]``: what a rehearsal of migrations asks of the release before, besides its readiness."""

    smoke: Annotated[tuple[Argument, ...], Field(strict=False, max_length=100)] = ()
    smoke_timeout_s: float = Field(default=60.0, ge=1, le=3600)


class LeftoversTable(Table):
    """``[[secrets.leftovers]]``: one table of the database where copies of secrets may still lie."""

    table: TableName
    key_column: ColumnName | None = None
    value_column: ColumnName | None = None
    keys: Annotated[tuple[LeftoverKey, ...], Listed] = Field(default=(), max_length=MAX_NAMES)
    columns: Annotated[tuple[ColumnName, ...], Listed] = Field(default=(), max_length=MAX_NAMES)

    def place(self) -> Leftovers:
        """Return it as a release names it."""
        return Leftovers(self.table, self.key_column, self.value_column, self.keys, self.columns)


class Secrets(Table):
    """``[secrets]``: what is to be found nowhere but in the hosts' own settings."""

    leftovers: Annotated[tuple[LeftoversTable, ...], Listed] = Field(default=(), max_length=MAX_TABLES)


class Guardrails(Table):
    """``[guardrails]``: which rules hold for the code, and for which of it."""

    path: RelativePath = "guardrails"
    presets: Annotated[tuple[PresetName, ...], Listed] = ()
    include: Annotated[tuple[FileGlob, ...], Listed] = ()
    exclude: Annotated[tuple[FileGlob, ...], Listed] = ()
    baseline: RelativePath = "guardrails/baseline.json"


class CiStage(Table):
    """``[ci.stages.<name>]``: what one stage runs, after what, and with what beside it."""

    run: Program
    needs: Annotated[tuple[CiStageName, ...], Listed] = ()
    services: Annotated[tuple[ServiceName, ...], Listed] = ()
    env: dict[VariableName, str] = Field(default_factory=dict)
    dir: RelativePath = "."
    timeout_s: float = Field(default=1800.0, ge=1, le=86400)
    junit: Annotated[tuple[FileGlob, ...], Listed] = ()


class Ci(Table):
    """``[ci]``: the stages of ``fairway ci``."""

    compose: RelativePath | None = None
    logs: RelativePath = ".fairway/ci"
    stages: dict[CiStageName, CiStage] = Field(default_factory=dict)


class Config(Table):
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
    errors: Errors | None = None
    drain: Drain = Drain()
    warm: Warm = Warm()
    env: EnvFile = EnvFile()
    secrets: Secrets = Secrets()
    guardrails: Guardrails = Guardrails()
    ci: Ci = Ci()
    backup: Backup = Backup()
    rehearsal: Rehearsal = Rehearsal()
    notifications: Annotated[tuple[Notification, ...], Listed] = ()
    dashboard: Dashboard = Dashboard()
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
    def env_rules(self) -> EnvironmentFile:
        """What a host is asked to hold its file against: ``[env]``, and the keys that Fairway itself reads there."""
        rules = self.env.rules
        own = [key for key in _own_keys(self) if key not in rules.declared]
        return replace(rules, optional=(*rules.optional, *dict.fromkeys(own)))

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
            notifications=self.notifications if table.notifications is None else table.notifications,
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


def _own_keys(config: Config) -> Iterator[str]:
    """Yield the keys of the hosts' file that other tables name: they are declared by that."""
    tables = config.environments.values()
    if config.errors is not None and config.errors.token_key is not None:
        yield config.errors.token_key
    for backup in (config.backup, *(table.backup for table in tables if table.backup is not None)):
        yield from filter(None, (backup.url_key, backup.offsite_password, *backup.offsite_env))
    for receivers in (config.notifications, *(table.notifications or () for table in tables)):
        yield from (receiver.url_key for receiver in receivers)


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
    problems += _errors_contradictions(config)
    places = [one.place() for one in config.secrets.leftovers]
    problems += [f"secrets.leftovers: {problem}" for one in places if (problem := shape_problem(one))]
    if len({one.table for one in places}) < len(places):
        problems.append("secrets.leftovers: a table is there twice")
    if config.compose.file in config.bundle.files:
        problems.append(f"bundle.files: {config.compose.file} is the compose file, which always travels with a release")
    roles = (config.compose.app_service, config.compose.migrator_service, *config.compose.workers)
    if len(set(roles)) < len(roles):
        problems.append("compose: app_service, migrator_service and workers must be different services")
    problems += [f"ci.{line}" for line in ci_contradictions(config.ci)]
    problems += [f"backup.{line}" for line in backup_contradictions(config.backup)]
    problems += notification_contradictions(config.notifications)
    problems += [f"dashboard.{line}" for line in dashboard_contradictions(config.dashboard)]
    return problems + environment_contradictions(config.environments)


def _errors_contradictions(config: Config) -> list[str]:
    errors = config.errors
    if errors is None:
        return []
    if errors.token_key is None and "max_new_issues" in errors.model_fields_set:
        return ["errors.max_new_issues: needs token_key, with which the error tracker is asked"]
    if errors.token_key is not None and not config.soak.for_s and not config.soak.canary:
        return ["errors.token_key: nothing is asked unless a release is watched: soak.for_s or soak.canary"]
    return []
