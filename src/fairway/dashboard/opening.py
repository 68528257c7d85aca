"""Hand an address with a token to the browser, so that nobody else on the machine sees it."""

from __future__ import annotations

import html
import os
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def opened(address: str) -> Iterator[None]:
    """Open an address in the browser.

    Everybody can read what a program is started with, so the browser is started with the
    name of a file instead, which the person alone can read; it goes when the dashboard ends.
    """
    with tempfile.TemporaryDirectory(prefix="fairway-", dir=_own_directory()) as directory:
        file = Path(directory) / "open.html"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(_page(address))
        webbrowser.open(file.as_uri())
        yield


def _own_directory() -> str | None:
    """Return where a session's files belong; None for the usual place of temporary ones."""
    directory = os.environ.get("XDG_RUNTIME_DIR", "")
    return directory if Path(directory).is_absolute() and os.access(directory, os.W_OK) else None


def _page(address: str) -> str:
    to = html.escape(address, quote=True)
    return f"""<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<title>Fairway</title>
<meta http-equiv="refresh" content="0;url={to}">
<p><a href="{to}">Go on to the dashboard</a></p>
"""
