"""What a look at a repository tells: its stack, its database, its workers, its checks."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

from fairway.engine.contract.manifest import MigratorKind


class Stack(enum.Enum):
    """What an application is built with, as far as it decides how its images are made."""

    NEXTJS = "Next.js"
    NODE = "Node.js"
    FASTAPI = "FastAPI"
    FLASK = "Flask"
    DJANGO = "Django"
    PYTHON = "Python"
    RAILS = "Rails"
    OTHER = "something else"


@dataclass(frozen=True)
class MigrationsFound:
    """Where migrations lie in the repository, and the command that applies them in the image.

    ``kind`` is None where Fairway cannot read them, ``path`` where they do not lie in one directory.
    """

    kind: MigratorKind | None
    path: str | None
    run: tuple[str, ...]


@dataclass(frozen=True)
class Worker:
    """A process of the application that serves no requests. An empty command is the image's own."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """A stage of ``fairway ci``: a script, and the directory it runs in."""

    name: str
    run: str
    needs: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    junit: tuple[str, ...] = ()
    directory: str = ""


@dataclass(frozen=True)
class NodeBuild:
    """How a Node.js application is built: by which package manager, from which package of the repository."""

    manager: str
    directory: str
    package: str
    standalone: bool = False
    public: bool = False
    build: bool = True
    prisma: str | None = None
    #: The directory whose ``node_modules`` has the migration tool.
    migrator_directory: str = ""


@dataclass(frozen=True)
class PythonBuild:
    """How a Python application's dependencies are installed: ``how`` is requirements, uv or project."""

    how: str
    file: str
    extra: tuple[str, ...] = ()
    source: str = ""
    static: bool = False


@dataclass(frozen=True)
class RubyBuild:
    """Which parts of a Rails build there are."""

    assets: bool = True


@dataclass(frozen=True)
class Survey:
    """What was found. What is None or empty could not be seen, and is asked for or left out."""

    name: str
    stack: Stack
    start: tuple[str, ...] = ()
    app_port: int = 3000
    build: NodeBuild | PythonBuild | RubyBuild | None = None
    migrations: MigrationsFound | None = None
    postgres: bool = False
    redis: bool = False
    database_scheme: str = "postgresql"
    workers: tuple[Worker, ...] = ()
    stages: tuple[Stage, ...] = ()
    env_required: tuple[str, ...] = ()
    env_optional: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    ready_path: str | None = None
    node_version_file: str | None = None
    python_version_file: str | None = None
    notes: tuple[str, ...] = ()


def plain_name(text: str) -> str:
    """Return a name that Compose and registries take, made of any text.

    >>> plain_name("@acme/My Shop")
    'my-shop'
    """
    name = re.sub(r"[^a-z0-9_-]+", "-", text.rpartition("/")[2].lower()).strip("-_")
    return name[:40] or "app"
