"""Where a path of a bundle leads on this host, and whether that is the application's to have."""

from __future__ import annotations

import errno
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from fairway.engine.contract.manifest import DEPLOY_ENV, Release

#: Says where a path ends once every link in it is followed; None when that cannot be told.
Follow = Callable[[str], Optional[str]]

_SOCKETS = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
)
_MAX_LINKS = 40


@dataclass(frozen=True)
class Ground:
    """The host a bundle would run on.

    ``written`` are directories that running containers may write to. Without ``follow``
    paths are taken as they are written.
    """

    deploy_path: str
    project: str
    port: str
    follow: Follow = lambda path: path
    written: tuple[str, ...] = ()
    sockets: tuple[str, ...] = _SOCKETS


def known_sockets(docker_host: str) -> tuple[str, ...]:
    """Return the sockets by which containers are asked for, that of ``DOCKER_HOST`` as well."""
    own = docker_host[len("unix://") :] if docker_host.startswith("unix://") else ""
    return (*_SOCKETS, *([own] if own else []))


def plain_path(path: str) -> str:
    """Return an absolute path without ``.``, ``..`` and doubled slashes, as Compose and Docker clean it.

    ``$$`` is how a rendered model writes ``$``.
    """
    return posixpath.normpath(re.sub("^/+", "/", path.replace("$$", "$")))


def is_below(path: str, directory: str) -> bool:
    """Say whether a path is in a directory, not the directory itself. Both are plain."""
    return path != directory and path.startswith(directory.rstrip("/") + "/")


def holds(directory: str, path: str) -> bool:
    """Say whether a mount of the directory shows the path. Both are plain."""
    return directory == path or is_below(path, directory)


def outside(path: str, ground: Ground) -> str | None:
    """Return where a plain path leads when that is not below the deploy path, None when it is.

    Both what is written and what it leads to have to be below; a path that cannot be
    followed is outside.
    """
    home = plain_path(ground.deploy_path)
    if not is_below(path, home):
        real = ground.follow(path)
        return path if real is None or is_below(real, ground.follow(home) or home) else real
    real, real_home = ground.follow(path), ground.follow(home)
    if real is None or real_home is None:
        return path
    return None if is_below(real, real_home) else real


def read_path(path: str, ground: Ground) -> str | None:
    """Return where a file leads that Compose is to read, None when that is the application's: below the deploy path."""
    whole = plain_path(posixpath.join(ground.deploy_path, path))
    own = plain_path(posixpath.join(ground.deploy_path, ".fairway"))
    spelt = {whole, ground.follow(whole) or whole}
    if any(holds(mine, one) for one in spelt for mine in (own, ground.follow(own) or own)):
        return whole
    return outside(whole, ground)


def reserved(path: str, release: Release, ground: Ground) -> bool:
    """Say whether a mount of this path shows what is Fairway's or the operator's own in the deploy path."""
    home = plain_path(ground.deploy_path)
    names = (".fairway", release.env.file, release.env.sealed_file, DEPLOY_ENV, release.compose.file)
    own = [posixpath.join(home, name) for name in names]
    spelt = (path, ground.follow(path) or path)
    if any(holds(one, mine) or holds(mine, one) for one in spelt for mine in own):
        return True
    # An environment file of another name is as secret as the one this release names.
    return any(part.startswith(".env") for one in spelt for part in posixpath.relpath(one, home).split("/"))


def shows_socket(path: str, ground: Ground) -> bool:
    """Say whether a mount of this path shows a socket that containers are asked for by."""
    spelt = {path, ground.follow(path) or path}
    return any(holds(one, plain_path(socket)) for one in spelt for socket in _all_names(ground))


def _all_names(ground: Ground) -> Iterable[str]:
    return {name for socket in ground.sockets for name in (socket, ground.follow(socket) or socket)}


def follow_links(path: str) -> str | None:
    """Follow every link in an absolute path; None when this user may not look, or it goes round in a circle.

    Unlike ``os.path.realpath``, which takes what it may not look at for no link. What does
    not exist yet leads nowhere else.
    """
    followed = "/"
    rest = [part for part in reversed(path.split("/")) if part]
    links = 0
    while rest:
        part = rest.pop()
        if part in (".", ".."):
            followed = posixpath.dirname(followed) if part == ".." else followed
            continue
        here = posixpath.join(followed, part)
        try:
            target = str(Path(here).readlink())
        except FileNotFoundError:
            return plain_path(posixpath.join(here, *reversed(rest)))
        except OSError as error:
            if error.errno != errno.EINVAL:
                return None
            followed = here
            continue
        links += 1
        if links > _MAX_LINKS:
            return None
        followed = "/" if target.startswith("/") else followed
        rest.extend(part for part in reversed(target.split("/")) if part)
    return followed
