from __future__ import annotations

import pytest

from tests.unit.registry.fake_registry import FakeRegistry


@pytest.fixture
def fake() -> FakeRegistry:
    return FakeRegistry()
