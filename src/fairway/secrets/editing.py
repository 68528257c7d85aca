"""Let a person edit a text that must be on no disk: in memory, for as long as the editor runs."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fairway.engine.contract.environment import EnvironmentFile
from fairway.engine.contract.envtext import scan_env
from fairway.engine.contract.errors import Failed, Invalid
from fairway.process import in_foreground

_MEMORY = ("/dev/shm",)  # noqa: S108 - a directory of our own is made in it, for us alone
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def checked(text: str) -> str:
    """Return a text that every reader takes alike. Raises ``Invalid`` with each line that is otherwise."""
    problems = scan_env(text).problems
    if problems:
        raise Invalid(
            f"{len(problems)} line{'s' if len(problems) > 1 else ''} cannot be taken",
            why="\n".join(f"line {problem.line}: {problem.what}" for problem in problems[:50]),
            hint=problems[0].hint + "; nothing was changed on the host",
        )
    return text


def template(environment: EnvironmentFile) -> str:
    """Return the text that a new file begins with: each key that is declared, once, without a value."""
    lines = ["# Settings of one environment: KEY=value or KEY='value'."] if environment.declared else []
    for key in environment.declared:
        if key not in environment.required:
            lines += [f"# {condition}" for condition in environment.when if condition.key == key]
        lines.append(f"{key}=")
    return "".join(f"{line}\n" for line in lines)


def edit(text: str, name: str, environ: Mapping[str, str], notice: Callable[[str], None]) -> str:
    """Have the text edited with ``$VISUAL`` or ``$EDITOR``; return what it is then.

    The file is in a directory that only this user can enter, in memory where this system
    has such a place; it is gone when the editor ends, and when this process is asked to end.
    """
    editor = environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    with _private_directory(environ, notice) as directory:
        path = directory / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        code = in_foreground([*shlex.split(editor), str(path)])
        if code != 0:
            raise Failed(f"the editor ended with exit code {code}", why=editor, hint="nothing was changed on the host")
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise Failed("the editor left no text behind", hint="nothing was changed on the host") from None


@contextmanager
def _private_directory(environ: Mapping[str, str], notice: Callable[[str], None]) -> Iterator[Path]:
    places = [*_MEMORY, environ.get("XDG_RUNTIME_DIR", "")]
    place = next((name for name in places if name and os.access(name, os.W_OK | os.X_OK)), None)
    if place is None:
        notice("warning: this system has no directory in memory: the text is on the disk while you edit it")
    with _ended_as_interrupt():
        directory = Path(tempfile.mkdtemp(prefix="fairway-env-", dir=place))
        try:
            directory.chmod(stat.S_IRWXU)
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _ended_as_interrupt() -> Iterator[None]:
    """Take a signal to end for what Ctrl-C is, so that what is to be removed is removed."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
