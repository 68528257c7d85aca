"""The deployment as a table of steps, in order. The table is the program.

What a step before ``drain`` did is undone when it or a later one fails; from
``drain`` on the new release serves for good and what is left is finished. What a
restart does is each step's ``recovery``.
"""

from __future__ import annotations

from fairway.engine.steps.backup import Backup
from fairway.engine.steps.base import Step
from fairway.engine.steps.canary import Canary
from fairway.engine.steps.drain import Drain
from fairway.engine.steps.migrate import Migrate
from fairway.engine.steps.preflight import Preflight
from fairway.engine.steps.pull import Pull
from fairway.engine.steps.ready import Ready
from fairway.engine.steps.record import Record
from fairway.engine.steps.rehearse import Rehearse
from fairway.engine.steps.services import Services
from fairway.engine.steps.soak import Soak
from fairway.engine.steps.start import Start
from fairway.engine.steps.switch import Switch
from fairway.engine.steps.verify import Verify
from fairway.engine.steps.workers import Workers

STEPS: tuple[Step, ...] = (
    Verify(),
    Preflight(),
    Pull(),
    Services(),
    Backup(),
    Rehearse(),
    Migrate(),
    Start(),
    Ready(),
    Canary(),
    Switch(),
    Workers(),
    Soak(),
    Drain(),
    Record(),
)

__all__ = ["STEPS", "Step"]
