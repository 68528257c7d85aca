"""Node.js: Next.js and plain servers, in one package or a monorepo, with Prisma."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from fairway.engine.contract.manifest import MigratorKind
from fairway.workflows.survey import MigrationsFound, NodeBuild, Stack, Stage, Survey, Worker, plain_name
from fairway.workflows.tree import Tree, table

_SERVERS = ("next", "express", "fastify", "koa", "hono", "@nestjs/core", "@remix-run/serve", "nuxt")
_REDIS = ("redis", "ioredis", "bullmq", "bull")
_POSTGRES = ("pg", "postgres", "@prisma/client", "@prisma/adapter-pg", "drizzle-orm", "typeorm", "knex", "sequelize")
#: Scripts of package.json that are stages of the pipeline, by the stage's name, in order.
_STAGES = (
    ("typecheck", ("typecheck", "type-check", "check-types", "tsc")),
    ("lint", ("lint",)),
    ("unit", ("test:unit", "test")),
    ("build", ("build",)),
    ("e2e", ("test:e2e", "e2e")),
)
_INSTALL = {
    "pnpm": "corepack pnpm install --frozen-lockfile",
    "npm": "npm ci",
    "yarn": "corepack yarn install --immutable",
}
_RUN = {"pnpm": "corepack pnpm run", "npm": "npm run", "yarn": "corepack yarn run"}


@dataclass(frozen=True)
class _Package:
    """A ``package.json``: its directory, empty for the root, and what it says."""

    directory: str
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.document.get("name") or self.directory or "app")

    @property
    def dependencies(self) -> set[str]:
        return {*table(self.document, "dependencies"), *table(self.document, "devDependencies")}

    @property
    def scripts(self) -> dict[str, str]:
        return {str(name): str(script) for name, script in table(self.document, "scripts").items()}

    def path(self, name: str) -> str:
        return f"{self.directory}/{name}" if self.directory else name


def look(tree: Tree) -> Survey | None:
    """Look at a repository with a ``package.json`` in its root; None when there is none, or no server in it."""
    if not tree.has("package.json"):
        return None
    packages = [
        _Package("" if str(path.parent) == "." else str(path.parent), tree.json(str(path)))
        for path in map(PurePosixPath, tree.matching("**/package.json"))
    ]
    root = next(one for one in packages if one.directory == "")
    app = _application(packages)
    if app is None:
        return None
    everything = {name for one in packages for name in one.dependencies}
    manager = _manager(tree, root)
    nextjs = "next" in app.dependencies
    migrations, owner = _migrations(tree, packages)
    build = NodeBuild(
        manager=manager,
        directory=app.directory,
        package=app.name,
        standalone=nextjs and _standalone(tree, app),
        public=any(name.startswith(app.path("public/")) for name in tree.files),
        build="build" in app.scripts,
        prisma=_schema(tree),
        migrator_directory=owner,
    )
    redis = bool(everything & set(_REDIS))
    postgres = _uses_postgres(tree, everything)
    return Survey(
        name=plain_name(root.name if root.document.get("name") else tree.root.name),
        stack=Stack.NEXTJS if nextjs else Stack.NODE,
        start=_start(app, build, nextjs=nextjs),
        app_port=3000,
        build=build,
        migrations=migrations,
        postgres=postgres,
        redis=redis,
        workers=_workers(root, app, manager),
        stages=_stages(root, app, manager, _services(postgres, redis)),
        node_version_file=tree.first(".nvmrc", ".node-version"),
    )


def _application(packages: list[_Package]) -> _Package | None:
    """Return the package that serves: one with a server framework, Next.js first, ``apps/web`` before others."""

    def rank(one: _Package) -> tuple[int, int, str]:
        kind = next((place for place, name in enumerate(_SERVERS) if name in one.dependencies), 99)
        return kind, 0 if one.directory in ("", "apps/web") else 1, one.directory

    best = min(packages, key=rank)
    return best if rank(best)[0] < 99 or "start" in best.scripts else None


def _manager(tree: Tree, root: _Package) -> str:
    named = str(root.document.get("packageManager") or "").partition("@")[0]
    if named in _INSTALL:
        return named
    if tree.has("pnpm-lock.yaml"):
        return "pnpm"
    return "yarn" if tree.has("yarn.lock") else "npm"


def _standalone(tree: Tree, app: _Package) -> bool:
    names = [app.path(f"next.config.{ending}") for ending in ("js", "mjs", "ts", "cjs")]
    found = tree.first(*names)
    return found is not None and re.search(r"""output\s*:\s*["']standalone["']""", tree.text(found)) is not None


def _schema(tree: Tree) -> str | None:
    return next(iter(tree.matching("**/schema.prisma")), None)


def _migrations(tree: Tree, packages: list[_Package]) -> tuple[MigrationsFound | None, str]:
    """Return Prisma's migrations and the directory of the package that has Prisma."""
    schema = _schema(tree)
    if schema is None:
        return None, ""
    holders = [one.directory for one in packages if {"prisma", "@prisma/client"} & one.dependencies]
    inside = [one for one in holders if schema.startswith(f"{one}/")]
    owner = max(inside, key=len, default="")
    path = str(PurePosixPath(schema).parent / "migrations")
    program = f"{owner}/node_modules/.bin/prisma" if owner else "node_modules/.bin/prisma"
    run = (f"/app/{program}", "migrate", "deploy", "--schema", f"/app/{schema}")
    return MigrationsFound(MigratorKind.PRISMA, path, run), owner


def _uses_postgres(tree: Tree, dependencies: set[str]) -> bool:
    schema = _schema(tree)
    if schema is not None:
        return re.search(r"""provider\s*=\s*"(?:postgres|postgresql)\"""", tree.text(schema)) is not None
    return bool(dependencies & set(_POSTGRES))


def _start(app: _Package, build: NodeBuild, *, nextjs: bool) -> tuple[str, ...]:
    directory = f"/app/{app.directory}" if app.directory else "/app"
    if nextjs and build.standalone:
        return ("node", f"{directory}/server.js")
    if nextjs:
        return (f"{directory}/node_modules/.bin/next", "start", directory)
    script = app.scripts.get("start", "")
    words = _words(script)
    if words and words[0] == "node":
        return ("node", *(f"{directory}/{word}" if "/" in word or word.endswith("js") else word for word in words[1:]))
    main = app.document.get("main")
    return ("node", f"{directory}/{main}") if isinstance(main, str) else ()


def _words(script: str) -> list[str]:
    """Split a script that is one plain command; nothing when a shell would be needed for it."""
    try:
        words = shlex.split(script)
    except ValueError:
        return []
    return [] if any(mark in script for mark in "&|;<>$`=*") else words


def _workers(root: _Package, app: _Package, manager: str) -> tuple[Worker, ...]:
    for package in (app, root):
        words = _words(package.scripts.get("worker", ""))
        if words and words[0] == "node":
            directory = f"/app/{package.directory}" if package.directory else "/app"
            return (Worker("worker", ("node", *(f"{directory}/{word}" for word in words[1:]))),)
    return ()


def _services(postgres: bool, redis: bool) -> tuple[str, ...]:
    return (*(("postgres",) if postgres else ()), *(("redis",) if redis else ()))


def _stages(root: _Package, app: _Package, manager: str, services: tuple[str, ...]) -> tuple[Stage, ...]:
    """Return a stage for each script that the root has, or else the application; what is told to be there."""
    found = [Stage("install", _INSTALL[manager])]
    for stage, scripts in _STAGES:
        holder, script = next(
            ((one, name) for one in (root, app) for name in scripts if name in one.scripts), (None, "")
        )
        if holder is None:
            continue
        needs = ("build",) if stage == "e2e" and any(one.name == "build" for one in found) else ("install",)
        wanted = services if stage in ("unit", "e2e") else ()
        found.append(Stage(stage, f"{_RUN[manager]} {script}", needs, wanted, directory=holder.directory))
    return tuple(found)
