"""Runs on a host, from standard input, before there is an engine: puts the engine in place.

Python 3.9, standard library only; sent as text by :mod:`fairway.remote.bootstrap`.

Run by the deploy user, everything is the deploy user's. Run by root for a deploy user,
what the host decides by is root's, and out of the deploy user's reach: the engine, the
trust directory, and the way to them. The way is made root's from the top down, each
directory held open while its owner changes, so that nobody swaps it for a link.
"""

from __future__ import annotations

import base64
import fcntl
import grp
import hashlib
import json
import os
import platform
import pwd
import re
import shutil
import stat
import sys
from pathlib import Path

ENGINE = re.compile(r"fairway-engine-([0-9a-f]{16})\.pyz")
TRUSTED = ("policy.json", "keys.json")
MAX_BYTES = 64 * 1024 * 1024


class Problem(Exception):
    """What stands in the way: what happened, why, what to do, and the exit code it means."""


def problem(what: str, why: str, hint: str, exit_code: int = 1) -> dict[str, object]:
    return {"error": {"what": what, "why": why, "hint": hint, "exit_code": exit_code}}


def install(
    deploy_path: str, file_name: str, content: str, sha256: str, deploy_user: str | None = None
) -> dict[str, object]:
    """Write the engine beside the ones before it and make ``current`` name it.

    With a ``deploy_user``, for whom root keeps the host, set up who owns what first.
    """
    if sys.version_info < (3, 9):  # noqa: UP036 - it runs on whatever python3 the host has
        return problem(
            "python3 on the host is too old",
            f"it is {platform.python_version()}, the engine needs 3.9",
            "install a newer python3 on the host",
        )
    if shutil.which("docker") is None:
        return problem(
            "Docker is not installed on the host",
            "there is no docker command",
            "install Docker Engine and Compose v2, or name an administrator in fairway.toml, and it is done for you",
        )
    engine = base64.b64decode(content)
    if hashlib.sha256(engine).hexdigest() != sha256:
        return problem("the engine was altered on its way to the host", "its hash differs", "try again")
    root = Path(deploy_path)
    taken_over: list[str] = []
    try:
        if deploy_user is None:
            root.mkdir(parents=True, exist_ok=True)
            os.umask(0o077)
            refuse_powerless(root)
        else:
            taken_over = guard(root, deploy_user)
        known = put(root, file_name, engine, mode=0o700 if deploy_user is None else 0o755)
        if deploy_user is not None and not taken_over:  # what runs holds the files that these are copies of
            tidy(root / ".fairway" / "engine", file_name)
    except Problem as found:
        return problem(*found.args)
    except OSError as error:
        user = os.environ.get("USER", "the deploy user")
        return problem(
            f"the deploy path cannot be prepared: {deploy_path}",
            f"{error.strerror}: {error.filename}",
            f"as root on the host: install -d -o {user} {deploy_path}",
        )
    return {"installed": not known, "python": platform.python_version(), "taken_over": taken_over}


def put(root: Path, file_name: str, engine: bytes, mode: int) -> bool:
    """Put the engine in its directory and name it; return whether it was there already."""
    directory = root / ".fairway" / "engine"
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / file_name
    known = target.exists() and target.read_bytes() == engine
    if not known:
        fresh = directory / ("." + file_name + ".tmp")
        fresh.write_bytes(engine)
        fresh.replace(target)
    target.chmod(mode)
    link = directory / ".current.tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(file_name)
    link.replace(directory / "current")
    # For whoever works on the host itself; a file of that name is the operator's own.
    handy = root / "fairway"
    if handy.is_symlink() or not handy.exists():
        link.symlink_to(Path(".fairway") / "engine" / "current")
        link.replace(handy)
    return known


def refuse_powerless(root: Path) -> None:
    """Refuse to go on where an administrator keeps the engine and this user is none."""
    engines = root / ".fairway" / "engine"
    if os.geteuid() != 0 and engines.exists() and engines.lstat().st_uid == 0:
        raise Problem(
            "only an administrator may replace the engine of this host",
            f"{engines} belongs to root",
            'name the administrator in fairway.toml, as in admin = "root" below [environments.<environment>]',
            3,
        )


