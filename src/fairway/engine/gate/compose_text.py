"""What a compose file's text asks of the host while Compose renders it: files that are read, and from where.

The rendered model no longer shows these keys, and rendering is what reads the files, so
the text is looked at first. It is not parsed: wherever one of the keys could stand it is
taken to stand, and a value that is not in one of the plain forms below is refused. Every
pattern here is linear in the text, which is somebody else's.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Optional

from fairway.engine.gate.paths import Ground, read_path
from fairway.engine.gate.rules import ANY, Finding, found

#: A key's values, each with the key before it in the entry of a list or a mapping; None when they cannot be told.
_Values = Optional[list[tuple[str, str]]]

_KEY = re.compile(r"(?<![\w-])([\"']?)(include|extends|env_file|label_file)\1\s*:")
# Line breaks of YAML 1.1, which Compose's parser goes by.
_BREAKS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")
_DISGUISES = (
    ("tag", re.compile(r"!<|![\w-]*!?binary"), "has a tag that can spell a key in another way"),
    ("directive", re.compile(r"^%", re.MULTILINE), "has a YAML directive"),
    ("question-mark", re.compile(r"^[ \t]*(?:-[ \t]+)*\?\s|[{\[,]\s*\?\s", re.MULTILINE), "has a key after '? '"),
    ("alias", re.compile(r"(?:^|[\s{\[,?:])\*[^\s,\[\]{}:]+[ \t]*:", re.MULTILINE), "has an alias for a key"),
)

_LONG = 200
_S = r"[ \t\n]*"
_PLAIN = r"[\w./@+-]+"
_SCALAR = rf"(?:\"[^\"\\\n]*\"|'[^'\n]*'|{_PLAIN})"
_PAIR = rf"[a-z]+{_S}:{_S}{_SCALAR}"
_PAIRS = rf"\{{{_S}(?:{_PAIR}(?:{_S},{_S}{_PAIR})*{_S}(?:,{_S})?)?\}}"
_ENTRY = rf"(?:{_SCALAR}|{_PAIRS})"
_END = r"(?:[ \t]+#[^\n]*|[ \t]*)(?:\n|$)"
_ANCHOR = re.compile(r"[ \t]*(?:&[\w-]+(?=[ \t\n]))?[ \t]*")
_QUOTED = re.compile(rf"(\"[^\"\\\n]*\"|'[^'\n]*')(?:[ \t]*(?=[,}}])|{_END})")
_BARE = re.compile(rf"({_PLAIN}){_END}")
_IN_BRACES = re.compile(rf"({_PLAIN})[ \t]*(?=[,}}])")
_AFTER_BRACE = re.compile(r"[{,][ \t]*$")
_FLOW = re.compile(rf"\[{_S}(?:{_ENTRY}(?:{_S},{_S}{_ENTRY})*{_S}(?:,{_S})?)?\]|{_PAIRS}")
_ITEM = re.compile(rf"(?:([a-z]+){_S}:{_S})?({_SCALAR})")
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|$)")
_ROW = re.compile(rf" *(- +)?(?:([a-z]+):[ \t]+)?({_SCALAR}){_END}")
# What ends a plain value for sure: a comment, another key, or the end. Anything else may be its second line, and
# Compose reads both as one path.
_SURE_END = re.compile(r"(?:[ \t]*\n)*[ \t]*(?:#|(?:[\w.-]+|<<|\"[^\"\\\n]*\"|'[^'\n]*')[ \t]*:(?:[ \t\n]|\Z)|\Z)")


def text_findings(text: str, ground: Ground) -> tuple[Finding, ...]:
    """Return what a compose file's text asks of the host beyond its own settings, each once."""
    reading = _Reading(_BREAKS.sub("\n", text.lstrip("\ufeff")))
    return tuple(dict.fromkeys((*_disguises(reading), *_of_keys(reading, ground))))


def read_file(rule: str, path: str, where: str, ground: Ground) -> Iterator[Finding]:
    """Find a file that Compose would read and that is outside the deploy path, or Fairway's own."""
    # A "~" is somebody's home directory and a "$" is filled in later: neither is known here.
    leads = path if "$" in path or path.startswith("~") else read_path(path, ground)
    if leads is not None:
        yield found(rule, ANY, leads, says=f"{where} reads {leads}")


