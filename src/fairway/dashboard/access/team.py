"""The way in of a dashboard that a team shares, as ``[dashboard]`` says. There is none by default."""

from __future__ import annotations

import os
import stat
from collections.abc import MutableMapping
from pathlib import Path

from fairway.config import Config
from fairway.dashboard.access.header import HeaderAccess
from fairway.dashboard.access.oidc import OidcAccess
from fairway.dashboard.access.people import Access
from fairway.dashboard.access.viewers import Viewers
from fairway.engine.contract.errors import Invalid

SECRET = "FAIRWAY_OIDC_CLIENT_SECRET"  # noqa: S105
SECRET_FILE = "FAIRWAY_OIDC_CLIENT_SECRET_FILE"  # noqa: S105
_MAX_SECRET = 4096


def team_access(config: Config, environ: MutableMapping[str, str]) -> Access:
    """Return how people sign in; what is secret in ``environ`` is taken out of it.

    Raises ``Invalid`` when the configuration has no way in, or the secret cannot be read.
    """
    table = config.dashboard
    if table.url is None:
        raise Invalid(
            "nobody could sign in to this dashboard",
            why="fairway.toml has no [dashboard] with oidc or user_header, and there is no way in by default",
            hint="see docs/how-to/dashboard.md; for you alone: fairway ui",
        )
    viewers = Viewers.of(table)
    if table.oidc is not None:
        return OidcAccess(table.url, table.oidc, client_secret(environ), viewers)
    assert table.user_header is not None, "the configuration was checked"
    return HeaderAccess(table.url, table.user_header, viewers)


def client_secret(environ: MutableMapping[str, str]) -> str:
    """Return the secret that the provider knows the dashboard by. Raises ``Invalid``, never with any of it."""
    # Programs that are started from here have no use for it.
    secret, file = environ.pop(SECRET, ""), environ.pop(SECRET_FILE, "")
    if bool(secret) == bool(file):
        raise Invalid(
            "the dashboard's secret for OpenID Connect is " + ("there twice" if secret else "missing"),
            why=f"{SECRET} and {SECRET_FILE} are " + ("both set" if secret else "not set"),
            hint="keep it in a file that only the dashboard's user can read, and name that",
        )
    return secret or _read(Path(file), environ.get("CREDENTIALS_DIRECTORY", ""))


def _read(file: Path, credentials: str) -> str:
    try:
        with file.open(encoding="utf-8") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            text = stream.read(_MAX_SECRET + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Invalid(f"{file} cannot be read", why=why or "", hint=f"see {SECRET_FILE}") from None
    # What systemd hands a service is its own by other means than these bits.
    others = 0o007 if credentials and file.is_relative_to(credentials) else 0o077
    if mode & others:
        raise Invalid(f"{file} can be read by others", why=f"its mode is {mode:04o}", hint=f"chmod 600 {file}")
    if not text or len(text) > _MAX_SECRET or not text.isprintable():
        raise Invalid(f"{file} does not hold a secret in one line")
    return text
