"""Where PostgreSQL's own programs run: in the database's container, or in one beside an external database.

No password is ever an argument: in the container it is there already, and a client
beside an external database finds it in its environment.
"""

from __future__ import annotations

import abc
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fairway.engine import docker
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.drivers.containers import Containers
from fairway.engine.envfile import read_env
from fairway.engine.hostconfig import External, HostConfig
from fairway.engine.layout import Layout
from fairway.engine.model import Naming
from fairway.engine.process import run
from fairway.engine.redact import Redactor
from fairway.engine.releases import load_release
from fairway.engine.state import read_state

SESSION = "fairway-backup"
_PATIENCE_S = 60.0
_FETCH_PATIENCE_S = 900.0
# What of a URL's query means the same to libpq; the rest is for the application's own driver.
_QUERY = {"sslmode": "PGSSLMODE", "host": "PGHOST", "port": "PGPORT"}
_PG_KEYS = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE")
_IN_CONTAINER = (
    'export PGPASSWORD="${POSTGRES_PASSWORD:-}" PGUSER="${POSTGRES_USER:-postgres}" PGAPPNAME="$1"'
    ' PGDATABASE="${2:-${POSTGRES_DB:-${POSTGRES_USER:-postgres}}}"; shift 2; exec "$0" "$@"'
)
# Without a connection pg_restore only reads; these have one always.
_CONNECTING = ("psql", "pg_dump")
_DBNAME = "--dbname="
# A connection waits for hours while rows are counted or an index is built; whatever lies between forgets it sooner.
# libpq takes these from no variable of the environment. Source: PostgreSQL's manual, "Parameter Key Words".
_KEEPALIVE = "keepalives_idle=30 keepalives_interval=10 keepalives_count=6"
_FREE = 'df -Pk "${PGDATA:-/var/lib/postgresql}" | tail -n 1'
# What PostgreSQL quotes of a row, which may be a secret that an application keeps in a table.
_ROW = re.compile(
    r"^(?:CONTEXT:\s+COPY |DETAIL:\s+(?:Key \(|Failing row )).*?(?=^(?:pg_\w+:|psql:|[A-Z]{4,}:|Command was:)|\Z)",
    re.MULTILINE | re.DOTALL,
)
_VALUE = re.compile(
    r'((?:invalid input (?:syntax|value) for|out of range for) [^:\n]*: )".*?"(?=\s*(?:\n|\Z))', re.DOTALL
)
_PSQL = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1")


@dataclass(frozen=True)
class Command:
    """A command line and the environment it needs; only the second may hold a secret."""

    argv: list[str]
    env: Mapping[str, str]


class Postgres(abc.ABC):
    """One database of the application, by PostgreSQL's own programs."""

    @abc.abstractmethod
    def command(self, program: str, arguments: Sequence[str] = (), *, database: str = "", session: str = "") -> Command:
        """Return how to run a program against ``database``, by default the application's own.

        ``session`` is the ``application_name`` of its connection.
        """

    def psql(self, *, database: str = "", session: str = "", variables: Mapping[str, str] | None = None) -> Command:
        """Return how to run SQL from standard input; the variables are quoted by psql, as ``:'name'``."""
        values = [word for key, value in (variables or {}).items() for word in ("--set", f"{key}={value}")]
        return self.command("psql", [*_PSQL, *values], database=database, session=session)

    def ask(
        self,
        sql: str,
        variables: Mapping[str, str] | None = None,
        *,
        database: str = "",
        timeout_s: float = _PATIENCE_S,
    ) -> list[str]:
        """Run SQL and return the lines of its answer. Raises ``Failed`` with PostgreSQL's own words."""
        command = self.psql(database=database, session=f"{SESSION}-ask", variables=variables)
        done = run(command.argv, env=command.env, stdin=sql, timeout_s=timeout_s)
        if done.returncode != 0:
            raise Failed("the database does not do what it was asked", why=self.clean(done.stderr))
        return done.stdout.splitlines()

    def end_sessions(self, session: str) -> None:
        """End the connections of a program that was lost: it reads on and holds its locks while nobody listens."""
        self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE :'session' || '%' AND pid <> pg_backend_pid()"
            # Another environment may have its database on the same server.
            " AND datname = current_database() AND usename = current_user;\n",
            {"session": session},
        )

    def gauge(self) -> Command | None:
        """Return how to ask, by a line each time, what is free where the server keeps its data.

        :func:`free_of` reads each answer. None where that cannot be asked.
        """
        return None

    def clean(self, text: str) -> str:
        """Return the end of what a program said, without secrets and without what it quotes of a row."""
        shown = _VALUE.sub(r"\1[not shown]", _ROW.sub("", text))
        return Redactor({})(shown.strip()[-800:])


@dataclass(frozen=True)
class InContainer(Postgres):
    """The PostgreSQL of the Compose project."""

    container: str
    env: Mapping[str, str]

    def command(self, program: str, arguments: Sequence[str] = (), *, database: str = "", session: str = "") -> Command:
        words = ["sh", "-c", _IN_CONTAINER, program, session or SESSION, database, *arguments]
        return Command(["docker", "exec", "--interactive", self.container, *words], self.env)

    def free_bytes(self) -> int | None:
        """Return what is free where the server keeps its data, None when it does not say."""
        done = run(["docker", "exec", self.container, "sh", "-c", _FREE], env=self.env, timeout_s=_PATIENCE_S)
        return free_of(done.stdout)

    def gauge(self) -> Command:
        # It ends by itself with its input, also when the engine is lost.
        words = ["sh", "-c", f"while read -r _; do {_FREE}; done"]
        return Command(["docker", "exec", "--interactive", self.container, *words], self.env)


