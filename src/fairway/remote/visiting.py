"""An engine on a host for as long as a connection lasts: a host can be looked at before it is prepared."""

from __future__ import annotations

import contextlib
import subprocess
from typing import Any

from fairway.engine.contract.protocol import Operation
from fairway.remote.engine_archive import build_engine
from fairway.remote.session import EngineMissing, EngineSession
from fairway.remote.transport import Transport

# Runs on the host. The engine comes first on standard input and is kept in memory, so nothing is written there.
_PROGRAM = """
import os, sys
if sys.version_info < (3, 9):
    sys.exit("python3 on this host is older than 3.9")
from pathlib import Path
descriptor = os.memfd_create("fairway-engine")
with open(descriptor, "wb", closefd=False) as file:
    file.write(sys.stdin.buffer.read(int(sys.argv[2])))
sys.path.insert(0, f"/proc/self/fd/{descriptor}")
from fairway.engine.access.ways import Way
from fairway.engine.layout import Layout
from fairway.engine.serve import serve_standard_streams
serve_standard_streams(Layout(Path(sys.argv[1])), Way(sys.argv[3]))
"""


class VisitingSession(EngineSession):
    """Talks to an engine that is gone with the connection and leaves nothing on the host."""

    def _start(self, transport: Transport, deploy_path: str) -> subprocess.Popen[bytes]:
        engine = build_engine().content
        process = transport.start(["python3", "-I", "-c", _PROGRAM, deploy_path, str(len(engine)), self._command])
        assert process.stdin is not None
        # When the other side is gone already, the first call says why.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(engine)
        return process


class VisitingAdminSession(VisitingSession):
    """The same as the administrator: what a host stands on is looked at and made before it has an engine."""

    _command = "admin"


def survey_host(transport: Transport, deploy_path: str, *, project: str, env_file: str) -> dict[str, Any]:
    """Ask a host what runs on it, by its own engine or, when it has none yet, by a visiting one."""
    try:
        with EngineSession(transport, deploy_path) as engine:
            return engine.call(Operation.SURVEY, project=project, env_file=env_file)
    except EngineMissing:
        with VisitingSession(transport, deploy_path) as visitor:
            return visitor.call(Operation.SURVEY, project=project, env_file=env_file)
