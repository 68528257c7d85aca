"""What ``fairway init`` wrote before, so that what a person has changed since is told from what is merely old."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairway.engine.contract.errors import Invalid
from fairway.workflows.answers import Provider

FILE = "tooling/deploy/init.json"


def digest(text: str) -> str:
    """Return the sha256 of a file's text."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Entry:
    """One file: what was written, and the person's own version of it that they said to keep."""

    written: str
    kept: str | None = None


@dataclass(frozen=True)
class Record:
    """Where the pipeline runs, which branch is released, and the files by their sha256."""

    provider: Provider
    branch: str
    files: Mapping[str, Entry] = field(default_factory=dict)

    def as_text(self) -> str:
        """Return it as its file holds it."""
        files: dict[str, Any] = {}
        for path, entry in sorted(self.files.items()):
            files[path] = {"written": entry.written} | ({"kept": entry.kept} if entry.kept else {})
        about = "fairway init: what it wrote, by sha256; commit it with the files"
        document = {"about": about, "ci": self.provider.value, "branch": self.branch, "files": files}
        return json.dumps(document, indent=2) + "\n"


def read(root: Path) -> Record | None:
    """Return the record of a repository, None when there is none. Raises ``Invalid`` for one that cannot be read."""
    path = root / FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        files = {
            str(name): Entry(str(entry["written"]), str(entry["kept"]) if entry.get("kept") else None)
            for name, entry in document["files"].items()
        }
        return Record(Provider(document["ci"]), str(document["branch"]), files)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Invalid(
            f"{FILE} cannot be read",
            why="it is what fairway init remembers of the files it wrote",
            hint="bring it back from Git, or remove it: every file that differs then counts as changed by hand",
        ) from None
