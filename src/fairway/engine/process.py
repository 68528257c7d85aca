"""The one module of the engine that runs processes.

Arguments are lists and hold no secret; a secret goes through the environment or
standard input.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Callable

from fairway.engine.contract.errors import Failed


@dataclass(frozen=True)
class Completed:
    """How a process ended."""

    returncode: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: str = "",
    timeout_s: float = 120.0,
) -> Completed:
    """Run a process to its end and return what it said.

    Raises ``Failed`` when the program is missing or runs longer than ``timeout_s``.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            env=dict(env),
            capture_output=True,
            timeout=timeout_s,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise Failed(f"{argv[0]} is not installed on this host", hint="install it, then run: fairway doctor") from None
    except subprocess.TimeoutExpired:
        raise Failed(
            f"{' '.join(argv[:3])} did not finish within {timeout_s:.0f} s",
            hint="see whether the Docker daemon answers: docker info",
        ) from None
    return Completed(done.returncode, done.stdout, done.stderr)


def stream(argv: Sequence[str], *, env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
    """Run a process, handing over each line of its output as it comes; return its exit code.

    When ``on_line`` raises, the process is ended first.
    """
    with subprocess.Popen(
        list(argv),
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        output: IO[str] | None = process.stdout
        assert output is not None
        try:
            for line in output:
                on_line(line.rstrip("\n"))
        except BaseException:
            process.kill()
            raise
    return process.returncode
