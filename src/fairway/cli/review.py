"""What a release would change, as a reviewer reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from fairway.evidence.review import Change, Commits, FileChange, Judged, Review, plain

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def show_review(review: Review, console: Console) -> None:
    """Show the whole difference; nothing of it can move the cursor or hide anything."""
    release = review.release.release
    where = f" in {release.ci_run}" if release.ci_run else ""
    _heading(console, f"{release.tag.short}, release {review.release.name.short}")
    _line(
        console,
        f"built {release.created_at} by {release.created_by}{where}, commit by {release.author or 'an unnamed author'}",
    )
    if release.dirty:
        _line(console, "built from a tree with uncommitted changes", "yellow")
    _commits(review, console)
    if review.before is None:
        what = review.unknown or "nothing serves there yet: everything in it is new"
        _line(console, what, "yellow" if review.unknown else "")
    _files(review.files, console)
    _changes("Migrations", review.migrations, console, _migration)
    for judged in review.judged:
        _judged(judged, console)
    if not release.migrations.files:
        _line(console, "release.json names no migrations: migrations.path in fairway.toml says where they lie")
    _changes("Images", review.images, console, _image)
    _changes("Settings", review.settings, console, lambda change: f"{change.name}: {change.old} -> {change.new}")


def _commits(review: Review, console: Console) -> None:
    if review.before is None:
        return
    commits: Commits = review.commits
    _heading(console, f"Commits since {review.before.release.tag.short}")
    if commits.unknown:
        _line(console, commits.unknown, "yellow")
    for commit in commits.come:
        _line(console, f"{commit.commit[:7]}  {commit.day}  {commit.author}  {commit.subject}")
    if commits.go:
        _line(console, f"and {len(commits.go)} that serve now and are not in it:", "yellow")
    for commit in commits.go:
        _line(console, f"{commit.commit[:7]}  {commit.day}  {commit.author}  {commit.subject}", "yellow")


def _files(files: tuple[FileChange, ...], console: Console) -> None:
    _heading(console, "Deploy files" + ("" if files else ": the same"))
    for change in files:
        _line(console, change.path)
        for line in change.diff.split("\n"):
            _line(console, line, _COLOURS.get(line[:1], ""), indent=4)


def _changes(title: str, changes: Iterable[Change], console: Console, words: Callable[[Change], str]) -> None:
    found = list(changes)
    _heading(console, title + ("" if found else ": the same"))
    for change in found:
        _line(console, words(change))


def _migration(change: Change) -> str:
    if change.old is None:
        return f"new      {change.name}"
    if change.new is None:
        return f"gone     {change.name}"
    return f"changed  {change.name}, which may have run already"


def _judged(one: Judged, console: Console) -> None:
    accepted = f" (judged {one.judged})" if one.judged != one.verdict else ""
    edited = ", edited since the release before, which may have run it already" if one.edited else ""
    text = f"{one.id}: {one.verdict.upper()}{accepted}{edited}" + (f": {one.words}" if one.words else "")
    _line(console, text, "" if one.verdict == "expand" and not one.edited else "yellow")


def _image(change: Change) -> str:
    return f"{change.name}: {change.new}"


def _heading(console: Console, text: str) -> None:
    from rich.text import Text

    console.print(Text(plain(text), style="bold"))


def _line(console: Console, text: str, style: str = "", *, indent: int = 2) -> None:
    from rich.text import Text

    console.print(Text(" " * indent + plain(text), style=style))
