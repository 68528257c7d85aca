"""The directory of the logs: of one run at a time, none of Git's, and nobody else's."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairway.engine.contract.errors import Invalid, Locked

_IGNORE = "*\n"
_LOCK = ".lock"


@contextmanager
def kept_in(directory: Path) -> Iterator[None]:
    """Hold the directory for one run, cleared of the last one's logs; Git is told to ignore it.

    Raises ``Locked`` while another run holds it, and ``Invalid`` when it has somebody else's files: they
    would be ignored, and what is called like a log removed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if any(directory.iterdir()) and not (ignore.is_file() and ignore.read_text(encoding="utf-8") == _IGNORE):
        raise Invalid(
            f"ci.logs: {directory} has files in it that are not logs of fairway ci",
            hint="name a directory of its own, such as .fairway/ci",
        )
    ignore.write_text(_IGNORE, encoding="utf-8")
    with (directory / _LOCK).open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(
                "fairway ci runs here already", why=f"another run keeps its logs in {directory}", hint="wait for it"
            ) from None
        for old in (*directory.glob("*.log"), directory / "summary.md", directory / "summary.json"):
            old.unlink(missing_ok=True)
        yield
