"""Runs on a host, from standard input, before there is an engine: puts the engine in place.

Python 3.9, standard library only; sent as text by :mod:`fairway.remote.bootstrap`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import shutil
import sys
from pathlib import Path


def problem(what: str, why: str, hint: str) -> dict[str, object]:
    return {"error": {"what": what, "why": why, "hint": hint, "exit_code": 1}}


def install(deploy_path: str, file_name: str, content: str, sha256: str) -> dict[str, object]:
    """Write the engine beside the ones before it and make ``current`` name it."""
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
            "install Docker Engine and Compose v2",
        )
    engine = base64.b64decode(content)
    if hashlib.sha256(engine).hexdigest() != sha256:
        return problem("the engine was altered on its way to the host", "its hash differs", "try again")
    root = Path(deploy_path)
    try:
        root.mkdir(parents=True, exist_ok=True)
        os.umask(0o077)
        directory = root / ".fairway" / "engine"
        directory.mkdir(parents=True, exist_ok=True)
        target = directory / file_name
        known = target.exists() and target.read_bytes() == engine
        if not known:
            fresh = directory / ("." + file_name + ".tmp")
            fresh.write_bytes(engine)
            fresh.replace(target)
        link = directory / ".current.tmp"
        link.unlink(missing_ok=True)
        link.symlink_to(file_name)
        link.replace(directory / "current")
    except OSError as error:
        user = os.environ.get("USER", "the deploy user")
        return problem(
            f"the deploy path cannot be prepared: {deploy_path}",
            f"{error.strerror}: {error.filename}",
            f"as root on the host: install -d -o {user} {deploy_path}",
        )
    return {"installed": not known, "python": platform.python_version()}


def main(payload: str) -> None:
    """Install what the payload, a JSON object of ``install``'s arguments, holds; print the answer."""
    print(json.dumps(install(**json.loads(payload))))
