"""Which files are looked at: those that Git tracks, and of them what was asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fairway import process
from fairway.engine.contract.errors import Invalid

_PLAIN_FILE = ("100644", "100755")  # neither a link, whose target is looked at where it lies, nor a submodule


def tracked(root: Path, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the files below ``root`` that Git tracks, relative to it, that are there.

    ``include`` and ``exclude`` are globs as Git has them: ``*`` stays within a directory, ``**`` does not.
    Raises ``Invalid`` when ``root`` is in no Git working tree.
    """
    # Two questions: Git 2.39 misses an exclusion beside an inclusion that begins with a directory's name.
    names = _listed(root, include) if include else _listed(root, ("**",))
    if exclude:
        names -= _listed(root, exclude)
    return tuple(sorted(name for name in names if os.path.lexists(root / name)))


def _listed(root: Path, globs: Sequence[str], magic: str = ":(glob)") -> set[str]:
    pathspecs = [f"{magic}{glob}" for glob in globs]
    listed = process.run(["git", "-C", str(root), "ls-files", "--stage", "-z", "--", *pathspecs])
    if listed.returncode != 0:
        raise Invalid(
            "Git does not say which files there are",
            why=listed.tail,
            hint="guardrails look at the files that Git tracks: git init, git add",
        )
    entries = (entry.split("\t", 1) for entry in listed.stdout.split("\0") if entry)
    return {name for meta, name in entries if meta.split(" ", 1)[0] in _PLAIN_FILE}


def guarded(root: Path, globs: Sequence[str]) -> set[str]:
    """Return the tracked files that a rule's globs may name.

    They are ast-grep's: ``*`` may pass a ``/`` and ``{a,b}`` is either. Git has the one in its plain
    pathspecs and ``**/`` for none or more directories in its globs, so it is asked for both.
    """
    spelled = [one for glob in globs for one in _alternatives(glob)]
    return _listed(root, spelled) | _listed(root, spelled, magic="") if spelled else set()


def _alternatives(glob: str) -> list[str]:
    """Spell ``{a,b}`` out.

    >>> _alternatives("src/*.{ts,tsx}")
    ['src/*.ts', 'src/*.tsx']
    """
    found = re.search(r"\{([^{}]*)\}", glob)
    if found is None:
        return [glob]
    spelled = (glob[: found.start()] + choice + glob[found.end() :] for choice in found[1].split(","))
    return [one for part in spelled for one in _alternatives(part)]


def chosen(root: Path, files: Sequence[str], paths: Sequence[Path]) -> tuple[str, ...]:
    """Return those of the files that the paths, files or directories of any kind, name.

    Raises ``Invalid`` for a path that names none: nothing would be looked at, which must not pass for clean.
    """
    found: set[str] = set()
    for path in paths:
        # Not resolve(): a link in the repository is a name of its own.
        relative = Path(os.path.relpath(Path.cwd() / path, root))
        prefix = str(PurePosixPath(relative))
        below = {file for file in files if prefix == "." or file == prefix or file.startswith(f"{prefix}/")}
        if not below:
            raise Invalid(
                f"there is nothing to check in {path}",
                why="guardrails look at the files that Git tracks and fairway.toml does not exclude",
                hint="git add it first, or name another path",
            )
        found |= below
    return tuple(sorted(found))
