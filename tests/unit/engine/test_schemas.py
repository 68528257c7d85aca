"""The schemas that are published: current, and of one mind with the parsers that decide."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from fairway.engine.contract.environment import Condition
from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.manifest import Migration, MigratorKind, Release, Verdict, parse_release
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.contract.statement import Kind, Statement, parse_statement
from fairway.engine.contract.tracker import Service, Tracker
from scripts import schemas

DIGEST = Digest.of(b"one")
Place = tuple[str | int, ...]
Parser = Callable[[bytes], object]


#: What no schema can say, and this one says so: how the bundle's files, the compose file and the hosts' own fit.
BEYOND = (("bundle", "files"), ("compose", "file"), ("env", "file"), ("migrations", "kind"))


@pytest.mark.parametrize("name", list(schemas.FILES))
def test_the_published_schema_is_what_the_parser_goes_by(name: str) -> None:
    written = (schemas.DIRECTORY / name).read_text(encoding="utf-8")
    assert written == schemas.rendered(schemas.FILES[name]()), "run: make docs"
    jsonschema.Draft202012Validator.check_schema(json.loads(written))


def statement(kind: Kind) -> Statement:
    host = kind in (Kind.READY, Kind.SOAKED, Kind.DEPLOYED)
    return Statement(
        kind=kind,
        release=DIGEST,
        tag=Tag("sha-4f4f4f4"),
        project="capakraken",
        environment="production",
        at="2026-01-31T12:00:00.000Z",
        host="production:host1" if host else None,
        deployment="20260131-120000-000000" if host else None,
        soaked_s=600 if kind is Kind.SOAKED else None,
        replaces=DIGEST if kind in (Kind.APPROVED, Kind.DEPLOYED) else None,
        expires="2026-02-01T12:00:00.000Z" if kind in (Kind.APPROVED, Kind.OVERRIDDEN) else None,
        reason="as agreed" if kind in (Kind.APPROVED, Kind.REJECTED, Kind.OVERRIDDEN) else None,
    )


@pytest.fixture(scope="module")
def said(release: Release) -> Release:
    """A release that says all there is to say."""
    return replace(
        release,
        ci_run="https://github.com/acme/capakraken/actions/runs/7",
        app=replace(release.app, config=DIGEST),
        migrator=replace(release.migrator, platforms={"linux/amd64": DIGEST, "linux/arm/v7": DIGEST}),
        compose=replace(release.compose, database_service="postgres"),
        migrations=replace(
            release.migrations,
            files={"migrations/versions/0001 größe.sql": DIGEST},
            kind=MigratorKind.ALEMBIC,
            shipped=(
                Migration("0002", DIGEST, Verdict.EXPAND, Verdict.REVIEW, "only adds größe", ("0001",), ("0000",)),
            ),
        ),
        soak=replace(release.soak, canary=(5, 25)),
        env=replace(
            release.env,
            optional=("SMTP_USER",),
            when=(Condition("SMTP_PASSWORD", "SMTP_USER"), Condition("SEED", "MODE", "deterministic")),
        ),
        errors=Tracker("https://sentry.io", Service.SENTRY, "acme", "capakraken", "SENTRY_READ_TOKEN", 2),
    )


@pytest.mark.parametrize("what", ["release.schema.json", *Kind], ids=str)
def test_schema_and_parser_agree_on_every_change(what: str | Kind, said: Release) -> None:
    """Every key left out, added to and given other values: refused by both, or by neither."""
    parse: Parser
    if isinstance(what, Kind):
        content, parse, schema = statement(what).to_bytes(), parse_statement, schemas.statement_schema()
    else:
        content, parse, schema = said.to_bytes(), parse_release, schemas.release_schema()
    validator = jsonschema.Draft202012Validator(schema)
    document = json.loads(content)
    assert parses(parse, document)
    assert validator.is_valid(document)
    tried = 0
    for place, changed in changes(document):
        if place[:2] in BEYOND:
            continue
        tried += 1
        assert validator.is_valid(changed) == parses(parse, changed), (place, value_at(changed, place))
    assert tried > 100


@pytest.mark.parametrize(
    "name", ["x", "a/b", "", "..", "a/../b", "a/./b", ".git/x", ".fairway", "/x", "a b", "x/", "ä"]
)
def test_schema_and_parser_agree_on_the_paths_of_a_bundle(name: str, said: Release) -> None:
    document = json.loads(said.to_bytes())
    document["bundle"]["files"][name] = DIGEST
    validator = jsonschema.Draft202012Validator(schemas.release_schema())
    assert validator.is_valid(document) == parses(parse_release, document)


def parses(parse: Parser, document: Any) -> bool:
    try:
        parse(json.dumps(document).encode())
    except FairwayError:
        return False
    return True


_STRINGS = ("", "x", "..", "a/../b", ".git/x", "a/.", "/x", "a b", "latest", "linux/amd64", "x\x00", "ä", "a" * 5000)
_NUMBERS = (-1, 0, 0.001, 0.009, 0.01, 0.09, 0.1, 0.5, 1, 2, 20, 21, 60, 61, 100, 101, 600, 601, 1000, 1001, 3600, 3601)
_LARGE = (65535, 65536, 86400, 86401, 10**6, 10**6 + 1, 2592000, 2592001, 10**9, 10**9 + 1, 2**53, 2**53 + 1, 1e300)
_OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    ["x"],
    [1],
    [200],
    [True],
    {"x": "y"},
    {"a/b": DIGEST},
    {"../x": DIGEST},
    [{}],
)


def changes(document: Any) -> Iterator[tuple[Place, Any]]:
    for place in places(document):
        for value in (*_STRINGS, *_NUMBERS, *_LARGE, *_OTHERS):
            changed, parent = copied(document, place)
            parent[place[-1]] = value
            yield place, changed
        changed, parent = copied(document, place)
        del parent[place[-1]]
        yield place, changed
        changed, parent = copied(document, place)
        parent[f"{place[-1]}_"] = parent[place[-1]]
        yield place, changed


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*at, key)
            yield from places(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*at, index))


def copied(document: Any, place: Place) -> tuple[Any, Any]:
    """Return a copy of the document, and what in it holds this place."""
    changed = copy.deepcopy(document)
    return changed, value_at(changed, place[:-1])


def value_at(document: Any, place: Place) -> Any:
    for key in place:
        document = document.get(key) if isinstance(document, dict) else document[key]
    return document
