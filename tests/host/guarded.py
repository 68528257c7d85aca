"""Projects on hosts that an administrator keeps, with a deploy user and a deploy key of their own."""

from __future__ import annotations

import secrets

from testbed.bed import Login, Testbed
from testbed.workspace import Workspace

ADMIN = {"environments": {"staging": {"admin": "root"}, "production": {"admin": "root"}}}


def guarded(bed: Testbed, login: Login) -> Workspace:
    """Return a project that names an administrator; nothing is prepared yet."""
    port = 25_000 + secrets.randbelow(5_000)
    work = Workspace(bed, project=f"t-{secrets.token_hex(4)}", port=port, login=login)
    work.configure(**ADMIN)
    work.commit("Name an administrator")
    return work


def give_deploy_key(work: Workspace, environment: str) -> None:
    """Have the project's key open the protocol on an environment's host, and nothing else."""
    work.fairway("keys", "add", environment, "ci", deploy_key_of(work), "--role", "deploy")


def deploy_key_of(work: Workspace) -> str:
    """Return the file of the public key with which the project's user logs in."""
    assert work.login is not None
    return str(work.login.key.with_suffix(".pub"))
