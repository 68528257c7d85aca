"""Six repositories as teams have them, as small as they can be told apart by."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

_FASTAPI = {
    "pyproject.toml": '[project]\nname = "Orders API"\n[tool.mypy]\nstrict = true\n',
    "requirements.txt": "alembic\nfastapi\npsycopg[binary]>=3\nsqlalchemy\nuvicorn\n",
    "requirements-dev.txt": "mypy\npytest\nruff\n",
    "alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\n",
    "migrations/env.py": (
        "import os\n\nfrom alembic import context\nfrom sqlalchemy import create_engine\n\n"
        'with create_engine(os.environ["DATABASE_URL"]).connect() as connection:\n'
        "    context.configure(connection=connection)\n"
        "    with context.begin_transaction():\n        context.run_migrations()\n"
    ),
    "migrations/versions/0001_orders.py": (
        'import sqlalchemy as sa\nfrom alembic import op\n\nrevision = "0001"\ndown_revision = None\n\n'
        'def upgrade() -> None:\n    op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))\n'
    ),
    "orders/__init__.py": "",
    "orders/main.py": (
        "import os\n\nfrom fastapi import FastAPI\nfrom sqlalchemy import create_engine, text\n\n"
        'app = FastAPI(title="orders")\nengine = create_engine(os.environ["DATABASE_URL"])\n\n\n'
        '@app.get("/api/ready")\ndef ready() -> dict[str, int]:\n    with engine.connect() as connection:\n'
        '        return {"orders": connection.execute(text("SELECT count(*) FROM orders")).scalar_one()}\n'
    ),
    "tests/test_orders.py": "def test_nothing() -> None:\n    pass\n",
    ".env.example": "SESSION_SECRET=\nMAIL_FROM=orders@example.com\n# SENTRY_DSN=\nDATABASE_URL=postgresql://x\n",
}
_MONOREPO = {
    "package.json": json.dumps(
        {
            "name": "acme",
            "packageManager": "pnpm@10.12.1",
            "scripts": {
                "typecheck": "turbo typecheck",
                "lint": "eslint .",
                "test": "vitest run",
                "test:e2e": "playwright test",
            },
        }
    ),
    "pnpm-lock.yaml": "lockfileVersion: '9.0'\n",
    "pnpm-workspace.yaml": "packages: ['apps/*', 'packages/*']\n",
    ".nvmrc": "22\n",
    "apps/web/package.json": json.dumps(
        {"name": "@acme/web", "scripts": {"build": "next build"}, "dependencies": {"next": "15", "ioredis": "5"}}
    ),
    "apps/web/next.config.mjs": "export default { output: 'standalone' };\n",
    "apps/web/public/logo.svg": "<svg/>\n",
    "apps/web/src/app/api/ready/route.ts": "export const GET = () => new Response('ok');\n",
    "apps/web/src/app/api/sse/timeline/route.ts": "export const GET = () => new Response('');\n",
    "packages/api/package.json": json.dumps({"name": "@acme/api"}),
    "packages/api/src/sse/event-bus.ts": "export {};\n",
    "packages/api/src/sse/subscription-policy.ts": "export {};\n",
    "packages/db/package.json": json.dumps(
        {"name": "@acme/db", "dependencies": {"@prisma/client": "6"}, "devDependencies": {"prisma": "6"}}
    ),
    "packages/db/prisma/schema.prisma": 'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\n',
    "packages/db/prisma/migrations/20250101000000_init/migration.sql": 'CREATE TABLE "users" ("id" INT PRIMARY KEY);\n',
    ".env.example": "NEXTAUTH_URL=http://localhost:3000\nNEXTAUTH_SECRET=\nOPENAI_API_KEY=\nDATABASE_URL=postgresql://x\n",
}
_DJANGO = {
    "manage.py": "#!/usr/bin/env python\n",
    "requirements/base.txt": "django>=5\npsycopg[binary]\ncelery[redis]\n",
    "requirements/production.txt": "-r base.txt\ngunicorn\n",
    "site_of_ours/__init__.py": "",
    "site_of_ours/settings.py": "INSTALLED_APPS = ['shop']\nSTATIC_ROOT = '/app/static'\n",
    "site_of_ours/urls.py": "from django.urls import path\nurlpatterns = [path('readyz/', lambda request: None)]\n",
    "site_of_ours/wsgi.py": "application = None\n",
    "site_of_ours/celery.py": "from celery import Celery\n\napp = Celery('site_of_ours')\n",
    "shop/apps.py": "from django.apps import AppConfig\n\nclass ShopConfig(AppConfig):\n    name = 'shop'\n",
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": (
        "from django.db import migrations\n\nclass Migration(migrations.Migration):\n"
        "    initial = True\n    dependencies = []\n    operations = []\n"
    ),
}
_RAILS = {
    "Gemfile": 'gem "rails", "~> 8.0"\ngem "pg"\ngem "sidekiq"\ngem "rubocop-rails-omakase"\n',
    "Gemfile.lock": "GEM\n",
    "app/assets/stylesheets/application.css": "body {}\n",
    "bin/rails": "#!/usr/bin/env ruby\n",
    "config/routes.rb": 'Rails.application.routes.draw do\n  get "up" => "rails/health#show"\nend\n',
    "db/migrate/20250101000000_create_orders.rb": "class CreateOrders < ActiveRecord::Migration[8.0]\nend\n",
    "test/test_helper.rb": "\n",
}
_COMPOSE = {
    "Dockerfile": (
        "FROM golang:1.24-bookworm AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /out/ ./...\n\n"
        'FROM debian:trixie-slim\nCOPY --from=build /out /usr/local/bin\nENTRYPOINT []\nCMD ["server"]\n'
    ),
    "main.go": "package main\n",
    "docker-compose.yml": (
        "services:\n"
        "  server:\n    build: .\n    ports: ['8080:8080']\n    environment: {DATABASE_URL: postgres://db}\n"
        "  mailer:\n    build: .\n    command: mailer --queue 'out going'\n"
        "  thumbnails:\n    build: .\n    command: ['thumbnails']\n"
        "  migrate:\n    build: .\n    command: migrate up\n"
        "  db:\n    image: postgres:16\n"
        "  cache:\n    image: redis:7-alpine\n"
        "  search:\n    image: opensearchproject/opensearch:2\n"
    ),
}
_PLAIN = {
    "package.json": json.dumps(
        {"name": "hello", "main": "server.js", "scripts": {"start": "node server.js", "lint": "eslint ."}}
    ),
    "package-lock.json": "{}\n",
    "server.js": "require('http').createServer((q, s) => s.end('ok')).listen(3000); // '/healthz'\n",
}
SHAPES = {
    "monorepo": _MONOREPO,
    "django": _DJANGO,
    "fastapi": _FASTAPI,
    "rails": _RAILS,
    "compose": _COMPOSE,
    "plain": _PLAIN,
}


def make(root: Path, shape: str, *, remote: str = "git@github.com:Acme/shop.git") -> Path:
    """Make one of them, in Git, with a remote."""
    for path, text in SHAPES[shape].items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["remote", "add", "origin", remote],
        ["add", "--all"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)
    return root
