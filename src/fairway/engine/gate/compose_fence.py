"""What keeps a container apart from its host, and the keys of a service that take something of it away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fairway.engine.gate.asker import Asker, Check, each, switch
from fairway.engine.gate.rules import Finding
from fairway.engine.gate.shapes import is_set, keys, listed, mapped, named

# What Docker gives a container by itself: dropping all and adding some of these back takes away, it does not add.
_DEFAULT_CAPABILITIES = keys(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID"
    " SETPCAP SETUID SYS_CHROOT"
)
_SECURITY = frozenset(("no-new-privileges", "no-new-privileges:true", "apparmor:docker-default", "seccomp:builtin"))
_SYSCTLS = re.compile(
    r"net\.core\.somaxconn|net\.ipv4\.(?:ip_unprivileged_port_start|ip_local_port_range|tcp_[a-z0-9_]+)"
)
_REAL_TIME = ("rtprio", "rttime", "nice")
# Modes that stay in the project; each key has a rule of its name.
_MODES = {
    "cgroup": ("private",),
    "cgroup_parent": (),
    "ipc": ("none", "private", "shareable", "service:"),
    "network_mode": ("none", "service:"),
    "pid": ("service:",),
    "runtime": (),
    "userns_mode": (),
    "uts": (),
}


def _mode(key: str) -> Check:
    def check(asker: Asker, value: Any) -> Iterator[Finding]:
        mode = str(value or "")
        within = any(mode == own or (own.endswith(":") and mode.startswith(own)) for own in ("", *_MODES[key]))
        if not within:
            yield asker.found(key.replace("_", "-"), mode, says=f"has {key}: {mode}")

    return check


def _isolation(asker: Asker, value: Any) -> Iterator[Finding]:
    if value not in (None, "", "default"):
        yield asker.found("runtime", str(value), says=f"has isolation: {value}")


def _cap_add(asker: Asker, value: Any) -> Iterator[Finding]:
    for item in listed(value, asker.at("cap_add")):
        name = str(item).upper()
        name = name[4:] if name.startswith("CAP_") else name
        if name not in _DEFAULT_CAPABILITIES:
            yield asker.found("cap-add", name, says=f"wants the capability {name}")


def _devices(asker: Asker, value: Any) -> Iterator[Finding]:
    for item in listed(value, asker.at("devices")):
        source = str(item.get("source")) if isinstance(item, dict) else str(item).split(":")[0]
        yield asker.found("devices", source, says=f"wants the device {source}")


def _gpus(asker: Asker, value: Any) -> Iterator[Finding]:
    if is_set(value):
        yield asker.found("devices", "gpu", says="wants the host's GPUs")


def _annotations(asker: Asker, value: Any) -> Iterator[Finding]:
    for name in named(value, asker.at("annotations")):
        yield asker.found("annotations", name, says=f"has the annotation {name} for the runtime")


def _security_opt(asker: Asker, value: Any) -> Iterator[Finding]:
    for item in listed(value, asker.at("security_opt")):
        if str(item).replace("=", ":", 1) not in _SECURITY:
            yield asker.found("security-opt", str(item), says=f"has the security option {item}")


def _sysctls(asker: Asker, value: Any) -> Iterator[Finding]:
    for name in named(value, asker.at("sysctls")):
        if not _SYSCTLS.fullmatch(name):
            yield asker.found("sysctls", name, says=f"sets the kernel parameter {name}")


def _priority(key: str) -> Check:
    def check(asker: Asker, value: Any) -> Iterator[Finding]:
        if is_set(value) and str(value) != "0":
            yield asker.found("priority", key, says=f"has {key}: {value}")

    return check


def _oom_score_adj(asker: Asker, value: Any) -> Iterator[Finding]:
    if not re.fullmatch(r"\+?[0-9]+", str(value or 0)):
        yield asker.found("priority", "oom_score_adj", says=f"has oom_score_adj: {value}")


def _ulimits(asker: Asker, value: Any) -> Iterator[Finding]:
    for name in mapped(value, asker.at("ulimits")):
        if name.lower() in _REAL_TIME:
            yield asker.found("priority", name, says=f"has a ulimit of {name}")


FENCE: dict[str, Check] = {
    **{key: _mode(key) for key in _MODES},
    "annotations": _annotations,
    "cap_add": _cap_add,
    "cpu_rt_period": _priority("cpu_rt_period"),
    "cpu_rt_runtime": _priority("cpu_rt_runtime"),
    "credential_spec": switch("credential-spec", "has a credential_spec"),
    "device_cgroup_rules": each("device-cgroup-rules", "device_cgroup_rules", "may use devices by the rule"),
    "devices": _devices,
    "gpus": _gpus,
    "isolation": _isolation,
    "oom_kill_disable": _priority("oom_kill_disable"),
    "oom_score_adj": _oom_score_adj,
    "privileged": switch("privileged", "is privileged: root in it is root on the host"),
    "security_opt": _security_opt,
    "sysctls": _sysctls,
    "ulimits": _ulimits,
    "use_api_socket": switch("docker-socket", "gets the socket of Docker"),
}
