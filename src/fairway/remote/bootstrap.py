"""Put the engine on a host that has none yet, or an older one."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import Any

from fairway.engine.contract.errors import Failed, error_from_json
from fairway.remote.engine_archive import build_engine
from fairway.remote.session import explain_end
from fairway.remote.transport import Transport


def install_engine(transport: Transport, deploy_path: str, deploy_user: str | None = None) -> dict[str, Any]:
    """Upload this version's engine and make it the current one; return whether that changed anything.

    With a ``deploy_user`` the transport is an administrator's, and the engine is kept
    from that user; ``taken_over`` are the files that were theirs before.

    The installer travels on the standard input of the host's ``python3``, so no
    file has to be copied first and nothing is put together for a shell. Raises
    ``Unreachable`` and ``Failed`` with what the host said.
    """
    engine = build_engine()
    payload = {
        "deploy_path": deploy_path,
        "file_name": engine.file_name,
        "content": base64.b64encode(engine.content).decode("ascii"),
        "sha256": hashlib.sha256(engine.content).hexdigest(),
        "deploy_user": deploy_user,
    }
    source = resources.files("fairway.remote").joinpath("installer.py").read_text(encoding="utf-8")
    program = f"{source}\nmain({json.dumps(payload)!r})\n"
    process = transport.start(["python3", "-I", "-"])
    said, errors = process.communicate(program.encode())
    try:
        answer = json.loads(said)
    except ValueError:
        raise explain_end(transport, process.returncode, errors.decode(errors="replace")) from None
    if not isinstance(answer, dict):
        raise Failed(f"{transport.name} gave an answer that is not one of Fairway's")
    if "error" in answer:
        raise error_from_json(answer["error"])
    return answer
