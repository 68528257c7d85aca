"""Commands that go around the migrations, and texts that only speak of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.forbidden import forbidden_words

FORBIDDEN = [
    "npx prisma db push",
    "npm run db:push",
    "npm run db:push -- --skip-generate",
    "pnpm db:push",
    "pnpm --filter api run db:push",
    "yarn workspace api db:push",
    "bun run db:push",
    "bunx prisma db push",
    "npx --yes prisma@5.22.0 db push --accept-data-loss",
    "./node_modules/.bin/prisma db push",
    "node node_modules/prisma/build/index.js && prisma --schema x.prisma db push",
    "npm run prisma -- db push",
    "PRISMA DB PUSH".lower(),
    "prisma migrate reset --force",
    "prisma migrate dev",
    "prisma migrate resolve --applied 20240101000000_init",
    "prisma migrate resolve --applied=20240101000000_init",
    "alembic stamp head",
    "python -m alembic -c db/alembic.ini stamp head",
    "flask db stamp head",
    "anything --accept-data-loss",
    "anything --force-reset",
    'psql -c "DROP DATABASE app"',
    'echo "drop database app" | psql',
    "dropdb app",
    "python manage.py migrate --fake",
    "python manage.py migrate billing 0003 --fake",
    "./manage.py flush --no-input",
    "django-admin reset_db",
    "drizzle-kit push",
    "npx drizzle-kit push:pg",
    "typeorm schema:sync",
    "npx typeorm schema:drop -d x.ts",
    "sequelize db:sync",
    "await sequelize.sync({ force: true })",
    "await db.sync({\n  logging: false,\n  force: true,\n})",
    "rails db:schema:load",
    "bundle exec rake db:reset",
    "bin/rails db:drop",
    "make db-push",
    'CMD ["prisma", "db", "push"]',
    "CMD ['npx', 'prisma', 'db', 'push']",
    "command:\n  - npx\n  - prisma\n  - db\n  - push\n",
    'command: [\n  "prisma",\n  "db",\n  "push",\n]',
    "RUN npx prisma \\\n    db push",
    "RUN npx prisma \\\n    # why not\n    db push",
    "run: >-\n  npx prisma\n  db push\n",
    "run: |\n  npm ci\n  npm run db:push\n",
    'sh -c "prisma generate && prisma db push"',
    '"deploy": "prisma generate && prisma db push && node server.js"',
    "DATABASE_URL=x prisma db push",
    "echo 'a # b' && prisma db push",
    "run: db:push",
    "migrate || prisma db push",
    'CMD ["sh", "-c", "set -e\\nprisma db push"]',
    'CMD [\n  "sh",\n  "-c",\n  "set -e\\n\\tprisma db push"\n]',
    "npx prisma db push --schema never.prisma",
    "npx prisma db push --schema never",
    "NEVER=1 npx prisma db push",
    "prisma db execute --file fix.sql",
    "prisma migrate diff --from-empty --to-schema-datamodel x.prisma --script | psql",
    "prisma migrate diff --from-empty --to-schema-datamodel x.prisma --script |\n  psql app",
]

ALLOWED = [
    "",
    "# never run prisma db push here",
    "npm ci # not: npm run db:push",
    "// npm run db:push",
    "/* npm run db:push\n   prisma db push */",
    "-- DROP DATABASE app",
    "echo 'prisma db push is not for production'",
    "description: Never use `prisma db push`; write a migration",
    "Do not run npm run db:push on this database.",
    "npm run db:pushpin",
    "docker push registry/db",
    "docker compose push db",
    "git push db",
    "`prisma db push` is not here by accident: it must not be used.",
    "echo 'set -e\\nprisma db push is not for production'",
    "prisma migrate diff --from-empty --exit-code",
    "prisma migrate diff --from-empty --script | tee x.sql",
    "prisma migrate deploy",
    "prisma migrate status",
    "prisma migrate resolve --rolled-back 20240101000000_init",
    "prisma db pull",
    "alembic upgrade head",
    "alembic revision -m 'stamp duty'",
    "python manage.py migrate",
    "python manage.py migrate --fake-initial",
    "python manage.py flush_cache",
    "drizzle-kit migrate",
    "typeorm migration:run",
    "rails db:migrate",
    "npm run db:migrate",
    "await calendar.sync({ force: false })",
    "DROP TABLE database",
    "prisma generate\ndb push",
    "services:\n  db:\n    image: postgres\n",
]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_a_command_that_goes_around_the_migrations_is_found(text: str) -> None:
    found = forbidden_words(text)

    assert found
    assert all(one.why and one.words for one in found)


@pytest.mark.parametrize("text", ALLOWED)
def test_what_only_speaks_of_it_or_looks_like_it_is_not(text: str) -> None:
    assert forbidden_words(text) == ()


def test_the_line_is_the_one_where_the_command_begins() -> None:
    text = "FROM node\n\nRUN npm ci && \\\n    npx prisma \\\n    db push\n"

    (found,) = forbidden_words(text)

    assert (found.line, found.words) == (4, "prisma db push")


def test_a_text_with_two_of_them_gives_both_in_order() -> None:
    found = forbidden_words("alembic stamp head\nx\nprisma db push --accept-data-loss\n")

    assert [(one.line, one.words) for one in found] == [
        (1, "alembic stamp"),
        (3, "prisma db push"),
        (3, "--accept-data-loss"),
    ]


@given(st.text(alphabet=st.sampled_from("prisma db:push\n\\[]\"'#/*->|:;&,()\t{}$ ")))
def test_no_text_makes_it_fail(text: str) -> None:
    lines = text.count("\n") + text.count("\r") + 1
    assert all(1 <= one.line <= lines for one in forbidden_words(text))
