"""From a repository and what is wished for it to everything that would be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fairway.config import FILE_NAME, Config
from fairway.config.load import load, parse
from fairway.engine.contract.errors import Invalid
from fairway.guardrails.rules import preset_names
from fairway.workflows import planning, record
from fairway.workflows.answers import Answers, Provider, Question, likely_provider, of_texts, questions
from fairway.workflows.files import KNOWN_HOSTS, File, begun_files, kept_files, needed_images
from fairway.workflows.looking import look
from fairway.workflows.model import pipeline_of
from fairway.workflows.planning import Change
from fairway.workflows.record import Record
from fairway.workflows.survey import MigrationsFound, Survey, Worker
from fairway.workflows.tree import Tree


@dataclass(frozen=True)
class Wishes:
    """What was said beforehand: answers by the names of their questions, and what the look cannot see."""

    answers: Mapping[str, str] = field(default_factory=dict)
    provider: Provider | None = None
    workers: tuple[Worker, ...] = ()
    migrate: tuple[str, ...] = ()
    postgres: bool | None = None
    redis: bool | None = None
    presets: tuple[str, ...] = ()
    pin: bool = False
    replacing: tuple[str, ...] = ()
    keeping: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What would be written, and what is to be told of it. ``survey`` is None where fairway.toml was there."""

    root: Path
    changes: tuple[Change, ...]
    record: Record
    survey: Survey | None
    notes: tuple[str, ...]

    @property
    def drifts(self) -> bool:
        """Whether the repository is not as it would be written."""
        return any(change.drifts for change in self.changes)

    @property
    def writes(self) -> bool:
        """Whether anything is written, the record of it included."""
        return any(change.writes for change in self.changes) or self._record_is_old

    @property
    def _record_is_old(self) -> bool:
        return record.read(self.root) != self.record

    def write(self) -> None:
        """Write everything, the record last."""
        planning.write(self.root, self.changes)
        planning.put(self.root, record.FILE, self.record.as_text())


def prepare(
    root: Path,
    wishes: Wishes,
    answer: Callable[[Question], str],
    pin: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None,
) -> Plan:
    """Return what would be written. ``answer`` is asked what neither the repository nor the wishes tell.

    Raises ``Invalid`` for a wish that cannot be, and what ``answer`` raises.
    """
    tree = Tree(root)
    before = record.read(root)
    provider = wishes.provider or (before.provider if before else likely_provider(tree))
    begun: Sequence[File] = ()
    survey = None
    if (root / FILE_NAME).is_file():
        config = load(root / FILE_NAME)
        branch = wishes.answers.get("branch") or (before.branch if before else tree.branch)
        begun = _missing_hosts(config, tree)
    else:
        survey = _wished(look(tree), wishes)
        answers = _answers(survey, tree, provider, wishes, answer)
        branch = answers.branch
        images: Mapping[str, str] = needed_images(survey, tree)
        if wishes.pin:
            from fairway.workflows.pinning import pinned  # an HTTP client, which nothing else here needs

            images = (pin or pinned)(images)
        begun = begun_files(survey, answers, tree, images)
        config = parse(next(one.text for one in begun if one.path == FILE_NAME))
    kept = kept_files(pipeline_of(config, tree, provider, branch))
    base = Record(provider, branch, before.files if before else {})
    changes = planning.compare(
        root,
        [*begun, *kept],
        base,
        replacing=wishes.replacing,
        keeping=wishes.keeping,
        begin=survey is not None,
    )
    written = {one.path for one in (*begun, *kept)}
    orphans = [path for path in base.files if path not in written and tree.has(path)]
    nested = (
        ["this is not the root of its Git repository, where alone a pipeline's files are read"] if tree.nested else []
    )
    notes = [f"{path} is written no more; remove it if nothing needs it" for path in orphans]
    return Plan(
        root,
        tuple(changes),
        planning.recorded(base, changes),
        survey,
        (*(survey.notes if survey else ()), *nested, *notes),
    )


def _missing_hosts(config: Config, tree: Tree) -> tuple[File, ...]:
    """Return the file of the hosts' keys where an environment names it and it is not there."""
    from fairway.workflows.files import Kind
    from fairway.workflows.rendering import render

    named = any(one.known_hosts == KNOWN_HOSTS for one in config.environments.values())
    if not named or tree.has(KNOWN_HOSTS):
        return ()
    return (File(KNOWN_HOSTS, render("known_hosts.j2"), Kind.BEGUN),)


def _wished(survey: Survey, wishes: Wishes) -> Survey:
    """Return the survey with what was said about it."""
    if wishes.migrate:
        found = survey.migrations
        survey = replace(
            survey,
            migrations=replace(found, run=wishes.migrate) if found else MigrationsFound(None, None, wishes.migrate),
        )
    if wishes.workers:
        named = {one.name for one in wishes.workers}
        survey = replace(survey, workers=(*(one for one in survey.workers if one.name not in named), *wishes.workers))
    postgres = survey.postgres if wishes.postgres is None else wishes.postgres
    redis = survey.redis if wishes.redis is None else wishes.redis
    presets = tuple(dict.fromkeys((*survey.presets, *wishes.presets)))
    for name in wishes.presets:
        if name not in preset_names():
            raise Invalid(f"there is no preset {name[:60]!r}", why=f"there are {', '.join(preset_names())}")
    return replace(survey, postgres=postgres, redis=redis, presets=presets)


def _answers(
    survey: Survey, tree: Tree, provider: Provider, wishes: Wishes, answer: Callable[[Question], str]
) -> Answers:
    """Return every answer, from the wishes first. Raises ``Invalid`` for one that cannot be."""
    asked = questions(survey, tree, provider)
    names = {one.name for one in asked}
    texts: dict[str, str] = {name: text for name, text in wishes.answers.items() if name not in names}
    for question in asked:
        if question.name == "deploy-path" and "project" in texts:
            question = replace(question, default=f"/opt/{texts['project']}")
        given = wishes.answers.get(question.name)
        if given is None:
            given = answer(question)
        if problem := question.problem(given):
            raise Invalid(f"--{question.name} {problem}")
        texts[question.name] = given
    return of_texts(texts, survey, provider)
