"""Ruby on Rails, and what is like it: a Gemfile, and a command for the migrations."""

from __future__ import annotations

import re

from fairway.workflows.survey import MigrationsFound, RubyBuild, Stack, Stage, Survey, Worker, plain_name
from fairway.workflows.tree import Tree


def look(tree: Tree) -> Survey | None:
    """Look at a repository with a Gemfile that names Rails; None for others."""
    gems = set(re.findall(r"""^\s*gem\s+["']([A-Za-z0-9_-]+)["']""", tree.text("Gemfile"), re.MULTILINE))
    if "rails" not in gems:
        return None
    migrations = None
    if tree.matching("db/migrate/*.rb"):
        # Fairway reads no Ruby: it ships these, and has no verdict on them.
        migrations = MigrationsFound(None, "db/migrate", ("bin/rails", "db:migrate"))
    redis = bool(gems & {"redis", "sidekiq", "resque"})
    postgres = "pg" in gems
    return Survey(
        name=plain_name(tree.root.name),
        stack=Stack.RAILS,
        start=("bundle", "exec", "puma", "--bind", "tcp://0.0.0.0:3000", "--environment", "production"),
        app_port=3000,
        build=RubyBuild(assets=any(name.startswith("app/assets/") for name in tree.files)),
        migrations=migrations,
        postgres=postgres,
        redis=redis,
        workers=(Worker("worker", ("bundle", "exec", "sidekiq")),) if "sidekiq" in gems else (),
        stages=_stages(tree, gems, (*(("postgres",) if postgres else ()), *(("redis",) if redis else ()))),
        env_required=("SECRET_KEY_BASE",),
        ready_path="/up" if '"up"' in tree.text("config/routes.rb") else None,
    )


def _stages(tree: Tree, gems: set[str], services: tuple[str, ...]) -> tuple[Stage, ...]:
    found = [Stage("install", "bundle install")]
    if "rubocop" in gems or "rubocop-rails-omakase" in gems:
        found.append(Stage("lint", "bundle exec rubocop", ("install",)))
    if "brakeman" in gems:
        found.append(Stage("security", "bundle exec brakeman --no-pager", ("install",)))
    if "rspec-rails" in gems:
        found.append(Stage("unit", "bin/rails db:prepare && bundle exec rspec", ("install",), services))
    elif any(name.startswith("test/") for name in tree.files):
        found.append(Stage("unit", "bin/rails db:test:prepare test", ("install",), services))
    return tuple(found)
