"""Hand a message over to the program apprise.

The address reaches it in memory, as a configuration that nobody else can open, the body on
standard input: neither is in an argument, in the environment or on the disk. Source:
apprise(1), "Configuration" and "Text based configuration"; its options are those of 0.9.7 and later.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.notifications.addresses import Addresses
from fairway.engine.notifications.plain import lines
from fairway.engine.process import begin, end

PROGRAM = "apprise"
#: A service that has not answered by then is taken for one that is away.
PATIENCE_S = 45.0
_INHERITED = ("PATH", "LANG", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_MAX_SAID = 300
_COMPLAINT = re.compile(r"\S+ \S+ - (?:WARNING|ERROR|CRITICAL) - (.*)")


def require() -> None:
    """Raise ``Failed`` when the host has no apprise."""
    if shutil.which(PROGRAM) is None:
        raise Failed(
            "apprise is not installed on this host",
            why="notifications are sent with it",
            hint="apt-get install apprise, on the host",
        )


def send(addresses: Addresses, key: str, *, kind: str, title: str, body: str, home: Path) -> None:
    """Send a message to the receiver whose address has this key.

    ``home`` is a directory of apprise's own. Raises ``FairwayError`` with apprise's words,
    and never a part of the address, when it was not sent.
    """
    require()
    configuration = os.memfd_create("fairway-notification")
    try:
        os.write(configuration, f"{addresses.of(key)}\n".encode())
        os.lseek(configuration, 0, os.SEEK_SET)
        code, said = _run(command(configuration, kind, title), body, configuration, _environment(home))
    finally:
        os.close(configuration)
    if code != 0:
        words = lines(addresses.clean_of(key)(complaints(said)), _MAX_SAID)
        raise Failed(
            f"apprise could not send to {key}",
            why=words or f"it ended with {code}",
            hint=f"compare the value of {key} in the host's environment file",
        )


def command(configuration: int, kind: str, title: str) -> list[str]:
    """Return how a message is sent by the configuration on this descriptor; the body is on standard input."""
    return [
        PROGRAM,
        "--verbose",
        f"--config=file:///dev/fd/{configuration}?format=text",
        "--input-format=text",
        f"--notification-type={kind}",
        f"--title={title}",
    ]


def complaints(said: str) -> str:
    """Return what apprise complained of, without times and without its help; all it said where that is not seen."""
    found = [match[1] for match in map(_COMPLAINT.match, said.splitlines()) if match]
    return "; ".join(dict.fromkeys(found)) or said


def _run(argv: list[str], body: str, configuration: int, env: dict[str, str]) -> tuple[int, str]:
    process = begin(
        argv,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[configuration],
    )
    try:
        said, _ = process.communicate(body.encode(), timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise Failed("apprise did not finish", why=f"it was given {PATIENCE_S:.0f} s") from None
    finally:
        end(process)
    return process.returncode, said.decode(errors="replace")


def _environment(home: Path) -> dict[str, str]:
    """Return apprise's environment: nothing by which it would find other configurations or addresses."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    env.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    return {**env, "LC_ALL": "C.UTF-8", "HOME": str(home)}


def why(error: FairwayError) -> str:
    """Return an error as one line."""
    return f"{error.what}: {error.why}" if error.why else error.what
