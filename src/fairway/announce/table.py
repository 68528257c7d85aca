"""Who is told, by what this process's environment names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fairway.announce import github, sentry, traces
from fairway.announce.model import Announcer
from fairway.announce.telling import Announcements, in_a_line
from fairway.config import Config, Environment
from fairway.engine.contract.errors import FairwayError

if TYPE_CHECKING:
    from fairway.engine.contract.manifest import Release

#: Returns who tells a service, None where the environment does not ask for it. Raises ``FairwayError`` when it does,
#: and it cannot be done.
Maker = Callable[[Mapping[str, str], Config], Announcer | None]

#: The modules of these are imported by every deployment: they import nothing heavy by themselves.
MAKERS: tuple[tuple[str, Maker], ...] = (
    ("GitHub", github.from_environ),
    ("the error tracker", sentry.from_environ),
    ("traces", traces.from_environ),
)

#: Who is told how a deployment ended that another process began: ``fairway attach`` and ``cancel`` see it end.
FOLLOWING: tuple[tuple[str, Maker], ...] = (("GitHub", github.followed_from_environ),)


def announcements(
    config: Config,
    target: Environment,
    notice: Callable[[str], None],
    *,
    environ: Mapping[str, str] = os.environ,
    makers: tuple[tuple[str, Maker], ...] = MAKERS,
) -> Announcements:
    """Return what tells everybody who is to be told of one deployment; ``notice`` shows what could not be told."""
    announcers: list[Announcer] = []
    problems: list[str] = []
    for name, make in makers:
        try:
            announcer = make(environ, config)
        except FairwayError as error:
            problems.append(f"{name} ({error.what}{f': {error.hint}' if error.hint else ''})")
            continue
        if announcer is not None:
            announcers.append(announcer)
    return Announcements(
        tuple(announcers),
        notice,
        project=config.project,
        environment=target.name,
        promoted=target.promote_from is not None,
        url=target.url,
        problems=tuple(problems),
    )


def tell_of_release(
    config: Config, release: Release, notice: Callable[[str], None], *, environ: Mapping[str, str] = os.environ
) -> None:
    """Tell the error tracker of a release that was made, where there is one.

    The release is there, whatever comes of it: that it could not be told is a line for ``notice``.
    """
    told: sentry.Sentry | None = None
    try:
        told = sentry.from_environ(environ, config)
        if told is not None:
            told.released(release)
    except Exception as error:
        notice(f"not told: {in_a_line('the error tracker', error, told.secrets if told is not None else ())}")