class _Reading:
    """A text with the numbers of its lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._breaks = [match.start() for match in re.finditer("\n", text)]

    def line(self, position: int) -> int:
        return bisect_left(self._breaks, position) + 1

    def before(self, position: int) -> str:
        """Return what stands in the same line before a position, its end when it is long."""
        begin = max(0, position - _LONG)
        return self.text[max(begin, self.text.rfind("\n", begin, position) + 1) : position]

    def rows(self, position: int) -> Iterator[str]:
        """Give the lines from a position on."""
        while position < len(self.text):
            end = self.text.find("\n", position)
            end = len(self.text) if end < 0 else end
            yield self.text[position:end]
            position = end + 1


def _disguises(reading: _Reading) -> Iterator[Finding]:
    for what, pattern, says in _DISGUISES:
        if match := pattern.search(reading.text):
            yield found("disguised-key", ANY, what, says=f"line {reading.line(match.end() - 1)} {says}")
    # Decoding letters can only make more of the keys: what is before an escaped one is a digit or a letter as well.
    if len(_KEY.findall(_decoded(reading.text))) > len(_KEY.findall(reading.text)):
        yield found("disguised-key", ANY, "escape", says="a key is spelt with escaped letters")


def _decoded(text: str) -> str:
    def letter(match: re.Match[str]) -> str:
        code = int(next(digits for digits in match.groups() if digits), 16)
        return chr(code) if code < 0x110000 else ""

    return _ESCAPE.sub(letter, text)


def _of_keys(reading: _Reading, ground: Ground) -> Iterator[Finding]:
    for match in _KEY.finditer(reading.text):
        key, where = match[2], f"line {reading.line(match.start(2))}"
        if key == "include":
            yield found("include", ANY, says=f"{where} has 'include': other Compose files")
            continue
        rule, values = key.replace("_", "-"), _values(reading, match)
        if values is None:
            says = f"{where}: what '{key}' names cannot be told; write it as plain paths, without variables or aliases"
            yield found("unclear-key", ANY, key, says=says)
            continue
        for name, value in values:
            if key == "extends" and name not in ("", "service"):
                yield found(rule, ANY, value, says=f"{where} extends a service of another file")
            elif key != "extends" and name in ("", "path"):
                yield from read_file(rule, value, where, ground)


def _values(reading: _Reading, match: re.Match[str]) -> _Values:
    text, anchor = reading.text, _ANCHOR.match(reading.text, match.end())
    start = anchor.end() if anchor else match.end()
    if one := _QUOTED.match(text, start):
        return [("", one[1][1:-1])]
    if one := _BARE.match(text, start):
        return [("", one[1])] if _SURE_END.match(text, one.end()) else None
    # A comma or a brace ends a plain value only between braces; elsewhere it is a part of it.
    if (one := _IN_BRACES.match(text, start)) and _AFTER_BRACE.search(reading.before(match.start())):
        return [("", one[1])]
    if one := _FLOW.match(text, start):
        return [(key, _unquoted(value)) for key, value in _ITEM.findall(one[0])]
    if one := _NOTHING.match(text, start):
        return _block(reading, reading.before(match.start()), one.end())
    return None


def _block(reading: _Reading, before: str, start: int) -> _Values:
    """Read the lines below a key: a list of plain values or of one-level mappings, or one mapping."""
    if before.strip(" ") or len(before) >= _LONG:
        return None
    values: list[tuple[str, str]] = []
    dashes: set[int] = set()
    for row in reading.rows(start):
        content = row.lstrip(" ")
        depth = len(row) - len(content)
        if not row.strip(" \t") or content.startswith("#"):
            continue
        if depth < len(before) or (depth == len(before) and not content.startswith("- ")):
            break
        one = _ROW.fullmatch(row)
        if one is None or not (one[1] or one[2]):
            return None
        dashes.update([depth] if one[1] else [])
        values.append((one[2] or "", _unquoted(one[3])))
    return values if len(dashes) <= 1 else None


def _unquoted(value: str) -> str:
    return value[1:-1] if value[:1] in "\"'" else value