@dataclass(frozen=True)
class Beside(Postgres):
    """A PostgreSQL elsewhere, through a client's image on this host, in the application's own network."""

    image: str
    network: str
    connection: Mapping[str, str]
    docker_env: Mapping[str, str]

    def command(self, program: str, arguments: Sequence[str] = (), *, database: str = "", session: str = "") -> Command:
        connection = {**self.connection, "PGAPPNAME": session or SESSION, "PGCONNECT_TIMEOUT": "15"}
        if database:
            connection["PGDATABASE"] = database
        passed = [word for key in connection for word in ("--env", key)]
        words = list(arguments)
        if program in _CONNECTING or any(word.startswith(_DBNAME) for word in words):
            # The database's name stays in the environment; the last of these options counts.
            words.append(_DBNAME + _KEEPALIVE)
        argv = [
            # Docker would keep what a container says in a log: a dump in plain text, three times its size.
            *("docker", "run", "--rm", "--interactive", "--log-driver", "none"),
            *("--pull", "missing", "--network", self.network),
            *("--entrypoint", program, *passed, self.image, *words),
        ]
        return Command(argv, {**connection, **self.docker_env})

    def clean(self, text: str) -> str:
        return Redactor(self.connection)(super().clean(text))


def free_of(line: str) -> int | None:
    """Read the bytes that are free from a line of ``df -Pk``, None when it does not say."""
    words = line.split()
    return int(words[3]) * 1024 if len(words) > 3 and words[3].isdigit() else None


def connection_of(settings: Mapping[str, str], key: str) -> dict[str, str]:
    """Return libpq's variables from a URL in the settings, or from the ``PG*`` keys when ``key`` is one of them.

    Raises ``Invalid`` naming the key, never what it holds.
    """
    if key in _PG_KEYS:
        return {name: settings[name] for name in _PG_KEYS if settings.get(name)}
    value = settings.get(key, "")
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        raise _no_url(key) from None
    if not url.scheme.startswith("postgres") or not url.path.strip("/"):
        raise _no_url(key)
    found = {
        "PGHOST": url.hostname or "",
        "PGPORT": str(port) if port else "",
        "PGUSER": unquote(url.username or ""),
        "PGPASSWORD": unquote(url.password or ""),
        "PGDATABASE": unquote(url.path.strip("/")),
    }
    for name, values in parse_qs(url.query).items():
        if name in _QUERY:
            found[_QUERY[name]] = values[-1]
    return {name: text for name, text in found.items() if text}


def _no_url(key: str) -> Invalid:
    return Invalid(
        f"{key} in the host's environment file is not the URL of a PostgreSQL database",
        why="it must look like postgresql://user:password@host:5432/database",
        hint="backup.url_key in fairway.toml names the key; PGHOST means the PG* keys",
    )


def locate(layout: Layout, host: HostConfig, service: str | None = None) -> Postgres:
    """Find the application's database, by default with what the release that serves calls it.

    Raises ``Failed`` when there is none, or no single one.
    """
    containers = Containers(layout, Redactor({}))
    if host.backups.external is not None:
        return _beside(layout, host, host.backups.external, containers)
    found = candidates(containers, host, service or database_service(layout))
    if len(found) != 1:
        raise Failed(
            f"the database of {host.project} is not found: {len(found)} PostgreSQL containers run in it",
            why=", ".join(found),
            hint="name it with compose.database_service in fairway.toml, or with backup.url_key one that is elsewhere",
        )
    return InContainer(found[0], containers.env())


def candidates(containers: Containers, host: HostConfig, service: str | None) -> list[str]:
    """Return the running containers that may be the application's database."""
    return [one.name for one in containers.databases(host.project, service) if one.running]


def database_service(layout: Layout) -> str | None:
    """Return what the release that serves calls its database, None when it does not say."""
    active = read_state(layout.state).active
    if active is None:
        return None
    try:
        return load_release(layout, active.tag).release.compose.database_service
    except FairwayError:
        return None


def _beside(layout: Layout, host: HostConfig, external: External, containers: Containers) -> Beside:
    settings = read_env(layout, external.env_file, required=(external.url_key,))
    naming = Naming(host.project)
    template = "{{json .NetworkSettings.Networks}}"
    argv = ["docker", "container", "inspect", "--format", template, naming.edge]
    done = containers.run(argv)
    try:
        networks: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    except ValueError:
        networks = {}
    network = next(iter(networks), "host")
    _fetch(containers, external.client_image)
    return Beside(external.client_image, network, connection_of(settings, external.url_key), containers.env())


def _fetch(containers: Containers, image: str) -> None:
    """Have the client's image here before anything is asked: no answer is waited for as long as that may take."""
    if containers.run(docker.inspect_image(image)).returncode == 0:
        return
    done = containers.run(docker.pull(image), timeout_s=_FETCH_PATIENCE_S)
    if done.returncode != 0:
        raise Failed(
            f"the client's image {image} cannot be had",
            why=containers.tail(done),
            hint="backup.client_image in fairway.toml names it; the host has to reach its registry",
        )


def major(version: int) -> int:
    """Return the major version of a server's number: 17 of ``170002``."""
    return version // 10000
