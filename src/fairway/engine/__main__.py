"""The engine's command line: what SSH, the forced command and the engine itself start."""

from __future__ import annotations

import fcntl
import os
import pwd
import sys
from pathlib import Path

from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.layout import Layout
from fairway.engine.ownership import deploy_owner

# What changes the host itself: its units, its nginx, what it goes by.
_FOR_ROOT = ("install-unit", "traffic", "admin")
USAGE = (
    "usage: fairway-engine serve | look | upkeep | admin | retire <deployment> | recover | edge-drain | install-unit"
    " | traffic <to> | scheduled <what> | metrics [--write] | tell [--once]"
)


def main() -> None:
    """Run one command; the deploy path is where this very file stands, never an argument."""
    os.umask(0o077)
    try:
        _hold_engine()
        layout = Layout(_deploy_path())
        if sys.argv[1:2] not in ([command] for command in _FOR_ROOT):
            _become_owner(layout)
        _run(sys.argv[1:], layout)
    except FairwayError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _run(arguments: list[str], layout: Layout) -> None:
    # Each command loads only what it needs: a status or a rollback waits for these imports.
    if arguments in (["serve"], ["look"]):
        from fairway.engine.access.ways import Way
        from fairway.engine.serve import serve_ssh

        serve_ssh(layout, os.environ.get("SSH_ORIGINAL_COMMAND"), Way(arguments[0]))
        return
    if arguments in (["admin"], ["upkeep"]):
        from fairway.engine.access.ways import Way
        from fairway.engine.serve import serve_standard_streams

        serve_standard_streams(layout, Way(arguments[0]))
        return
    if arguments[:1] == ["traffic"]:
        from fairway.engine.traffic.command import traffic

        traffic(arguments[1:], layout)
        return
    if arguments[:1] == ["metrics"]:
        from fairway.engine.metrics.command import metrics

        metrics(arguments[1:], layout)
        return
    if arguments[:1] == ["tell"] and arguments[1:] in ([], ["--once"]):
        from fairway.engine.notifications.teller import tell

        tell(layout, once=arguments[1:] == ["--once"])
        return
    from fairway.engine.console import COMMANDS, run_console

    if not arguments or arguments[0] in (*COMMANDS, "-h", "--help"):
        run_console(arguments, layout)
        return
    from fairway.engine.deployment import Deployment, read_request
    from fairway.engine.hostconfig import read_host_config

    if arguments == ["recover"]:
        from fairway.engine.recovery import recover_host

        recover_host(layout, read_host_config(layout.host_config), lambda line: print(line, flush=True))
        return
    if arguments == ["install-unit"]:
        from fairway.engine.unit import install

        print(install(layout, read_host_config(layout.host_config)))
        return
    if arguments == ["scheduled", "look"]:
        from fairway.engine.watcher.look import run_look

        run_look(layout, read_host_config(layout.host_config))
        return
    if len(arguments) == 2 and arguments[0] == "scheduled":
        from fairway.engine.backups.routine import run_scheduled

        run_scheduled(layout, read_host_config(layout.host_config), arguments[1])
        return
    if len(arguments) == 2 and arguments[0] == "retire":
        from fairway.engine.retire import retire

        host = read_host_config(layout.host_config)
        retire(Deployment(layout, host, read_request(layout, arguments[1])))
    elif arguments == ["edge-drain"]:
        from fairway.engine.instances.settling import see_out

        see_out(layout, read_host_config(layout.host_config))
    else:
        raise Invalid(USAGE)


def _become_owner(layout: Layout) -> None:
    """Give up root for the deploy user: files that root made here, the next deployment could not write."""
    owner = deploy_owner(layout).st_uid
    if os.geteuid() != 0 or owner == 0:
        return
    try:
        user = pwd.getpwuid(owner)
    except KeyError:
        raise Invalid(
            f"the owner of {layout.deployments} is no user of this host", why=f"its number is {owner}"
        ) from None
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(owner)
    os.environ["HOME"] = user.pw_dir


def _hold_engine() -> None:
    """Show, for the life of this process, that this engine runs, so that housekeeping leaves it alone."""
    fcntl.flock(os.open(Path(sys.argv[0]).resolve(), os.O_RDONLY), fcntl.LOCK_SH)


def _deploy_path() -> Path:
    """Return the deploy path from ``<deploy path>/.fairway/engine/<this file>``."""
    engine = Path(sys.argv[0]).resolve()
    if engine.parent.name != "engine" or engine.parent.parent.name != ".fairway":
        raise Invalid(
            f"the engine does not stand in a deploy path: {engine}",
            hint="it is put there by: fairway bootstrap <environment>",
        )
    return engine.parent.parent.parent


if __name__ == "__main__":
    main()
