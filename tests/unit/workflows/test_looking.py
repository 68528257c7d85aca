"""What is seen of a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.engine.contract.manifest import MigratorKind
from fairway.workflows import looking
from fairway.workflows.answers import Provider, likely_provider, questions
from fairway.workflows.looking import look
from fairway.workflows.survey import NodeBuild, PythonBuild, Stack, Survey, Worker, plain_name
from fairway.workflows.tree import Tree
from tests.unit.workflows import shapes


def seen(tmp_path: Path, shape: str, **files: str) -> Survey:
    root = shapes.make(tmp_path, shape)
    for path, text in files.items():
        (root / path).write_text(text)
    return look(Tree(root))


def test_a_monorepo_with_next_and_prisma(tmp_path: Path) -> None:
    survey = seen(tmp_path, "monorepo")
    assert (survey.stack, survey.postgres, survey.redis) == (Stack.NEXTJS, True, True)
    assert survey.migrations is not None
    assert (survey.migrations.kind, survey.migrations.path) == (MigratorKind.PRISMA, "packages/db/prisma/migrations")
    assert survey.migrations.run[1:3] == ("migrate", "deploy")
    assert isinstance(survey.build, NodeBuild)
    assert (survey.build.manager, survey.build.directory, survey.build.standalone) == ("pnpm", "apps/web", True)
    assert survey.start == ("node", "/app/apps/web/server.js")
    assert [stage.name for stage in survey.stages] == ["install", "typecheck", "lint", "unit", "build", "e2e"]
    assert survey.ready_path == "/api/ready"
    # All three files that the preset guards are there; with one of them missing it would refuse everything.
    assert "sse-typescript" in survey.presets
    assert survey.env_required == ("NEXTAUTH_URL", "NEXTAUTH_SECRET")
    assert survey.env_optional == ("OPENAI_API_KEY",)
    assert survey.node_version_file == ".nvmrc"


def test_a_guardrail_preset_without_one_of_its_files_is_left_out(tmp_path: Path) -> None:
    shapes.make(tmp_path, "monorepo")
    (tmp_path / "packages/api/src/sse/event-bus.ts").unlink()
    assert "sse-typescript" not in look(Tree(tmp_path)).presets


def test_guardrails_are_chosen_by_what_they_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presets = {
        "of-what-is-written": 'files: ["${compose.file}", "**/*.nope"]\n',
        "of-what-is-there": 'files: ["**/server.js"]\n---\nfiles: ["*.nope"]\nmetadata: { optional: true }\n',
        "of-what-is-not": 'files: ["**/server.js"]\n---\nfiles: ["*.nope"]\n',
        "of-everything": "language: Python\n",
        "settings-secrets": "language: Python\n",
    }
    for name, text in presets.items():
        (tmp_path / "presets" / name).mkdir(parents=True)
        (tmp_path / "presets" / name / "rule.yml").write_text(text)
    monkeypatch.setattr("fairway.guardrails.rules.PRESETS", tmp_path / "presets")
    looking._guarded.cache_clear()
    (tmp_path / "repository").mkdir()
    try:
        assert seen(tmp_path / "repository", "plain").presets == (
            "of-what-is-there",
            "of-what-is-written",
            "settings-secrets",
        )
    finally:
        looking._guarded.cache_clear()


def test_a_fastapi_application_with_alembic(tmp_path: Path) -> None:
    survey = seen(tmp_path, "fastapi")
    assert (survey.stack, survey.postgres, survey.redis) == (Stack.FASTAPI, True, False)
    assert survey.migrations is not None
    assert (survey.migrations.kind, survey.migrations.path) == (MigratorKind.ALEMBIC, "migrations/versions")
    assert survey.start[0] == "uvicorn"
    assert survey.start[-1] == "orders.main:app"
    assert survey.database_scheme == "postgresql+psycopg"
    assert [stage.name for stage in survey.stages] == ["install", "typecheck", "lint", "unit"]
    assert survey.env_required == ("SESSION_SECRET", "MAIL_FROM")
    assert survey.env_optional == ("SENTRY_DSN",)


@pytest.mark.parametrize(
    ("source", "start"),
    [
        ("from flask import Flask\n\napp = Flask(__name__)\n", "wsgi:app"),
        ("from flask import Flask\n\ndef create_app():\n    return Flask(__name__)\n", "wsgi:create_app()"),
    ],
)
def test_a_flask_application_is_served_by_gunicorn_which_it_may_not_have(
    tmp_path: Path, source: str, start: str
) -> None:
    (tmp_path / "requirements.txt").write_text("Flask\npsycopg2-binary\n")
    (tmp_path / "wsgi.py").write_text(source)
    survey = look(Tree(tmp_path))
    assert survey.stack is Stack.FLASK
    assert survey.start == ("gunicorn", "--bind", "0.0.0.0:3000", start)
    assert isinstance(survey.build, PythonBuild)
    assert survey.build.extra == ("gunicorn",)


def test_flask_migrate_is_told_which_application(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("Flask-Migrate\nflask\ngunicorn\n")
    (tmp_path / "wsgi.py").write_text("from flask import Flask\n\nserver = Flask(__name__)\n")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/alembic.ini").write_text("[alembic]\n")
    migrations = look(Tree(tmp_path)).migrations
    assert migrations is not None
    assert migrations.run == ("flask", "--app", "wsgi:server", "db", "upgrade")


def test_an_application_below_src_is_imported_from_there(tmp_path: Path) -> None:
    (tmp_path / "src/shop").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\ndependencies = ["fastapi"]\n')
    (tmp_path / "src/shop/__init__.py").write_text("from fastapi import FastAPI\napi: FastAPI = FastAPI()\n")
    survey = look(Tree(tmp_path))
    assert survey.start[-1] == "shop:api"
    assert isinstance(survey.build, PythonBuild)
    assert (survey.build.how, survey.build.source) == ("project", "src")


def test_a_django_project_with_celery(tmp_path: Path) -> None:
    survey = seen(tmp_path, "django")
    assert (survey.stack, survey.postgres, survey.redis) == (Stack.DJANGO, True, True)
    assert survey.migrations is not None
    assert (survey.migrations.kind, survey.migrations.path) == (MigratorKind.DJANGO, "shop")
    assert survey.migrations.run == ("python", "manage.py", "migrate", "--noinput")
    assert survey.start[-1] == "site_of_ours.wsgi:application"
    assert survey.workers == (Worker("worker", ("celery", "--app", "site_of_ours.celery", "worker")),)
    assert survey.ready_path == "/readyz/"


def test_migrations_that_lie_in_several_places_of_the_root_are_run_without_verdicts(tmp_path: Path) -> None:
    shapes.make(tmp_path, "django")
    (tmp_path / "blog/migrations").mkdir(parents=True)
    (tmp_path / "blog/migrations/0001_initial.py").write_text("")
    migrations = look(Tree(tmp_path)).migrations
    assert migrations is not None
    assert (migrations.kind, migrations.path) == (None, None)


def test_a_rails_application_has_a_migration_command_and_no_verdicts(tmp_path: Path) -> None:
    survey = seen(tmp_path, "rails")
    assert survey.stack is Stack.RAILS
    assert survey.migrations is not None
    assert (survey.migrations.kind, survey.migrations.path) == (None, "db/migrate")
    assert survey.migrations.run == ("bin/rails", "db:migrate")
    assert survey.workers[0].command[-1] == "sidekiq"
    assert survey.ready_path == "/up"
    assert any("cannot read these migrations" in note for note in survey.notes)


def test_a_compose_file_tells_of_workers_services_and_migrations(tmp_path: Path) -> None:
    survey = seen(tmp_path, "compose")
    assert (survey.stack, survey.app_port, survey.postgres, survey.redis) == (Stack.OTHER, 8080, True, True)
    assert survey.workers == (
        Worker("mailer", ("mailer", "--queue", "out going")),
        Worker("thumbnails", ("thumbnails",)),
    )
    assert survey.migrations is not None
    assert survey.migrations.run == ("migrate", "up")
    assert any("search is not taken over" in note for note in survey.notes)


def test_an_application_without_a_database(tmp_path: Path) -> None:
    survey = seen(tmp_path, "plain")
    assert (survey.stack, survey.postgres, survey.redis, survey.migrations) == (Stack.NODE, False, False, None)
    assert survey.start == ("node", "/app/server.js")
    assert survey.ready_path == "/healthz"


def test_files_that_cannot_be_parsed_are_looked_over(tmp_path: Path) -> None:
    for name in ("package.json", "pyproject.toml", "docker-compose.yml", "alembic.ini", "Gemfile"):
        (tmp_path / name).write_text("{[<not anything\n\x00")
    survey = look(Tree(tmp_path))
    assert survey.stack is Stack.OTHER


def test_what_tools_have_made_is_not_looked_at_where_there_is_no_git(tmp_path: Path) -> None:
    (tmp_path / "node_modules/next").mkdir(parents=True)
    (tmp_path / "node_modules/next/package.json").write_text('{"dependencies": {"next": "15"}}')
    assert Tree(tmp_path).files == ()


@pytest.mark.parametrize(
    ("remote", "provider", "images"),
    [
        ("git@github.com:Acme/shop.git", Provider.GITHUB, "ghcr.io/acme"),
        ("https://user:secret@gitlab.com/acme/web/shop.git", Provider.GITLAB, "registry.gitlab.com/acme/web/shop"),
        ("https://gitlab.example.com/acme/shop", Provider.GITLAB, "registry.gitlab.example.com/acme/shop"),
        ("/srv/git/shop.git", Provider.GITHUB, None),
        ("https://git.example.com/acme/shop", Provider.GITHUB, None),
    ],
)
def test_where_the_repository_is_tells_where_its_images_go(
    tmp_path: Path, remote: str, provider: Provider, images: str | None
) -> None:
    tree = Tree(shapes.make(tmp_path, "plain", remote=remote))
    found = likely_provider(tree)
    asked = {one.name: one.default for one in questions(look(tree), tree, found)}
    assert (found, asked["images"]) == (provider, images)


@pytest.mark.parametrize(
    ("text", "name"), [("@acme/My Shop", "my-shop"), ("https://x/acme/Shop_1", "shop_1"), ("äöü", "app"), ("", "app")]
)
def test_a_name_is_made_of_any_text(text: str, name: str) -> None:
    assert plain_name(text) == name
