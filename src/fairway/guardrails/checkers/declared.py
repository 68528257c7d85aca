"""Which keys of the environment somebody has said will be there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fairway.config import Config
from fairway.guardrails.checkers.dockerfile import environment_of

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_declared(config: Config, allow: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what says of a key, as it stands in code, whether it is declared.

    It is by ``[env]`` or ``build.args`` of ``fairway.toml``, by ``environment`` of a service in the
    Compose file that is deployed, or by ``ENV`` of the Dockerfile. ``allow`` are globs.
    """
    known = set(declared_keys(config))

    def check(text: str) -> bool:
        key = text.strip("\"'`")
        return key in known or any(fnmatchcase(key, glob) for glob in allow)

    return check


def declared_keys(config: Config) -> Iterator[str]:
    """Yield every key that ``fairway.toml``, and the files it names, give a value or ask for."""
    env = config.env
    yield from (*env.required, *env.optional, *config.build.args)
    for one in env.when:
        yield from (one.key, one.condition)
    yield from environment_of(_text(config.root / config.build.dockerfile))
    yield from _compose_keys(_text(config.root / config.compose.file))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # its own check says that it cannot be read


def _compose_keys(text: str) -> Iterator[str]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        # The round-trip loader: it takes Compose's own tags (!reset) as they are.
        document: Any = YAML(typ="rt", pure=True).load(text)
    except YAMLError:
        return
    services = document.get("services") if isinstance(document, dict) else None
    for service in services.values() if isinstance(services, dict) else ():
        given = service.get("environment") if isinstance(service, dict) else None
        for item in given or ():
            if found := _KEY.match(str(item)):
                yield found.group()
