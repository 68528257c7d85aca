"""Write the JSON Schemas of ``docs/reference`` from the rules of the parsers: ``make docs``.

Patterns and limits are the parsers' own where these have a name; a test tries every
limit that is written here on both, and every key. A schema cannot say all that a parser
checks: what it cannot, its ``$comment`` says.
"""

from __future__ import annotations

import enum
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from re import Pattern
from typing import Any

from fairway.engine.contract import environment, leftovers, manifest, migrations, names, statement, tracker
from fairway.engine.contract.statement import Kind

DIRECTORY = Path(__file__).resolve().parents[1] / "docs" / "reference"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def _matching(pattern: Pattern[str], described: str = "", *, outside: str = "") -> Schema:
    """Return the schema of a string that matches the whole pattern; no part of it may be ``outside``."""
    text = re.sub(r"\(\?P<\w+>", "(?:", pattern.pattern)  # JSON Schema has JavaScript's expressions
    ahead = rf"(?!(?:.*/)?(?:{outside})(?:/|$))" if outside else ""
    return _described({"type": "string", "pattern": f"^{ahead}(?:{text})$"}, described)


def _described(schema: Schema, described: str) -> Schema:
    return {**schema, "description": described} if described else schema


def _text(maximum: int, described: str = "") -> Schema:
    return _described({"type": "string", "maxLength": maximum}, described)


def _integer(minimum: int, maximum: int, described: str = "") -> Schema:
    return _described({"type": "integer", "minimum": minimum, "maximum": maximum}, described)


def _number(minimum: float, maximum: float, described: str = "") -> Schema:
    return _described({"type": "number", "minimum": minimum, "maximum": maximum}, described)


def _nullable(schema: Schema) -> Schema:
    choices = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **choices}


def _object(properties: Mapping[str, Schema], described: str = "", *, since: Sequence[str] = ()) -> Schema:
    """Return the schema of an object; the keys ``since`` some version are absent from what was written before."""
    schema = {
        "type": "object",
        "properties": dict(properties),
        "required": [key for key in properties if key not in since],
        "additionalProperties": False,
    }
    return _described(schema, described)


def _list(items: Schema, maximum: int, described: str = "") -> Schema:
    return _described({"type": "array", "items": items, "maxItems": maximum}, described)


def _digests(name: Schema, described: str, maximum: int | None = None) -> Schema:
    limit = {} if maximum is None else {"maxProperties": maximum}
    schema = {"type": "object", "propertyNames": name, "additionalProperties": _digest(), **limit}
    return _described(schema, described)


def _digest(described: str = "") -> Schema:
    return _matching(names._DIGEST, described)


_RELATIVE = r"\.|\.\."
_BUNDLED = _RELATIVE + r"|\.fairway|\.git"


