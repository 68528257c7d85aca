"""What every test shares."""

from __future__ import annotations

import os

from hypothesis import settings

# Speed is shown by benchmarks, never by a timed test; a pipeline sees the same examples each time.
settings.register_profile("fairway", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("fairway")
