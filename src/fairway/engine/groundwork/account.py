"""The deploy user and its directory."""

from __future__ import annotations

import stat
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from fairway.engine.contract.errors import Failed
from fairway.engine.groundwork.machine import Machine, View
from fairway.engine.groundwork.wants import Look, Tell
from fairway.engine.groundwork.wish import Wish

_GROUP = "docker"
_SSHD = "/usr/sbin/sshd"
_NO_SHELLS = ("nologin", "false")


class DeployUser:
    """Have the deploy user, with a home, no password, and the right to use Docker."""

    name = "deploy user"

    def asked(self, wish: Wish) -> bool:
        return True

    def look(self, machine: View, wish: Wish) -> Look:
        user = machine.account(wish.deploy_user)
        if user is None:
            return Look(
                f"there is no user {wish.deploy_user}",
                (f"make the user {wish.deploy_user}: a home, no password to log in by, in the group {_GROUP}",),
            )
        if user.uid == 0:
            return Look(
                f"{user.name} is root",
                blocked="the deploy user is root, from whom nothing can be kept",
                hint="name another user under hosts, and root as admin",
            )
        if _GROUP not in user.groups:
            return Look(f"{user.name} may not use Docker", (f"add {user.name} to the group {_GROUP}",))
        if PurePosixPath(user.shell).name in _NO_SHELLS:
            return Look(
                f"{user.name}, may use Docker",
                wrong=f"nobody can log in as {user.name}: its shell is {user.shell}, and sshd runs every command by it",
                hint=f"usermod --shell /bin/bash {user.name}",
            )
        rule = _shut_out_by(machine, user.name)
        if rule:
            return Look(
                f"{user.name}, may use Docker",
                wrong=f"sshd does not let {user.name} in: {rule}",
                hint=f"let {user.name} in there, in /etc/ssh/sshd_config or a file that it includes, and reload sshd",
            )
        return Look(f"{user.name}, may use Docker")

    def do(self, machine: Machine, wish: Wish, tell: Tell) -> tuple[str, ...]:
        name = wish.deploy_user
        if not machine.has_group(_GROUP):
            _run(machine, ["groupadd", "--system", _GROUP])
        if machine.account(name) is None:
            own = ["--gid", name] if machine.has_group(name) else ["--user-group"]
            # "*" is no password's hash, so none fits; with "!" sshd would take the account for locked and refuse keys.
            options = ["--create-home", "--shell", "/bin/bash", "--password", "*", "--groups", _GROUP]
            _run(machine, ["useradd", *options, *own, "--", name])
        else:
            _run(machine, ["usermod", "--append", "--groups", _GROUP, "--", name])
        return ()


class DeployPath:
    """Have the deploy path, root's, in which the deploy user makes entries of its own."""

    name = "deploy path"

    def asked(self, wish: Wish) -> bool:
        return True

    def look(self, machine: View, wish: Wish) -> Look:
        found = machine.find(wish.deploy_path)
        open_to_others = _open_way(machine, wish.deploy_path)
        if open_to_others:
            return Look(
                f"{wish.deploy_path} is not kept by root alone",
                blocked=f"others than root could put another directory in its place: {open_to_others}",
                hint="choose a deploy_path below a directory of root's, such as /opt",
            )
        if found is None:
            return Look(f"there is no {wish.deploy_path}", (f"make {wish.deploy_path}",))
        if not found.directory:
            return Look(
                f"{wish.deploy_path} is no directory",
                blocked=f"{wish.deploy_path} is a file or a link",
                hint="choose another deploy_path, without links",
            )
        user = machine.account(wish.deploy_user)
        if found.uid not in (0, user.uid if user else 0):
            # It becomes root's, with room for the deploy user alone: whoever works there by hand could not go on.
            return Look(
                f"{wish.deploy_path} belongs to user {found.uid}",
                blocked=f"{wish.deploy_path} belongs to user {found.uid}, who could make nothing in it any more",
                hint=f"choose another deploy_path; or, where that is meant: chown root: {wish.deploy_path}",
            )
        if found.mode & 0o002:
            return Look(
                f"{wish.deploy_path}, mode {found.mode:04o}",
                wrong=f"{wish.deploy_path} can be written by everybody (mode {found.mode:04o})",
                hint=f"chmod o-w {wish.deploy_path}",
            )
        return Look(f"{wish.deploy_path}, mode {found.mode:04o}")

    def do(self, machine: Machine, wish: Wish, tell: Tell) -> tuple[str, ...]:
        user = machine.account(wish.deploy_user)
        if user is None:
            raise Failed(f"there is no user {wish.deploy_user}")
        machine.make_directory(wish.deploy_path, mode=0o1775, gid=user.gid)
        return ()


def _shut_out_by(machine: View, name: str) -> str:
    """Return the rule of sshd's by which a user cannot log in, whatever the key; nothing when there is none.

    Source: sshd_config(5), "PATTERNS"; sshd(8), ``-T`` and ``-C``.
    """
    if machine.find(_SSHD) is None:
        return ""
    told = machine.run([_SSHD, "-T", "-C", f"user={name},host=localhost,addr=127.0.0.1"])
    lines = [line.split(None, 1) for line in told.stdout.splitlines() if line.strip()] if told.returncode == 0 else []
    groups = machine.run(["id", "-Gn", "--", name]).stdout.split()
    for rule, names in (("Users", [name]), ("Groups", groups)):
        denied = [line[1] for line in lines if line[0] == f"deny{rule.lower()}" and "@" not in line[-1]]
        if _matches(denied, names):
            return f"Deny{rule} {' '.join(denied)}"
        # From where somebody is let in cannot be told here.
        allowed = [line[1].partition("@")[0] for line in lines if line[0] == f"allow{rule.lower()}"]
        if allowed and not _matches(allowed, names):
            return f"Allow{rule} {' '.join(allowed)}"
    return ""


def _matches(patterns: list[str], names: list[str]) -> bool:
    if any(fnmatchcase(name, one[1:]) for one in patterns if one.startswith("!") for name in names):
        return False
    return any(fnmatchcase(name, one) for one in patterns for name in names)


def _open_way(machine: View, path: str) -> str:
    """Return the first directory on the way to a path that is not root's alone; nothing when there is none."""
    for directory in reversed(PurePosixPath(path).parents):
        found = machine.find(str(directory))
        if found is not None and (found.uid != 0 or (found.mode & 0o022 and not found.mode & stat.S_ISVTX)):
            return str(directory)
    return ""


def _run(machine: Machine, argv: list[str]) -> None:
    done = machine.run(argv)
    if done.returncode != 0:
        raise Failed(f"{argv[0]} failed", why=done.stderr.strip()[-300:])
