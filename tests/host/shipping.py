"""Deploy a release whose manifest says which migrations it ships, as the test gives them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from testbed.docker import ROOT
from testbed.process import run
from testbed.workspace import Workspace

_SHIP = """
import base64, json, sys
from fairway.cli.context import open_archive, open_engine, whoami
from fairway.cli.deployment import conclude
from fairway.config import load
from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.protocol import Operation

tag, migrations, options = json.loads(sys.argv[1])
config = load()
archive = open_archive(config)
released = archive.get(archive.resolve(tag))
manifest = json.loads(released.manifest_bytes)
manifest["migrations"].update(migrations)
bundle = base64.b64encode(released.bundle).decode()
try:
    with open_engine(config.environment("staging")) as engine:
        result = engine.call(
            Operation.DEPLOY, manifest=json.dumps(manifest), bundle=bundle, by=whoami(), **options
        )
    conclude(result, what=tag[:11], as_json=True)
except FairwayError as error:
    print(error, file=sys.stderr)
    raise SystemExit(error.exit_code)
"""


def migration(identity: str, *parents: str, verdict: str = "expand", words: str = "") -> dict[str, Any]:
    """Return a migration as a manifest has it."""
    return {
        "id": identity,
        "digest": "sha256:" + "0" * 64,
        "verdict": verdict,
        "judged": verdict,
        "words": words,
        "parents": list(parents),
    }


def ship(
    work: Workspace, tag: str, *shipped: dict[str, Any], kind: str = "alembic", check: bool = True, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Deploy the release to staging as one that ships these migrations."""
    asked = json.dumps([tag, {"kind": kind, "shipped": list(shipped)}, options])
    python = ROOT / ".venv" / "bin" / "python"
    return run([python, "-c", _SHIP, asked], check=check, cwd=work.path, env=work.environment, timeout_s=300)
