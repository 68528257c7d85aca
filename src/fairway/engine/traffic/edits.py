"""What is changed in nginx's files to move traffic: decided on texts alone."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable

from fairway.engine.contract.names import Digest
from fairway.engine.nginx.grammar import Forward, encode, find_forwards, readable, replace
from fairway.engine.traffic.record import ChangedFile, Made


@dataclass(frozen=True)
class Edit:
    """One file's text before and after, and the addresses that differ."""

    path: str
    before: str
    after: str
    made: tuple[Made, ...]

    @property
    def changed_file(self) -> ChangedFile:
        """What the record keeps of it."""
        return ChangedFile(self.path, digest(self.before), digest(self.after), self.made)

    def diff(self) -> str:
        """Return what changes, as ``diff -u`` shows it."""
        before, after = (readable(text).splitlines() for text in (self.before, self.after))
        return "\n".join(difflib.unified_diff(before, after, self.path, self.path, lineterm=""))


def digest(text: str) -> Digest:
    """Return the digest of a file with this text."""
    return Digest.of(encode(text))


def edits_forward(texts: Mapping[str, str], wanted: Callable[[Forward], bool], target: str) -> list[Edit]:
    """Return the edits that make every wanted forward lead to ``target``."""
    edits = []
    for path, text in texts.items():
        forwards = [forward for forward in find_forwards(text) if forward.known and wanted(forward)]
        if forwards:
            edits.append(edit(path, text, forwards, [target] * len(forwards)))
    return edits


def edit(path: str, text: str, forwards: list[Forward], addresses: list[str]) -> Edit:
    """Return the edit that gives each forward the address beside it."""
    made = []
    shift: dict[int, int] = {}
    for forward, address in zip(forwards, addresses):
        column = forward.column + shift.get(forward.line, 0)
        made.append(Made(forward.line, column, forward.address, address))
        shift[forward.line] = shift.get(forward.line, 0) + len(address) - len(forward.address)
    return Edit(path, text, replace(text, forwards, addresses), tuple(made))


@dataclass(frozen=True)
class WayBack:
    """How one file is changed back. ``whole``: it becomes byte for byte what it was.

    Otherwise it was edited since: ``gone`` are the changes that are not there any
    more, and ``edit`` is None when none is.
    """

    edit: Edit | None
    whole: bool
    gone: tuple[Made, ...] = ()


def way_back(file: ChangedFile, current: str, copy: str | None) -> WayBack:
    """Return how the changes made in a file are taken back, given its text of now.

    ``copy`` is the kept text of before; without it an edited file's lines can
    only be found where they were.
    """
    if digest(current) == file.before:
        return WayBack(None, whole=True)
    found = list(zip(file.made, _find_again(file, current, copy)))
    kept = [(made, forward) for made, forward in found if forward is not None]
    gone = tuple(made for made, forward in found if forward is None)
    if not kept:
        return WayBack(None, whole=False, gone=gone)
    back = edit(file.path, current, [forward for _, forward in kept], [made.old for made, _ in kept])
    return WayBack(back, whole=digest(back.after) == file.before, gone=gone)


def _find_again(file: ChangedFile, current: str, copy: str | None) -> list[Forward | None]:
    """Return where the file's changes stand in its text of now, one for each, None for one that is gone."""
    forwards = [forward for forward in find_forwards(current) if forward.known]
    there = {(forward.line, forward.column, forward.address): forward for forward in forwards}
    untouched = {made.line: made.line for made in file.made}
    lines = untouched if digest(current) == file.after else _moved_lines(file, current, copy)
    found = [there.get((lines.get(made.line, 0), made.column, made.new)) for made in file.made]
    # A line of ours may have been altered around its address. As many of the same as were made are those.
    same = [forward for forward in forwards if forward.address in {made.new for made in file.made}]
    if None in found and [f.address for f in same] == [made.new for made in file.made]:
        return list(same)
    return found


def _moved_lines(file: ChangedFile, current: str, copy: str | None) -> dict[int, int]:
    """Return where lines of the changed text stand in an edited one; lines that were altered are left out."""
    if copy is None or digest(copy) != file.before:
        return {made.line: made.line for made in file.made}
    lines = copy.split("\n")
    for made in file.made:
        line = lines[made.line - 1]
        lines[made.line - 1] = line[: made.column] + made.new + line[made.column + len(made.old) :]
    blocks = difflib.SequenceMatcher(None, lines, current.split("\n"), autojunk=False).get_matching_blocks()
    return {block.a + n + 1: block.b + n + 1 for block in blocks for n in range(block.size)}
