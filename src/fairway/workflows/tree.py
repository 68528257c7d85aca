"""A repository's files, to be looked at: names and texts, nothing is run and nothing written."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from fairway import process
from fairway.release.git import public_url

_SKIPPED = {".git", "node_modules", ".venv", "venv", "__pycache__", ".next", "dist", "build", ".tox", "vendor", "tmp"}
_MOST_FILES = 200_000
_MOST_BYTES = 1024 * 1024


class Tree:
    """The files of a repository that Git tracks or would; where there is no Git, all but what tools have made."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The files' paths, with ``/``, sorted."""
        wanted = ("--cached", "--others", "--exclude-standard", "--deduplicate", "-z")
        listed = process.run(["git", "-C", str(self.root), "ls-files", *wanted])
        names = listed.stdout.split("\0") if listed.returncode == 0 else self._walked()
        found = (name for name in names if name and not _SKIPPED & set(name.split("/")))
        return tuple(sorted(name for name in found if (self.root / name).is_file()))[:_MOST_FILES]

    def _walked(self) -> Iterator[str]:
        for directory, below, files in os.walk(self.root):
            below[:] = sorted(set(below) - _SKIPPED)
            for file in files:
                yield (Path(directory) / file).relative_to(self.root).as_posix()

    @cached_property
    def source(self) -> str | None:
        """The address of the remote ``origin``, as it may be shown to everyone."""
        said = process.run(["git", "-C", str(self.root), "remote", "get-url", "origin"])
        return public_url(said.stdout.strip()) if said.returncode == 0 else None

    @cached_property
    def nested(self) -> bool:
        """Whether this is a directory inside a Git repository, not its root."""
        said = process.run(["git", "-C", str(self.root), "rev-parse", "--show-prefix"])
        return said.returncode == 0 and bool(said.stdout.strip())

    @cached_property
    def branch(self) -> str:
        """The branch that others start from: the remote's own word, or the usual name."""
        for asked in ("refs/remotes/origin/HEAD", "HEAD"):
            said = process.run(["git", "-C", str(self.root), "symbolic-ref", "--short", "--quiet", asked])
            name = said.stdout.strip().removeprefix("origin/")
            if name and (asked != "HEAD" or name in ("main", "master", "trunk")):
                return name
        return "main"

    def has(self, path: str) -> bool:
        """Say whether there is such a file."""
        return path in self._known

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.files)

    def first(self, *paths: str) -> str | None:
        """Return the first of the paths that there is."""
        return next((path for path in paths if self.has(path)), None)

    def matching(self, glob: str) -> tuple[str, ...]:
        """Return the files that one of Git's globs names: ``*`` within a directory, ``**`` through any number."""
        pattern = _pattern(glob)
        return tuple(name for name in self.files if pattern.fullmatch(name))

    def text(self, path: str) -> str:
        """Return a file's text; empty when it is not there, too large or no text."""
        try:
            content = (self.root / path).read_bytes()
        except OSError:
            return ""
        return content.decode("utf-8", errors="replace") if len(content) <= _MOST_BYTES else ""

    def json(self, path: str) -> dict[str, Any]:
        """Return a JSON object; empty when it cannot be read as one."""
        try:
            found = json.loads(self.text(path) or "{}")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def toml(self, path: str) -> dict[str, Any]:
        """Return a TOML document; empty when it cannot be read as one."""
        try:
            return tomllib.loads(self.text(path))
        except (ValueError, RecursionError):
            return {}

    def yaml(self, path: str) -> dict[str, Any]:
        """Return a YAML mapping; empty when it cannot be read as one."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            found = YAML(typ="safe", pure=True).load(self.text(path))
        except (YAMLError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))


def table(document: Any, *keys: str) -> dict[str, Any]:
    """Return a table inside a document; empty when it is not there, or something else."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}
