"""Repositories to check, made as their owner would."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

CONFIG = """
project = "app"
[images]
app = "ghcr.io/acme/x-app"
migrator = "ghcr.io/acme/x-migrator"
"""
NO_LOG = """
id: no-log
language: TypeScript
message: no console.log
note: use the logger
metadata: { why: logs are read by machines }
rule: { pattern: console.log($$$) }
"""
NO_LOG_SAMPLES = """
id: no-log
invalid: ["console.log(1)"]
valid: ["logger.info(1)"]
"""


def repository(tmp_path: Path, files: Mapping[str, str | bytes], config: str = "") -> Path:
    """Make a Git working tree with these files, all of them tracked, and a ``fairway.toml``."""
    root = tmp_path / "repository"
    root.mkdir()
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    write(root, {"fairway.toml": CONFIG + config, **files})
    return root


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files and have Git track them."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    subprocess.run(["git", "-C", str(root), "add", "--force", "--", *files], check=True)
