"""What the volumes, networks, secrets and configs of a rendered Compose model ask of the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fairway.engine.contract.manifest import Release
from fairway.engine.gate.asker import label_findings
from fairway.engine.gate.compose_mounts import bind_findings, is_tmpfs, volume_bind
from fairway.engine.gate.paths import Ground
from fairway.engine.gate.rules import Finding, found
from fairway.engine.gate.shapes import is_set, listed, mapped, unknown

_VOLUME = ("name", "driver", "driver_opts", "external", "labels")
_NETWORK = (
    *("name", "driver", "driver_opts", "ipam", "external", "internal"),
    *("enable_ipv4", "enable_ipv6", "attachable", "labels"),
)
_IPAM = ("driver", "config", "options")
_NETWORK_OPTIONS = (
    "com.docker.network.driver.mtu",
    "com.docker.network.bridge.enable_icc",
    "com.docker.network.container_iface_prefix",
)
_FILE = ("name", "file", "content", "environment", "external", "labels", "driver", "driver_opts", "template_driver")


def volume_findings(name: str, value: Any, release: Release, ground: Ground) -> Iterator[Finding]:
    """Give what a volume asks of the host."""
    volume = mapped(value, f"volumes.{name}")
    yield from _unknown(name, "volumes", volume, _VOLUME)
    yield from label_findings(name, "volume", volume.get("labels"), f"volumes.{name}.labels")
    yield from _not_ours("volume", name, volume, ground)
    driver = str(volume.get("driver") or "local")
    options = mapped(volume.get("driver_opts"), f"volumes.{name}.driver_opts")
    bind = volume_bind(options)
    if driver != "local":
        yield found("volume-driver", name, driver, says=f"the volume {name!r} is made by the driver {driver}")
    elif bind is not None:
        yield from bind_findings(bind[0], name, f"the volume {name!r} mounts", release, ground)
    elif options and not is_tmpfs(options):
        device = str(options.get("device") or "options")
        yield found("volume-driver", name, device, says=f"the volume {name!r} has the host mount {device}")


def network_findings(name: str, value: Any, ground: Ground) -> Iterator[Finding]:
    """Give what a network asks of the host."""
    network = mapped(value, f"networks.{name}")
    yield from _unknown(name, "networks", network, _NETWORK)
    yield from label_findings(name, "network", network.get("labels"), f"networks.{name}.labels")
    yield from _not_ours("network", name, network, ground)
    ipam = mapped(network.get("ipam"), f"networks.{name}.ipam")
    yield from _unknown(name, "networks", ipam, _IPAM)
    for driver, usual in ((network.get("driver"), "bridge"), (ipam.get("driver"), "default")):
        if driver not in (None, "", usual):
            yield found("network-driver", name, str(driver), says=f"the network {name!r} has the driver {driver}")
    options = (network.get("driver_opts"), ipam.get("options"))
    for option in (key for one in options for key in mapped(one, f"networks.{name}")):
        if option not in _NETWORK_OPTIONS:
            yield found("network-options", name, option, says=f"the network {name!r} sets {option}")
    for block in listed(ipam.get("config"), f"networks.{name}.ipam.config"):
        subnet = str(mapped(block, f"networks.{name}.ipam.config").get("subnet") or "any")
        yield found("subnet", name, subnet, says=f"the network {name!r} takes the subnet {subnet}")


def file_findings(kind: str, name: str, value: Any, release: Release, ground: Ground) -> Iterator[Finding]:
    """Give what a secret or a config asks of the host."""
    file = mapped(value, f"{kind}s.{name}")
    yield from _unknown(name, f"{kind}s", file, _FILE)
    yield from label_findings(name, kind, file.get("labels"), f"{kind}s.{name}.labels")
    says = f"the {kind} {name!r}"
    if file.get("environment"):
        variable = str(file["environment"])
        yield found("secret-environment", name, variable, says=f"{says} is the variable {variable} of Compose itself")
    drivers = (file.get("driver"), file.get("template_driver"), "options" if file.get("driver_opts") else None)
    for driver in (*drivers, "external" if is_set(file.get("external")) else None):
        if driver:
            yield found("secret-driver", name, str(driver), says=f"{says} comes from {driver}")
    if file.get("file"):
        yield from bind_findings(str(file["file"]), name, f"{says} is the file", release, ground)


def _not_ours(kind: str, name: str, value: Mapping[str, Any], ground: Ground) -> Iterator[Finding]:
    """Somebody else's is one that is external, and one by another name: Compose takes what has that name already."""
    called = str(value.get("name") or f"{ground.project}_{name}")
    if is_set(value.get("external")):
        yield found(
            f"external-{kind}", name, called, says=f"the {kind} {name!r} is {called}, which is not this project's"
        )
    elif called != f"{ground.project}_{name}":
        says = f"the {kind} {name!r} is called {called}, so it may be another project's"
        yield found(f"external-{kind}", name, called, says=says)


def _unknown(name: str, section: str, value: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[Finding]:
    for key in unknown(value, known):
        says = f"{section}.{name} has the key {key!r}, which this version of Fairway does not know"
        yield found("unknown-key", name, key, says=says)
