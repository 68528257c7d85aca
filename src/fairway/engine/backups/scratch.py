"""A PostgreSQL for as long as a drill takes: alone, limited, and gone afterwards with all it held."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from fairway.engine import clock, docker
from fairway.engine.backups.postgres import Beside, InContainer, Postgres
from fairway.engine.contract.errors import Failed
from fairway.engine.process import run

LABEL = "dev.fairway.drill"
_BOOT_S = 120.0
_LOOK_EVERY_S = 0.1
# Nothing in it is to outlive it, so nothing waits for the disk; and the log of what it writes is short and soon
# used again, for the disk may be the one that serves. Source: PostgreSQL's manual, "Non-Durable Settings".
_SERVER = (
    *("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
    *("-c", "max_connections=10", "-c", "autovacuum=off"),
    *("-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "max_wal_size=256MB"),
)
_ENVIRONMENT = {
    # Nobody can reach it: it has no network, and its socket is its own.
    "POSTGRES_HOST_AUTH_METHOD": "trust",
    "POSTGRES_USER": "postgres",
    "POSTGRES_DB": "drill",
}


@contextmanager
def scratch(name: str, image: str, env: Mapping[str, str]) -> Iterator[InContainer]:
    """Have an empty PostgreSQL of the same image; its container and its data are removed in any case.

    What a killed drill of the same name left is removed first. Raises ``Failed`` with
    what the server said when it does not come up.
    """
    remove_left(name, env)
    try:
        done = run(run_scratch(name, image), env=env, timeout_s=600)
        if done.returncode != 0:
            raise Failed("no PostgreSQL could be started for the drill", why=done.stderr.strip()[-300:])
        _wait(name, env)
        yield InContainer(name, env)
    finally:
        run(remove_scratch(name), env=env)


def remove_left(name: str, env: Mapping[str, str]) -> None:
    """Remove what a drill that was killed has left."""
    left = run(docker.find_labelled({LABEL: name}), env=env).stdout.split()
    for identity in left:
        run(remove_scratch(identity), env=env)


def image_for(database: Postgres) -> str:
    """Return the image to try a backup of this database in: the very one that it runs in, or its client's."""
    if isinstance(database, Beside):
        return database.image
    assert isinstance(database, InContainer)
    done = run(docker.inspect_containers([database.container]), env=database.env)
    try:
        return str(json.loads(done.stdout)[0]["Image"])
    except (ValueError, LookupError):
        raise Failed(f"the container {database.container} is gone", why=done.stderr.strip()[-300:]) from None


def run_scratch(name: str, image: str) -> list[str]:
    """Start it: no network, no more than two processors, 1 GiB and 200 processes, its data in a volume of its own."""
    settings = [f"--env={key}={value}" for key, value in _ENVIRONMENT.items()]
    limits = ("--memory=1g", "--cpus=2", "--pids-limit=200", "--shm-size=128m", "--security-opt=no-new-privileges")
    return [
        *("docker", "run", "--detach", "--name", name, f"--label={LABEL}={name}", "--network=none"),
        *("--restart=no", *limits, *settings, image, "postgres", *_SERVER),
    ]


def remove_scratch(name: str) -> list[str]:
    """Remove it together with its data."""
    return ["docker", "rm", "--force", "--volumes", name]


def _wait(name: str, env: Mapping[str, str]) -> None:
    # While the image sets its data up, the server listens on its socket only.
    ready: Sequence[str] = ["docker", "exec", name, "pg_isready", "--quiet", "--host=127.0.0.1"]
    deadline = clock.monotonic() + _BOOT_S
    while run(ready, env=env).returncode != 0:
        state = run(["docker", "container", "inspect", "--format", "{{.State.Running}}", name], env=env)
        if state.stdout.strip() != "true" or clock.monotonic() > deadline:
            said = run(docker.logs(name, tail=5), env=env)
            raise Failed(
                "the PostgreSQL for the drill does not come up", why=(said.stdout + said.stderr).strip()[-500:]
            )
        clock.sleep(_LOOK_EVERY_S)
