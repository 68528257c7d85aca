"""Which variables the application reads, as the repository's own example files tell."""

from __future__ import annotations

import re

from fairway.workflows.tree import Tree

_EXAMPLES = (".env.production.example", ".env.example", ".env.sample", ".env.template", "apps/web/.env.example")
_LINE = re.compile(r"(?P<off>#\s*)?(?:export\s+)?(?P<key>[A-Z][A-Z0-9_]{0,127})=(?P<value>.*)")
#: Given to the containers by the Compose file.
CONNECTIONS = frozenset(
    {"DATABASE_URL", "DIRECT_URL", "REDIS_URL", "POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_DB"}
    | {"PORT", "HOSTNAME", "NODE_ENV", "RAILS_ENV", "APP_HOST_PORT", "APP_IMAGE", "MIGRATOR_IMAGE"}
)
# What an application of its own cannot start without; a key to somebody else's service it often can.
_SECRET = re.compile(r"SECRET|PASSWORD|SALT")


def read_example(tree: Tree) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the variables that an example file sets, and those that it has empty or commented out.

    Their values are not looked at beyond whether there is one: an example may hold a real secret by mistake.
    """
    path = tree.first(*_EXAMPLES)
    required: dict[str, None] = {}
    optional: dict[str, None] = {}
    for line in tree.text(path).splitlines() if path else ():
        found = _LINE.fullmatch(line.strip())
        if not found or found["key"] in CONNECTIONS:
            continue
        wanted = not found["off"] and (found["value"].strip(" \"'") or _SECRET.search(found["key"]))
        (required if wanted else optional)[found["key"]] = None
    return tuple(required), tuple(key for key in optional if key not in required)
