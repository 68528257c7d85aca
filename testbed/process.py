"""The one module of the testbed that runs processes on this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class TestbedError(Exception):
    """Something about the testbed itself went wrong, not about what is tested."""

    __test__ = False  # not a test class, whatever pytest makes of the name


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 120.0,
) -> subprocess.CompletedProcess[str]:
    """Run a process to its end and return what it said.

    Raises ``TestbedError`` with both streams when it takes too long, and, with
    ``check``, when its exit code is not 0.
    """
    command = [str(part) for part in argv]
    shown = " ".join(command)[:300]
    source: dict[str, object] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command,
            check=False,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=None if env is None else dict(env),
            cwd=cwd,
            timeout=timeout_s,
            **source,  # type: ignore[call-overload]
        )
    except subprocess.TimeoutExpired as error:
        said = b"".join(
            part.encode() if isinstance(part, str) else part for part in (error.stdout, error.stderr) if part
        )
        raise TestbedError(f"no end after {timeout_s:g} s: {shown}\n{said.decode(errors='replace')}") from None
    except OSError as error:
        raise TestbedError(f"cannot run {shown}: {error}") from None
    if check and done.returncode != 0:
        raise TestbedError(f"exit code {done.returncode}: {shown}\n{done.stdout}{done.stderr}".rstrip())
    return done
