"""Bind mounts, however they are spelt: of a service, by a volume's options, as the file of a secret or a config."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from fairway.engine.contract.manifest import Release
from fairway.engine.gate.paths import Ground, is_below, outside, plain_path, reserved, shows_socket
from fairway.engine.gate.rules import Finding, found
from fairway.engine.gate.shapes import is_set, listed, mapped

_BIND_TYPES = ("", "none", "bind")
_BIND_OPTIONS = {"bind", "rbind", "ro", "rw"}


def bind_findings(source: str, of: str, says: str, release: Release, ground: Ground) -> Iterator[Finding]:
    """Give what is wrong with a mount of this source; ``says`` is the sentence before the path."""
    if not source.startswith("/"):
        yield found("host-mount", of, source, says=f"{says} {source or 'nothing'}, which is not a whole path")
        return
    path = plain_path(source)
    if shows_socket(path, ground):
        yield found("docker-socket", of, says=f"{says} {path}: who has Docker's socket has the host")
        if path in ground.sockets:
            return
    real = ground.follow(path)
    if real is None:
        yield found("host-mount", of, path, says=f"{says} {path}, which the engine cannot follow to its end")
    elif (leads := outside(path, ground)) is not None:
        seen = path if leads == path else f"{path}, which leads to {leads}"
        yield found("host-mount", of, leads, says=f"{says} {seen}: outside the deploy path")
    elif path == plain_path(ground.deploy_path) or reserved(path, release, ground):
        yield found("host-mount", of, path, says=f"{says} {path}: it holds Fairway's or the operator's own files")
    for directory in ground.written:
        if any(is_below(one, other) for one in (path, real or path) for other in _names(directory, ground)):
            yield found(
                "nested-mount", of, path, says=f"{says} {path}, below {directory}, which containers may write to"
            )
            return


def volume_bind(options: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Return what a volume's driver options bind, and whether it may be written to; None when they do anything else."""
    kind, device = str(options.get("type") or ""), str(options.get("device") or "")
    flags = {flag for flag in str(options.get("o") or "").split(",") if flag}
    plain = set(options) <= {"type", "o", "device"} and kind in _BIND_TYPES and flags <= _BIND_OPTIONS
    return (device, "ro" not in flags) if plain and flags & {"bind", "rbind"} and device else None


def is_tmpfs(options: Mapping[str, Any]) -> bool:
    """Say whether a volume's driver options only make it one in memory."""
    return set(options) <= {"type", "o", "device"} and options.get("type") == options.get("device") == "tmpfs"


def written_by(model: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the directories of the host that a model's containers may write to."""
    found = []
    for name, service in mapped(model.get("services"), "services").items():
        mounts = listed(mapped(service, f"services.{name}").get("volumes"), f"services.{name}.volumes")
        for mount in (mapped(item, f"services.{name}.volumes") for item in mounts):
            if mount.get("type") == "bind" and not is_set(mount.get("read_only")):
                found.append(plain_path(str(mount.get("source") or "")))
    for name, volume in mapped(model.get("volumes"), "volumes").items():
        bind = volume_bind(mapped(mapped(volume, f"volumes.{name}").get("driver_opts"), f"volumes.{name}"))
        if bind is not None and bind[1]:
            found.append(plain_path(bind[0]))
    return tuple(dict.fromkeys(path for path in found if posixpath.isabs(path)))


def _names(directory: str, ground: Ground) -> tuple[str, str]:
    return directory, ground.follow(directory) or directory