def release_schema() -> Schema:
    """Return the schema of ``release.json``."""
    path = _matching(manifest._FILE, outside=_BUNDLED)
    service = _matching(manifest._SERVICE)
    image = _object(
        {
            "repository": {**_matching(names._REPOSITORY), "maxLength": 255},
            "digest": _digest("What was pushed, and what a host pulls."),
            "size_bytes": _integer(0, 2**53, "What pulling it transfers at most."),
            "config": _nullable(_digest("The image's configuration; null for an index.")),
            "platforms": _digests(
                _matching(manifest._PLATFORM), "Of an index, the image of each platform.", manifest.MAX_PLATFORMS
            ),
        },
        since=("config", "platforms"),
    )
    properties: dict[str, Schema] = {
        "format": {"const": manifest.FORMAT},
        "project": _matching(names._PROJECT, "The Compose project on the hosts."),
        "tag": _matching(names._TAG, "sha- and the commit; of a dirty tree, the commit it would be."),
        "commit": _matching(manifest._COMMIT),
        "author": _matching(manifest._AUTHOR, "The e-mail address that the commit names as its author's."),
        "source": _nullable(_text(4096, "Where the source is.")),
        "dirty": {"type": "boolean", "description": "Whether the working tree was something else than the commit."},
        "created_at": _matching(manifest._TIME),
        "created_by": _text(200, "Who made the release."),
        "ci_run": _nullable(_matching(manifest._URL, "The CI run it was made in; null outside CI.")),
        "fairway": _text(50, "The version of Fairway that made it."),
        "images": _object({"app": image, "migrator": image}),
        "bundle": _object(
            {
                "digest": _digest("The archive of the deploy assets."),
                "size_bytes": _integer(0, 2**53),
                "files": _digests(path, "Each file in it."),
            }
        ),
        "compose": _object(
            {
                "file": path,
                "app_service": service,
                "app_port": _integer(1, 65535),
                "migrator_service": service,
                "workers": _list(service, 1000),
                "database_service": _nullable(service),
            },
            since=("database_service",),
        ),
        "readiness": _object(
            {
                "path": _matching(manifest._PATH),
                "successes": _integer(1, 100),
                "interval_s": _number(0.01, 60),
                "timeout_s": _number(0.1, 3600),
                "listen_s": _number(0.1, 3600),
            },
            since=("listen_s",),
        ),
        "migrations": _object(
            {
                "timeout_s": _number(1, 86400),
                "lock_timeout_s": _number(0.1, 600),
                "statement_timeout_s": _number(0, 86400),
                "attempts": _integer(1, 100),
                "files": _digests(
                    _matching(migrations._MIGRATION, outside=_RELATIVE),
                    "Each migration, by its path relative to fairway.toml.",
                    manifest.MAX_MIGRATIONS,
                ),
                "kind": _nullable(_choice(manifest.MigratorKind, "The tool that applies them.")),
                "shipped": _list(_migration(), manifest.MAX_MIGRATIONS, "Each migration, in the order of applying."),
                "status": _list({"type": "string"}, 100, "The command that tells an exec migrator's state."),
            },
            since=("files", "kind", "shipped", "status"),
        ),
        "soak": _object(
            {
                "for_s": _number(0, 86400),
                "canary": _list(_integer(1, 100), 20),
                "canary_s": _number(0, 86400),
                "min_requests": _integer(1, 1_000_000),
                "max_error_ratio": _number(0, 1),
                "max_slowdown": _number(1, 1000),
            }
        ),
        "drain_timeout_s": _number(0, 86400),
        "warm_keep_s": _number(0, 30 * 86400),
        "env": _environment(path),
        "leftovers": _list(_leftovers(), leftovers.MAX_TABLES, "Where copies of secrets may lie in the database."),
        "errors": _tracker(),
    }
    return {
        "$schema": _DIALECT,
        "$id": "https://fairway.dev/schema/release/v1.json",
        "title": "release.json",
        "$comment": "Beyond this the parser refuses duplicate keys, a whole number written with a fraction, a bundle "
        "without the compose file, one that holds the hosts' own files, a migration shipped twice, shipped "
        "migrations without a kind, and leftovers of neither of their two shapes.",
        **_object(
            properties,
            "One release of an application. The sha256 of the exact bytes is its name. A key that is not required "
            "came with a later version; absent it means what was so before.",
            since=("author", "source", "ci_run", "migrations", "soak", "leftovers", "errors"),
        ),
    }


def _environment(path: Schema) -> Schema:
    key = _matching(environment.KEY)
    condition = _object(
        {
            "key": _matching(environment.KEY, "Must have a value when the condition holds."),
            "if": _matching(environment.KEY, "The condition: that this key has a value."),
            "equals": _nullable(_matching(environment.EQUALS, "Or, unless null, that it has this one.")),
        }
    )
    return _object(
        {
            "file": path,
            "required": _list(key, environment.MAX_KEYS, "Must have a value."),
            "optional": _list(key, environment.MAX_KEYS, "May have one."),
            "when": _list(condition, environment.MAX_KEYS, "Must have one under a condition."),
        },
        since=("optional", "when"),
    )


def _leftovers() -> Schema:
    column = _matching(leftovers._IDENTIFIER)
    return _object(
        {
            "table": _matching(leftovers._TABLE),
            "key_column": _nullable(column),
            "value_column": _nullable(column),
            "keys": _list(_matching(leftovers._KEY), leftovers.MAX_NAMES, "A row each."),
            "columns": _list(column, leftovers.MAX_NAMES, "A column each; then without the three before."),
        }
    )


