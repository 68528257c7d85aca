"""What no pattern of code can express: rules about a Dockerfile's meaning, or about ``fairway.toml``.

A rule file names a checker by ``check``, and is explained, tried, suppressed and put into the baseline
like any other. ``unless`` names what lets a match of ast-grep's pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from fairway.config import Config
from fairway.guardrails.checkers import commands, declared, dockerfile
from fairway.guardrails.checkers.hit import Hit

#: From files, by their name, what is wrong with them; the last is the rule's ``allow``.
Checker = Callable[[Mapping[str, str], Config, tuple[str, ...]], Iterable[Hit]]
#: Whether a match's text is fine, in a repository with this ``fairway.toml``; made once a run.
Excuse = Callable[[Config, tuple[str, ...]], Callable[[str], bool]]

CHECKERS: Mapping[str, Checker] = {
    "forbidden-commands": commands.forbidden,
    "dockerfile-images": dockerfile.untagged,
    "dockerfile-targets": dockerfile.missing_targets,
    "dockerfile-users": dockerfile.root_users,
}
EXCUSES: Mapping[str, Excuse] = {"declared": declared.is_declared}

__all__ = ["CHECKERS", "EXCUSES", "Checker", "Excuse", "Hit"]
