"""Commands that change a schema behind the migrations' back.

``prisma db push`` and its kin bring a database to a model, or a record to a
wish, without a migration: what they did is in no release, has no verdict, and a
rollback cannot be checked against it. Nothing that a deployment runs may call one.

The text is whatever names commands: a shell script, a Dockerfile, a workflow, a
Compose file, a script of ``package.json``. It is read as words, so that it makes no
difference whether a command stands on one line, is continued on the next, or is an
argument list. Comments do not count, nor does prose that forbids.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

_LONGEST_WORDS = 120


@dataclass(frozen=True)
class Found:
    """A forbidden command: ``line`` counts from 1, ``words`` is what was read."""

    line: int
    words: str
    why: str


@dataclass(frozen=True)
class _Word:
    text: str
    line: int

    @property
    def name(self) -> str:
        """The program's or script's name: without its folder and version."""
        tail = self.text.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
        return tail.split("@", 1)[0].lower() if not tail.startswith("@") else tail.lower()


@dataclass(frozen=True)
class _Command:
    words: tuple[_Word, ...]
    piped: bool = False


_PUSH = "it changes the schema to a model without a migration, so no rollback can be checked"
_RESET = "it drops the data and builds the schema anew"
_STAMP = "it writes into the record of migrations what was never run"
_UNKEPT = "it runs SQL that is in no migration, so no rollback can be checked"
_DROP = "it drops the data"

# fmt: off
_SCRIPT_RUNNERS = frozenset((
    "npm", "pnpm", "pnpx", "yarn", "bun", "bunx", "npx", "deno", "turbo", "nx", "lerna", "rush",
    "make", "just", "task", "rails", "rake", "bundle", "artisan", "sequelize", "sequelize-cli",
    "typeorm", "typeorm-ts-node-commonjs", "typeorm-ts-node-esm", "mikro-orm", "composer",
    "corepack",
))
# fmt: on
_SCRIPT = re.compile(
    r"(?:[\w.-]+[:_-])?"
    r"(?P<what>(?:db|database|prisma|drizzle|schema|migrate|migration|migrations)[:_-]"
    r"(?:schema:load|push|reset|drop|sync|purge|wipe|fresh))"
    r"(?:[:_-](?:force|all|dev|prod|production|staging|test|pg|postgres|ci|data|_unsafe))*",
    re.IGNORECASE,
)
# Words a command may stand behind and still be the first of its line.
_BEFORE = re.compile(
    r"-|(?:run|command|entrypoint|script|cmd|test):|CMD|RUN|ENTRYPOINT|exec|sudo|time|then|do|else"
    r"|\w+=\S*|[\w-]+:",
)
_PROSE = re.compile(
    r"(?<![\w./=-])(?:never|don'?t|(?:do|must|is|are|may|should) not|cannot|forbid\w*|refuse\w*|avoid\w*"
    r"|instead of)(?![./=-]?\w|=)",
    re.IGNORECASE,
)
_SAYING = frozenset({"echo", "printf", "print", "log", "warn", "die", "fail"})
_SYNC_CALL = re.compile(r"\bsync\s*\(\s*\{[^}]{0,200}?\b(?:force|alter)['\"]?\s*:\s*true", re.IGNORECASE)


def forbidden_words(text: str) -> tuple[Found, ...]:
    """Find every forbidden command in a text, in the order of its lines."""
    plain = _without_comments(text)
    commands = _commands(plain)
    found = [match for command in commands if not _only_says(command) for match in _in_command(command.words)]
    found += [match for before, after in zip(commands, commands[1:]) for match in _fed_to_psql(before, after)]
    for call in _SYNC_CALL.finditer(plain):
        line = plain.count("\n", 0, call.start()) + 1
        found.append(Found(line, _cut(call.group()), _RESET))
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.line))


def _only_says(command: _Command) -> bool:
    words = command.words
    first = next((word.name for word in words if not _BEFORE.fullmatch(word.text)), "")
    return first in _SAYING and not command.piped


def _is_prose(words: tuple[_Word, ...], start: int, end: int) -> bool:
    """Say whether the words around a match forbid it; an option behind it, and what follows that, does not."""
    option = next((at for at in range(end, len(words)) if words[at].text.startswith("-")), len(words))
    around = words[:start] + words[end:option]
    return _PROSE.search(" ".join(word.text for word in around)) is not None


def _fed_to_psql(command: _Command, after: _Command) -> list[Found]:
    """Find a difference between two schemas that is run without ever being a migration."""
    if not command.piped or not any(word.name == "psql" for word in after.words):
        return []
    words = command.words
    diffs = any(one.text.lower() == "migrate" and _text(words, at + 1) == "diff" for at, one in enumerate(words))
    prisma = next((word for word in words if word.name in ("prisma", "prisma2")), None)
    return [Found(prisma.line, "prisma migrate diff | psql", _UNKEPT)] if diffs and prisma is not None else []


def _in_command(words: tuple[_Word, ...]) -> list[Found]:
    found = []
    at = 0
    while at < len(words):
        match = next((one for rule in _RULES if (one := rule(words, at)) is not None), None)
        if match is None:
            at += 1
            continue
        end, why = match
        if not _is_prose(words, at, end):
            found.append(Found(words[at].line, _cut(" ".join(w.text for w in words[at:end])), why))
        at = end
    return found


# A rule looks at one place of a command: where its match ends, and why it is forbidden.
_Match = Optional["tuple[int, str]"]
_Rule = Callable[["tuple[_Word, ...]", int], _Match]


def _prisma(words: tuple[_Word, ...], at: int) -> _Match:
    if words[at].name not in ("prisma", "prisma2"):
        return None
    for place in range(at + 1, len(words) - 1):
        pair = (words[place].text.lower(), words[place + 1].text.lower())
        if pair == ("db", "push"):
            return place + 2, _PUSH
        if pair == ("db", "execute"):
            return place + 2, _UNKEPT
        if pair in (("migrate", "reset"), ("migrate", "dev")):
            return place + 2, _RESET
        if pair == ("migrate", "resolve"):
            return _with_option(words, place + 2, "--applied", _STAMP)
    return None


def _alembic(words: tuple[_Word, ...], at: int) -> _Match:
    if words[at].name == "alembic":
        place = _subcommand(words, at + 1, ("-c", "--config", "-n", "--name", "-x"))
    elif words[at].name == "flask" and _text(words, at + 1) == "db":
        place = at + 2
    else:
        return None
    return (place + 1, _STAMP) if _text(words, place) == "stamp" else None


def _django(words: tuple[_Word, ...], at: int) -> _Match:
    if words[at].name not in ("manage.py", "django-admin", "django", "django-admin.py"):
        return None
    place = _subcommand(words, at + 1, ("--settings", "--pythonpath"))
    command = _text(words, place)
    if command in ("flush", "reset_db"):
        return place + 1, _RESET
    return _with_option(words, place + 1, "--fake", _STAMP) if command == "migrate" else None


def _drizzle(words: tuple[_Word, ...], at: int) -> _Match:
    if words[at].name != "drizzle-kit":
        return None
    command = _text(words, at + 1)
    return (at + 2, _PUSH) if command == "push" or command.startswith("push:") else None


def _script(words: tuple[_Word, ...], at: int) -> _Match:
    script = _SCRIPT.fullmatch(words[at].text)
    if script is None:
        return None
    before = words[:at]
    run = any(word.name in _SCRIPT_RUNNERS for word in before)
    if not run and not all(_BEFORE.fullmatch(word.text) for word in before):
        return None
    if not run and ":" not in script.group("what"):
        return None  # `db_push` alone may be anything; `npm run db_push` is not
    what = re.split(r"[:_-]", script.group("what").lower())[-1]
    why = {"push": _PUSH, "sync": _PUSH, "drop": _DROP, "purge": _DROP, "wipe": _DROP}
    return at + 1, why.get(what, _RESET)


def _option(words: tuple[_Word, ...], at: int) -> _Match:
    option = words[at].text.split("=", 1)[0].lower()
    if option == "--accept-data-loss":
        return at + 1, "it agrees beforehand to losing data"
    return (at + 1, _RESET) if option == "--force-reset" else None


def _drop_database(words: tuple[_Word, ...], at: int) -> _Match:
    first, second = words[at].text.lower(), _text(words, at + 1)
    if first == "drop" and second == "database":
        return at + 2, _DROP
    return (at + 1, _DROP) if words[at].name == "dropdb" else None


_RULES: tuple[_Rule, ...] = (
    _prisma,
    _alembic,
    _django,
    _drizzle,
    _script,
    _option,
    _drop_database,
)


def _text(words: tuple[_Word, ...], at: int) -> str:
    return words[at].text.lower() if at < len(words) else ""


def _subcommand(words: tuple[_Word, ...], at: int, valued: tuple[str, ...]) -> int:
    """Say where a program's subcommand stands: behind its options and their values."""
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in valued else 1
    return at


