"""A run as a whole, where what goes wrong is the run's own."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from fairway.ci.pipeline import run_pipeline
from fairway.ci.showing import Plain
from fairway.ci.stages import stages_of
from fairway.config import load
from fairway.engine.contract.errors import Failed


def test_a_stage_that_removes_the_logs_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "fairway.toml"
    file.write_text(
        'project = "demo"\n[images]\napp = "r.example/a/demo-app"\nmigrator = "r.example/a/demo-migrator"\n'
        '[ci.stages.clean]\nrun = "rm -rf .fairway"\n',
        encoding="utf-8",
    )
    config = load(file)
    with pytest.raises(Failed, match="removed while the stages ran"):
        run_pipeline(config, stages_of(config.ci), Plain(io.StringIO()))
