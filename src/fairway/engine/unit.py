"""What this host starts by itself: recovery at boot, and what is scheduled. Installed by an administrator.

Sources: systemd.unit(5), systemd.service(5), systemd.exec(5).
"""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from pathlib import Path

from fairway.engine import docker
from fairway.engine.backups import timers
from fairway.engine.contract.errors import Failed, FairwayError, Refused
from fairway.engine.files import write_atomically
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.metrics import textfile
from fairway.engine.ownership import deploy_owner
from fairway.engine.process import Completed, run
from fairway.engine.sandbox import sandbox
from fairway.engine.watcher import timer as look_timer

UNITS = Path("/etc/systemd/system")
CRON = Path("/etc/cron.d")
_STATE = Path("/var/lib")
_RUNNING = Path("/run/systemd/system")
# What is done each minute, where it is wanted.
_MINUTELY = (textfile, look_timer)
_NO_SYSTEMD = "this host does not run systemd: after a reboot the next Fairway command recovers what was interrupted"


def unit_name(host: HostConfig) -> str:
    """Return the unit's name: one for each project and environment on a host."""
    return f"fairway-{host.project}-{host.environment}.service"


def render(layout: Layout, host: HostConfig, *, user: str, python: str) -> str:
    """Return the unit's text.

    It stays active after it has done its work, so that the process that waits to stop
    a warm slot, which it starts, is not ended with it.
    """
    path = layout.deploy_path
    return f"""\
# Written by Fairway: fairway bootstrap {host.environment}
[Unit]
Description=Fairway: recover {host.project} ({host.environment}) after a boot
Wants=docker.service network-online.target
After=docker.service network-online.target
RequiresMountsFor={path}

[Service]
Type=oneshot
RemainAfterExit=yes
User={user}
ExecStart={python} -I {layout.engines}/current recover
TimeoutStartSec=30min
{sandbox([path])}

[Install]
WantedBy=multi-user.target
"""


def install(layout: Layout, host: HostConfig) -> str:
    """Write what starts by itself and enable it; return a line about it.

    Raises ``Refused`` without systemd, and without cron where something is scheduled,
    or without the right.
    """
    if not _RUNNING.is_dir():
        return _install_cron(layout, host)
    wanted = _wanted(layout, host)
    stale = [path for path in _timer_paths(host) if path.name not in wanted and path.exists()]
    changed = [name for name, text in wanted.items() if _text_of(UNITS / name) != text]
    try:
        _provide_textfile(layout, host)
        for path in stale:
            if path.suffix == ".timer":
                _systemctl("disable", "--now", path.name)
            path.unlink()
        for name, text in wanted.items():
            write_atomically(UNITS / name, text.encode(), mode=0o644)
    except PermissionError:
        raise _no_right(UNITS, layout) from None
    _systemctl("daemon-reload")
    starting = [name for name in wanted if name == unit_name(host) or name.endswith(".timer")]
    _systemctl("enable", *starting)
    for timer in (name for name in starting if name.endswith(".timer")):
        _systemctl("restart" if timer in changed else "start", timer)
    return f"{', '.join(starting)} {'are' if len(starting) > 1 else 'is'} enabled"


def offer(layout: Layout, host: HostConfig) -> str:
    """Install it if this user may without a password; return what is left to say, nothing when all is there."""
    missing = _missing(layout, host)
    if missing is None:
        return "" if _RUNNING.is_dir() else _NO_SYSTEMD
    try:
        if os.geteuid() == 0:
            install(layout, host)
        else:
            _run(["sudo", "-n", *shlex.split(_command(layout).partition(" ")[2])])
    except FairwayError:
        pass  # there is no sudo, or no cron: what is still missing is told
    if _missing(layout, host) is None:
        return "" if _RUNNING.is_dir() else _NO_SYSTEMD
    if not _RUNNING.is_dir():
        return f"{_NO_SYSTEMD}; {missing}: {_cron_hint(layout)}"
    what = "recover by itself after a reboot"
    if timers.timed(host) or host.textfile or host.watch:
        what += " and do what is scheduled"
    return f"to have this host {what}, an administrator runs on it: {_command(layout)}"


def describe(layout: Layout, host: HostConfig) -> str:
    """Say whether this host recovers by itself and does what is scheduled, and what to do when it does not."""
    missing = _missing(layout, host)
    if not _RUNNING.is_dir():
        said = "no systemd here: after a reboot the next command recovers"
        return f"{said}; {missing}: {_cron_hint(layout)}" if missing else said
    if missing is None:
        also = "".join(f", {one.what} {one.schedule.text}" for one in timers.timed(host))
        also += ", metrics each minute" if host.textfile else ""
        also += ", a look at the front door each minute" if host.watch else ""
        return f"{unit_name(host)} is enabled{also}"
    return f"{missing}: after a reboot the next command recovers; to have it at boot: {_command(layout)}"


def unscheduled(layout: Layout, host: HostConfig) -> str | None:
    """Return what is missing for what is scheduled to be done by itself, None when it is."""
    return _missing(layout, host) if timers.timed(host) else None


def unwatched(layout: Layout, host: HostConfig) -> str | None:
    """Return what is missing for the front door to be looked at, None when all is there or nothing is to be watched."""
    return _missing(layout, host, only=timers.base_name(host, look_timer.WHAT)) if host.watch else None


