"""What was said of a release: from the archive, and anew from the hosts that ran it.

Nothing here judges a signature: the host that is asked to run the release does. What is
no statement, or about another release, is told and hides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Digest
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.statement import (
    MAX_STATEMENTS,
    Kind,
    Signed,
    parse_statement,
    readable,
    said_by_a_host,
)
from fairway.remote.session import EngineSession

if TYPE_CHECKING:
    from fairway.registry import StatementArchive

# All of it goes to a host in one line of the protocol, beside the release itself.
_MOST_BYTES = 2 * 1024 * 1024
_WRITERS = 4


@dataclass(frozen=True)
class Collected:
    """What there is about a release.

    ``heard`` is what the hosts have just said, also part of ``statements``. ``problems`` are
    of single statements and of the archive; ``unheard`` are the hosts that gave no answer.
    """

    statements: tuple[Signed, ...]
    heard: tuple[Signed, ...] = ()
    problems: tuple[FairwayError, ...] = ()
    unheard: tuple[FairwayError, ...] = ()

    @property
    def notices(self) -> list[str]:
        """Everything that was not as it should be, a line each."""
        return [in_a_line(error) for error in (*self.problems, *self.unheard)]

    def or_fail(self) -> Collected:
        """Return it. Raises what a host gave instead of an answer when there is nothing else to go by."""
        if self.unheard and not self.statements:
            raise self.unheard[0]
        return self


def in_a_line(error: FairwayError) -> str:
    """Return an error as one line of a notice."""
    said = ": ".join(part for part in (error.what, error.why) if part)
    return " ".join((f"{said}; {error.hint}" if error.hint else said).split())


def collect(
    named: NamedRelease, archive: StatementArchive, engines: Mapping[str, EngineSession | FairwayError]
) -> Collected:
    """Collect what was said of a release.

    ``engines`` are the environments whose hosts are asked, by name; an error stands for
    one that there is no way to from here.
    """
    problems: list[FairwayError] = []
    unheard: list[FairwayError] = []
    archived: list[Signed] = []
    heard: list[Signed] = []
    try:
        found = archive.about(named.name)
        archived += [one.signed for one in found.statements]
        problems += [one.error for one in found.unusable]
        problems += [_left_off(found.left_off)] if found.left_off else []
    except FairwayError as error:
        problems.append(error)
    for environment, engine in engines.items():
        try:
            if isinstance(engine, FairwayError):
                raise engine
            said, wrong = hear(engine, named, environment)
        except FairwayError as error:
            unheard.append(error)
        else:
            heard += said
            problems += wrong
    return Collected(merge(heard, archived), tuple(heard), tuple(problems), tuple(unheard))


def hear(engine: EngineSession, named: NamedRelease, environment: str) -> tuple[list[Signed], list[FairwayError]]:
    """Ask a host what it says of a release; return that, and what is wrong with single statements."""
    heard: list[Signed] = []
    problems: list[FairwayError] = []
    for document in engine.call(Operation.EVIDENCE, tag=named.release.tag)["statements"]:
        try:
            heard.append(_fitting(document, named.name))
        except FairwayError as error:
            why = "; ".join(part for part in (error.what, error.why) if part)
            problems.append(Failed(f"a statement of {environment} is not used", why=why))
    return heard, problems


def _fitting(document: Any, release: Digest) -> Signed:
    signed = Signed.parse(Fields(document, "signed statement"))
    statement = parse_statement(signed.statement)
    if statement.release != release:
        raise Failed(
            f"it is about other bytes under the same tag ({statement.release.short}, not {release.short})",
            why="a tag names one release for ever: find out who changed it",
        )
    return signed


def merge(heard: Iterable[Signed], archived: Iterable[Signed]) -> tuple[Signed, ...]:
    """Return all of them once, as far as one request holds them, the oldest first.

    When there are too many, what the hosts have just said goes before what is archived,
    and there what people decided, and what is newer.
    """
    ranked = [*dict.fromkeys(heard), *sorted(dict.fromkeys(archived), key=_rank, reverse=True)]
    kept: dict[Digest, Signed] = {}
    size_bytes = 0
    for signed in ranked:
        size_bytes += len(signed.to_bytes())
        if len(kept) < MAX_STATEMENTS and size_bytes <= _MOST_BYTES:
            kept.setdefault(signed.name, signed)
    return tuple(sorted(kept.values(), key=_at))


def _rank(signed: Signed) -> tuple[bool, str]:
    statement = readable(signed.statement)
    return (statement is not None and not said_by_a_host(statement.kind), _at(signed))


def _at(signed: Signed) -> str:
    statement = readable(signed.statement)
    return statement.at if statement is not None else ""


def _left_off(count: int) -> Failed:
    return Failed(
        f"{count} statements in the archive were not looked at: there are too many",
        hint="see who writes to the repository of the releases",
    )


def keep(archive: StatementArchive, statements: Iterable[Signed]) -> list[str]:
    """Archive statements, several at the same time; return their tags. Raises what the registry says to the first."""
    with ThreadPoolExecutor(max_workers=_WRITERS) as pool:
        return list(pool.map(archive.put, statements))


def keep_issued(archive: StatementArchive, engine: EngineSession, named: NamedRelease, heard: Iterable[Signed]) -> None:
    """Archive what a host says of the release that it serves since now, and what others were heard to say before."""
    said, _ = hear(engine, named, "the host")
    # How long it has served there is worth keeping once it has.
    lasting = [one for one in said if (found := readable(one.statement)) and found.kind is not Kind.SOAKED]
    keep(archive, [*heard, *lasting])
