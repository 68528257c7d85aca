"""Stages, and which of them a run takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fairway.config.models import Ci
from fairway.engine.contract.errors import Invalid


@dataclass(frozen=True)
class Stage:
    """One stage: what it runs, after which others, and with what beside it."""

    name: str
    run: str | tuple[str, ...]
    needs: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    dir: str = "."
    timeout_s: float = 1800.0
    junit: tuple[str, ...] = ()

    @property
    def argv(self) -> list[str]:
        """The program and its arguments; a script is one of bash's, which ends at the first failure."""
        return ["bash", "-euo", "pipefail", "-c", self.run] if isinstance(self.run, str) else list(self.run)


def stages_of(ci: Ci) -> tuple[Stage, ...]:
    """Return the stages, each after those it needs and otherwise as in the file. Raises ``Invalid`` without any."""
    if not ci.stages:
        raise Invalid(
            "there are no stages yet",
            why="fairway.toml has no [ci.stages.<name>]",
            hint='begin with: [ci.stages.unit] and run = "pnpm test"',
        )
    order: dict[str, None] = {}

    def place(name: str) -> None:
        for need in ci.stages[name].needs:  # circles were refused when the file was read
            place(need)
        order.setdefault(name)

    for name in ci.stages:
        place(name)
    return tuple(Stage(name, **dict(ci.stages[name])) for name in order)


def choose(stages: Sequence[Stage], *, only: Iterable[str] = (), start: str | None = None) -> tuple[Stage, ...]:
    """Return the stages that are asked for, in order: ``only`` these, or ``start`` and whatever depends on it.

    What they need besides counts as done: whoever picks stages knows why. Raises ``Invalid`` for an
    unknown name, and when both are asked for.
    """
    wanted = set(only)
    if wanted and start is not None:
        raise Invalid("--only and --from ask for different things", hint="leave one of them out")
    for name in [*sorted(wanted), *([start] if start is not None else [])]:
        if name not in {stage.name for stage in stages}:
            known = ", ".join(stage.name for stage in stages)
            raise Invalid(f"there is no stage {name[:60]!r}", why=f"fairway.toml has {known}")
    if wanted:
        return tuple(stage for stage in stages if stage.name in wanted)
    if start is None:
        return tuple(stages)
    reached = {start}
    for stage in stages:  # each comes after those it needs
        if reached.intersection(stage.needs):
            reached.add(stage.name)
    return tuple(stage for stage in stages if stage.name in reached)
