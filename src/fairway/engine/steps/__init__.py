"""The deployment as a table of steps, in order. The table is the program.

Everything before ``switch`` is invisible to a visitor and is undone when a step
fails; from ``drain`` on the new release serves and what is left is finished.
"""

from __future__ import annotations

from fairway.engine.steps.base import Step
from fairway.engine.steps.drain import Drain
from fairway.engine.steps.migrate import Migrate
from fairway.engine.steps.preflight import Preflight
from fairway.engine.steps.pull import Pull
from fairway.engine.steps.ready import Ready
from fairway.engine.steps.record import Record
from fairway.engine.steps.services import Services
from fairway.engine.steps.start import Start
from fairway.engine.steps.switch import Switch
from fairway.engine.steps.verify import Verify
from fairway.engine.steps.workers import Workers

STEPS: tuple[Step, ...] = (
    Verify(),
    Preflight(),
    Pull(),
    Services(),
    Migrate(),
    Start(),
    Ready(),
    Switch(),
    Workers(),
    Drain(),
    Record(),
)

__all__ = ["STEPS", "Step"]
