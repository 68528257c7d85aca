"""What an administrator keeps on this host, told and changed: its policy, the keys it believes, its own key."""

from __future__ import annotations

import os
from typing import Any

from fairway.engine.access import authorized
from fairway.engine.access.guard import examine
from fairway.engine.contract.errors import Failed, Locked, Refused
from fairway.engine.contract.protocol import Outcome
from fairway.engine.contract.trust import Keys, Policy
from fairway.engine.gate.signing import host_name, key_name_of, public_key, renew_evidence_key
from fairway.engine.gate.store import read_keys, read_policy, write_trust
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import Lock
from fairway.engine.ownership import as_deploy_user, deploy_owner

_LOCK_PATIENCE_S = 5.0


def tell_trust(layout: Layout, host: HostConfig) -> dict[str, Any]:
    """Return what this host goes by, its own public key, and who keeps it all."""
    guard = examine(layout)
    with as_deploy_user(layout):
        public = public_key(layout)
    name = key_name_of(host.environment, host_name())
    return {
        "policy": read_policy(layout).as_json(),
        "keys": read_keys(layout).as_json(),
        "evidence_key": None if public is None else {"name": name, "public": public},
        "kept_by": guard.kept_by,
        "guarded": guard.guarded,
        "open": guard.why,
        "shell_keys": authorized.shell_keys(layout),
    }


def set_trust(
    layout: Layout, host: HostConfig, *, by: str, policy: Policy | None, keys: Keys | None, new_evidence_key: bool
) -> dict[str, Any]:
    """Change what this host goes by; return what changed, and lines for whoever changed it.

    It takes effect at once, a deployment that runs notwithstanding. Raises ``Refused``
    when this user may not, and when nobody could log in any more.
    """
    _refuse_powerless(layout)
    known = layout.keys.exists()
    before = read_keys(layout)
    if keys is not None:
        refuse_revived(before, keys)
    changed = []
    if new_evidence_key:
        with as_deploy_user(layout):
            renew_evidence_key(layout)
        changed.append("evidence_key")
    # The way in first: a key that is not believed any more must not open a connection a moment longer.
    notes = authorized.update(layout, host, keys, by_admin=_is_admin(layout)) if keys is not None else []
    changed += write_trust(layout, policy=policy, keys=keys)
    if changed and known:
        notes += _on_record(layout, by, changed, before, keys or before)
    return {"changed": changed, "notes": notes}


def refuse_revived(before: Keys, after: Keys) -> None:
    """Raise ``Refused`` when a key that was revoked would be believed again, by whoever read the keys earlier."""
    revoked = {(key.public, key.role): key for key in before.keys if key.revoked is not None}
    for key in after.keys:
        if key.revoked is None and (key.public, key.role) in revoked:
            raise Refused(
                f"the key of {key.name} as {key.role.value} was revoked on this host",
                why=f"at {revoked[key.public, key.role].revoked}; perhaps by somebody else, a moment ago",
                hint="look again: fairway keys list <environment>",
            )
    kept = {(key.public, key.role) for key in after.keys}
    for public, role in revoked:
        if (public, role) not in kept:
            raise Refused(
                f"a revoked key of {revoked[public, role].name} would be forgotten",
                why="it stays known as revoked",
                hint="look again: fairway keys list <environment>",
            )


def _refuse_powerless(layout: Layout) -> None:
    place = layout.trust if layout.trust.exists() else layout.root
    if not os.access(place, os.W_OK):
        raise Refused(
            "only an administrator may change what this host goes by",
            why=f"{place} cannot be written by this user",
            hint="go in as the administrator: environments.<name>.admin in fairway.toml",
        )


def _is_admin(layout: Layout) -> bool:
    return os.geteuid() == 0 and deploy_owner(layout).st_uid != 0


def _on_record(layout: Layout, by: str, changed: list[str], before: Keys, after: Keys) -> list[str]:
    facts = {"changed": changed, **_differences(before, after)}
    with as_deploy_user(layout):
        try:
            lock = Lock.acquire(layout.lock, by=by, purpose="a change of keys", wait_s=_LOCK_PATIENCE_S)
        except Locked as error:
            return [f"it is not in the ledger, as {error.why or error.what}"]
        try:
            Ledger(layout.ledger).append(action="trust", by=by, outcome=Outcome.SUCCEEDED.value, **facts)
        except Failed as error:
            return [f"it is not in the ledger: {error.what}"]
        finally:
            lock.release()
    return []


def _differences(before: Keys, after: Keys) -> dict[str, list[str]]:
    """Name the keys that came, and those that ended."""
    old = {(key.public, key.role) for key in before.keys if key.valid}
    new = {(key.public, key.role) for key in after.keys if key.valid}
    added = [f"{key.name} ({key.role.value})" for key in after.keys if (key.public, key.role) in new - old]
    ended = [f"{key.name} ({key.role.value})" for key in before.keys if (key.public, key.role) in old - new]
    return {name: found for name, found in (("added", added), ("ended", ended)) if found}