def _tracker() -> Schema:
    slug = _matching(tracker._SLUG)
    return _object(
        {
            "url": _matching(tracker._ADDRESS, "Where it is; https unless it is near."),
            "service": _choice(tracker.Service, "Whose API it has."),
            "organization": slug,
            "project": slug,
            "token_key": _matching(environment.KEY, "The key of the host's environment file that holds the token."),
            "max_new_issues": _integer(0, tracker.MAX_NEW_ISSUES, "More than these send a release back."),
        },
        "The error tracker that is asked while the release is watched; absent, none is.",
    )


def _migration() -> Schema:
    recorded = _matching(migrations._RECORDED)
    return _object(
        {
            "id": _matching(migrations._RECORDED, "What the tool puts on record."),
            "digest": _digest("Of its exact bytes."),
            "verdict": _choice(manifest.Verdict, "What holds: whether the release before it runs on."),
            "judged": _choice(manifest.Verdict, "What Fairway found."),
            "words": _matching(migrations._WORDS, "Why, or what the person said who reviewed it."),
            "parents": _list(recorded, 100, "The revisions it follows, for a tool that records only heads."),
            "replaces": _list(recorded, migrations.MAX_MIGRATIONS, "Those it was made out of, where it was squashed."),
        },
        since=("replaces",),
    )


def _choice(choices: type[enum.Enum], described: str = "") -> Schema:
    return _described({"type": "string", "enum": [choice.value for choice in choices]}, described)


def statement_schema() -> Schema:
    """Return the schema of a statement, the text that is signed."""
    properties: dict[str, Schema] = {
        "_type": {"const": statement._TYPE},
        "subject": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": _object(
                {
                    "name": _matching(names._TAG, "The release's tag."),
                    "digest": _object(
                        {"sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Of release.json."}}
                    ),
                }
            ),
        },
        "predicateType": {"type": "string"},
        "predicate": {"type": "object"},
    }
    return {
        "$schema": _DIALECT,
        "$id": "https://fairway.dev/schema/statement/v1.json",
        "title": "A statement about a release",
        "$comment": "Beyond this the parser refuses duplicate keys, a whole number written with a fraction, and more "
        f"than {statement.MAX_STATEMENT_BYTES} bytes.",
        **_object(properties, "What a host or a person says of one release, as an in-toto statement."),
        "oneOf": [_of_kind(kind) for kind in Kind],
    }


def _of_kind(kind: Kind) -> Schema:
    predicate_type = statement._SVR if kind in statement._SVR_PROPERTY else f"{statement._OWN}{kind.value}/v1"
    return {
        "title": kind.value,
        "properties": {"predicateType": {"const": predicate_type}, "predicate": _object(_predicate(kind))},
    }


def _predicate(kind: Kind) -> dict[str, Schema]:
    time, printable = _matching(statement._TIME), _matching(statement._PRINTABLE)
    where = {"project": _matching(names._PROJECT), "environment": _matching(statement._ENVIRONMENT)}
    run = {**where, "host": printable, "deployment": _matching(statement._DEPLOYMENT)}
    replaces = {"replaces": _nullable(_digest("The release that serves there; null when none does."))}
    if kind in statement._SVR_PROPERTY:
        soaked = {"soaked_s": _integer(0, 10**9)} if kind is Kind.SOAKED else {}
        return {
            "verifier": _object({"id": {"const": statement._VERIFIER}}),
            "timeCreated": time,
            "properties": {"const": [statement._SVR_PROPERTY[kind]]},
            statement._RUN: _object({**run, **soaked}),
        }
    if kind is Kind.DEPLOYED:
        return {**run, "at": time, **replaces}
    return {
        **where,
        "at": time,
        "reason": _nullable(printable) if kind is Kind.APPROVED else printable,
        **(replaces if kind is Kind.APPROVED else {}),
        **({} if kind is Kind.REJECTED else {"expires": time}),
    }


def rendered(schema: Schema) -> str:
    """Return a schema as its file holds it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


FILES = {"release.schema.json": release_schema, "statement.schema.json": statement_schema}


def main() -> int:
    """Write the files."""
    for name, make in FILES.items():
        (DIRECTORY / name).write_text(rendered(make()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
