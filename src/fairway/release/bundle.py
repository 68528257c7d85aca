"""The deploy bundle: the Compose file and what travels with it, as one archive.

Equal files give an equal archive: names sorted, no times, no owners, one mode.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

from fairway.config import Config
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.manifest import MAX_BUNDLE_BYTES, Bundle
from fairway.engine.contract.names import Digest
from fairway.release.git import untracked


@dataclass(frozen=True)
class PackedBundle:
    """A bundle as the manifest describes it, and its bytes."""

    description: Bundle
    content: bytes


def make_bundle(config: Config) -> PackedBundle:
    """Read and pack the files of the bundle.

    Raises ``Invalid`` for a file that is missing, not tracked by Git (it would not be
    the commit's), a link, or outside the directory, and for more than 8 MiB.
    """
    return pack(read_files(config))


def read_files(config: Config) -> dict[str, bytes]:
    """Return the bundle's files by their path, checked."""
    root = config.root.resolve()
    files: dict[str, bytes] = {}
    names = (config.compose.file, *config.bundle.files)
    for name in names:
        path = root / name
        key = "compose.file" if name == config.compose.file else "bundle.files"
        if not path.exists():
            raise Invalid(f"fairway.toml: {key}: there is no {path}")
        if not path.is_file() or path.resolve() != path:
            raise Invalid(
                f"fairway.toml: {key}: {name} is not a plain file",
                hint="a bundle holds files themselves, neither directories nor links",
            )
        files[name] = path.read_bytes()
    if missing := untracked(root, names):
        raise Invalid(
            f"fairway.toml: bundle.files: Git does not track {', '.join(missing)}",
            why="a release holds what its commit holds",
            hint=f"git add {missing[0]}, and commit it; if it holds a secret, it must not travel at all",
        )
    return files


def pack(files: Mapping[str, bytes]) -> PackedBundle:
    """Pack files into a tar archive compressed with gzip. Raises ``Invalid`` beyond 8 MiB."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    content = gzip.compress(plain.getvalue(), compresslevel=9, mtime=0)
    if len(content) > MAX_BUNDLE_BYTES or sum(map(len, files.values())) > MAX_BUNDLE_BYTES:
        raise Invalid(
            "the deploy bundle is too large",
            why=f"its files may have {MAX_BUNDLE_BYTES // 1024 // 1024} MiB together",
            hint="take something out of bundle.files; what the application needs belongs in its image",
        )
    digests = {name: Digest.of(body) for name, body in sorted(files.items())}
    return PackedBundle(Bundle(Digest.of(content), len(content), digests), content)


def unpack(description: Bundle, content: bytes) -> dict[str, bytes]:
    """Return the files of a packed bundle by their path, each checked against the release's own description.

    Raises ``Failed`` for an archive that holds anything else: a host takes none of it either.
    """
    foreign = Failed(
        "the deploy bundle holds other files than its release names",
        hint="no host takes it; release again from a commit of its own",
    )
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for entry in archive:
                known = entry.name in description.files and entry.name not in files
                source = archive.extractfile(entry) if known and entry.size <= MAX_BUNDLE_BYTES else None
                if source is None:
                    raise foreign
                files[entry.name] = source.read()
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise Failed("the deploy bundle is not a readable archive", why=str(error)[:200]) from None
    if {name: Digest.of(body) for name, body in files.items()} != dict(description.files):
        raise foreign
    return files
