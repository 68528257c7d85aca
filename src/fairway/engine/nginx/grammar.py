"""Read nginx's configuration just far enough to find where it forwards to.

Texts are decoded as Latin-1, so that an offset is a byte's and what is written
back is what was read, whatever the encoding.

Source: ``ngx_conf_read_token`` in nginx's ``ngx_conf_file.c``. A ``#`` or a quote
counts only where a word begins, a backslash takes the next character as it is,
and a ``{`` right after ``$`` belongs to a variable's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BARE = re.compile(r"(?:\\.|\$\{|[^ \t\r\n;{\\])+", re.DOTALL)
_QUOTED = {quote: re.compile(rf"{quote}((?:\\.|[^{quote}\\])*){quote}", re.DOTALL) for quote in "\"'"}
_TARGET = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?P<address>(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5}))"
    r"(?=[/?$]|\Z)"
)
_LISTEN = re.compile(r"(?:(?P<address>\*|[0-9]+(?:\.[0-9]+){3}|\[[0-9A-Fa-f:.]+\])(?::|\Z))?(?P<port>[0-9]{1,5})?")
#: Which word of a directive says where requests go. ``set`` feeds a ``proxy_pass http://$variable``.
_FORWARDING = {"proxy_pass": 1, "grpc_pass": 1, "set": 2}


@dataclass(frozen=True)
class Word:
    """A word without its quotes, and where it begins in the text."""

    text: str
    start: int


@dataclass(frozen=True)
class Directive:
    """A directive's words, and the names of the blocks around it, outermost first."""

    words: tuple[Word, ...]
    within: tuple[str, ...]

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0].text if self.words else ""


@dataclass(frozen=True)
class Forward:
    """An address with a port in the configuration.

    ``address`` is ``host:port`` as it stands there, at ``start`` in the text and in
    ``line`` (from 1) at ``column`` (from 0). ``known`` says that this directive
    forwards requests; otherwise the address is mentioned in a way that only its
    author can judge.
    """

    directive: str
    address: str
    host: str
    port: int
    line: int
    column: int
    start: int
    text: str
    known: bool


@dataclass(frozen=True)
class Listen:
    """Where a site's server listens; ``default`` is what its author says. Without an address it is at every one."""

    address: str
    port: int
    ipv6: bool
    default: bool


def directives(text: str) -> Iterator[Directive]:
    """Yield the directives in order. What nginx itself would refuse is passed over as well as possible."""
    words: list[Word] = []
    within: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character in " \t\r\n":
            continue
        if character == "#":
            position = _after_line(text, position)
        elif character == "}":
            words = []
            if within:
                within.pop()
        elif character in ";{":
            directive = Directive(tuple(words), tuple(within))
            yield directive
            words = []
            if character == "{" and directive.name.endswith("_by_lua_block"):
                position = _after_block(text, position)
            elif character == "{":
                within.append(directive.name)
        else:
            match = (_QUOTED.get(character) or _BARE).match(text, position - 1)
            if match is None:
                continue
            group = 1 if character in _QUOTED else 0
            words.append(Word(match[group], match.start(group)))
            position = match.end()


def find_forwards(text: str) -> list[Forward]:
    """Return every address with a port that requests may be sent to, in order."""
    found = []
    for directive in directives(text):
        if directive.name in ("", "listen"):
            continue
        where = _FORWARDING.get(directive.name)
        # A file of servers may be included into the upstream's block; no other "server" has a word behind it.
        if directive.name == "server" and directive.within[-1:] in ((), ("upstream",)):
            where = 1
        for number, word in enumerate(directive.words[1:], start=1):
            match = _TARGET.match(word.text)
            if match and int(match["port"]) <= 65535:
                found.append(_forward(text, directive.name, word, match, known=number == where))
    return found


def _forward(text: str, directive: str, word: Word, match: re.Match[str], *, known: bool) -> Forward:
    start = word.start + match.start("address")
    line_start = text.rfind("\n", 0, start) + 1
    line = text[line_start : _after_line(text, start)].strip()
    return Forward(
        directive=directive,
        address=match["address"],
        host=match["host"],
        port=int(match["port"]),
        line=text.count("\n", 0, start) + 1,
        column=start - line_start,
        start=start,
        text=readable(line),
        known=known,
    )


def replace(text: str, forwards: Iterable[Forward], addresses: Iterable[str]) -> str:
    """Return the text with each forward's address replaced by the one given for it, and nothing else changed."""
    for forward, address in sorted(zip(forwards, addresses), key=lambda pair: -pair[0].start):
        end = forward.start + len(forward.address)
        assert text[forward.start : end] == forward.address
        text = text[: forward.start] + address + text[end:]
    return text


def listens(text: str) -> list[Listen]:
    """Return where the servers of a text listen, by numbers; a server without a word of it has port 80."""
    found: list[Listen] = []
    silent = False
    for one in directives(text):
        if one.name == "server" and len(one.words) == 1 and one.within in ((), ("http",)):
            found.append(Listen("", 80, ipv6=False, default=False))
            silent = True
        elif one.name == "listen" and one.within in (("server",), ("http", "server")) and len(one.words) > 1:
            if silent:
                found.pop()
                silent = False
            match = _LISTEN.fullmatch(one.words[1].text)
            if match:
                written = match["address"] or "*"
                address = "" if written in ("*", "0.0.0.0", "[::]") else written.strip("[]")  # noqa: S104
                default = any(word.text in ("default_server", "default") for word in one.words[2:])
                found.append(Listen(address, int(match["port"] or 80), written.startswith("["), default))
    return found


def included(text: str) -> list[str]:
    """Return the patterns of the ``include`` directives, in order."""
    return [d.words[1].text for d in directives(text) if d.name == "include" and len(d.words) > 1]


def decode(content: bytes) -> str:
    """Return a file's text, one character a byte."""
    return content.decode("latin-1")


def encode(text: str) -> bytes:
    """Return the bytes that :func:`decode` read."""
    return text.encode("latin-1")


def readable(text: str) -> str:
    """Return a part of a text as a person wrote it."""
    return encode(text).decode("utf-8", errors="replace")


def _after_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _after_block(text: str, position: int) -> int:
    """Skip a block of Lua, whose quotes and semicolons are not nginx's, by its braces."""
    depth = 1
    while position < len(text) and depth:
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return position
