"""What hosts say is untrusted: whatever it is, the pages go on, and say of it that it cannot be read."""

from __future__ import annotations

from fairway.engine.contract.errors import Failed, FairwayError

#: What reading an answer ends with that is not as an engine gives it.
NONSENSE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def cannot_be_read(error: Exception) -> FairwayError:
    """Return what is shown in place of such an answer."""
    return Failed("the host gave an answer that cannot be read", why=f"{type(error).__name__}: {error}"[:300])