def guard(root: Path, deploy_user: str) -> list[str]:
    """Make root the owner of what the host decides by; return what was taken over from the deploy user."""
    if os.geteuid() != 0:
        raise Problem(
            "the administrator in fairway.toml is not root on the host",
            f"this is user {os.geteuid()}",
            'admin = "root", or a user who may run python3 by sudo without a password',
            2,
        )
    try:
        user = pwd.getpwnam(deploy_user)
    except KeyError:
        raise Problem(
            f"the host has no user {deploy_user}",
            "it is the deploy user: the one by whom hosts are reached",
            f"as root on the host: useradd --create-home --groups docker {deploy_user}",
        ) from None
    if user.pw_uid == 0:
        raise Problem(
            "the deploy user is root, from whom nothing can be kept",
            "hosts are reached as root",
            "name another user under hosts, and root as admin",
            2,
        )
    refuse_shared_group(user)
    os.umask(0o022)
    refuse_open_way(root)
    root.mkdir(parents=True, exist_ok=True)
    taken_over: list[str] = []
    for directory in (root, root / ".fairway"):
        directory.mkdir(mode=0o755, exist_ok=True)
        # The deploy user makes entries of their own beside root's, and can neither rename nor remove those.
        own(directory, user.pw_gid, 0o1775)
    for name in ("engine", "trust"):
        directory = root / ".fairway" / name
        if os.path.lexists(directory) and directory.lstat().st_uid != 0:
            taken_over += take_over(directory)
        directory.mkdir(mode=0o755, exist_ok=True)
        own(directory, 0, 0o755)
    deployments = root / ".fairway" / "deployments"
    if not os.path.lexists(deployments):
        deployments.mkdir(mode=0o700)
        os.chown(deployments, user.pw_uid, user.pw_gid, follow_symlinks=False)
    owner = deployments.lstat().st_uid
    if owner != user.pw_uid:
        raise Problem(
            f"the deploy path belongs to another user than {deploy_user}",
            f"{deployments} belongs to user {owner}",
            "log in as the user who deployed here before, or choose another deploy_path",
            3,
        )
    return taken_over


def refuse_shared_group(user: pwd.struct_passwd) -> None:
    """Refuse a deploy user whose group has others in it: the group may make entries beside root's."""
    group = grp.getgrgid(user.pw_gid)
    others = {other.pw_name for other in pwd.getpwall() if other.pw_gid == user.pw_gid} | set(group.gr_mem)
    others -= {user.pw_name, "root"}
    if others:
        raise Problem(
            f"the deploy user's own group, {group.gr_name}, has others in it",
            ", ".join(sorted(others)[:10]),
            f"as root on the host: groupadd {user.pw_name}; usermod -g {user.pw_name} {user.pw_name}",
            2,
        )


def refuse_open_way(root: Path) -> None:
    """Refuse a deploy path that somebody other than root could put another directory in the place of."""
    if Path(os.path.realpath(root)) != root:
        raise Problem(
            f"the deploy path goes through a link: {root}",
            f"it is {os.path.realpath(root)}",
            "write the path without links in fairway.toml",
            2,
        )
    for directory in reversed(root.parents):
        if not os.path.lexists(directory):
            break  # root makes it
        found = directory.lstat()
        others = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
        if found.st_uid != 0 or others:
            raise Problem(
                "an administrator cannot keep a deploy path that others can move away",
                f"{directory} {'can be written by others than root' if others else 'does not belong to root'}",
                "choose a deploy_path below a directory of root's, such as /opt",
                2,
            )


def own(directory: Path, gid: int, mode: int) -> None:
    """Make root the owner of this very directory, whatever its name comes to mean meanwhile."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, 0, gid)
        os.fchmod(descriptor, mode)
        if not os.path.samestat(os.fstat(descriptor), directory.lstat()):
            raise Problem(f"{directory} was replaced meanwhile", "another one has its name now", "try again")
    finally:
        os.close(descriptor)


def take_over(directory: Path) -> list[str]:
    """Put a directory of root's in the place of one of the deploy user's, with copies of what belongs there.

    Copies, since a file that the deploy user made may still be open for writing. An
    engine that runs reads on under the same name, so those are kept if they are what
    their names say.
    """
    fresh = directory.with_name(f".{directory.name}.{os.getpid()}.new")
    old = directory.with_name(f".{directory.name}.{os.getpid()}.old")
    fresh.mkdir(mode=0o755)
    taken = []
    if stat.S_ISDIR(directory.lstat().st_mode):
        for path in sorted(directory.iterdir()):
            content = read_plain(path)
            if content is None or not belongs(directory.name, path.name, content):
                continue
            (fresh / path.name).write_bytes(content)
            (fresh / path.name).chmod(0o755 if directory.name == "engine" else 0o644)
            taken.append(f"{directory.name}/{path.name}")
    directory.rename(old)
    fresh.rename(directory)
    if old.is_symlink() or not old.is_dir():
        old.unlink()
    else:
        shutil.rmtree(old)
    return taken


def belongs(directory: str, name: str, content: bytes) -> bool:
    """Say whether a file is one of those that root keeps: an engine whose name holds its hash, or what is trusted."""
    if directory == "trust":
        return name in TRUSTED
    engine = ENGINE.fullmatch(name)
    return engine is not None and hashlib.sha256(content).hexdigest()[:16] == engine[1]


def read_plain(path: Path) -> bytes | None:
    """Return the content of a plain file, None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        return file.read() if stat.S_ISREG(found.st_mode) and found.st_size <= MAX_BYTES else None


def tidy(directory: Path, current: str) -> None:
    """Remove the engines that are neither current nor running: the deploy user's housekeeping may not."""
    for path in directory.iterdir():
        if path.name == current or not ENGINE.fullmatch(path.name):
            continue
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def main(payload: str) -> None:
    """Install what the payload, a JSON object of ``install``'s arguments, holds; print the answer."""
    print(json.dumps(install(**json.loads(payload))))
