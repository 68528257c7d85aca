"""A decision that is signed somewhere else: its bytes go out, and come back with a signature.

The key stays with whoever signs, so what comes back is anybody's: it is held against what
could have gone out, word for word, before a host is asked whether it believes the signature.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta

from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.names import Digest
from fairway.engine.contract.statement import MAX_SIGNATURE_BYTES, Kind, Signed, Statement, parse_statement
from fairway.evidence.decision import LONGEST, Subject, reason_line, role_for

#: How long somebody may take to sign.
WITHIN = timedelta(hours=2)
_SKEW = timedelta(minutes=5)
_KINDS = (Kind.APPROVED, Kind.REJECTED)
_AGAIN = "look at the release again, and sign what is shown then"


def to_text(statement: Statement) -> str:
    """Return the exact bytes of a statement as text that a form carries unchanged."""
    return base64.b64encode(statement.to_bytes()).decode("ascii")


def take_back(text: str) -> tuple[Statement, bytes]:
    """Return the statement that such text carries, with its exact bytes. Raises ``Invalid``."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("what was to be signed did not come back whole", hint=_AGAIN) from None
    statement = parse_statement(content)
    # Equal statements give equal bytes; what reads alike and is written otherwise did not come from here.
    if statement.kind not in _KINDS or statement.to_bytes() != content:
        raise Invalid("what came back is no statement that could have gone out", hint=_AGAIN)
    return statement, content


def refuse_other(statement: Statement, subject: Subject, replaces: Digest | None) -> None:
    """Hold what came back against what is decided about. Raises ``Refused`` for anything else.

    ``replaces`` is what serves there now.
    """
    release = subject.named.release
    expected = (subject.named.name, release.tag, release.project, subject.environment)
    if (statement.release, statement.tag, statement.project, statement.environment) != expected:
        raise Refused(
            "this was signed about something else",
            why=f"{statement.tag.short}, release {statement.release.short}, for {statement.environment}",
            hint=_AGAIN,
        )
    said_at, now = _moment(statement.at), subject.now
    if not now - WITHIN <= said_at <= now + _SKEW:
        raise Refused(f"what was signed is of {statement.at}: too long ago, or still to come", hint=_AGAIN)
    if statement.reason is not None and reason_line(statement.reason) != statement.reason:
        raise Refused("the reason that was signed is not written as reasons are", hint=_AGAIN)
    if statement.kind is not Kind.APPROVED:
        return
    if statement.replaces != replaces:
        raise stale()
    expires = _moment(str(statement.expires))
    if not now < expires <= said_at + LONGEST:
        raise Refused(f"what was signed expires at {statement.expires}: that is over, or too far away", hint=_AGAIN)


def signed_elsewhere(content: bytes, signature: str) -> Signed:
    """Put a statement and a signature that was pasted together. Raises ``Invalid`` for what cannot be one."""
    lines = "\n".join(line.strip() for line in signature.strip().splitlines() if line.strip())
    if len(lines) > MAX_SIGNATURE_BYTES or not lines.startswith("-----BEGIN SSH SIGNATURE-----"):
        raise Invalid(
            "that is not an SSH signature",
            why="it begins with -----BEGIN SSH SIGNATURE-----",
            hint="paste the whole content of the file that ends with .sig",
        )
    return Signed(content, f"{lines}\n")


def stale() -> Refused:
    """Return the refusal of what was decided while something else served."""
    return Refused(
        "something else serves by now: look again",
        why="what was decided is about the difference to what served before",
        hint="nothing was signed or archived; the page shows the difference to what serves now",
    )


def namespace_of(statement: Statement) -> str:
    """Return the namespace of the signature."""
    return role_for(statement.kind).namespace


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
