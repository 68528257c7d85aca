"""The one place that parses SQL: a text in, its statements out, each with its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import postgast
from google.protobuf.message import DecodeError

_SHOWN = 200
_COMMENTS = frozenset(("SQL_COMMENT", "C_COMMENT"))
#: The parser is C and follows an expression with its own stack, which it does not guard. A chain this
#: long has been seen to be safe by far; its tree is too deep for the decoder a long time before.
_DEEPEST = 3000
#: Beyond this a text is data, not a migration that anybody reads.
MAX_BYTES = 16 * 1024 * 1024


class Unreadable(Exception):
    """A text that is not what PostgreSQL's parser reads; the words say why."""

    def __init__(self, why: str, line: int = 1) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


@dataclass(frozen=True)
class Statement:
    """A statement as it stands in the text, and its tree. ``kind`` is the parser's name of it."""

    line: int
    text: str
    kind: str
    tree: Any


def read(sql: str) -> tuple[Statement, ...]:
    """Parse a text. Raises ``Unreadable``."""
    raw = _encoded(sql)
    try:
        tokens = [(token.start, token.end, _token(token)) for token in postgast.scan(sql).tokens]
        _measure(tokens)
        tree = postgast.parse(sql)
    except postgast.PgQueryError as error:
        raise _unreadable(raw, error) from None
    except DecodeError:
        raise Unreadable("an expression is nested too deeply") from None
    return tuple(_statements(raw, tokens, tree))


def without_comments(sql: str) -> str:
    """Return the text with blanks for its comments, every line where it was. Raises ``Unreadable``."""
    raw = bytearray(_encoded(sql))
    try:
        tokens = postgast.scan(sql).tokens
    except postgast.PgQueryError as error:
        raise _unreadable(bytes(raw), error) from None
    for token in tokens:
        if _token(token) in _COMMENTS:
            raw[token.start : token.end] = bytes(c if c in b"\r\n" else 0x20 for c in raw[token.start : token.end])
    return raw.decode()


def one_line(text: str) -> str:
    """Return the beginning of a text in one line."""
    return " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * _SHOWN]).split())[:_SHOWN]


def _encoded(sql: str) -> bytes:
    # libpg_query takes a C string: what follows a NUL would go unread, and unjudged.
    if "\0" in sql:
        raise Unreadable("it holds a NUL character", sql.count("\n", 0, sql.index("\0")) + 1)
    try:
        raw = sql.encode()
    except UnicodeEncodeError:
        raise Unreadable("it is not valid Unicode") from None
    if len(raw) > MAX_BYTES:
        raise Unreadable(f"it is larger than {MAX_BYTES // 1024 // 1024} MiB")
    return raw


def _token(token: Any) -> str:
    # A character that the grammar has no use for is a token of its number, without a name.
    named = token.DESCRIPTOR.fields_by_name["token"].enum_type.values_by_number
    return str(named[token.token].name) if token.token in named else ""


def _measure(tokens: list[tuple[int, int, str]]) -> None:
    """Raise ``Unreadable`` when a statement could be nested deeper than is safe to parse.

    Counted are the tokens since the last comma, of every parenthesis that is open: each may be a level.
    """
    counts = [0]
    total = 0
    for _start, _end, name in tokens:
        if name in _COMMENTS:
            continue
        if name == "ASCII_59":  # ;
            counts, total = [0], 0
        elif name in ("ASCII_40", "ASCII_91"):  # ( [
            counts.append(1)
            total += 1
        elif name in ("ASCII_41", "ASCII_93") and len(counts) > 1:  # ) ]
            total -= counts.pop()
            counts[-1] += 1
            total += 1
        elif name == "ASCII_44":  # ,
            total -= counts[-1]
            counts[-1] = 0
        else:
            counts[-1] += 1
            total += 1
        if total > _DEEPEST:
            raise Unreadable("an expression is nested too deeply")


def _statements(raw: bytes, tokens: list[tuple[int, int, str]], tree: Any) -> Iterator[Statement]:
    words = [(start, end) for start, end, name in tokens if name not in _COMMENTS]
    position = 0
    line, counted = 1, 0
    for parsed in tree.stmts:
        begin = parsed.stmt_location
        end = begin + parsed.stmt_len if parsed.stmt_len else len(raw)
        while position < len(words) and words[position][0] < begin:
            position += 1
        if position < len(words) and words[position][0] < end:
            begin = words[position][0]  # behind the comments and blanks that go before it
        line += raw.count(b"\n", counted, begin)
        counted = begin
        kind = parsed.stmt.WhichOneof("node") or ""
        text = one_line(raw[begin : min(end, begin + 4000)].decode(errors="replace"))
        yield Statement(line, text, kind, getattr(parsed.stmt, kind) if kind else None)


def _unreadable(raw: bytes, error: postgast.PgQueryError) -> Unreadable:
    # The position counts characters, so the line is a guess from the bytes before it: never past the end.
    before = raw.decode(errors="replace")[: max(error.cursorpos - 1, 0)]
    last = before.rpartition("\n")[2] + raw.decode(errors="replace")[len(before) :].partition("\n")[0]
    hint = "; a line for psql, not for the server" if last.lstrip().startswith("\\") else ""
    return Unreadable(f"{one_line(error.message)}{hint}", before.count("\n") + 1)
