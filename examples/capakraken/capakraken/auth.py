"""Sign-in: passwords, sessions and what each role may do."""

from __future__ import annotations

import enum
import hashlib
import hmac
import os
from dataclasses import dataclass

_N, _R, _P = 2**14, 8, 1


class Role(enum.Enum):
    """What a user may do: look, plan, or everything."""

    VIEWER = "viewer"
    PLANNER = "planner"
    ADMIN = "admin"

    @property
    def may_plan(self) -> bool:
        """Say whether the role may change allocations."""
        return self is not Role.VIEWER


@dataclass(frozen=True)
class User:
    """Who is signed in."""

    id: int
    email: str
    role: Role


def hash_password(password: str) -> str:
    """Return a salted scrypt hash (RFC 7914), with its salt."""
    salt = os.urandom(16)
    return f"scrypt${salt.hex()}${_derive(password, salt).hex()}"


def check_password(password: str, stored: str) -> bool:
    """Say whether the password is the one that was hashed."""
    scheme, _, rest = stored.partition("$")
    salt, _, digest = rest.partition("$")
    if scheme != "scrypt":
        return False
    try:
        return hmac.compare_digest(_derive(password, bytes.fromhex(salt)), bytes.fromhex(digest))
    except ValueError:
        return False


def _derive(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P)
