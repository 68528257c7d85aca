"""One migration as its file says it, and what every kind of them needs for reading it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.names import Digest
from fairway.migrations.hazards import Hazard, lock_hazards
from fairway.migrations.judgement import Judgement
from fairway.migrations.judging import judge_sql

_SHOWN = 200


@dataclass(frozen=True)
class Source:
    """One migration. ``id`` is what the tool puts on record, ``path`` its file.

    ``sql`` is what it runs, each statement on the line that it has in the file, with nothing
    where it runs none. ``told`` are judgements on what is no SQL. ``spoken`` are the file's own
    words, by line, for statements that it does not spell in SQL. ``replaces`` are those that it
    says it was squashed from. ``again`` is one that the tool
    applies whenever it has changed, and keeps no place in the order for: a host cannot check a
    rollback against it.
    """

    id: str
    path: str
    digest: Digest
    sql: str
    parents: tuple[str, ...] = ()
    told: tuple[Judgement, ...] = ()
    spoken: Mapping[int, str] = field(default_factory=dict)
    again: bool = False
    replaces: tuple[str, ...] = ()

    def judgements(self) -> tuple[Judgement, ...]:
        """Judge everything that it does, in the order of its lines."""
        judged = [replace(one, statement=self.spoken.get(one.line, one.statement)) for one in judge_sql(self.sql)]
        return tuple(sorted([*judged, *self.told], key=lambda one: one.line))

    def hazards(self) -> tuple[Hazard, ...]:
        """Find what it may lock for too long."""
        return lock_hazards(self.sql)


class Script:
    """SQL that is put together statement by statement, each on its line of the file it stands for."""

    def __init__(self) -> None:
        self._text = ""
        self.spoken: dict[int, str] = {}

    def add(self, sql: str, line: int, *, words: str = "") -> None:
        """Add SQL that begins on a line of the file; ``words`` are the file's own when it is no SQL there."""
        body = sql.strip("\n\r\t ")
        if not body:
            return
        line += sql[: sql.index(body[0])].count("\n")
        self._text += "\n" * max(0, line - 1 - self._text.count("\n"))
        if words:
            # Not folded into one line: a comment in it would hide what follows.
            first = self._text.count("\n") + 1
            lines = range(first, first + body.count("\n") + 1)
            self.spoken.update(dict.fromkeys(lines, one_line(words)))
        # A comment at the end would swallow the semicolon.
        last = body.rsplit("\n", 1)[-1]
        self._text += body + ("\n;" if "--" in last else "" if body.endswith(";") else ";")

    @property
    def text(self) -> str:
        return f"{self._text}\n" if self._text else ""


def one_line(text: str) -> str:
    """Return the beginning of a text, in one line."""
    return " ".join(text.split())[:_SHOWN]


def decoded(path: str, body: bytes) -> str:
    """Return a migration's text. Raises ``Invalid`` when it is none."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise Invalid(f"{path}, line {line}: not UTF-8 text", hint="save the migration as UTF-8") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise Invalid(f"{path}, line {line}: a zero byte, which no migration has", hint="save it as plain text")
    return text


def below(directory: str, path: str) -> PurePosixPath:
    """Return a path as it is from the directory that it lies below."""
    return PurePosixPath(path).relative_to(directory)


def quoted(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a string."""
    return "'" + text.replace("'", "''") + "'"


def refuse_twice(sources: Iterable[Source], what: str) -> None:
    """Raise ``Invalid`` when two migrations would be recorded under one name."""
    seen: dict[str, str] = {}
    for one in sources:
        if one.id in seen:
            raise Invalid(
                f"{one.path} and {seen[one.id]} have the same {what}, {one.id}",
                why="the database records a migration by it, so one of them would never run",
                hint=f"give the newer one a {what} of its own",
            )
        seen[one.id] = one.path


def in_order(sources: Iterable[Source], *, key: Callable[[Source], tuple[str, ...]], what: str) -> tuple[Source, ...]:
    """Sort migrations behind their parents, as far as these are among them; by ``key`` where that leaves a choice.

    Raises ``Invalid`` naming the files of a cycle.
    """
    left = {one.id: one for one in sorted(sources, key=key)}
    known = set(left)
    done: list[Source] = []
    ready = True
    while left and ready:
        gone = {one.id for one in done}
        ready = False
        for one in list(left.values()):
            if all(parent not in known or parent in gone for parent in one.parents):
                done.append(left.pop(one.id))
                gone.add(one.id)
                ready = True
    if left:
        raise Invalid(
            f"these {what} follow each other in a circle: {', '.join(sorted(one.path for one in left.values()))[:500]}",
            hint=f"see what each of them says it follows: {_parents_of(left)}",
        )
    return tuple(done)


def _parents_of(left: Mapping[str, Source]) -> str:
    said = [f"{one.id} follows {', '.join(p for p in one.parents if p in left)}" for one in left.values()]
    return "; ".join(said)[:500]
