"""A first environment file: every key that is known, what can be made up here, and the rest for a person to fill in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from fairway.engine.contract.environment import SEALED
from fairway.engine.contract.envtext import scan_env
from fairway.engine.contract.errors import Failed
from fairway.engine.groundwork.machine import Machine, View
from fairway.engine.groundwork.wants import Look, Tell
from fairway.engine.groundwork.wish import Wish

# What only this deployment itself checks. Not what another service gave out (STRIPE_SECRET_KEY, SMTP_PASSWORD), and
# not what must outlive this host (the password of the backups' copies): those a person knows.
_DATABASE = re.compile(r"(?:POSTGRES|POSTGRESQL|PG|DB|DATABASE|REDIS)_PASSWORD")
_SIGNING = re.compile(
    r"(?:(?:NEXTAUTH|AUTH|BETTER_AUTH|SESSION|JWT|COOKIE|CSRF|APP|DJANGO|FLASK|RAILS)_)?SECRET(?:_KEY(?:_BASE)?)?"
)
_ADDRESS = re.compile(r"(?:NEXTAUTH|AUTH|BETTER_AUTH|APP|SITE|BASE|PUBLIC|NEXT_PUBLIC_APP)_URL")
_BYTES = 32


@dataclass(frozen=True)
class Skeleton:
    """The lines of a new file. ``made`` has the keys that get a password, ``given`` others with their value."""

    made: tuple[str, ...]
    given: Mapping[str, str]
    empty: tuple[str, ...]
    #: Those of the empty ones that nothing works without.
    needed: tuple[str, ...]


def skeleton(wish: Wish, *, database_exists: bool) -> Skeleton:
    """Decide what a new file has.

    Where the database is there already, or elsewhere, its password is known to somebody,
    and one that was made up would be wrong.
    """
    made, given, empty = [], {}, []
    known = database_exists or wish.external_database
    for key in wish.env.declared:
        if wish.site is not None and _ADDRESS.fullmatch(key):
            given[key] = wish.site.url
        elif key in wish.env.required and (_SIGNING.fullmatch(key) or (_DATABASE.fullmatch(key) and not known)):
            made.append(key)
        else:
            empty.append(key)
    needed = tuple(key for key in empty if key in wish.env.required)
    return Skeleton(tuple(made), given, tuple(empty), needed)


def render(wish: Wish, plan: Skeleton, passwords: Mapping[str, str]) -> str:
    """Return the text of a new file."""
    lines = [
        f"# Long-lived settings of {wish.project} ({wish.environment}). Begun by fairway bootstrap, from now on yours.",
        "# A value is bare, of letters, digits and _./:@%+=,- or 'in single quotes'.",
    ]

    def section(title: str, keys: tuple[str, ...]) -> None:
        if keys:
            lines.extend(["", f"# {title}", *(f"{key}={value(key)}" for key in keys)])

    def value(key: str) -> str:
        return passwords.get(key) or plan.given.get(key, "")

    env = wish.env
    section("Required", tuple(key for key in env.declared if key in env.required))
    for one in env.when:
        section(f"{one.key}: {one}", (one.key,))
    conditional = {one.key for one in env.when}
    section("Optional", tuple(k for k in env.declared if k not in env.required and k not in conditional))
    return "\n".join(lines) + "\n"


class Settings:
    """Begin the environment file where there is none; one that is there is never changed."""

    name = "settings"

    def asked(self, wish: Wish) -> bool:
        return True

    def look(self, machine: View, wish: Wish) -> Look:
        path = wish.env_path
        if machine.find(path + SEALED) is not None:
            return Look(f"{path}{SEALED} is there, encrypted")
        found = machine.find(path)
        if found is None and "/" in wish.env.file:
            # Directories below the deploy path are the deploy user's, or will be: root writes nothing there.
            return Look(
                f"there is no {path}",
                wrong=f"there is no {path}, and one is begun only in the deploy path itself",
                hint=f"make it, {wish.deploy_user}'s and 0600, with: {', '.join(wish.env.declared)}",
            )
        if found is None:
            plan = skeleton(wish, database_exists=_database_exists(machine, wish))
            return Look(f"there is no {path}", (_said(path, plan),))
        if not found.plain:
            # The way back to order is no command of root's here: it would go through the link.
            return Look(
                f"{path} is no plain file",
                wrong=f"{path} is a link, a directory or something else that is no plain file",
                hint=f"ls -ld {path}, and put a file of {wish.deploy_user}'s in its place",
            )
        user = machine.account(wish.deploy_user)
        if found.mode & 0o077 or (user is not None and found.uid != user.uid):
            return Look(
                f"{path}, mode {found.mode:04o}",
                wrong=f"{path} is not the deploy user's alone (mode {found.mode:04o})",
                hint=f"chown --no-dereference {wish.deploy_user}: {path}; chmod 600 {path}",
            )
        lacking = wish.env.lacking(scan_env(machine.read(path) or "").values)
        if lacking:
            told = ", ".join(f"{key} ({reason})" for key, reason in lacking.items())
            return Look(f"{path} is there", wrong=f"{path} lacks {told}", hint=f"fill them in, in {path} on the host")
        return Look(f"{path}, mode {found.mode:04o}")

    def do(self, machine: Machine, wish: Wish, tell: Tell) -> tuple[str, ...]:
        user = machine.account(wish.deploy_user)
        if user is None:
            raise Failed(f"there is no user {wish.deploy_user}")
        plan = skeleton(wish, database_exists=_database_exists(machine, wish))
        text = render(wish, plan, {key: secrets.token_hex(_BYTES) for key in plan.made})
        if not machine.write_new(wish.env_path, text, user):
            return (f"{wish.env_path} appeared meanwhile, and was left as it is",)
        return (f"to be filled in, in {wish.env_path}: {', '.join(plan.needed)}",) if plan.needed else ()


def _said(path: str, plan: Skeleton) -> str:
    parts = []
    if plan.made:
        parts.append(f"{', '.join(plan.made)} made up on the host")
    parts += [f"{key}={value}" for key, value in plan.given.items()]
    if plan.empty:
        parts.append(f"{len(plan.empty)} left empty")
    told = f"write {path}, 0600: {'; '.join(parts) or 'no keys are declared'}"
    return told + (f"; to be filled in: {', '.join(plan.needed)}" if plan.needed else "")


def _database_exists(machine: View, wish: Wish) -> bool:
    """Say whether the project has volumes here: what is in them has passwords of its own."""
    label = f"label=com.docker.compose.project={wish.project}"
    return bool(machine.run(["docker", "volume", "ls", "--quiet", "--filter", label]).stdout.strip())
