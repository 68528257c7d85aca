"""The nginx of this host: its files, its own check of them, and its reload.

Source: nginx's "Controlling nginx" and "Command-line parameters".
"""

from __future__ import annotations

import glob
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from fairway.engine import clock
from fairway.engine.contract.errors import Failed
from fairway.engine.files import sync_directory
from fairway.engine.nginx.grammar import Forward, decode, directives, encode, find_forwards, included
from fairway.engine.process import Completed, run

# The only places root looks for a program, whatever the caller's PATH says.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DUMPED = re.compile(r"^# configuration file (.+):$", re.MULTILINE)
_MAX_FILE_BYTES = 4 * 1024 * 1024
_MAX_FILES = 2000
_RELOAD_PATIENCE_S = 15.0
_TEMPORARY = ".fairway"


@dataclass(frozen=True)
class NginxConfig:
    """What was read of the configuration: texts by the files' real paths, in the order nginx reads them.

    ``invalid`` is what nginx says against the configuration as a whole, and empty
    when it was not asked or has nothing against it.
    """

    installed: bool
    texts: dict[str, str] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    invalid: str = ""

    def forwards(self) -> list[tuple[str, Forward]]:
        """Return every forward with its file."""
        return [(path, forward) for path, text in self.texts.items() for forward in find_forwards(text)]


def read_config() -> NginxConfig:
    """Read the configuration: as root exactly the files nginx names, otherwise those that may be read."""
    program = shutil.which("nginx", path=PATH)
    if program is None:
        return NginxConfig(installed=False)
    invalid = ""
    if os.geteuid() == 0:
        done = _nginx("-T", "-q")
        if done.returncode == 0:
            names = list(dict.fromkeys(_DUMPED.findall(done.stdout)))
            texts, unreadable = _read_all(names)
            return NginxConfig(True, texts, unreadable)
        invalid = done.stderr.strip()[-800:]
    texts, unreadable = _walk(Path(_built_with("conf-path") or "/etc/nginx/nginx.conf"))
    return NginxConfig(True, texts, unreadable, invalid)


def check() -> str:
    """Have nginx check its files; return what it has against them, or nothing."""
    done = _nginx("-t", "-q")
    return "" if done.returncode == 0 else done.stderr.strip()[-800:] or "nginx -t failed without a word"


def reload(texts: dict[str, str]) -> None:
    """Have nginx take its files on, and wait until only workers that have read them accept requests.

    ``nginx -s reload`` only sends a signal. Old workers go on accepting for a moment
    beside the new ones, then finish what they are serving. Raises ``Failed`` when nginx
    does not run or stays with what it had.
    """
    master = _master(texts)
    before = _children(master)
    signal_reload()
    deadline = clock.monotonic() + _RELOAD_PATIENCE_S
    while not _children(master) - before or any(_accepts(worker) for worker in before):
        if clock.monotonic() > deadline:
            raise Failed(
                f"nginx has not taken its files on {_RELOAD_PATIENCE_S:.0f} s after the reload",
                why="it stays with the configuration it had when it cannot use the new one",
                hint="nginx's error log says why",
            )
        clock.sleep(0.02)


def signal_reload() -> None:
    """Ask nginx to take its files on, without waiting for it. Raises ``Failed`` when it cannot be asked."""
    done = _nginx("-s", "reload")
    if done.returncode != 0:
        raise Failed("nginx did not take the reload", why=done.stderr.strip()[-800:], hint="see that nginx runs")


def replace_file(path: str, expected: str, text: str) -> None:
    """Put a text in a file's place at once, with the owner and the permissions the file has.

    Raises ``Failed`` when the file no longer has the expected text.
    """
    target = Path(path)
    known = target.stat()
    if decode(target.read_bytes()) != expected:
        raise Failed(f"{path} was edited in this very moment", hint="run it again")
    # Hidden, so that no include of "*" reads it in the moment it is there.
    temporary = target.with_name(f".{target.name}.{os.getpid()}{_TEMPORARY}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(encode(text))
            os.fchown(descriptor, known.st_uid, known.st_gid)
            os.fchmod(descriptor, known.st_mode & 0o7777)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)


def sweep(path: str) -> None:
    """Remove what a replacement of this file that was cut short has left beside it."""
    target = Path(path)
    for left in target.parent.glob(f".{glob.escape(target.name)}.*{_TEMPORARY}"):
        left.unlink(missing_ok=True)


def _walk(main: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Follow the includes from the main file, as nginx does: relative ones start at its directory."""
    texts: dict[str, str] = {}
    unreadable: list[str] = []
    waiting = [str(main)]
    while waiting and len(texts) < _MAX_FILES:
        name = waiting.pop(0)
        found, refused = _read_all([name])
        unreadable += refused
        for real, text in found.items():
            if real in texts:
                continue
            texts[real] = text
            for pattern in included(text):
                whole = str(main.parent / pattern)
                directory = Path(whole).parent
                if directory.is_dir() and not os.access(directory, os.R_OK | os.X_OK):
                    unreadable.append(whole)
                # Like nginx's own, glob leaves hidden files out; Path.glob does not.
                waiting += sorted(glob.glob(whole)) if glob.has_magic(whole) else [whole]  # noqa: PTH207
    return texts, tuple(unreadable)


def _read_all(names: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    texts: dict[str, str] = {}
    unreadable = []
    for name in names:
        real = os.path.realpath(name)
        try:
            with Path(real).open("rb") as file:
                texts[real] = decode(file.read(_MAX_FILE_BYTES))
        except OSError:
            unreadable.append(name)
    return texts, tuple(unreadable)


def _built_with(option: str) -> str:
    """Return one of the paths nginx was built with."""
    match = re.search(rf"--{option}=(\S+)", _nginx("-V").stderr)
    return match[1] if match else ""


def _master(texts: dict[str, str]) -> int:
    """Return the process id of the running nginx. Raises ``Failed`` when there is none."""
    every = (directive for text in texts.values() for directive in directives(text))
    named = [d.words[1].text for d in every if d.name == "pid" and not d.within and len(d.words) > 1]
    path = Path(named[0] if named else _built_with("pid-path") or "/run/nginx.pid")
    try:
        master = int(path.read_text(encoding="ascii"))
        os.kill(master, 0)
    except (OSError, ValueError):
        raise Failed(
            "nginx does not run on this host", why=f"{path} names no process", hint="start it: systemctl start nginx"
        ) from None
    return master


def _children(master: int) -> set[int]:
    try:
        return {int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()}
    except OSError:
        return set()


def _accepts(process: int) -> bool:
    """Say whether a process is a worker that takes new connections.

    One that was told to end says so in its title, just before it closes its listening sockets.
    """
    try:
        title = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
    return title.startswith(b"nginx: worker process") and b"shutting down" not in title


def _nginx(*arguments: str) -> Completed:
    return run(["nginx", *arguments], env={"PATH": PATH, "LC_ALL": "C.UTF-8"}, timeout_s=60)
