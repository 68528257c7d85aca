"""The migrations of a release: which there are, each by its digest, and whether they may be shipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fairway.config import Config
from fairway.engine.contract.errors import Failed, FairwayError, Invalid, Refused
from fairway.engine.contract.manifest import MAX_MIGRATIONS, Migration, Verdict, migration_path
from fairway.engine.contract.names import Digest
from fairway.findings import Finding
from fairway.migrations.acceptance import (
    Accepted,
    checked_reason,
    checked_replaces,
    read_accepted,
    write_accepted,
)
from fairway.migrations.assessing import Assessment, assess
from fairway.migrations.commands import find_forbidden, watched
from fairway.migrations.report import Report, accept_command
from fairway.migrations.sources import VERDICTS, Source, counts, read_sources
from fairway.release.git import changed_since, files_below

_COMPILED = "__pycache__"
_DATABASE_KEY = "migrations.path"


@dataclass(frozen=True)
class Shipped:
    """The migrations that a release names: the files with their digests, and what each is to the database."""

    files: Mapping[str, Digest]
    migrations: tuple[Migration, ...]
    sources: tuple[Source, ...]


def read_shipped(config: Config) -> Shipped:
    """Read and judge what a release of the working tree ships.

    Raises ``Invalid`` when it cannot be read, and ``Refused`` with every reason at once: a migration
    that needs a word and has none, a word that holds for nothing, a forbidden command.
    """
    files = read_files(config)
    digests = {path: Digest.of(body) for path, body in files.items()}
    if config.migrations.kind is None:
        _refuse(None, find_commands(config))
        return Shipped(digests, (), ())
    sources = read_sources(config.migrations.kind, _directory(config), files)
    if not 0 < len(sources) <= MAX_MIGRATIONS:
        raise Invalid(
            f"fairway.toml: {_DATABASE_KEY}: {_directory(config)} has {len(sources) or 'no'} migrations of the kind "
            f"{config.migrations.kind.value!r}",
            why=f"from 1 to {MAX_MIGRATIONS} are named in a release",
        )
    assessment = assess(sources, read_words(config))
    _refuse(assessment, find_commands(config))
    return Shipped(digests, tuple(one.as_migration() for one in assessment.migrations if not one.source.again), sources)


def _refuse(assessment: Assessment | None, forbidden: Sequence[Finding]) -> None:
    reasons = [f"{one.path}:{one.line}: {one.message}" for one in forbidden]
    commands: list[str] = []
    if assessment is not None:
        for one in assessment.migrations:
            if one.problem:
                reasons.append(f"{one.source.path}: {one.judged.value.upper()}: {one.words}")
                commands.append(accept_command(one))
        reasons += [f"{VERDICTS}, line {fault.line}: {fault.message}" for fault in assessment.faults]
    if reasons:
        hints = ["see everything with: fairway migrations lint", *commands[:3]]
        raise Refused(
            "the migrations of this commit cannot be released",
            why="\n".join(reasons),
            hint="; or, to say that it is meant: ".join(hints[:2]) if commands else hints[0],
        )


def lint(config: Config, since: str | None = None) -> Report:
    """Look at the migrations of the working tree; of those that came since a commit, where one is named.

    Raises ``Invalid`` when they cannot be read, or ``fairway.toml`` does not say what they are.
    """
    if config.migrations.kind is None:
        raise Invalid(
            "fairway.toml does not say whose migrations these are",
            hint='write migrations.path and migrations.kind: "prisma", "alembic", "django", "sql" or "exec"',
        )
    directory = _directory(config)
    sources = read_sources(config.migrations.kind, directory, read_files(config))
    shown = frozenset(one.id for one in sources)
    if since is not None:
        changed = set(changed_since(config.root, since, directory))
        shown = frozenset(one.id for one in sources if one.path in changed)
    assessment = assess(sources, read_words(config))
    words = f"{directory}/{VERDICTS}"
    return Report(config.migrations.kind, directory, words, assessment, shown, find_commands(config))


def accept(
    config: Config,
    ids: Sequence[str],
    verdict: Verdict,
    reason: str,
    *,
    everything: bool,
    replaces: Sequence[str] = (),
) -> tuple[str, ...]:
    """Write somebody's word on migrations into ``verdicts.toml``; return their ids.

    ``everything`` means all that need one and can have this one. ``replaces`` are the migrations
    that a single one was squashed from. Raises ``Invalid`` for an unknown id, and for one that is
    said to stand for what is there; ``Refused`` for a contract that is to pass for an expansion.
    """
    reason = checked_reason(reason)
    if replaces and len(ids) != 1:
        raise Invalid("name the one migration that stands for the others", hint="--replaces goes with a single one")
    report = lint(config)
    known = {one.source.id: one for one in report.assessment.migrations}
    if everything:
        able = [one for one in report.unsettled if one.judged is not Verdict.CONTRACT or verdict is Verdict.CONTRACT]
        ids = [one.source.id for one in able]
    chosen = []
    for name in dict.fromkeys(ids):
        one = known.get(name)
        if one is None:
            raise Invalid(
                f"there is no migration {name[:100]!r}",
                why=f"the last of {len(known)} in {report.directory} is {next(reversed(known), 'none')}",
                hint="see them with: fairway migrations lint",
            )
        if one.judged is Verdict.CONTRACT and verdict is not Verdict.CONTRACT:
            raise Refused(
                f"{name} is a contract and cannot be accepted as an expansion",
                why=one.words or one.problem,
                hint=f'say that it is one: fairway migrations accept {name} --as contract --reason "..."',
            )
        if present := [old for old in replaces if old in known and old != name]:
            raise Invalid(
                f"{present[0]} is still there, so {name} does not stand for it",
                why="a new database would have both applied",
                hint="remove what was squashed, then say it",
            )
        chosen.append(Accepted(name, one.source.digest, verdict, reason, replaces=checked_replaces(name, replaces)))
    file = config.root / report.verdicts
    content = file.read_bytes() if file.is_file() else b""
    read_accepted(content, report.verdicts)
    try:
        file.write_bytes(write_accepted(content, chosen))
    except OSError as error:
        raise Failed(f"cannot write {report.verdicts}", why=str(error)) from None
    return tuple(one.migration for one in chosen)


def read_words(config: Config) -> tuple[Accepted, ...]:
    """Read ``verdicts.toml``; nothing when there is none."""
    name = f"{_directory(config)}/{VERDICTS}"
    file = config.root / name
    if not file.exists():
        return ()
    if not file.is_file() or file.resolve() != config.root.resolve() / name:
        raise Invalid(f"{name} is not a plain file")
    return read_accepted(file.read_bytes(), name)


def find_commands(config: Config) -> tuple[Finding, ...]:
    """Find forbidden commands in what Git tracks of the files that a deployment runs."""
    root = config.root.resolve()
    files = {}
    for name in watched(config, files_below(root, ".")):
        path = root / name
        if path.is_file():
            files[name] = path.read_bytes().decode("utf-8", errors="replace")
    return find_forbidden(config, files)


def read_migrations(config: Config) -> dict[str, Digest]:
    """Return the digest of each file below ``migrations.path``, by its path relative to ``fairway.toml``."""
    return {path: Digest.of(body) for path, body in read_files(config).items()}


def read_files(config: Config) -> dict[str, bytes]:
    """Return the files below ``migrations.path``, by their paths relative to ``fairway.toml``.

    None without that key; with a kind only those that have a say in what its migrations are. Only
    what the commit holds counts. Raises ``Invalid`` when the directory has none, and for a link:
    what it leads to is not the commit's.
    """
    directory = config.migrations.path
    if directory is None:
        return {}
    root = config.root.resolve()
    if not (root / directory).is_dir():
        raise Invalid(
            f"fairway.toml: {_DATABASE_KEY}: there is no directory {root / directory}",
            hint="name the directory that holds the migrations, or leave the key out",
        )
    names = [name for name in files_below(root, directory) if _counts(config, directory, name)]
    if not 0 < len(names) <= MAX_MIGRATIONS:
        raise Invalid(
            f"fairway.toml: {_DATABASE_KEY}: {directory} has {len(names) or 'no'} files that Git tracks",
            why=f"from 1 to {MAX_MIGRATIONS} are named in a release",
        )
    found: dict[str, bytes] = {}
    for name in names:
        path = root / name
        if not path.is_file() or path.resolve() != path:
            raise Invalid(
                f"fairway.toml: {_DATABASE_KEY}: {name} is not a plain file",
                hint="a release names migrations themselves, neither directories nor links",
            )
        found[_checked(name)] = path.read_bytes()
    return found


def _counts(config: Config, directory: str, name: str) -> bool:
    if _COMPILED in PurePosixPath(name).parts or name == f"{directory}/{VERDICTS}":
        return False
    return config.migrations.kind is None or counts(config.migrations.kind, directory, name)


def _directory(config: Config) -> str:
    assert config.migrations.path is not None  # a kind without a path is refused by the configuration
    return config.migrations.path


def _checked(name: str) -> str:
    try:
        return migration_path(name)
    except FairwayError as error:
        raise Invalid(f"fairway.toml: {_DATABASE_KEY}: {error.what}", hint="rename the file") from None
