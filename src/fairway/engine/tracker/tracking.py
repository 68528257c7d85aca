"""Look at the error tracker several times while a release is watched, beside everything else that is watched.

A tracker that does not answer never sends a release back, and is never passed over in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Thread
from typing import Any, Callable

from fairway.engine import clock
from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.tracker import Tracker
from fairway.engine.deployment import Deployment
from fairway.engine.tracker import asking
from fairway.engine.tracker.issues import Issue, Subject, counted, judge, question, read_issues

_OFTEN_S, _SELDOM_S = 2.0, 30.0
_LOOKS = 20
_LAST_PATIENCE_S = 12.0
_KEPT_NAMES = 20


@dataclass(frozen=True)
class Look:
    """What came of one look: the new issues, or why there was no answer."""

    issues: tuple[Issue, ...] = ()
    problem: str = ""


class Tracking:
    """Looks in the background; what it finds is taken up where the rest is judged."""

    def __init__(self, tracker: Tracker, look: Callable[[], Look], for_s: float) -> None:
        self._tracker = tracker
        self._look = look
        self._every_s = min(max(for_s / _LOOKS, _OFTEN_S), _SELDOM_S)
        self._due = clock.monotonic()
        self._under_way: Thread | None = None
        self._found: list[Look] = []
        self._last: Look | None = None
        self._said = ""
        self.answered = 0
        self.looks = 0

    def step(self) -> str:
        """Begin a look when one is due and take up what has come; return what is new to tell, if anything."""
        if self._under_way is None and clock.monotonic() >= self._due:
            self._begin()
        self._take_up()
        return self._news()

    def finish(self, wait: Callable[[], None]) -> str:
        """Look for the last time, calling ``wait`` while that takes; return what is new to tell."""
        deadline = clock.monotonic() + _LAST_PATIENCE_S
        # What was asked a while ago knows nothing of the last errors.
        if self._under_way is not None:
            self._await(deadline, wait)
        if clock.monotonic() < deadline:
            self._begin()
            self._await(deadline, wait)
        return self._news()

    @property
    def reason(self) -> str | None:
        """Why the release brings too many new issues, or None."""
        return judge(self._last.issues, self._tracker) if self._last is not None else None

    @property
    def facts(self) -> dict[str, Any]:
        """What goes on record."""
        issues = self._last.issues if self._last is not None else ()
        return {
            "looks": self.looks,
            "answered": self.answered,
            "new_issues": len(issues) if self.answered else None,
            "issues": [one.name for one in issues[:_KEPT_NAMES]],
            "problem": self._last.problem if self._last is not None else "it was not asked",
        }

    def __str__(self) -> str:
        if self._last is None:
            return "the error tracker was not asked"
        if not self.answered:
            return f"the error tracker could not be asked: {self._last.problem}"
        words = f"{counted(len(self._last.issues))} in {self.answered} of {self.looks} looks"
        return words + (f"; the last one failed: {self._last.problem}" if self._last.problem else "")

    def _begin(self) -> None:
        self.looks += 1
        self._due = clock.monotonic() + self._every_s
        self._under_way = Thread(target=lambda: self._found.append(self._look()), daemon=True)
        self._under_way.start()

    def _await(self, deadline: float, wait: Callable[[], None]) -> None:
        while self._under_way is not None and self._under_way.is_alive() and clock.monotonic() < deadline:
            wait()
        self._take_up(still="it did not answer in time")

    def _take_up(self, still: str = "") -> None:
        if self._under_way is None or (self._under_way.is_alive() and not still):
            return
        self._under_way = None
        found = self._found.pop() if self._found else Look(problem=still)
        if found.problem and self._last is not None:
            # What was found stays found while nobody answers.
            found = Look(self._last.issues, found.problem)
        self._last = found
        self.answered += not found.problem

    def _news(self) -> str:
        if self._last is None:
            return ""
        before, self._said = self._said, f"the error tracker has {counted(len(self._last.issues))}"
        if self._last.problem:
            self._said = f"the error tracker cannot be asked: {self._last.problem}"
        return self._said if self._said != before else ""


def tracking(deployment: Deployment, for_s: float) -> Tracking | None:
    """Return what looks at the release's error tracker, None where the release names none."""
    tracker = deployment.release.errors
    if tracker is None:
        return None
    settings = deployment.settings
    container = deployment.driver.slots().get(deployment.request.slot)
    runs_with = container.environment if container is not None else {}
    subject = Subject(
        # What it was started with is what it reports as, whoever gave it that.
        release=runs_with.get("SENTRY_RELEASE") or str(deployment.request.tag),
        environment=runs_with.get("SENTRY_ENVIRONMENT") or deployment.host.environment,
        made_at=deployment.release.created_at,
    )

    env_file = deployment.release.env.file
    return Tracking(tracker, lambda: look_once(tracker, subject, settings, env_file), for_s)


def look_once(tracker: Tracker, subject: Subject, settings: Mapping[str, str], env_file: str) -> Look:
    """Ask with the token of these settings. Raises nothing: what stood in the way is a part of what was seen."""
    try:
        token = settings.get(tracker.token_key)
        if not token:
            return Look(problem=f"{env_file} has no value for {tracker.token_key}")
        content = asking.ask(tracker, question(tracker, subject), token)
        return Look(issues=read_issues(tracker, subject, content))
    except FairwayError as error:
        return Look(problem=error.what)
    except Exception as error:  # a thread's own end would be silent
        return Look(problem=f"the look failed: {type(error).__name__}")