def _missing(layout: Layout, host: HostConfig, only: str = "") -> str | None:
    """Return what is missing of what starts by itself, or None when it is as it should be.

    With ``only``, of the units whose names begin so; cron has one file for everything.
    """
    if not _RUNNING.is_dir():
        file = CRON / timers.cron_name(host)
        there, wanted = _text_of(file) or "", _wanted_cron(layout, host)
        return None if there == wanted else f"{file} is {'not there' if wanted else 'not wanted any more'}"
    wanted_units = {name: text for name, text in _wanted(layout, host).items() if name.startswith(only)}
    for name, text in wanted_units.items():
        there_now = _text_of(UNITS / name)
        if there_now is None:
            return f"{name} is not installed"
        if there_now != text:
            return f"{name} is another engine's"
    for path in _timer_paths(host):
        if path.name.startswith(only) and path.name not in wanted_units and path.exists():
            return f"{path.name} is not wanted any more"
    for name in wanted_units:
        if (name == unit_name(host) or name.endswith(".timer")) and _run(
            ["systemctl", "is-enabled", name]
        ).returncode != 0:
            return f"{name} is not enabled"
    return None


def _wanted(layout: Layout, host: HostConfig) -> dict[str, str]:
    user, home = _owner(layout)
    own = {unit_name(host): render(layout, host, user=user, python=_python())}
    with_key = os.path.lexists(timers.key_file(host))  # False, too, where this user may not look
    timed = timers.unit_files(layout, host, user=user, home=home, python=_python(), with_key=with_key)
    minutely: dict[str, str] = {}
    for one in _MINUTELY:
        task, name = one.minutely(host), timers.base_name(host, one.WHAT)
        if task is not None:
            minutely.update(task.unit_files(layout, host, name=name, user=user, python=_python()))
    return {**own, **timed, **minutely}


def _wanted_cron(layout: Layout, host: HostConfig) -> str:
    user, python = _owner(layout)[0], _python()
    tasks = [one.minutely(host) for one in _MINUTELY]
    also = [task.cron_line(layout, user=user, python=python) for task in tasks if task is not None]
    return timers.cron_file(layout, host, user=user, python=python, also=also)


def _install_cron(layout: Layout, host: HostConfig) -> str:
    """Write the file for cron, or take it away when nothing is scheduled any more."""
    file, wanted = CRON / timers.cron_name(host), _wanted_cron(layout, host)
    if not wanted and not file.exists():
        raise Refused("this host does not run systemd", hint="the next Fairway command recovers instead")
    if not CRON.is_dir():
        raise Refused(
            "this host runs neither systemd nor cron",
            hint="install cron, or run on a schedule of your own: "
            f"{_python()} -I {layout.engines}/current scheduled backup",
        )
    try:
        _provide_textfile(layout, host)
        if not wanted:
            file.unlink()
            return f"{file} is removed"
        write_atomically(file, wanted.encode(), mode=0o644)
    except PermissionError:
        raise _no_right(CRON, layout) from None
    return f"{file} is there"


def _provide_textfile(layout: Layout, host: HostConfig) -> None:
    """Make the directory for node_exporter, the deploy user's; one that is there stays as it is.

    Elsewhere than in ``/var/lib`` an administrator makes it: a new directory in the wrong
    place would let the deploy user say what root's programs do.
    """
    if host.textfile is None or os.path.lexists(host.textfile) or Path(host.textfile).parent != _STATE:
        return
    Path(host.textfile).mkdir()
    # The mask of the engine is for secrets, and these are none.
    Path(host.textfile).chmod(0o755)
    owner = deploy_owner(layout)
    os.chown(host.textfile, owner.st_uid, owner.st_gid)


def _cron_hint(layout: Layout) -> str:
    if not CRON.is_dir():
        return "install cron, then run fairway bootstrap again"
    return f"an administrator runs on it: {_command(layout)}"


def _no_right(directory: Path, layout: Layout) -> Refused:
    return Refused(f"{directory} cannot be written by this user", hint=f"as root: {_command(layout)}")


def _timer_paths(host: HostConfig) -> list[Path]:
    """Return every file that any schedule of this host could have."""
    return [
        UNITS / f"{timers.base_name(host, what)}{suffix}"
        for what in (*timers.EVER_TIMED, *(one.WHAT for one in _MINUTELY))
        for suffix in (".timer", ".service")
    ]


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _systemctl(*arguments: str) -> None:
    done = _run(["systemctl", *arguments])
    if done.returncode != 0:
        raise Failed(f"systemctl {' '.join(arguments)} failed", why=done.stderr.strip()[-300:])


def _owner(layout: Layout) -> tuple[str, Path]:
    """Return the deploy user's name and home."""
    owner = deploy_owner(layout).st_uid
    try:
        entry = pwd.getpwuid(owner)
    except KeyError:
        return str(owner), Path("/nonexistent")
    return entry.pw_name, Path(entry.pw_dir)


def _python() -> str:
    """Return python3 by the path that outlives an upgrade of it."""
    usual = Path("/usr/bin/python3")
    return str(usual) if usual.exists() else sys.executable


def _command(layout: Layout) -> str:
    return f"sudo {_python()} -I {layout.engines}/current install-unit"


def _run(argv: list[str]) -> Completed:
    return run(argv, env=docker.environment(Path("/nonexistent")), timeout_s=60)
