# ruff: noqa: E501
"""Where a repository names commands that a deployment runs."""

from __future__ import annotations

import pytest

from fairway.config.load import parse
from fairway.migrations.commands import find_forbidden, stages_of, watched
from tests.unit.release.conftest import FILE

CONFIG = parse(FILE)
PACKAGE = '{\n  "scripts": {\n    "predeploy": "db",\n    "deploy": "npm run schema",\n    "schema": "prisma db push",\n    "db:push": "prisma db push"\n  }\n}'


@pytest.mark.parametrize(
    ("path", "looked_at"),
    [
        ("Dockerfile.prod", True),
        ("docker-compose.cicd.yml", True),
        ("docker-compose.prod.yaml", True),
        ("compose.yml", True),
        ("docker-compose.dev.yml", False),
        ("docker-compose.override.yml", False),
        (".github/workflows/deploy-prod.yml", True),
        ("tooling/deploy/deploy-compose.sh", True),
        ("tooling/deploy/NOTES.md", False),
        ("docs/database.md", False),
        ("packages/db/package.json", True),
        ("src/seed.ts", False),
    ],
)
def test_what_a_deployment_runs_is_looked_at(path: str, looked_at: bool) -> None:
    assert (path in watched(CONFIG, [path])) is looked_at


def found(**files: str) -> list[tuple[str, int]]:
    named = {"Dockerfile": "Dockerfile.prod", "workflow": ".github/workflows/x.yml", "package": "package.json"}
    return [(one.path, one.line) for one in find_forbidden(CONFIG, {named[name]: text for name, text in files.items()})]


def test_a_forbidden_command_is_found_with_its_line() -> None:
    assert found(workflow="jobs:\n  a:\n    run: npx prisma db push\n") == [(".github/workflows/x.yml", 3)]


@pytest.mark.parametrize("comment", ["# fairway-ignore forbidden-command: an empty database of this test\n    ", ""])
def test_one_that_is_explained_is_let_be(comment: str) -> None:
    text = f"jobs:\n  a:\n    {comment}run: npx prisma db push\n"

    assert bool(found(workflow=text)) is not bool(comment)


def test_a_reason_is_needed_for_that() -> None:
    assert found(workflow="# fairway-ignore forbidden-command:\nrun: npx prisma db push\n")


def test_the_script_that_is_called_is_followed() -> None:
    assert found(workflow="run: npm run deploy\n", package=PACKAGE) == [("package.json", 5)]
    assert found(Dockerfile='FROM x AS migrator\nCMD ["npm", "run", "schema"]\n', package=PACKAGE) == [
        ("package.json", 5)
    ]


def test_a_script_that_nothing_calls_is_the_developers_own() -> None:
    assert found(workflow="run: npm run build\n", package=PACKAGE) == []


def test_only_the_stages_of_the_images_count() -> None:
    text = "FROM node AS dev\nCMD prisma db push\nFROM node AS base\nRUN a\nFROM base AS migrator\nRUN b\nFROM dev AS other\n"

    assert stages_of(text, ["migrator"]).split("\n") == [
        "",
        "",
        "FROM node AS base",
        "RUN a",
        "FROM base AS migrator",
        "RUN b",
        "",
        "",
    ]
    assert found(Dockerfile=text) == []
    assert found(Dockerfile=text.replace("FROM base AS", "FROM dev AS")) == [("Dockerfile.prod", 2)]