def _with_option(words: tuple[_Word, ...], at: int, option: str, why: str) -> _Match:
    for place in range(at, len(words)):
        if words[place].text.split("=", 1)[0].lower() == option:
            return place + 1, why
    return None


def _cut(words: str) -> str:
    return " ".join(words.split())[:_LONGEST_WORDS]


# --- Reading the text as commands ---------------------------------------------------

_BLOCK_COMMENT = re.compile(r"^[ \t]*/\*.*?\*/", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"(?:- +)?['\"]?[\w.-]+['\"]?:(?=\s|$)")
_FOLDED = re.compile(r":\s*>[-+0-9]*\s*$")
_LITERAL = re.compile(r":\s*\|[-+0-9]*\s*$")
_ITEM = re.compile(r"- +(?P<item>\S.*)$")
_JSON_STRING = re.compile(r"\[\s*\"|^\s*\"")
_PART = re.compile(r"(?P<end>\|\||&&|[;&]|\$\(|[()](?!\{))|(?P<pipe>\|)|(?P<word>[^\s;&|()\[\],\"'`{}]+)")


def _without_comments(text: str) -> str:
    """Blank out comments, keeping every line where it is."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _BLOCK_COMMENT.sub(lambda match: "\n" * match.group().count("\n"), text)
    return "\n".join(_without_comment(line) for line in text.split("\n"))


def _without_comment(line: str) -> str:
    stripped = line.lstrip()
    if stripped.startswith(("#", "//", "-- ", "--\t")) or stripped == "--":
        return ""
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            # An apostrophe without a partner is not a quotation.
            quote = letter if letter in line[place + 1 :] else ""
        elif (line[place : place + 2] == "//" or letter == "#") and line[place - 1] in " \t":
            return line[:place]
    return line


def _commands(text: str) -> list[_Command]:
    commands: list[_Command] = []
    words: list[_Word] = []

    def end(*, piped: bool = False) -> None:
        if words:
            commands.append(_Command(tuple(words), piped))
            words.clear()

    for number, line, joined in _joined(text):
        if not joined:
            end()
        for part in _PART.finditer(_without_escapes(line)):
            if part.group("word"):
                words.append(_Word(part.group("word"), number))
            else:
                end(piped=part.group("pipe") is not None)
    end()
    return commands


def _without_escapes(line: str) -> str:
    """Take the escapes in the strings of a JSON list for the blanks and the ends of lines that they are."""
    if not _JSON_STRING.search(line):
        return line
    return line.replace("\\n", " ;").replace("\\r", " ;").replace("\\t", "  ")


def _joined(text: str) -> list[tuple[int, str, bool]]:
    """Say of every line that is not empty whether it goes on with the one before.

    It does behind a backslash, inside the brackets of an argument list, as the next
    item of a list of single words, and in a folded or many-lined YAML text.
    """
    result: list[tuple[int, str, bool]] = []
    joins = False
    depth = 0
    item_at: int | None = None
    fold: int | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue  # a comment inside a continued command is dropped, as Docker does
        indent = len(line) - len(line.lstrip())
        body = line.strip()
        item = _ITEM.match(body)
        single = item is not None and _KEY.match(item.group("item")) is None
        next_item = single and item_at == indent
        folded = fold is not None and indent > fold and item is None and not _KEY.match(body)
        result.append((number, body[1:] if single else body, joins or depth > 0 or next_item or folded))
        joins = body.endswith("\\")
        if joins:
            result[-1] = (number, result[-1][1].rstrip("\\"), result[-1][2])
        item_at = indent if single and len(body.split()) == 2 else None
        if not folded:
            fold = indent if _KEY.match(body) and not _LITERAL.search(body) else None
        depth = max(0, depth + _brackets(body)) if depth or body.endswith(("[", ",")) else 0
    return result


def _brackets(line: str) -> int:
    return line.count("[") - line.count("]")
