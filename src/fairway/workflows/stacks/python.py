"""Python: FastAPI and Flask with Alembic, Django, and what else serves with Python."""

from __future__ import annotations

import re
from configparser import ConfigParser, Error
from pathlib import PurePosixPath

from fairway.engine.contract.manifest import MigratorKind
from fairway.workflows.survey import MigrationsFound, PythonBuild, Stack, Stage, Survey, Worker, plain_name
from fairway.workflows.tree import Tree, table

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REQUIREMENTS = ("requirements.lock", "requirements.txt", "requirements/production.txt", "requirements/base.txt")
_FRAMEWORKS = (("fastapi", Stack.FASTAPI), ("flask", Stack.FLASK), ("starlette", Stack.PYTHON))
_MADE = re.compile(r"^(?P<name>[A-Za-z_]\w*)(?:\s*:[^=\n]+)?\s*=\s*(?:FastAPI|Flask|Starlette)\(", re.MULTILINE)
_FACTORY = re.compile(r"^def (?P<name>create_app|make_app|build_app)\(", re.MULTILINE)
_DRIVERS = (("psycopg", "postgresql+psycopg"), ("asyncpg", "postgresql+asyncpg"), ("psycopg2", "postgresql"))
_POSTGRES = ("psycopg", "psycopg2", "psycopg2-binary", "asyncpg", "pg8000")
_REDIS = ("redis", "celery", "rq", "arq", "django-redis", "channels-redis", "dramatiq")
_PORT = 3000
_SERVE = ("--bind", f"0.0.0.0:{_PORT}")


def look(tree: Tree) -> Survey | None:
    """Look at a repository with Python's project files in its root; None when there are none."""
    dependencies = read_dependencies(tree)
    if not dependencies and not tree.has("manage.py"):
        return None
    if "django" in dependencies or tree.has("manage.py"):
        return _django(tree, dependencies)
    stack = next((stack for name, stack in _FRAMEWORKS if name in dependencies), Stack.PYTHON)
    module, source = _application(tree)
    server = "gunicorn" if stack is Stack.FLASK else "uvicorn"
    build = _build(tree, (server,) if module and server not in dependencies else (), source)
    return Survey(
        name=_name(tree),
        stack=stack,
        start=_start(stack, module),
        app_port=_PORT,
        build=build,
        migrations=_alembic(tree, dependencies, module),
        postgres=_uses_postgres(dependencies),
        redis=bool(dependencies & set(_REDIS)),
        database_scheme=next((scheme for name, scheme in _DRIVERS if name in dependencies), "postgresql"),
        workers=_celery(tree, dependencies),
        stages=_stages(tree, dependencies, build),
        python_version_file=tree.first(".python-version"),
    )


