"""What one service of a rendered Compose model asks of the host. Source: the Compose Specification's schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fairway.engine.contract.forbidden import Found, forbidden_words
from fairway.engine.gate.asker import Asker, Check, each, label_findings, switch
from fairway.engine.gate.compose_fence import FENCE
from fairway.engine.gate.compose_mounts import bind_findings
from fairway.engine.gate.compose_text import read_file
from fairway.engine.gate.rules import Finding
from fairway.engine.gate.shapes import is_set, keys, listed, mapped, unknown

#: What a service may say about itself as it likes: it changes nothing outside its container.
HARMLESS = keys(
    "attach blkio_config cap_drop command configs cpu_count cpu_percent cpu_period cpu_quota cpu_shares"
    " cpus cpuset depends_on dns dns_opt dns_search domainname entrypoint environment expose extra_hosts"
    " group_add healthcheck hostname init links mac_address mem_limit mem_reservation mem_swappiness"
    " memswap_limit pids_limit platform profiles pull_refresh_after read_only restart scale secrets"
    " shm_size stdin_open stop_grace_period stop_signal storage_opt tmpfs tty user working_dir"
)
_DIGESTED = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
_PULL_POLICY = re.compile(r"always|never|missing|if_not_present|refresh|daily|weekly|every_[0-9wdhms]+")
_LOG_DRIVERS = ("", "json-file", "local", "journald", "none")
_ATTACHMENT = keys(
    "aliases driver_opts gw_priority interface_name ipv4_address ipv6_address link_local_ips mac_address priority"
)
_DEPLOY = keys("endpoint_mode labels mode placement replicas resources restart_policy rollback_config update_config")
_PORT = keys("app_protocol host_ip mode name protocol published target")
_HOOK = keys("command environment privileged user working_dir")
_MOUNT = keys("bind consistency image read_only source target tmpfs type volume")
_BIND = keys("create_host_path propagation recursive selinux")


def service_findings(asker: Asker) -> Iterator[Finding]:
    """Give what a service asks of the host beyond a plain application."""
    yield from _names(asker)
    yield from _image(asker)
    yield from _commands(asker)
    for key in unknown(asker.service, HARMLESS):
        value = asker.service[key]
        if key in CHECKS:
            yield from CHECKS[key](asker, value)
        else:
            yield asker.unknown(key)


def _names(asker: Asker) -> Iterator[Finding]:
    """Names under which Fairway finds, and sends traffic to, what it has started itself."""
    project = re.escape(asker.ground.project)
    own = re.compile(rf"fairway-.*|{project}-(?:edge(?:-\d+)?|app-blue|app-green|migrate-\d+-\d+-\d+)")
    container = str(asker.service.get("container_name") or f"{asker.ground.project}-{asker.name}-1")
    names = {asker.name, container, str(asker.service.get("hostname") or "")}
    for network, attachment in mapped(asker.service.get("networks"), asker.at("networks")).items():
        where = asker.at(f"networks.{network}")
        names.update(str(alias) for alias in listed(mapped(attachment, where).get("aliases"), where))
    for name in sorted(filter(own.fullmatch, names)):
        yield asker.found("reserved-name", name, says=f"takes the name {name}, which is Fairway's")


def _image(asker: Asker) -> Iterator[Finding]:
    image, roles = str(asker.service.get("image") or ""), asker.release.compose
    wanted = None
    if asker.name in (roles.app_service, *roles.workers):
        wanted = asker.release.app.reference
    elif asker.name == roles.migrator_service:
        wanted = asker.release.migrator.reference
    if not _DIGESTED.fullmatch(image):
        yield asker.found("undigested-image", says=f"runs {image or 'no image'}, without a digest")
    elif wanted not in (None, image):
        yield asker.found("other-image", says=f"runs {image}, not the release's {wanted}")


def _commands(asker: Asker) -> Iterator[Finding]:
    """What goes around the migrations, wherever a service says what is run."""
    said = [asker.service.get("command"), asker.service.get("entrypoint")]
    said.append(mapped(asker.service.get("healthcheck"), asker.at("healthcheck")).get("test"))
    for key in ("post_start", "pre_stop"):
        hooks = listed(asker.service.get(key), asker.at(key))
        said += [mapped(hook, asker.at(key)).get("command") for hook in hooks]
    for value in said:
        for one in forbidden_in(value):
            yield asker.found("forbidden-command", one.words, says=f"runs {one.words}: {one.why}")


def forbidden_in(command: Any) -> tuple[Found, ...]:
    """Find forbidden commands in a command as Compose and images have it: a text, or a list of arguments."""
    parts = [command] if isinstance(command, str) else command if isinstance(command, list) else []
    return forbidden_words(" ".join(str(part) for part in parts))


def _ports(asker: Asker, value: Any) -> Iterator[Finding]:
    roles = asker.release.compose
    address, _, own = asker.ground.port.rpartition(":")
    for item in listed(value, asker.at("ports")):
        port = mapped(item, asker.at("ports"))
        yield from map(asker.unknown, (f"ports.{key}" for key in unknown(port, _PORT)))
        host, published = str(port.get("host_ip") or ""), str(port.get("published") or "")
        protocol = str(port.get("protocol") or "tcp")
        if host.startswith("127.") or host == "::1":
            continue
        if asker.name == roles.app_service and (host, published, protocol) == (address, own, "tcp"):
            continue
        # The slots publish nothing; the edge takes over the application's own port alone.
        if asker.name == roles.app_service and port.get("target") != roles.app_port:
            continue
        name = (published or "random") + ("" if protocol == "tcp" else f"/{protocol}")
        yield asker.found("published-port", name, says=f"publishes {name} on {host or 'every address'} of the host")


def _networks(asker: Asker, value: Any) -> Iterator[Finding]:
    for network, attachment in mapped(value, asker.at("networks")).items():
        where = asker.at(f"networks.{network}")
        options = mapped(attachment, where)
        yield from map(asker.unknown, (f"networks.{key}" for key in unknown(options, _ATTACHMENT)))
        for option in mapped(options.get("driver_opts"), where):
            yield asker.found("network-options", option, says=f"sets {option} of its part in the network {network}")


def _volumes(asker: Asker, value: Any) -> Iterator[Finding]:
    for item in listed(value, asker.at("volumes")):
        mount = mapped(item, asker.at("volumes"))
        kind, source = str(mount.get("type")), str(mount.get("source") or "")
        yield from map(asker.unknown, (f"volumes.{key}" for key in unknown(mount, _MOUNT)))
        if kind == "bind":
            yield from _bind(asker, source, mapped(mount.get("bind"), asker.at("volumes.bind")))
        elif kind == "image":
            if not _DIGESTED.fullmatch(source):
                yield asker.found("undigested-image", source, says=f"mounts the image {source}, without a digest")
        elif kind not in ("volume", "tmpfs"):
            yield asker.found("mount-type", kind, says=f"has a mount of the type {kind}")


def _bind(asker: Asker, source: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    yield from bind_findings(source, asker.name, f"the service {asker.name!r} mounts", asker.release, asker.ground)
    yield from map(asker.unknown, (f"volumes.bind.{key}" for key in unknown(options, _BIND)))
    if "shared" in str(options.get("propagation") or ""):
        yield asker.found("mount-propagation", source, says=f"shares what it mounts below {source} with the host")


def _deploy(asker: Asker, value: Any) -> Iterator[Finding]:
    deploy = mapped(value, asker.at("deploy"))
    yield from map(asker.unknown, (f"deploy.{key}" for key in unknown(deploy, _DEPLOY)))
    yield from label_findings(asker.name, "service", deploy.get("labels"), asker.at("deploy.labels"))
    resources = mapped(deploy.get("resources"), asker.at("deploy.resources"))
    yield from map(asker.unknown, (f"deploy.resources.{key}" for key in unknown(resources, ("limits", "reservations"))))
    reserved = mapped(resources.get("reservations"), asker.at("deploy.resources.reservations"))
    for device in listed(reserved.get("devices"), asker.at("deploy.resources.reservations.devices")):
        kinds = mapped(device, asker.at("deploy.resources.reservations.devices")).get("capabilities")
        name = ",".join(map(str, listed(kinds, asker.at("deploy")))) or "any"
        yield asker.found("devices", name, says=f"reserves devices of the host ({name})")
    if reserved.get("generic_resources"):
        yield asker.found("devices", "generic", says="reserves generic resources of the host")
    known = ("cpus", "memory", "pids", "devices", "generic_resources")
    yield from map(asker.unknown, (f"deploy.resources.reservations.{key}" for key in unknown(reserved, known)))


def _logging(asker: Asker, value: Any) -> Iterator[Finding]:
    logging = mapped(value, asker.at("logging"))
    yield from map(asker.unknown, (f"logging.{key}" for key in unknown(logging, ("driver", "options"))))
    driver = str(logging.get("driver") or "")
    if driver not in _LOG_DRIVERS:
        yield asker.found("logging", driver, says=f"sends its log to {driver}")


def _hooks(key: str) -> Check:
    def check(asker: Asker, value: Any) -> Iterator[Finding]:
        for item in listed(value, asker.at(key)):
            hook = mapped(item, asker.at(key))
            yield from map(asker.unknown, (f"{key}.{name}" for name in unknown(hook, _HOOK)))
            if is_set(hook.get("privileged")):
                yield asker.found("privileged-hook", says=f"has a privileged {key}")

    return check


def _pull_policy(asker: Asker, value: Any) -> Iterator[Finding]:
    if value == "build":
        yield asker.found("build", says="has pull_policy: build; a host never builds")
    elif not _PULL_POLICY.fullmatch(str(value)):
        yield asker.unknown(f"pull_policy.{value}")


def _provider(asker: Asker, value: Any) -> Iterator[Finding]:
    if value is not None:
        kind = str(mapped(value, asker.at("provider")).get("type"))
        yield asker.found("provider", kind, says=f"has Compose run the host's program {kind}")


def _read_files(rule: str) -> Check:
    """Return a check of files that a version of Compose still shows after it has read them."""

    def check(asker: Asker, value: Any) -> Iterator[Finding]:
        for item in [value] if isinstance(value, str) else listed(value, asker.at(rule)):
            path = item.get("path") if isinstance(item, dict) else item
            yield from read_file(rule, str(path), f"the service {asker.name!r}", asker.ground)

    return check


def _labels(asker: Asker, value: Any) -> Iterator[Finding]:
    return label_findings(asker.name, "service", value, asker.at("labels"))


def _nothing(asker: Asker, value: Any) -> Iterator[Finding]:
    """Judged with the service's other names and its image."""
    return iter(())


#: What is judged, by the key.
CHECKS: dict[str, Check] = {
    **FENCE,
    "build": switch("build", "has 'build:'; a host never builds, it runs the bytes that were tested"),
    "container_name": _nothing,
    "deploy": _deploy,
    "develop": switch("develop", "has 'develop:'"),
    "env_file": _read_files("env-file"),
    "external_links": each("external-links", "external_links", "is linked to another project's"),
    "image": _nothing,
    "label_file": _read_files("label-file"),
    "labels": _labels,
    "logging": _logging,
    "models": switch("models", "has the host run models"),
    "networks": _networks,
    "ports": _ports,
    "post_start": _hooks("post_start"),
    "pre_stop": _hooks("pre_stop"),
    "provider": _provider,
    "pull_policy": _pull_policy,
    "volumes": _volumes,
    "volumes_from": each("volumes-from", "volumes_from", "takes over the mounts of"),
}
