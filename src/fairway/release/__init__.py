"""From a clean checkout to a release: built once, pushed, pinned by digest, archived.

>>> from fairway.release import make_release
>>> result = make_release(config, allow_dirty=False, reporter=reporter)   # doctest: +SKIP
>>> result.named.release.tag                                              # doctest: +SKIP
'sha-4f2a9c1...'
"""

from __future__ import annotations

from fairway.release.progress import Reporter, Silent
from fairway.release.rebuild import RebuildCheck, check_rebuild, explain
from fairway.release.release import ReleaseOutcome, ReleaseResult, make_release
from fairway.release.trial import Trial, build_only

__all__ = [
    "RebuildCheck",
    "ReleaseOutcome",
    "ReleaseResult",
    "Reporter",
    "Silent",
    "Trial",
    "build_only",
    "check_rebuild",
    "explain",
    "make_release",
]
