"""The policy and the keys that this host decides by, as files that an administrator keeps where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, TypeVar

from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.trust import Keys, Policy, parse_keys, parse_policy
from fairway.engine.files import write_atomically
from fairway.engine.layout import Layout

T = TypeVar("T")

# They hold no secret, and on a guarded host the deploy user reads what root has written.
_MODE = 0o644


def read_policy(layout: Layout) -> Policy:
    """Return this host's policy; without one nothing is asked for. Raises ``Invalid`` for a broken file."""
    return _read(layout.policy, parse_policy, Policy())


def read_keys(layout: Layout) -> Keys:
    """Return the keys this host was given. Raises ``Invalid`` for a broken file."""
    return _read(layout.keys, parse_keys, Keys())


def write_trust(layout: Layout, *, policy: Policy | None = None, keys: Keys | None = None) -> list[str]:
    """Replace the policy, the keys, or both; return the names of the files whose content changed.

    Raises ``Refused`` when this user may not: on a guarded host only an administrator does.
    """
    wanted = {layout.policy: policy.to_bytes() if policy else None, layout.keys: keys.to_bytes() if keys else None}
    changed = []
    try:
        layout.trust.mkdir(mode=0o755, exist_ok=True)
        for path, content in wanted.items():
            if content is not None and not (path.exists() and path.read_bytes() == content):
                write_atomically(path, content, mode=_MODE)
                changed.append(path.name)
    except PermissionError:
        raise Refused(
            "only an administrator may change what this host goes by",
            why=f"{layout.trust} belongs to root",
            hint="go in as the administrator: environments.<name>.admin in fairway.toml",
        ) from None
    return changed


def _read(path: Path, parse: Callable[[bytes], T], absent: T) -> T:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return absent
    try:
        return parse(content)
    except Invalid as error:
        raise Invalid(
            f"{path} cannot be read: {error.what}",
            why=error.why,
            hint="nothing is deployed on a guess: write it again with fairway bootstrap <environment>",
        ) from None
