"""The presets about delivery, settings and the environment, in a repository as it lies on a disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.guardrails import baseline, rules
from fairway.guardrails.checkers.dockerfile import stages_of, tag_problem
from fairway.guardrails.samples import files_of, try_rules
from tests.unit.guardrails.repositories import repository, write
from tests.unit.guardrails.test_check import checked, told

DOCKERFILE = """\
FROM node:22 AS base
ENV LOG_LEVEL=info FEATURES="a b"
USER node
FROM base AS runner
FROM base AS migrator
"""
COMPOSE = """\
services:
  app:
    image: ${APP_IMAGE:?set it}
    environment: &env
      REDIS_URL: redis://redis:6379
  worker:
    image: ${APP_IMAGE:?set it}
    environment:
      - QUEUE=mail
"""
CLEAN: dict[str, str | bytes] = {"Dockerfile.prod": DOCKERFILE, "docker-compose.cicd.yml": COMPOSE}
DELIVERY = '[guardrails]\npresets = ["delivery"]\n'
ENVIRONMENT = '[guardrails]\npresets = ["environment"]\n[env]\nrequired = ["DATABASE_URL"]\n'


def test_a_repository_that_delivers_as_it_should_passes(tmp_path: Path) -> None:
    assert told(checked(repository(tmp_path, CLEAN, DELIVERY))) == []


def test_each_rule_speaks_of_its_own_line(tmp_path: Path) -> None:
    files = {
        "Dockerfile.prod": "FROM node\nFROM node:22 AS runner\nUSER root\n",
        "docker-compose.cicd.yml": "services:\n  app:\n    build: .\n  redis:\n    image: redis\n",
        ".github/workflows/deploy-prod.yml": "jobs:\n  a:\n    container: node\n    steps: [{ run: npm run setup }]\n",
        "package.json": '{\n  "scripts": {\n    "setup": "prisma db push"\n  }\n}\n',
        "tooling/deploy/run.sh": "#!/bin/sh\nalembic stamp head\n",
    }
    assert told(checked(repository(tmp_path, files, DELIVERY))) == [
        (".github/workflows/deploy-prod.yml", 3, "image-latest-workflow"),
        ("Dockerfile.prod", 1, "dockerfile-target"),
        ("Dockerfile.prod", 1, "image-latest-dockerfile"),
        ("Dockerfile.prod", 3, "dockerfile-root"),
        ("docker-compose.cicd.yml", 3, "compose-build"),
        ("docker-compose.cicd.yml", 5, "image-latest-compose"),
        ("package.json", 3, "forbidden-command"),
        ("tooling/deploy/run.sh", 2, "forbidden-command"),
    ]


def test_the_files_are_those_that_fairway_toml_names(tmp_path: Path) -> None:
    config = '[build]\ndockerfile = "ops/Containerfile"\n[compose]\nfile = "ops/stack.yml"\n' + DELIVERY
    files = {"ops/Containerfile": DOCKERFILE.replace("USER node", ""), "ops/stack.yml": "services: {a: {build: .}}\n"}
    assert told(checked(repository(tmp_path, files, config))) == [
        ("ops/Containerfile", 4, "dockerfile-root"),
        ("ops/Containerfile", 5, "dockerfile-root"),
        ("ops/stack.yml", 1, "compose-build"),
    ]


def test_only_what_every_delivery_has_must_be_there(tmp_path: Path) -> None:
    report = checked(repository(tmp_path, {"a.txt": ""}, DELIVERY))
    missing = {found.finding.message.split()[0] for found in report.shown}
    assert {found.rule for found in report.shown} == {rules.IDLE}
    assert missing == {"compose-build", "dockerfile-root", "dockerfile-target", "forbidden-command"}


def test_a_comment_with_a_reason_lets_a_checkers_finding_pass(tmp_path: Path) -> None:
    text = DOCKERFILE.replace("USER node", "# fairway-ignore dockerfile-root: the socket is root's\nUSER root")
    report = checked(repository(tmp_path, {**CLEAN, "Dockerfile.prod": text}, DELIVERY))
    assert told(report) == []
    assert {by.reason for _, by in report.suppressed} == {"the socket is root's"}


@pytest.mark.parametrize(
    ("comment", "rule"),
    [("# fairway-ignore dockerfile-root", rules.UNEXPLAINED), ("# fairway-ignore compose-build: x", rules.UNUSED)],
)
def test_a_comment_in_a_dockerfile_is_held_to_the_same(tmp_path: Path, comment: str, rule: str) -> None:
    report = checked(repository(tmp_path, {**CLEAN, "Dockerfile.prod": f"{comment}\n{DOCKERFILE}"}, DELIVERY))
    assert told(report) == [("Dockerfile.prod", 1, rule)]


def test_the_comment_that_a_release_takes_is_the_same_and_needs_no_preset(tmp_path: Path) -> None:
    script = "# fairway-ignore forbidden-command: a database for this test\nprisma db push\n"
    files = {**CLEAN, ".github/workflows/ci.yml": "jobs: {}\n", "deploy/a.sh": script}
    assert told(checked(repository(tmp_path, files, DELIVERY))) == []


def test_the_baseline_knows_a_checkers_finding_wherever_it_moves(tmp_path: Path) -> None:
    root = repository(tmp_path, {**CLEAN, "Dockerfile.prod": DOCKERFILE.replace("node:22", "node")}, DELIVERY)
    known = baseline.entries_of(checked(root).found)
    assert [entry.rule for entry in known] == ["image-latest-dockerfile"]
    write(root, {"Dockerfile.prod": "# moved\n" + DOCKERFILE.replace("node:22", "node")})
    assert told(checked(root, known=known)) == []
    write(root, {"Dockerfile.prod": DOCKERFILE.replace("node:22", "debian")})
    assert told(checked(root, known=known)) == [("Dockerfile.prod", 1, "image-latest-dockerfile")]


def test_a_checked_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    report = checked(repository(tmp_path, {**CLEAN, "Dockerfile.prod": b"\xff\xfe"}, DELIVERY))
    assert told(report) == [("Dockerfile.prod", 0, rules.UNREAD)]


@pytest.mark.parametrize("name", ["a.ts", "a.mts", "a.tsx", "a.js", "a.cjs", "a.jsx"])
def test_a_rule_of_several_languages_holds_in_each(tmp_path: Path, name: str) -> None:
    code = "const a = process.env.STRIPE_KEY;\nconst { OTHER, DATABASE_URL } = process.env;\n"
    root = repository(tmp_path, {**CLEAN, name: code, "a.py": ""}, ENVIRONMENT)
    assert told(checked(root)) == [(name, 1, "env-key-declared"), (name, 2, "env-key-declared")]


def test_a_key_is_declared_by_whoever_gives_it(tmp_path: Path) -> None:
    keys = ("DATABASE_URL", "REDIS_URL", "QUEUE", "LOG_LEVEL", "FEATURES", "NEXT_PUBLIC_X", "PORT")
    code = "".join(f"use(process.env.{key});\n" for key in keys)
    root = repository(tmp_path, {**CLEAN, "a.ts": code}, ENVIRONMENT + '[build.args]\nNEXT_PUBLIC_X = "1"\n')
    assert told(checked(root)) == []


@pytest.mark.parametrize(
    "compose", ["services: [", "- a", "services:\n  a: 3\n", "services:\n  a: {environment: !reset null}\n"]
)
def test_a_compose_file_that_says_nothing_declares_nothing(tmp_path: Path, compose: str) -> None:
    files = {**CLEAN, "docker-compose.cicd.yml": compose, "a.ts": "use(process.env.REDIS_URL);\n"}
    assert told(checked(repository(tmp_path, files, ENVIRONMENT))) == [("a.ts", 1, "env-key-declared")]


@pytest.mark.parametrize(
    ("image", "fine"),
    [
        ("node:22", True),
        ("node@sha256:0", True),
        ("localhost:5000/node:22", True),
        ("$IMAGE", True),
        ("latest:1", True),
        ("node", False),
        ("node:latest", False),
        ("localhost:5000/node", False),
        ("ghcr.io/a/b", False),
    ],
)
def test_an_image_is_named_by_a_tag_or_a_digest(image: str, fine: bool) -> None:
    assert (tag_problem(image) == "") is fine


@pytest.mark.parametrize(
    "text", ["", "FROM", "garbage", "USER root", "FROM a AS", "RUN <<X\n", "\\\n\\\n", "ARG A=$A\nFROM $A"]
)
def test_a_broken_dockerfile_is_read_as_far_as_it_goes(text: str) -> None:
    stages_of(text)


def test_a_checkers_samples_have_files_and_a_configuration(tmp_path: Path) -> None:
    assert files_of("=== a\n1\n=== b/c\n2\n") == {"a": "1\n", "b/c": "2\n"}
    rule = "id: user\ncheck: dockerfile-users\nfiles: [Dockerfile]\nmessage: m\nnote: n\nmetadata: {why: w}\n"
    samples = """\
id: user
config: |
  [build]
  app_target = "web"
invalid:
  - |
    === Dockerfile
    FROM a:1 AS web
valid:
  - |
    === Dockerfile
    FROM a:1 AS runner
"""
    directory = tmp_path / "guardrails"
    (directory / "tests").mkdir(parents=True)
    (directory / "user.yml").write_text(rule)
    (directory / "tests" / "user-test.yml").write_text(samples)
    (verdict,) = try_rules(rules.load(tmp_path, "guardrails", ()))
    assert verdict.ok
