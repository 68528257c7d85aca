"""The migrations of a release: which there are, each by its digest."""

from __future__ import annotations

from pathlib import PurePosixPath

from fairway.config import Config
from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.contract.manifest import MAX_MIGRATIONS, migration_path
from fairway.engine.contract.names import Digest
from fairway.release.git import files_below

_COMPILED = "__pycache__"


def read_migrations(config: Config) -> dict[str, Digest]:
    """Return the digest of each file below ``migrations.path``, by its path relative to ``fairway.toml``.

    None without that key. Only what the commit holds counts. Raises ``Invalid`` when the
    directory has none, and for a link: what it leads to is not the commit's.
    """
    directory = config.migrations.path
    if directory is None:
        return {}
    root = config.root.resolve()
    if not (root / directory).is_dir():
        raise Invalid(
            f"fairway.toml: migrations.path: there is no directory {root / directory}",
            hint="name the directory that holds the migrations, or leave the key out",
        )
    names = [name for name in files_below(root, directory) if _COMPILED not in PurePosixPath(name).parts]
    if not 0 < len(names) <= MAX_MIGRATIONS:
        raise Invalid(
            f"fairway.toml: migrations.path: {directory} has {len(names) or 'no'} files that Git tracks",
            why=f"from 1 to {MAX_MIGRATIONS} are named in a release",
        )
    found: dict[str, Digest] = {}
    for name in names:
        path = root / name
        if not path.is_file() or path.resolve() != path:
            raise Invalid(
                f"fairway.toml: migrations.path: {name} is not a plain file",
                hint="a release names migrations themselves, neither directories nor links",
            )
        found[_checked(name)] = Digest.of(path.read_bytes())
    return found


def _checked(name: str) -> str:
    try:
        return migration_path(name)
    except FairwayError as error:
        raise Invalid(f"fairway.toml: migrations.path: {error.what}", hint="rename the file") from None
