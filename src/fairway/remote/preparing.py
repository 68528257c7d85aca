"""Prepare a host for deployments: engine, configuration, what it goes by, registry login."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from itertools import count
from typing import Any, Protocol

from fairway import __version__
from fairway.config import Config, Environment
from fairway.config.environment import default_prefix
from fairway.config.watching import doors_of
from fairway.engine.contract.errors import Failed, FairwayError, Invalid, Refused
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.trust import Key, Keys, PublicKey, Role
from fairway.engine.contract.versions import UPGRADE, Relation, compare
from fairway.registry import find_credentials
from fairway.remote.bootstrap import install_engine
from fairway.remote.keeper import Keeper
from fairway.remote.session import EngineSession
from fairway.remote.trust import EvidenceKey, Trust, believing, names, now, push, read_trust


class Steps(Protocol):
    """Shows each step of the preparation."""

    def step(self, name: str) -> AbstractContextManager[None]: ...

    def notice(self, text: str) -> None: ...


def prepare_host(
    config: Config,
    keeper: Keeper,
    source: Keeper | None,
    progress: Steps,
    *,
    by: str,
    at_boot: bool,
    downgrade: bool,
) -> None:
    """Put the engine on the host, tell it what it is and what it goes by, log it in to the registries.

    Safe to repeat. ``source`` keeps the host that releases are promoted from, whose
    evidence key is asked for. With ``at_boot`` the host is to recover by itself when it
    comes back; where that takes an administrator, progress is told what they run. A newer
    engine is replaced only with ``downgrade``, and raises ``Refused`` otherwise.
    """
    target = keeper.environment
    with progress.step("engine"):
        if not downgrade:
            refuse_older(engine_version(keeper), target.name)
        installed = install_engine(keeper.transport, target.deploy_path, keeper.deploy_user)
    with keeper.session() as engine:
        with progress.step("configuration"):
            engine.call(Operation.CONFIGURE, host=_host(config, target))
        with progress.step("policy and keys"):
            _bring_trust(engine, target, source, progress, by=by)
        _tell_taken_over(installed.get("taken_over") or [], target, progress)
        if at_boot:
            with progress.step("recovery at boot"):
                note = engine.call(Operation.INSTALL_UNIT)["note"]
            if note:
                progress.notice(str(note))
    with keeper.deploy_session() as engine:
        for registry in sorted({config.images.app.registry, config.images.migrator.registry}):
            with progress.step(f"login {registry}"):
                username, password = _login(target, registry)
                engine.call(Operation.LOGIN, registry=registry, username=username, password=password)


def give_deploy_key(keeper: Keeper, public: PublicKey, progress: Steps, *, by: str) -> None:
    """Let a key deploy and do nothing else; one that may already is left as it is."""
    with keeper.session() as engine:
        keys = read_trust(engine).keys
        if any(key.valid and key.role is Role.DEPLOY and key.public == public for key in keys.keys):
            return
        name = next(name for name in _key_names() if not any(key.valid and key.name == name for key in keys.keys))
        with progress.step("deploy key"):
            changed = push(engine, by=by, keys=keys.with_key(Key(name, Role.DEPLOY, public, added=now())))
    for line in changed.notes:
        progress.notice(line)


def _key_names() -> Iterator[str]:
    """Yield the names that a deploy key goes by when nobody gave it one."""
    yield "ci"
    for number in count(2):
        yield f"ci-{number}"


def engine_version(keeper: Keeper) -> object:
    """Ask a host which engine it has; None when it has none that answers."""
    with keeper.deploy_session() as engine:
        # There is none yet, or one of another protocol, which says its version all the same.
        with suppress(Failed, Invalid):
            engine.call(Operation.HELLO)
        return engine.engine_version


def refuse_older(engine: object, environment: str) -> None:
    """Refuse to put this version's engine in the place of a newer one."""
    if compare(engine, __version__) is Relation.NEWER:
        raise Refused(
            "the host's engine is newer than this fairway",
            why=f"the engine is {engine}, this fairway {__version__}; what it has begun an older one cannot end",
            hint=f"upgrade this fairway ({UPGRADE}), or: fairway bootstrap {environment} --downgrade",
        )


def _host(config: Config, target: Environment) -> dict[str, Any]:
    return {
        "project": config.project,
        "environment": target.name,
        "port": str(target.port),
        "edge_image": target.edge_image,
        "proven_only": target.promote_from is not None,
        "retention": target.retention.model_dump(),
        "backups": _backups(config, target),
        "upkeep": _upkeep(config, target),
        "textfile": target.textfile,
        "notifications": _notifications(config, target),
        "rehearsal": target.rehearsal.model_dump(mode="json") if target.rehearsal is not None else None,
        "watch": [door.as_json() for door in doors_of(config, target)],
    }


