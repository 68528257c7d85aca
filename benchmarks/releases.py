"""Releases to deploy: each differs from the one before by a word on the page."""

from __future__ import annotations

from testbed.workspace import Workspace

#: How long the releases let streams go on after a switch: they would for as long as they are let.
DRAIN_S = 3.0


def make_release(work: Workspace, title: str) -> str:
    """Change the page's title, release that, and return the tag."""
    change(work, title)
    work.fairway("release")
    return work.tag


def change(work: Workspace, title: str) -> None:
    """Commit another title of the page."""
    page = work.path / "capakraken" / "templates" / "base.html"
    text = page.read_text(encoding="utf-8")
    old = text[text.index("<h1>") : text.index("</h1>")]
    page.write_text(text.replace(old, f"<h1>{title}", 1), encoding="utf-8")
    work.commit(title)
