"""Acting as the deploy user where root works on what is the deploy user's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fairway.engine.layout import Layout


def deploy_owner(layout: Layout) -> os.stat_result:
    """Return whose user and group deployments belong to: the deploy user's, though ``.fairway`` may be root's."""
    there = (path for path in (layout.deployments, layout.root) if path.exists())
    return next(there, layout.deploy_path).stat()


@contextmanager
def as_deploy_user(layout: Layout) -> Iterator[None]:
    """Act with the deploy user's rights, so that what root writes among their files stays theirs.

    It also keeps root from following a link that they have laid. Does nothing for
    anyone but root.
    """
    if os.geteuid() != 0:
        yield
        return
    owner = deploy_owner(layout)
    groups = os.getgroups()
    os.setgroups([owner.st_gid])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
