"""``fairway ci`` as a whole: from ``fairway.toml`` to what became of each stage, told and kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

from fairway.ci import summary
from fairway.ci.execution import Setting, execute
from fairway.ci.logs import kept_in
from fairway.ci.reporter import Reporter
from fairway.ci.results import StageResult, State, outcome
from fairway.ci.running import Interruption, processors, run_stages
from fairway.ci.services import sweep
from fairway.ci.stages import Stage
from fairway.config import Config
from fairway.engine.contract.errors import Failed, FairwayError, as_error
from fairway.process import child_environment
from fairway.process_group import Stop
from fairway.release import git
from fairway.release.trial import local_names

GITHUB_SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True)
class Finished:
    """A run that is over."""

    results: tuple[StageResult, ...]
    outcome: State
    seconds: float


def run_pipeline(
    config: Config,
    stages: Sequence[Stage],
    reporter: Reporter,
    *,
    jobs: int | None = None,
    fail_fast: bool = False,
    summaries: Sequence[Path] = (),
    environ: Mapping[str, str] = os.environ,
) -> Finished:
    """Run stages; write their logs, ``summary.md`` and ``summary.json``, and the Markdown to ``summaries``, too.

    In GitHub the summary is added to the job's own. Raises ``Failed`` when something cannot be written.
    """
    begun = monotonic()
    setting = Setting(
        root=config.root,
        logs=config.root / config.ci.logs,
        compose=(config.root / config.ci.compose).resolve() if config.ci.compose else None,
        project=config.project,
        environ=environ,
        given=images(config),
    )
    interruption = Interruption()
    try:
        with kept_in(setting.logs), interruption.by_signals():
            _sweep(setting, stages, reporter)
            results = run_stages(
                stages,
                partial(_execute, setting),
                reporter,
                jobs=jobs or processors(),
                fail_fast=fail_fast,
                interruption=interruption,
            )
            became = outcome(results, interrupted=interruption.interrupted)
            finished = Finished(tuple(results), became, monotonic() - begun)
            _keep(finished, setting.logs, summaries, environ)
    except OSError as error:
        if not setting.logs.is_dir():
            raise Failed(
                f"{config.ci.logs}, where the logs are kept, was removed while the stages ran",
                hint="a stage may do so, as by git clean -x: have it leave them, git clean -xd --exclude .fairway",
            ) from None
        raise as_error(error, "the logs and the summary cannot be written") from None
    return finished


def images(config: Config) -> dict[str, str]:
    """Return what ``fairway release --build-only`` calls this commit's images, as the Compose files name them.

    Empty where there is no commit: a stage that needs them says so.
    """
    try:
        app, migrator = local_names(config, git.read_checkout(config.root).commit)
    except FairwayError:
        return {}
    return {"APP_IMAGE": app, "MIGRATOR_IMAGE": migrator}


def _sweep(setting: Setting, stages: Sequence[Stage], reporter: Reporter) -> None:
    """Remove what a run that was killed has left. Where Docker does not answer, the stages that need it say so."""
    if setting.compose is None or not any(stage.services for stage in stages):
        return
    try:
        for project in sweep(setting.compose, setting.beginning, child_environment(setting.environ)):
            reporter.notice(f"removed the services of a run that was killed: {project}")
    except FairwayError as error:
        reporter.notice(error.what)


def _execute(setting: Setting, stage: Stage, show: Callable[[str], None], stop: Stop) -> StageResult:
    return execute(stage, setting, show, stop)


def _keep(finished: Finished, logs: Path, summaries: Sequence[Path], environ: Mapping[str, str]) -> None:
    text = summary.as_markdown(finished.results, finished.outcome, finished.seconds)
    document = summary.as_json(finished.results, finished.outcome, finished.seconds)
    (logs / "summary.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in (logs / "summary.md", *summaries):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if environ.get(GITHUB_SUMMARY):
        with Path(environ[GITHUB_SUMMARY]).open("a", encoding="utf-8") as page:
            page.write(text)
