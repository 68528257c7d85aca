"""Runs on a host, from standard input: gives it a past of many deployments.

``past.py DEPLOY_PATH COUNT``. Each is the newest real one over again, with a time, a
tag and a release of its own: its directory is copied, its entry is written into the
ledger by the host's own engine, so that the chain holds.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path
from typing import Any

# What the ledger itself gives an entry.
_OF_THE_LEDGER = ("n", "at", "prev", "hash")


def invent(deploy_path: Path, count: int) -> None:
    """Have ``count`` deployments more in the ledger and the directory of deployments, all older than the real one."""
    from fairway.engine.journal import latest_deployment
    from fairway.engine.layout import Layout
    from fairway.engine.ledger import Ledger

    layout = Layout(deploy_path)
    ledger, real = Ledger(layout.ledger), latest_deployment(layout)
    assert real is not None
    entry = ledger.entry_of(real)
    assert entry is not None
    facts = {key: value for key, value in entry.items() if key not in _OF_THE_LEDGER}
    for number in range(count):
        name = hashlib.sha256(str(number).encode()).hexdigest()
        identity = f"20200101-{number // 3600:02}{number // 60 % 60:02}{number % 60:02}-000000"
        changed = {"deployment": identity, "tag": f"sha-{name[:40]}", "release": f"sha256:{name}"}
        _copy(layout.deployment(real), layout.deployment(identity), {str(facts[key]): changed[key] for key in changed})
        ledger.append(**{**facts, **changed})


def _copy(source: Path, target: Path, changes: dict[str, Any]) -> None:
    shutil.copytree(source, target)
    for file in target.rglob("*.json*"):
        text = file.read_text(encoding="utf-8")
        for old, new in changes.items():
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, f"{sys.argv[1]}/.fairway/engine/current")
    invent(Path(sys.argv[1]), int(sys.argv[2]))
