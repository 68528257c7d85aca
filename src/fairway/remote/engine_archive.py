"""Pack the engine into one executable zip that a host's own ``python3`` runs."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import fairway

# By its own name: what a running engine imports later must not come from another one that `current` names by then.
_MAIN = b"""\
import os, sys

sys.path[0] = os.path.realpath(sys.path[0])

from fairway.engine.__main__ import main

main()
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class EngineArchive:
    """The engine's bytes and the file name they go by on a host, which holds their hash."""

    content: bytes
    file_name: str


@cache
def build_engine() -> EngineArchive:
    """Return this version's engine. Equal sources give equal bytes, so equal names.

    Source: the ``zipapp`` format, PEP 441.
    """
    package = Path(fairway.__file__).parent
    buffer = io.BytesIO(b"")
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "__main__.py", _MAIN)
        _add(archive, "fairway/__init__.py", (package / "__init__.py").read_bytes())
        for path in sorted((package / "engine").rglob("*.py")):
            _add(archive, f"fairway/{path.relative_to(package).as_posix()}", path.read_bytes())
    content = b"#!/usr/bin/env python3\n" + buffer.getvalue()
    return EngineArchive(content, f"fairway-engine-{hashlib.sha256(content).hexdigest()[:16]}.pyz")


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, content)
