"""Watch a release that takes traffic: is it worse than the one before, by the configured limits?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.manifest import Soak
from fairway.engine.deployment import Deployment
from fairway.engine.diagnosis import death, describe
from fairway.engine.edge import ServerStats
from fairway.engine.tracker.tracking import Tracking, tracking

_LOOK_EVERY_S = 0.25
_LOOK_AT_CONTAINER_EVERY_S = 1.0
_TELL_EVERY_S = 1.0
# One slow answer is not a verdict; a release that is not ready for this many looks is.
_UNREADY_LOOKS = 3
# A few milliseconds more are no worse, whatever their ratio.
_SLOWER_BY_MS = 50
# The edge restarts by itself within this; without figures for longer nothing can be said for the release.
_BLIND_S = 10.0


@dataclass(frozen=True)
class Figures:
    """What a slot has answered in a while: requests, 5xx and broken ones among them, mean time to first byte."""

    requests: int
    bad: int
    response_ms: int

    @classmethod
    def of(cls, stats: ServerStats) -> Figures:
        """Take the figures the edge counts."""
        return cls(stats.requests, stats.errors + stats.failures, stats.response_ms)

    @property
    def bad_ratio(self) -> float:
        """The share of requests that went wrong."""
        return self.bad / self.requests if self.requests else 0.0

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.bad} failed, {self.response_ms} ms"


@dataclass(frozen=True)
class Watched:
    """What was seen of a release that was good enough; ``tracked`` is what the error tracker said, if it was asked."""

    figures: Figures
    tracked: str

    def __str__(self) -> str:
        return "; ".join(filter(None, (str(self.figures), self.tracked)))


def judge(new: Figures, old: Figures, limits: Soak) -> str | None:
    """Say why the new release is too much worse than the old one to keep, or None.

    The share of failures may be ``max_error_ratio`` above the old one's; answers
    may take ``max_slowdown`` times as long. Nothing is said of fewer than
    ``min_requests`` requests.
    """
    if new.requests < limits.min_requests:
        return None
    if new.bad_ratio > old.bad_ratio + limits.max_error_ratio:
        return (
            f"{new.bad} of {new.requests} requests failed ({new.bad_ratio:.1%}); the release before: "
            f"{old.bad_ratio:.1%}, allowed are {limits.max_error_ratio:.1%} more"
        )
    slower = new.response_ms > old.response_ms * limits.max_slowdown
    if old.requests >= limits.min_requests and slower and new.response_ms > old.response_ms + _SLOWER_BY_MS:
        return (
            f"answers take {new.response_ms} ms; the release before: {old.response_ms} ms, "
            f"allowed is {limits.max_slowdown:g} times that"
        )
    return None


def watch(deployment: Deployment, step: str, for_s: float, baseline: Figures | None) -> Watched:
    """Watch the new slot for ``for_s`` seconds; return what was seen.

    Without a ``baseline`` the old slot, which serves beside it, is compared with.
    Raises ``Failed`` as soon as the new release is worse than the limits allow, is
    not ready several times in a row, its container ends, or its error tracker has
    more new issues of it than it may bring.
    """
    tracked = tracking(deployment, for_s)
    try:
        figures = _watch_figures(deployment, step, for_s, baseline, tracked)
        if tracked is not None:
            _tell(deployment, step, tracked.finish(lambda: _wait(deployment)))
            _refuse_issues(deployment, tracked)
    finally:
        if tracked is not None:
            deployment.journal.noted(step, tracker=_redacted(deployment, tracked.facts))
    return Watched(figures, deployment.redact(str(tracked)) if tracked is not None else "")


def _watch_figures(
    deployment: Deployment, step: str, for_s: float, baseline: Figures | None, tracked: Tracking | None
) -> Figures:
    slot, limits = deployment.request.slot, deployment.release.soak
    # A slot that was still warm may have been restarted long before this deployment.
    warm = deployment.driver.slots().get(slot) if deployment.request.warm else None
    restarts_before = warm.restarts if warm is not None else 0
    begun = clock.monotonic()
    look_at = told = seen = begun
    unready, figures = 0, Figures(0, 0, 0)
    while (elapsed := clock.monotonic() - begun) < for_s:
        deployment.refuse_cancelled()
        if clock.monotonic() >= look_at:
            _refuse_dead(deployment, restarts_before)
            look_at = clock.monotonic() + _LOOK_AT_CONTAINER_EVERY_S
        answer = deployment.edge.probe(slot, deployment.release.readiness.path)
        unready = 0 if answer.ready else unready + 1
        if unready >= _UNREADY_LOOKS:
            raise _worse(deployment, f"it is no longer ready: {deployment.redact(describe(answer))}")
        try:
            stats = deployment.edge.stats()
        except Failed:
            if clock.monotonic() - seen > _BLIND_S:
                raise
        else:
            seen = clock.monotonic()
            figures = Figures.of(stats[slot])
            reason = judge(figures, baseline or Figures.of(stats[slot.other]), limits)
            if reason is not None:
                raise _worse(deployment, reason)
        if tracked is not None:
            _tell(deployment, step, tracked.step())
            _refuse_issues(deployment, tracked)
        if clock.monotonic() >= told:
            deployment.journal.progress(step, f"{for_s - elapsed:.0f} s left: {figures}")
            told = clock.monotonic() + _TELL_EVERY_S
        clock.sleep(min(_LOOK_EVERY_S, max(for_s - elapsed, 0)))
    return figures


def _wait(deployment: Deployment) -> None:
    deployment.refuse_cancelled()
    clock.sleep(_LOOK_EVERY_S)


def _tell(deployment: Deployment, step: str, news: str) -> None:
    if news:
        deployment.told(step)(news)


def _refuse_issues(deployment: Deployment, tracked: Tracking) -> None:
    reason = tracked.reason
    if reason is not None:
        raise Failed(
            f"{deployment.request.tag.short} brings new errors",
            why=deployment.redact(reason),
            hint="traffic went back to the release before; an issue that may stay is resolved or archived in the "
            "error tracker, and the limit is errors.max_new_issues in fairway.toml",
        )


def _redacted(deployment: Deployment, facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts, "problem": deployment.redact(facts["problem"])}


def _refuse_dead(deployment: Deployment, restarts_before: int) -> None:
    slot = deployment.request.slot
    container = deployment.driver.slots().get(slot)
    reason = death(container)
    if reason is None and container is not None and container.restarts > restarts_before:
        reason = f"it has been restarted {container.restarts - restarts_before} times"
    if reason is not None:
        raise _worse(deployment, reason, log=deployment.driver.log_tail(slot, 15))


def _worse(deployment: Deployment, reason: str, log: str = "") -> Failed:
    return Failed(
        f"{deployment.request.tag.short} does worse than the release before",
        why=f"{reason}\n{log}".strip(),
        hint="traffic went back to the release before; the limits stand under soak in fairway.toml",
    )
