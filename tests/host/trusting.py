"""What an administrator gives a host to go by, written there directly: a policy, and the keys it believes."""

from __future__ import annotations

import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from fairway.engine.contract.trust import Key, Keys, Policy, PublicKey, Role
from testbed.host import USER
from testbed.workspace import Workspace

_ADDED = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
_MAKE_KEY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1] + "/.fairway/engine/current")
from fairway.engine.gate.signing import host_name, key_name_of, make_evidence_key
from fairway.engine.layout import Layout
print(key_name_of(sys.argv[2], host_name()), make_evidence_key(Layout(Path(sys.argv[1]))))
"""


class Person:
    """Somebody with an SSH key of their own, in a directory of their own."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.key = directory / "id_ed25519"
        directory.mkdir(parents=True, exist_ok=True)
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.key)]
        subprocess.run(argv, check=True)

    def believed_as(self, role: Role) -> Key:
        """Return the entry by which a host believes them."""
        public = PublicKey(self.key.with_suffix(".pub").read_text(encoding="ascii"))
        return Key(name=self.name, role=role, public=public, added=_ADDED)


def evidence_key(work: Workspace, environment: str) -> Key:
    """Make an environment's host its evidence key, where it has none; return the entry by which others believe it."""
    command = shlex.join(["python3", "-I", "-c", _MAKE_KEY, work.deploy_path, environment])
    name, public = work.host(environment).sh(command, user=USER).split(" ", maxsplit=1)
    return Key(name=name, role=Role.HOST, public=PublicKey(public), added=_ADDED, environment=environment)


def trust(work: Workspace, environment: str, policy: Policy, *keys: Key) -> None:
    """Have an environment's host go by this policy and these keys."""
    host, directory = work.host(environment), f"{work.deploy_path}/.fairway/trust"
    host.sh(f"install -d -m 755 -o {USER} -g {USER} {shlex.quote(directory)}")
    for name, content in (("policy", policy.to_bytes()), ("keys", Keys(keys).to_bytes())):
        host.put(f"{directory}/{name}.json", content.decode(), owner=USER)