def read_dependencies(tree: Tree) -> set[str]:
    """Return the names of the packages that the repository asks for, extras and tools included."""
    found: list[str] = []
    for path in (*tree.matching("requirements*.txt"), *tree.matching("requirements*.lock"), "requirements.in"):
        found += tree.text(path).splitlines()
    for path in tree.matching("requirements/*.txt"):
        found += tree.text(path).splitlines()
    project = tree.toml("pyproject.toml")
    found += _strings(table(project, "project").get("dependencies"))
    for group in (*table(project, "project", "optional-dependencies").values(),):
        found += _strings(group)
    for group in table(project, "dependency-groups").values():
        found += _strings(group)
    found += list(table(project, "tool", "poetry", "dependencies"))
    names = {name[0] for line in found if (name := _NAME.match(line.strip()))}
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def _strings(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _name(tree: Tree) -> str:
    project = tree.toml("pyproject.toml")
    return plain_name(str(table(project, "project").get("name") or tree.root.name))


def _build(tree: Tree, extra: tuple[str, ...], source: str, *, static: bool = False) -> PythonBuild:
    if tree.has("uv.lock"):
        return PythonBuild("uv", "uv.lock", extra, source, static)
    if found := tree.first(*_REQUIREMENTS):
        return PythonBuild("requirements", found, extra, source, static)
    return PythonBuild("project", "pyproject.toml", extra, source, static)


def _application(tree: Tree) -> tuple[str, str]:
    """Return where the application object is, ``package.module:name``, and the directory it is imported from."""
    for pattern, suffix in ((_MADE, ""), (_FACTORY, "()")):
        for path in sorted(_sources(tree), key=lambda name: (name.count("/"), name)):
            if found := pattern.search(tree.text(path)):
                source = "src" if path.startswith("src/") else ""
                inside = PurePosixPath(path.removeprefix("src/") if source else path).with_suffix("")
                parts = inside.parts[:-1] if inside.name == "__init__" else inside.parts
                return f"{'.'.join(parts)}:{found['name']}{suffix}", source
    return "", ""


def _sources(tree: Tree) -> list[str]:
    return [
        name
        for name in tree.files
        if name.endswith(".py") and not {"tests", "test", "migrations", "alembic", "scripts"} & set(name.split("/"))
    ]


def _start(stack: Stack, module: str) -> tuple[str, ...]:
    if not module:
        return ()
    if stack is Stack.FLASK:
        return ("gunicorn", *_SERVE, module)
    factory = ("--factory",) if module.endswith("()") else ()
    return ("uvicorn", "--host", "0.0.0.0", "--port", str(_PORT), *factory, module.removesuffix("()"))  # noqa: S104


def _uses_postgres(dependencies: set[str]) -> bool:
    return bool(dependencies & set(_POSTGRES)) or any(name.startswith("psycopg") for name in dependencies)


def _alembic(tree: Tree, dependencies: set[str], module: str) -> MigrationsFound | None:
    """Return Alembic's migrations, as its own file says where they are, or Flask-Migrate's."""
    if tree.has("migrations/alembic.ini"):
        application = ("--app", module) if module else ()
        return MigrationsFound(MigratorKind.ALEMBIC, "migrations/versions", ("flask", *application, "db", "upgrade"))
    if "alembic" not in dependencies and not tree.has("alembic.ini"):
        return None
    script = str(table(tree.toml("pyproject.toml"), "tool", "alembic").get("script_location") or "")
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(tree.text("alembic.ini"))
        script = parser.get("alembic", "script_location", fallback=script)
    except Error:
        pass
    script = re.sub(r"^%\(here\)s/", "", script).strip("/")
    places = [script, "alembic", "migrations"] if script else ["alembic", "migrations"]
    place = next((one for one in places if tree.has(f"{one}/env.py")), None)
    if place is None:
        return None
    return MigrationsFound(MigratorKind.ALEMBIC, f"{place}/versions", ("alembic", "upgrade", "head"))


def _celery(tree: Tree, dependencies: set[str]) -> tuple[Worker, ...]:
    if "celery" not in dependencies:
        return ()
    for path in _sources(tree):
        if re.search(r"^\w+\s*=\s*Celery\(", tree.text(path), re.MULTILINE):
            module = ".".join(PurePosixPath(path.removeprefix("src/")).with_suffix("").parts)
            return (Worker("worker", ("celery", "--app", module, "worker")),)
    return ()


def _stages(tree: Tree, dependencies: set[str], build: PythonBuild, *, test: str = "") -> tuple[Stage, ...]:
    """Return a stage for each tool that the repository asks for."""
    redis = ("redis",) if dependencies & set(_REDIS) else ()
    services = (*(("postgres",) if _uses_postgres(dependencies) else ()), *redis)
    development = tree.first("requirements-dev.lock", "requirements-dev.txt", "requirements/dev.txt")
    if build.how == "uv":
        install = "pip install --quiet uv && uv sync --frozen"
        program = "uv run --frozen --no-sync "
    else:
        program = ".venv/bin/"
        wanted = f"-r {build.file}" if build.how == "requirements" else "-e ."
        wanted += f" -r {development}" if development else ""
        install = f"python3 -m venv .venv && .venv/bin/pip install --quiet --disable-pip-version-check {wanted}"
    found = [Stage("install", install)]
    tools = (("typecheck", "mypy", "mypy ."), ("lint", "ruff", "ruff check ."), ("lint", "flake8", "flake8"))
    for stage, tool, command in tools:
        if tool in dependencies and stage not in [one.name for one in found]:
            found.append(Stage(stage, program + command, ("install",)))
    if test:
        found.append(Stage("unit", program + test, ("install",), services))
    elif "pytest" in dependencies:
        run = f"{program}pytest --junitxml=reports/unit.xml"
        found.append(Stage("unit", run, ("install",), services, junit=("reports/*.xml",)))
    return tuple(found)


def _django(tree: Tree, dependencies: set[str]) -> Survey:
    found = next((name for name in sorted(tree.files, key=len) if name.endswith("/wsgi.py")), None)
    project = ".".join(PurePosixPath(found).with_suffix("").parts) if found else ""
    extra = () if "gunicorn" in dependencies else ("gunicorn",)
    static = any("STATIC_ROOT" in tree.text(name) for name in tree.files if name.endswith(".py") and "setting" in name)
    build = _build(tree, extra, "", static=static)
    test = "" if "pytest" in dependencies else "python manage.py test"
    return Survey(
        name=_name(tree),
        stack=Stack.DJANGO,
        start=("gunicorn", *_SERVE, f"{project}:application") if project else (),
        app_port=_PORT,
        build=build,
        migrations=_django_migrations(tree),
        postgres=_uses_postgres(dependencies),
        redis=bool(dependencies & set(_REDIS)),
        workers=_celery(tree, dependencies),
        stages=_stages(tree, dependencies, build, test=test),
        python_version_file=tree.first(".python-version"),
    )


def _django_migrations(tree: Tree) -> MigrationsFound:
    """Return Django's migrations: the directory that all apps with some lie in, if there is one below the root."""
    run = ("python", "manage.py", "migrate", "--noinput")
    apps = [PurePosixPath(name).parent.parent for name in tree.matching("**/migrations/0*.py")]
    if not apps:
        return MigrationsFound(None, None, run)
    common = apps[0]
    while not all(one.is_relative_to(common) for one in apps):
        common = common.parent
    if str(common) == ".":
        return MigrationsFound(None, None, run)
    return MigrationsFound(MigratorKind.DJANGO, str(common), run)
