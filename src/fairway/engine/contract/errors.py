"""The one hierarchy of errors, for the person who reads them at night."""

from __future__ import annotations

from typing import Any


class FairwayError(Exception):
    """An error with what happened, why as far as known, and what to do next.

    ``exit_code`` is what the command line ends with; the codes are part of the
    interface and documented in ``docs/reference/exit-codes.md``.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        parts = [self.what]
        if self.why:
            parts.append(f"why: {self.why}")
        if self.hint:
            parts.append(f"next: {self.hint}")
        return "\n".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return the error as the document that crosses the protocol and ``--json`` prints."""
        return {"what": self.what, "why": self.why, "hint": self.hint, "exit_code": self.exit_code}


class Failed(FairwayError):
    """It was tried and did not work; nothing is left half done."""

    exit_code = 1


class Invalid(FairwayError):
    """The command line, a configuration file or a document is not usable."""

    exit_code = 2


class OtherVersion(Invalid):
    """What the other side asked, answered or wrote is not what this version of Fairway knows.

    ``made_by`` is the version it is of, where it says so.
    """

    def __init__(self, what: str, *, why: str = "", hint: str = "", made_by: str = "") -> None:
        super().__init__(what, why=why, hint=hint)
        self.made_by = made_by

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "other_version": True, "made_by": self.made_by}


class Refused(FairwayError):
    """A gate or a policy says no."""

    exit_code = 3


class Locked(FairwayError):
    """Another deployment holds the host."""

    exit_code = 4


class Unreachable(FairwayError):
    """A host cannot be reached."""

    exit_code = 5


class Cancelled(FairwayError):
    """Somebody asked for it to stop, and it was reverted."""

    exit_code = 130


def as_error(error: FairwayError | OSError, what: str) -> FairwayError:
    """Return what the operating system refused as ``what`` with its own words; an error of ours as it is."""
    return error if isinstance(error, FairwayError) else Failed(what, why=str(error))


_BY_EXIT_CODE = {kind.exit_code: kind for kind in (Failed, Invalid, Refused, Locked, Unreachable, Cancelled)}


def error_from_json(document: dict[str, Any]) -> FairwayError:
    """Rebuild the error the other side reported; an unknown kind becomes ``Failed``."""
    exit_code = document.get("exit_code")
    kind = _BY_EXIT_CODE.get(exit_code, Failed) if isinstance(exit_code, int) else Failed
    what = str(document.get("what") or "the host reported an error without saying which")
    why, hint = str(document.get("why") or ""), str(document.get("hint") or "")
    if document.get("other_version") is True:
        return OtherVersion(what, why=why, hint=hint, made_by=str(document.get("made_by") or ""))
    return kind(what, why=why, hint=hint)