def _backups(config: Config, target: Environment) -> dict[str, Any]:
    backup = target.backup
    external = {"url_key": backup.url_key, "env_file": config.env.file, "client_image": backup.client_image}
    return {
        "keep": backup.keep,
        "recipients": list(backup.recipients),
        "before_migrations": backup.before_migrations,
        "external": external if backup.url_key else None,
    }


def _notifications(config: Config, target: Environment) -> dict[str, Any] | None:
    if not target.notifications:
        return None
    return {
        "env_file": config.env.file,
        "receivers": [receiver.model_dump(mode="json") for receiver in target.notifications],
    }


def _upkeep(config: Config, target: Environment) -> dict[str, Any]:
    backup = target.backup
    offsite = {
        "tool": backup.offsite_tool.value,
        "target": backup.offsite,
        "env_file": config.env.file,
        "password_key": backup.offsite_password,
        "env_keys": list(backup.offsite_env),
    }
    return {
        "schedule": backup.schedule,
        "drill": backup.drill,
        "daily": backup.keep_daily,
        "weekly": backup.keep_weekly,
        "monthly": backup.keep_monthly,
        "offsite": offsite if backup.offsite else None,
    }


def _bring_trust(
    engine: EngineSession, target: Environment, source: Keeper | None, progress: Steps, *, by: str
) -> None:
    """Bring the policy of fairway.toml to the host, and the keys of the hosts it is to believe."""
    there = read_trust(engine)
    keys = there.keys
    if there.evidence_key is not None:
        keys = believing(keys, target.name, there.evidence_key, now())
    if source is not None:
        keys = _with_source(keys, target, source, progress)
    changed = push(engine, by=by, policy=target.policy, keys=keys)
    if changed.what:
        progress.notice(f"changed on the host: {names(changed.what)}")
    for line in (*changed.notes, *_remarks(read_trust(engine), target)):
        progress.notice(line)


def _with_source(keys: Keys, target: Environment, source: Keeper, progress: Steps) -> Keys:
    """Return the keys with that of the host releases come from; say what to do when it cannot be had yet."""
    name = source.environment.name
    again = f"fairway bootstrap {name}, then again: fairway bootstrap {target.name}"
    try:
        own = evidence_key(source)
    except FairwayError as error:
        progress.notice(f"{name} cannot be asked for its evidence key ({error.what}); when it can: {again}")
        return keys
    if own is None:
        progress.notice(f"{name} has no evidence key yet, so nothing can be promoted from it: {again}")
        return keys
    grown = believing(keys, name, own, now())
    if grown != keys:
        progress.notice(f"{target.name} now believes {own.name} ({own.public})")
    return grown


def evidence_key(keeper: Keeper) -> EvidenceKey | None:
    """Ask a host for the public half of its own key."""
    with keeper.deploy_session() as engine:
        return read_trust(engine).evidence_key


def _remarks(trust: Trust, target: Environment) -> list[str]:
    """Say what stays open, for as long as it does."""
    if target.admin is None:
        return []
    remarks = []
    if not trust.guarded:
        remarks.append(f"the deploy user can still change what this host goes by: {trust.open}")
    if trust.shell_keys:
        listed = "; ".join(trust.shell_keys)
        remarks.append(f"these keys of the deploy user can still open a shell, and by it do anything: {listed}")
    return remarks


def _tell_taken_over(taken: list[str], target: Environment, progress: Steps) -> None:
    trusted = [name for name in taken if name.startswith("trust/")]
    if trusted:
        progress.notice(
            f"{', '.join(trusted)} came from when the deploy user kept them; look at what they hold: "
            f"fairway keys list {target.name}"
        )


def _login(target: Environment, registry: str) -> tuple[str, str]:
    """Return what the host logs in with: the environment's own login, or this machine's."""
    if target.login is not None and target.login.registry == registry:
        return target.login.username, target.login.token.get_secret_value()
    credentials = find_credentials(registry)
    if credentials is None or not credentials.username:
        raise Invalid(
            f"there is no login for {registry} to give to the host",
            hint=f"docker login {registry} here, or set {default_prefix(target.name)}_GHCR_USERNAME and _GHCR_TOKEN",
        )
    return credentials.username, credentials.password
