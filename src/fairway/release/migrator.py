"""What the migrator image ships, held against the repository before it is pushed. Nothing of it is run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from fairway import process
from fairway.config import Config
from fairway.engine.contract.errors import Failed, FairwayError, Refused
from fairway.engine.contract.fields import parse_json
from fairway.engine.contract.forbidden import forbidden_words
from fairway.engine.contract.manifest import MigratorKind
from fairway.migrations.sources import Source, counts, read_sources
from fairway.release.docker import Docker

_LABEL = "dev.fairway.migrator."
_COPY_TIMEOUT_S = 300.0


def check_migrator(docker: Docker, config: Config, reference: str, sources: Sequence[Source]) -> None:
    """Hold a built migrator image against ``fairway.toml`` and the repository's migrations.

    Raises ``Refused`` with every reason: a label that says another kind, other migrations below
    the path that a label names, a forbidden command in what the image runs.
    """
    kind, directory = config.migrations.kind, config.migrations.path
    image = _inspect(docker, reference)
    labels = _labels(image)
    problems = _commands(image, labels)
    if kind is not None and directory is not None:
        said = labels.get(f"{_LABEL}kind")
        if said is not None and said != kind.value:
            problems.append(f'its label {_LABEL}kind says "{said}", fairway.toml says "{kind.value}"')
        path = labels.get(f"{_LABEL}path")
        if path is not None and not problems:
            with _copied(docker, reference, path) as root:
                problems += compare(kind, directory, path, files_of(root), sources)
    if problems:
        raise Refused(
            f"the migrator image of the target {config.build.migrator_target!r} is not what this commit says",
            why="\n".join(problems),
            hint=f"see what the Dockerfile copies and sets there ({config.build.dockerfile}); nothing was pushed",
        )


def compare(
    kind: MigratorKind, directory: str, path: str, files: Mapping[str, bytes], sources: Sequence[Source]
) -> list[str]:
    """Say how an image's migrations differ from the repository's; ``files`` lie below the image's ``path``."""
    prefix = _alignment(directory, files, [one.path for one in sources])
    below = {
        f"{directory}/{name.removeprefix(prefix)}": body for name, body in files.items() if name.startswith(prefix)
    }
    wanted = {name: body for name, body in below.items() if counts(kind, directory, name)}
    try:
        shipped = read_sources(kind, directory, wanted)
    except FairwayError as error:
        return [f"its migrations in {path} cannot be read: {error.what}"]
    here, there = ({one.id: one.digest for one in found} for found in (sources, shipped))
    problems = []
    for name in dict.fromkeys([*here, *there]):
        if name not in there:
            problems.append(f"{name} is not in its {path}")
        elif name not in here:
            problems.append(f"{name} is in its {path} and not in {directory}")
        elif here[name] != there[name]:
            problems.append(f"{name} in its {path} has other bytes than in {directory}")
    return problems


def _alignment(directory: str, files: Mapping[str, bytes], paths: Sequence[str]) -> str:
    """Return where below the image's path the repository's directory begins: the label may name one above it."""
    parts = PurePosixPath(directory).parts
    names = {str(PurePosixPath(path).relative_to(directory)) for path in paths}
    prefixes = ["".join(f"{part}/" for part in parts[start:]) for start in range(len(parts), -1, -1)]
    return max(prefixes, key=lambda prefix: (sum(f"{prefix}{name}" in files for name in names), -len(prefix)))


def files_of(root: Path) -> dict[str, bytes]:
    """Return the plain files below a directory; a link may lead out of it and is none."""
    found = {}
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        links = any((root / parent).is_symlink() for parent in (inside, *inside.parents))
        if "__pycache__" not in inside.parts and not links and path.is_file():
            found[str(PurePosixPath(inside))] = path.read_bytes()
    return found


def _inspect(docker: Docker, reference: str) -> dict[str, object]:
    asked = process.run(docker("image", "inspect", "--format", "{{json .Config}}", reference))
    text = asked.or_fail(f"the image {reference} is not in the local image store after its build")
    found = parse_json(text, "the image's configuration")
    return found if isinstance(found, dict) else {}


def _labels(image: Mapping[str, object]) -> dict[str, str]:
    found = image.get("Labels")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _commands(image: Mapping[str, object], labels: Mapping[str, str]) -> list[str]:
    parts = []
    for key in ("Entrypoint", "Cmd"):
        value = image.get(key)
        parts += value if isinstance(value, list) else []
    # As they are, not as JSON: there the ends of lines in a shell's argument would be none.
    text = " ".join(str(part) for part in parts)
    run = labels.get(f"{_LABEL}run", "")
    return [f"it runs {one.words}: {one.why}" for one in (*forbidden_words(text), *forbidden_words(run))]


@contextmanager
def _copied(docker: Docker, reference: str, path: str) -> Iterator[Path]:
    """Copy a directory out of an image, by way of a container that is never started."""
    # A command is needed to make a container of an image that has none.
    made = process.run(docker("create", "--network", "none", reference, "never-started"))
    container = made.or_fail(f"no container can be made of {reference}").strip().splitlines()[-1]
    try:
        with tempfile.TemporaryDirectory(prefix="fairway-") as scratch:
            source = f"{container}:{path.rstrip('/') or '/'}/."
            copied = process.run(docker("cp", source, scratch), timeout_s=_COPY_TIMEOUT_S)
            if copied.returncode != 0:
                raise Failed(
                    f"the migrator image has no directory {path[:200]}, which its label {_LABEL}path names",
                    why=copied.tail,
                    hint="correct the label, or what the Dockerfile copies",
                )
            yield Path(scratch)
    finally:
        process.run(docker("rm", "--force", "--volumes", container))
