"""When the changes of a release were committed, as the Git repository here knows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fairway import process

# A host's record says it, and it becomes an argument.
_TAG = re.compile(r"sha-([0-9a-f]{40}|[0-9a-f]{64})")


def commit_times(root: Path, tag: str, replaces: str | None) -> list[datetime] | None:
    """Return when each commit was made that came with a release in the place of the one before.

    Of a first release, and of one whose predecessor is not known here, only its own
    commit counts. None when that is not known here either: another clone, a shallow
    one, or a release of a tree that had changes.
    """
    commit, before = _TAG.fullmatch(tag), _TAG.fullmatch(replaces or "")
    if commit is None:
        return None
    if before is not None and (found := _log(root, [f"{before[1]}..{commit[1]}"])) is not None:
        return found
    return _log(root, ["--max-count=1", commit[1]])


def _log(root: Path, revisions: Sequence[str]) -> list[datetime] | None:
    done = process.run(["git", "log", "--format=%ct", *revisions, "--"], cwd=root)
    if done.returncode != 0:
        return None
    return [datetime.fromtimestamp(int(line), UTC) for line in done.stdout.split()]
