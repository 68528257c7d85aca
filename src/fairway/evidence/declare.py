"""Say something about a release in one's own name: signed here, believed by the host, archived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairway.engine.contract.errors import Failed, FairwayError, Refused
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.statement import Signed, Statement
from fairway.evidence.decision import role_for
from fairway.evidence.sign import SigningKey, sign
from fairway.remote.session import EngineSession

if TYPE_CHECKING:
    from fairway.registry import StatementArchive


@dataclass(frozen=True)
class Declared:
    """What was said: the signed statement, what the host thinks of it, and where it is archived."""

    signed: Signed
    verdict: dict[str, Any]
    archived_as: str


def judge(engine: EngineSession, statements: Sequence[Signed]) -> list[dict[str, Any]]:
    """Have a host say of each statement, in their order, whether it believes it, whose word it is, or why not."""
    verdicts: list[dict[str, Any]] = engine.call(Operation.JUDGE, statements=[one.as_json() for one in statements])[
        "verdicts"
    ]
    if len(verdicts) != len(statements):
        raise Failed("the host judged another number of statements than it was asked about")
    return verdicts


def declare(engine: EngineSession, archive: StatementArchive, statement: Statement, key: SigningKey) -> Declared:
    """Sign a statement and archive it, once the host it is meant for believes it.

    Raises ``Refused`` when that host does not: it would not count there, so it is archived nowhere.
    """
    return submit(engine, archive, statement, sign(statement, key, role_for(statement.kind)), key.words)


def submit(
    engine: EngineSession, archive: StatementArchive, statement: Statement, signed: Signed, signed_with: str
) -> Declared:
    """Archive what somebody has signed, once the host it is meant for believes it. Raises as :func:`declare`."""
    role = role_for(statement.kind)
    verdict = judge(engine, [signed])[0]
    if verdict.get("valid") is not True:
        raise Refused(
            f"{statement.environment} would not believe this: {verdict.get('why')}",
            why=f"signed with {signed_with}; nothing was archived",
            hint="sign with another (--key), or have it added by an administrator: "
            f"fairway keys add {statement.environment} <your address> <key>.pub --role {role.value}",
        )
    try:
        archived_as = archive.put(signed)
    except FairwayError as error:
        raise type(error)(
            f"it was signed, but not archived, so it counts nowhere: {error.what}",
            why=error.why,
            hint=error.hint or "see that your login may write to the repository of the releases, then again",
        ) from None
    return Declared(signed, verdict, archived_as)
