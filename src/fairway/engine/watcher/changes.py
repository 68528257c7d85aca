"""What changed, a line each, for whoever tells people: appended, waited for, and never grown without bound."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairway.engine.files import append_line, lines_backwards, write_atomically

_MOST_BYTES = 512 * 1024
_MOST_WORDS = 1000


class Change(enum.Enum):
    """What can change."""

    DOWN = "down"
    UP = "up"
    DRIFT = "drift"
    DRIFT_ENDED = "drift-ended"


@dataclass(frozen=True)
class Line:
    """One change: ``seconds`` is how long it was as before, None where nobody knows."""

    id: str
    at: str
    kind: Change
    environment: str
    subject: str
    words: str
    seconds: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is written."""
        return {**self.__dict__, "kind": self.kind.value}

    @property
    def why(self) -> str:
        """The reason, which follows the address in the words of an outage."""
        return self.words.partition(f"{self.subject}: ")[2] if self.kind is Change.DOWN else ""


class Changes:
    """The file of one host."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(
        self, kind: Change, *, at: str, environment: str, subject: str, words: str, seconds: float | None, after: str
    ) -> Line:
        """Add a line and wait until the disk has it; its id follows the last one, and ``after``.

        Raises ``OSError`` when the disk does not take it.
        """
        last = next(self.newest_first(), None)
        number = max(_number(last.id) if last else 0, _number(after)) + 1
        said = words if len(words) <= _MOST_WORDS else words[: _MOST_WORDS - 4] + " ..."
        line = Line(f"{number:06d}", at, kind, environment, subject, said, None if seconds is None else round(seconds))
        append_line(self._path, json.dumps(line.as_json(), ensure_ascii=False).encode() + b"\n", durable=True)
        if self._path.stat().st_size > _MOST_BYTES:
            self._forget()
        return line

    def newest_first(self) -> Iterator[Line]:
        """Yield the changes from the last one back; a line that was cut short is passed over."""
        for text in lines_backwards(self._path):
            line = _parse(text)
            if line is not None:
                yield line

    def _forget(self) -> None:
        """Keep the newer half."""
        kept: list[bytes] = []
        size = 0
        for line in lines_backwards(self._path):
            size += len(line) + 1
            if size > _MOST_BYTES // 2:
                break
            kept.append(line + b"\n")
        write_atomically(self._path, b"".join(reversed(kept)))


def _parse(text: bytes) -> Line | None:
    try:
        found = json.loads(text)
        seconds = found["seconds"]
        return Line(
            id=str(found["id"]),
            at=str(found["at"]),
            kind=Change(found["kind"]),
            environment=str(found["environment"]),
            subject=str(found["subject"]),
            words=str(found["words"]),
            seconds=None if seconds is None else float(seconds),
        )
    except (ValueError, TypeError, KeyError):
        return None


def _number(identity: str) -> int:
    return int(identity) if identity.isdecimal() else 0
