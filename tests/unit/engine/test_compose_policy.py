"""What a bundle may ask of a host by itself, and what only by name."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.manifest import Release
from fairway.engine.contract.names import Digest
from fairway.engine.contract.trust import Policy
from fairway.engine.drivers import Launch
from fairway.engine.drivers.compose import ComposeDriver
from fairway.engine.drivers.containers import Containers
from fairway.engine.edge import Edge
from fairway.engine.gate.compose_policy import Ground, model_findings, refuse_unallowed, text_findings
from fairway.engine.gate.compose_service import CHECKS, HARMLESS
from fairway.engine.gate.paths import follow_links, known_sockets, reserved
from fairway.engine.gate.rules import RULES
from fairway.engine.gate.shapes import keys
from fairway.engine.gate.store import read_policy
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.model import Placement
from fairway.engine.redact import Redactor
from fairway.engine.releases import StoredRelease
from scripts import bundle_policy
from scripts.tables import rewritten

HOME = "/opt/capakraken"
GROUND = Ground(HOME, "capakraken", "127.0.0.1:3000")
PINNED = "example.com/db@sha256:" + "0" * 64


@pytest.fixture
def model(release: Release) -> dict[str, Any]:
    """The example's model, its supporting services by digest, as Compose renders it."""
    app = {"image": release.app.reference, "networks": {"default": None}, "command": None, "entrypoint": None}
    port = {"mode": "ingress", "host_ip": "127.0.0.1", "target": 3000, "published": "3000", "protocol": "tcp"}
    return {
        "name": "capakraken",
        "services": {
            "app": {**app, "ports": [port], "depends_on": {"postgres": {"condition": "service_healthy"}}},
            "worker": {**app, "healthcheck": {"disable": True}},
            "migrator": {"image": release.migrator.reference, "networks": {"default": None}, "restart": "no"},
            "postgres": {
                "image": PINNED,
                "volumes": [{"type": "volume", "source": "data", "target": "/data", "volume": {}}],
            },
        },
        "networks": {"default": {"name": "capakraken_default", "ipam": {}}},
        "volumes": {"data": {"name": "capakraken_data"}},
    }


def bind(source: str, **more: Any) -> dict[str, Any]:
    return {"volumes": [{"type": "bind", "source": source, "target": "/x", "bind": {"create_host_path": True}, **more}]}


def ports(**port: Any) -> dict[str, Any]:
    return {"ports": [{"mode": "ingress", "target": 5432, "protocol": "tcp", **port}]}


def gpu(kind: str) -> dict[str, Any]:
    return {"deploy": {"resources": {"reservations": {"devices": [{"capabilities": [kind], "count": 1}]}}}}


# What a service has beside its image, and the names by which a policy would allow it; "" where none can.
REFUSED_OF_A_SERVICE: list[tuple[dict[str, Any], list[str]]] = [
    ({"privileged": True}, ["privileged:worker"]),
    ({"privileged": "true"}, ["privileged:worker"]),
    (bind("/var/run/docker.sock"), ["docker-socket:worker"]),
    (bind("/run/docker.sock", read_only=True), ["docker-socket:worker"]),
    (bind("/run"), ["docker-socket:worker", "host-mount:worker:/run"]),
    (bind("/var/run"), ["docker-socket:worker", "host-mount:worker:/var/run"]),
    (bind("/run/containerd"), ["docker-socket:worker", "host-mount:worker:/run/containerd"]),
    ({"use_api_socket": True}, ["docker-socket:worker"]),
    (bind("/"), ["docker-socket:worker", "host-mount:worker:/"]),
    (bind("//"), ["docker-socket:worker", "host-mount:worker:/"]),
    (bind("/etc"), ["host-mount:worker:/etc"]),
    (bind("/etc", read_only=True), ["host-mount:worker:/etc"]),
    (bind("/srv/my uploads"), ["host-mount:worker:/srv/my%20uploads"]),
    (bind("/opt"), ["host-mount:worker:/opt"]),
    (bind("/opt/capakraken-other"), ["host-mount:worker:/opt/capakraken-other"]),
    (bind("/opt/capakraken/data/../../../etc"), ["host-mount:worker:/etc"]),
    (bind("/opt//./capakraken/../x"), ["host-mount:worker:/opt/x"]),
    (bind("/opt/capakraken"), ["host-mount:worker:/opt/capakraken"]),
    (bind("/opt/capakraken/data/.."), ["host-mount:worker:/opt/capakraken"]),
    (bind("/opt/capakraken/.fairway"), ["host-mount:worker:/opt/capakraken/.fairway"]),
    (bind("/opt/capakraken/x/../.fairway/docker"), ["host-mount:worker:/opt/capakraken/.fairway/docker"]),
    (bind("/opt/capakraken/.env.production"), ["host-mount:worker:/opt/capakraken/.env.production"]),
    (bind("/opt/capakraken/.env"), ["host-mount:worker:/opt/capakraken/.env"]),
    (bind("/opt/capakraken/deploy.env"), ["host-mount:worker:/opt/capakraken/deploy.env"]),
    (
        bind("/opt/capakraken/docker-compose.cicd.yml"),
        ["host-mount:worker:/opt/capakraken/docker-compose.cicd.yml"],
    ),
    (bind("./data"), ["host-mount:worker:./data"]),
    (bind(""), ["host-mount:worker"]),
    (bind("/opt/capakraken/data", bind={"propagation": "rshared"}), ["mount-propagation:worker:/opt/capakraken/data"]),
    (bind("/opt/capakraken/data", bind={"who": 1}), ["unknown-key:worker:volumes.bind.who"]),
    (bind("/opt/capakraken/data", subvolume=1), ["unknown-key:worker:volumes.subvolume"]),
    (
        {"volumes": [*bind(f"{HOME}/data")["volumes"], *bind(f"{HOME}/data/x", read_only=True)["volumes"]]},
        ["nested-mount:worker:/opt/capakraken/data/x"],
    ),
    ({"volumes": [{"type": "npipe", "source": "x"}]}, ["mount-type:worker:npipe"]),
    ({"volumes": [{"type": "cluster", "source": "x"}]}, ["mount-type:worker:cluster"]),
    ({"volumes": [{"type": "image", "source": "nginx:1"}]}, ["undigested-image:worker:nginx:1"]),
    ({"volumes_from": ["container:other"]}, ["volumes-from:worker:container:other"]),
    ({"volumes_from": ["postgres"]}, ["volumes-from:worker:postgres"]),
    ({"cap_add": ["NET_ADMIN", "cap_sys_admin"]}, ["cap-add:worker:NET_ADMIN", "cap-add:worker:SYS_ADMIN"]),
    ({"cap_add": ["ALL"]}, ["cap-add:worker:ALL"]),
    ({"devices": [{"source": "/dev/sda", "target": "/dev/sda"}]}, ["devices:worker:/dev/sda"]),
    ({"devices": ["/dev/kvm:/dev/kvm"]}, ["devices:worker:/dev/kvm"]),
    ({"device_cgroup_rules": ["c 1:3 mr"]}, ["device-cgroup-rules:worker:c%201:3%20mr"]),
    ({"gpus": "all"}, ["devices:worker:gpu"]),
    ({"gpus": [{"count": -1}]}, ["devices:worker:gpu"]),
    (gpu("gpu"), ["devices:worker:gpu"]),
    (
        {"deploy": {"resources": {"reservations": {"generic_resources": [{"discrete_resource_spec": {}}]}}}},
        ["devices:worker:generic"],
    ),
    ({"deploy": {"what": 1}}, ["unknown-key:worker:deploy.what"]),
    ({"security_opt": ["seccomp:unconfined"]}, ["security-opt:worker:seccomp:unconfined"]),
    ({"security_opt": ["apparmor=unconfined"]}, ["security-opt:worker:apparmor=unconfined"]),
    ({"security_opt": ["label=disable"]}, ["security-opt:worker:label=disable"]),
    ({"security_opt": ["systempaths=unconfined"]}, ["security-opt:worker:systempaths=unconfined"]),
    ({"security_opt": ["seccomp=./mine.json"]}, ["security-opt:worker:seccomp=./mine.json"]),
    ({"security_opt": ["no-new-privileges:false"]}, ["security-opt:worker:no-new-privileges:false"]),
    ({"sysctls": {"kernel.shm_rmid_forced": "0"}}, ["sysctls:worker:kernel.shm_rmid_forced"]),
    ({"sysctls": ["net.ipv4.ip_forward=1"]}, ["sysctls:worker:net.ipv4.ip_forward"]),
    ({"network_mode": "host"}, ["network-mode:worker:host"]),
    ({"network_mode": "bridge"}, ["network-mode:worker:bridge"]),
    ({"network_mode": "container:nginx"}, ["network-mode:worker:container:nginx"]),
    ({"pid": "host"}, ["pid:worker:host"]),
    ({"pid": "container:x"}, ["pid:worker:container:x"]),
    ({"ipc": "host"}, ["ipc:worker:host"]),
    ({"ipc": "container:x"}, ["ipc:worker:container:x"]),
    ({"uts": "host"}, ["uts:worker:host"]),
    ({"userns_mode": "host"}, ["userns-mode:worker:host"]),
    ({"cgroup": "host"}, ["cgroup:worker:host"]),
    ({"cgroup_parent": "/"}, ["cgroup-parent:worker:/"]),
    ({"runtime": "sysbox-runc"}, ["runtime:worker:sysbox-runc"]),
    ({"isolation": "process"}, ["runtime:worker:process"]),
    ({"annotations": {"run.oci.hooks": "x"}}, ["annotations:worker:run.oci.hooks"]),
    ({"credential_spec": {"file": "x"}}, ["credential-spec:worker"]),
    ({"oom_kill_disable": True}, ["priority:worker:oom_kill_disable"]),
    ({"oom_score_adj": -500}, ["priority:worker:oom_score_adj"]),
    ({"cpu_rt_runtime": 950000}, ["priority:worker:cpu_rt_runtime"]),
    ({"ulimits": {"rtprio": 99, "nofile": 4096}}, ["priority:worker:rtprio"]),
    ({"external_links": ["other-db:db"]}, ["external-links:worker:other-db:db"]),
    ({"networks": {"default": {"driver_opts": {"x.y": "1"}}}}, ["network-options:worker:x.y"]),
    ({"networks": {"default": {"what": 1}}}, ["unknown-key:worker:networks.what"]),
    (ports(published="5432"), ["published-port:worker:5432"]),
    (ports(published="5432", host_ip="0.0.0.0"), ["published-port:worker:5432"]),
    (ports(published="53", protocol="udp"), ["published-port:worker:53/udp"]),
    (ports(), ["published-port:worker:random"]),
    (ports(published="1", host_ip="127.0.0.1", what=1), ["unknown-key:worker:ports.what"]),
    ({"image": "postgres:17"}, ["undigested-image:worker"]),
    ({"image": "postgres"}, ["undigested-image:worker"]),
    ({"image": "postgres@sha256:12"}, ["undigested-image:worker"]),
    ({"image": "sha256:" + "0" * 64}, ["undigested-image:worker"]),
    ({"image": None}, ["undigested-image:worker"]),
    ({"image": PINNED}, ["other-image:worker"]),
    ({"build": {"context": "."}}, [""]),
    ({"pull_policy": "build"}, [""]),
    ({"pull_policy": "whenever"}, ["unknown-key:worker:pull_policy.whenever"]),
    ({"develop": {"watch": []}}, ["develop:worker"]),
    ({"provider": {"type": "model"}}, ["provider:worker:model"]),
    ({"models": {"llm": None}}, ["models:worker"]),
    ({"post_start": [{"command": ["x"], "privileged": True}]}, ["privileged-hook:worker"]),
    ({"pre_stop": [{"command": ["x"], "privileged": "true"}]}, ["privileged-hook:worker"]),
    ({"pre_stop": [{"command": ["x"], "on_host": True}]}, ["unknown-key:worker:pre_stop.on_host"]),
    ({"logging": {"driver": "syslog"}}, ["logging:worker:syslog"]),
    ({"logging": {"driver": "loki"}}, ["logging:worker:loki"]),
    ({"labels": {"dev.fairway.role": "app"}}, [""]),
    ({"labels": ["com.docker.compose.project=other"]}, [""]),
    ({"deploy": {"labels": {"dev.fairway.x": "1"}}}, [""]),
    ({"container_name": "capakraken-edge"}, [""]),
    ({"container_name": "capakraken-edge-2"}, [""]),
    ({"container_name": "capakraken-app-blue"}, [""]),
    ({"container_name": "capakraken-migrate-20260131-120000-000000"}, [""]),
    ({"networks": {"default": {"aliases": ["fairway-app-green"]}}}, [""]),
    ({"env_file": [{"path": "/etc/secrets.env", "required": True}]}, ["env-file:any:/etc/secrets.env"]),
    ({"label_file": ["/etc/x"]}, ["label-file:any:/etc/x"]),
    ({"extends": {"service": "x", "file": "y"}}, ["unknown-key:worker:extends"]),
    ({"hypervisor": "none"}, ["unknown-key:worker:hypervisor"]),
]


@pytest.mark.parametrize(
    "service",
    [
        {"command": ["npx", "prisma", "db", "push"]},
        {"command": ["sh", "-c", "npx prisma db push --accept-data-loss && exec node ."]},
        {"entrypoint": ["alembic", "stamp", "head"]},
        {"command": "npm run db:push"},
        {"post_start": [{"command": ["prisma", "migrate", "reset", "--force"]}]},
        {"healthcheck": {"test": ["CMD-SHELL", "psql -c 'DROP DATABASE app'"]}},
    ],
    ids=json.dumps,
)
def test_no_policy_allows_what_goes_around_the_migrations(
    model: dict[str, Any], release: Release, service: dict[str, Any]
) -> None:
    model["services"]["migrator"].update(service)
    found = model_findings(model, release, GROUND)
    assert {(one.rule.name, one.name) for one in found} == {("forbidden-command", "")}


@pytest.mark.parametrize(("service", "names"), REFUSED_OF_A_SERVICE, ids=lambda case: json.dumps(case)[:80])
def test_what_takes_more_than_its_container_is_refused(
    model: dict[str, Any], release: Release, service: dict[str, Any], names: list[str]
) -> None:
    model["services"]["worker"].update(service)
    assert [finding.name for finding in model_findings(model, release, GROUND)] == names


REFUSED_OF_A_SECTION: list[tuple[str, dict[str, Any], list[str]]] = [
    ("volumes", {"data": {"name": "x", "external": True}}, ["external-volume:data:x"]),
    ("volumes", {"data": {"name": "capakraken-prod_db"}}, ["external-volume:data:capakraken-prod_db"]),
    ("volumes", {"data": {"driver": "rclone"}}, ["volume-driver:data:rclone"]),
    (
        "volumes",
        {"data": {"driver_opts": {"type": "none", "o": "bind", "device": "/"}}},
        ["docker-socket:data", "host-mount:data:/"],
    ),
    (
        "volumes",
        {"data": {"driver_opts": {"o": "bind,ro", "device": f"{HOME}/a/../../x"}}},
        ["host-mount:data:/opt/x"],
    ),
    ("volumes", {"data": {"driver_opts": {"o": "bind", "device": "data"}}}, ["host-mount:data:data"]),
    ("volumes", {"data": {"driver_opts": {"type": "ext4", "device": "/dev/sda1"}}}, ["volume-driver:data:/dev/sda1"]),
    (
        "volumes",
        {"data": {"driver_opts": {"type": "nfs", "o": "addr=10.0.0.1", "device": ":/x"}}},
        ["volume-driver:data::/x"],
    ),
    ("volumes", {"data": {"driver_opts": {"type": "overlay", "o": "lowerdir=/"}}}, ["volume-driver:data:options"]),
    (
        "volumes",
        {"data": {"driver_opts": {"type": "tmpfs", "device": "/dev/sda"}}},
        ["volume-driver:data:/dev/sda"],
    ),
    ("volumes", {"data": {"labels": {"com.docker.compose.volume": "x"}}}, [""]),
    ("volumes", {"data": {"what": 1}}, ["unknown-key:data:what"]),
    ("volumes", {"_data": {"name": "capakraken__data"}}, [""]),
    ("networks", {"manual": {"name": "prod_default", "external": True}}, ["external-network:manual:prod_default"]),
    ("networks", {"default": {"name": "prod_default"}}, ["external-network:default:prod_default"]),
    ("networks", {"default": {"driver": "macvlan"}}, ["network-driver:default:macvlan"]),
    ("networks", {"default": {"driver": "host"}}, ["network-driver:default:host"]),
    ("networks", {"default": {"ipam": {"driver": "dhcp"}}}, ["network-driver:default:dhcp"]),
    ("networks", {"default": {"ipam": {"config": [{"subnet": "140.82.0.0/16"}]}}}, ["subnet:default:140.82.0.0/16"]),
    (
        "networks",
        {"default": {"driver_opts": {"com.docker.network.bridge.name": "eth0"}}},
        ["network-options:default:com.docker.network.bridge.name"],
    ),
    ("networks", {"default": {"what": 1}}, ["unknown-key:default:what"]),
    ("networks", {"default": {"labels": {"dev.fairway.x": "1"}}}, [""]),
    ("secrets", {"s": {"file": "/etc/shadow"}}, ["host-mount:s:/etc/shadow"]),
    (
        "secrets",
        {"s": {"file": f"{HOME}/.fairway/docker/config.json"}},
        [f"host-mount:s:{HOME}/.fairway/docker/config.json"],
    ),
    ("secrets", {"s": {"environment": "HOME"}}, ["secret-environment:s:HOME"]),
    ("secrets", {"s": {"external": True}}, ["secret-driver:s:external"]),
    ("secrets", {"s": {"driver": "vault"}}, ["secret-driver:s:vault"]),
    ("configs", {"c": {"file": "/etc/passwd"}}, ["host-mount:c:/etc/passwd"]),
    ("configs", {"c": {"content": "x", "template_driver": "golang"}}, ["secret-driver:c:golang"]),
    ("configs", {"c": {"what": "x"}}, ["unknown-key:c:what"]),
    ("models", {"llm": {"model": "ai/x"}}, ["models:llm"]),
    ("services", {"fairway-edge": {"image": PINNED}}, [""]),
    ("services", {"fairway-app-blue": {"image": PINNED}}, [""]),
    ("services", {"edge": {"image": PINNED}}, [""]),
    ("services", {"-x": {"image": PINNED, "privileged": True}}, ["", ""]),
    ("services", {"debug": {"image": PINNED, "profiles": ["debug"], "privileged": True}}, ["privileged:debug"]),
    ("jobs", {}, ["unknown-section:jobs"]),
]


@pytest.mark.parametrize(("section", "value", "names"), REFUSED_OF_A_SECTION, ids=lambda case: json.dumps(case)[:80])
def test_what_is_not_the_project_s_own_is_refused(
    model: dict[str, Any], release: Release, section: str, value: dict[str, Any], names: list[str]
) -> None:
    model.setdefault(section, {}).update(value)
    assert [finding.name for finding in model_findings(model, release, GROUND)] == names


PASSES: list[dict[str, Any]] = [
    {},
    {"command": ["sh", "-c", "exec x"], "entrypoint": ["tini"], "environment": {"A": "1"}, "working_dir": "/app"},
    {"privileged": False, "init": True, "read_only": True, "user": "1000:1000", "tty": False, "stdin_open": False},
    bind(f"{HOME}/uploads"),
    bind(f"{HOME}/./uploads//x"),
    bind(f"{HOME}/config/nginx.conf", read_only=True),
    bind(f"{HOME}/a/../b", bind={"selinux": "z", "recursive": "readonly", "propagation": "rslave"}),
    bind(f"{HOME}/..uploads"),
    {"volumes": [*bind(f"{HOME}/uploads")["volumes"], *bind(f"{HOME}/uploads-old")["volumes"]]},
    {"volumes": [*bind(f"{HOME}/conf", read_only=True)["volumes"], *bind(f"{HOME}/conf/x")["volumes"]]},
    {"volumes": [{"type": "volume", "source": "data", "target": "/d", "read_only": True, "volume": {"nocopy": True}}]},
    {"volumes": [{"type": "volume", "target": "/anonymous"}]},
    {"volumes": [{"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1000"}}]},
    {"volumes": [{"type": "image", "source": PINNED, "target": "/i"}]},
    {"tmpfs": ["/run", "/tmp"], "shm_size": "67108864"},
    {"cap_drop": ["ALL"], "cap_add": ["CHOWN", "cap_setuid", "NET_BIND_SERVICE"]},
    {"security_opt": ["no-new-privileges:true"]},
    {"security_opt": ["no-new-privileges=true", "seccomp=builtin", "apparmor=docker-default"]},
    {"sysctls": {"net.core.somaxconn": "1024", "net.ipv4.tcp_keepalive_time": "60"}},
    {"ulimits": {"nofile": {"soft": 1024, "hard": 4096}, "nproc": 100, "core": 0}},
    {"network_mode": "service:postgres", "networks": None},
    {"network_mode": "none", "networks": None},
    {"pid": "service:postgres", "ipc": "service:postgres"},
    {"ipc": "private", "cgroup": "private", "isolation": "default"},
    {"oom_score_adj": 500, "oom_kill_disable": False, "mem_limit": "1g", "cpus": 0.5, "pids_limit": 100},
    {"blkio_config": {"weight": 300}, "cpu_shares": 512, "cpuset": "0,1"},
    {"extra_hosts": ["host.docker.internal=host-gateway"], "dns": ["10.0.0.53"], "hostname": "worker-1"},
    {"networks": {"default": {"aliases": ["jobs"], "ipv4_address": "172.18.0.9", "priority": 10}}},
    {"labels": {"traefik.enable": "true", "dev.fairwayish": "1"}, "x-note": "mine"},
    {"logging": {"driver": "json-file", "options": {"max-size": "10m"}}},
    {"logging": {"driver": "journald"}},
    {"logging": {}},
    ports(host_ip="127.0.0.1", published="9100"),
    ports(host_ip="::1", published="9100"),
    {"post_start": [{"command": ["x"], "user": "root"}], "pre_stop": [{"command": ["y"], "privileged": False}]},
    {"deploy": {"replicas": 2, "resources": {"limits": {"cpus": "0.5", "memory": "1g"}}, "placement": {}}},
    {"deploy": {"resources": {"reservations": {"memory": "1g"}}, "restart_policy": {"condition": "any"}}},
    {"pull_policy": "missing", "platform": "linux/amd64", "restart": "unless-stopped", "scale": 2},
    {"healthcheck": {"test": ["CMD", "true"], "interval": "1s"}, "stop_grace_period": "15s", "stop_signal": "SIGINT"},
    {"container_name": "capakraken-jobs", "profiles": ["jobs"]},
    {"env_file": [{"path": f"{HOME}/.env.production", "required": True}]},
    {"secrets": [{"source": "s", "target": "/run/secrets/s"}], "configs": [{"source": "c"}]},
    {"group_add": ["1000"], "expose": ["9000"], "links": ["postgres:db"], "attach": False},
]


@pytest.mark.parametrize("service", PASSES, ids=lambda case: json.dumps(case)[:80])
def test_what_stays_in_its_container_and_its_project_passes(
    model: dict[str, Any], release: Release, service: dict[str, Any]
) -> None:
    model["services"]["worker"].update(service)
    assert model_findings(model, release, GROUND) == ()


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("volumes", {"data": {"name": "capakraken_data", "driver": "local", "labels": {"backup": "yes"}}}),
        ("volumes", {"data": {"driver_opts": {"type": "none", "o": "bind", "device": f"{HOME}/data"}}}),
        ("volumes", {"data": {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=100m"}}}),
        ("volumes", {"data": None}),
        ("networks", {"back": {"name": "capakraken_back", "internal": True, "enable_ipv6": True, "ipam": {}}}),
        ("networks", {"default": {"driver": "bridge", "driver_opts": {"com.docker.network.driver.mtu": "1400"}}}),
        ("secrets", {"s": {"name": "capakraken_s", "file": f"{HOME}/secrets/s"}}),
        ("configs", {"c": {"name": "capakraken_c", "content": "x"}}),
        ("services", {"redis": {"image": PINNED}}),
        ("services", {"migrate": {"image": PINNED}}),
        ("x-anything", {"y": 1}),
    ],
)
def test_the_project_s_own_passes(model: dict[str, Any], release: Release, section: str, value: dict[str, Any]) -> None:
    model.setdefault(section, {}).update(value)
    assert model_findings(model, release, GROUND) == ()


@pytest.mark.parametrize(
    ("own", "port", "passes"),
    [
        ("3000", {"published": "3000"}, True),
        ("127.0.0.1:3000", {"published": "3000", "host_ip": "127.0.0.1"}, True),
        ("10.0.0.5:3000", {"published": "3000", "host_ip": "10.0.0.5"}, True),
        ("127.0.0.1:3000", {"published": "3000"}, False),
        ("127.0.0.1:3000", {"published": "3000", "host_ip": "0.0.0.0"}, False),
        ("3000", {"published": "443"}, False),
        ("3000", {"published": "3000", "protocol": "udp"}, False),
        ("3000", {"published": "9229", "target": 9229}, True),  # a slot publishes nothing
    ],
)
def test_the_application_is_published_where_the_host_says(
    model: dict[str, Any], release: Release, own: str, port: dict[str, Any], passes: bool
) -> None:
    model["services"]["app"]["ports"] = [{"mode": "ingress", "target": 3000, "protocol": "tcp", **port}]
    names = [finding.name for finding in model_findings(model, release, replace(GROUND, port=own))]
    assert (names == []) is passes
    assert all(name.startswith("published-port:app:") for name in names)


@pytest.mark.parametrize("where", ["services", "volumes", "networks", "secrets"])
@pytest.mark.parametrize("shape", ["text", 1, ["a"]])
def test_a_model_of_another_shape_is_not_passed_over(
    model: dict[str, Any], release: Release, where: str, shape: Any
) -> None:
    model[where] = shape
    with pytest.raises(Invalid):
        model_findings(model, release, GROUND)
    model[where] = {"x": shape}
    with pytest.raises(Invalid):
        model_findings(model, release, GROUND)


_SEGMENTS = st.sampled_from(["..", ".", "", "data", "etc", "opt", "capakraken", "capakraken-x", ".fairway", "..."])


@given(st.lists(_SEGMENTS, max_size=9), st.sampled_from(["/", "//", HOME, HOME + "/", "/opt/./capakraken//"]))
@example(["..", "..", "etc"], HOME + "/")
@example([], HOME)
def test_no_bind_mount_outside_the_deploy_path_passes_however_it_is_spelt(
    release: Release, parts: list[str], start: str
) -> None:
    source = start + "/".join(parts)
    model: dict[str, Any] = {"services": {"db": {"image": PINNED, **bind(source)}}}
    names = [finding.name for finding in model_findings(model, release, GROUND)]
    # Component by component, as the kernel goes: another way to the same answer.
    walked: list[str] = []
    for part in source.split("/"):
        if part == "..":
            walked = walked[:-1]
        elif part not in ("", "."):
            walked.append(part)
    within = walked[:2] == ["opt", "capakraken"] and len(walked) > 2 and walked[2] != ".fairway"
    assert (names == []) is within
    if not within:
        assert f"host-mount:db:/{'/'.join(walked)}" in names


def test_a_link_out_of_the_deploy_path_is_seen_where_it_leads(
    model: dict[str, Any], release: Release, tmp_path: Path
) -> None:
    home = tmp_path / "deploy"
    (home / ".fairway").mkdir(parents=True)
    (home / "data").symlink_to("/etc")
    (home / "own").symlink_to(".fairway")
    (home / "round").symlink_to("round")
    (home / "good").symlink_to("plain")
    ground = Ground(str(home), "capakraken", "127.0.0.1:3000", follow_links)

    def names(path: str) -> list[str]:
        model["services"]["worker"].update(bind(f"{home}/{path}"))
        return [finding.name for finding in model_findings(model, release, ground)]

    assert names("data") == ["host-mount:worker:/etc"]
    assert names("data/ssl") == ["host-mount:worker:/etc/ssl"]
    assert names("own/docker") == [f"host-mount:worker:{home}/own/docker"]
    assert names("round") == [f"host-mount:worker:{home}/round"]
    assert names("good") == names("not-there-yet") == []


@pytest.mark.parametrize("name", ["config/app.env", "config/app.env.age", "config"])
def test_a_mount_shows_no_environment_file_whatever_it_is_called_and_however_it_is_kept(
    release: Release, name: str
) -> None:
    other = replace(release, env=replace(release.env, file="config/app.env"))
    assert reserved(f"{HOME}/{name}", other, GROUND)
    assert not reserved(f"{HOME}/{name}s", other, GROUND)


def test_a_path_that_the_engine_may_not_look_at_is_not_taken_for_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Path) -> Path:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "readlink", forbidden)
    assert follow_links("/opt/capakraken/data/x") is None


def test_a_deploy_path_that_is_a_link_itself_is_the_deploy_path(
    model: dict[str, Any], release: Release, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "deploy").symlink_to("disk")
    model["services"]["worker"].update(bind(f"{tmp_path}/deploy/data"))
    ground = Ground(f"{tmp_path}/deploy", "capakraken", "127.0.0.1:3000", follow_links)
    assert model_findings(model, release, ground) == ()


def test_what_a_running_container_may_write_to_is_no_ground_for_a_mount(
    model: dict[str, Any], release: Release
) -> None:
    model["services"]["worker"].update(bind(f"{HOME}/data/x"))
    ground = replace(GROUND, written=(f"{HOME}/data",))
    assert [f.name for f in model_findings(model, release, ground)] == [f"nested-mount:worker:{HOME}/data/x"]


def test_the_socket_of_docker_host_is_docker_s_socket(model: dict[str, Any], release: Release) -> None:
    ground = replace(GROUND, sockets=known_sockets("unix:///opt/capakraken/run/docker.sock"))
    model["services"]["worker"].update(bind("/opt/capakraken/run"))
    assert [f.name for f in model_findings(model, release, ground)] == ["docker-socket:worker"]
    assert known_sockets("tcp://10.0.0.1:2375") == known_sockets("")


TEXT = "services:\n  app:\n    image: ${APP_IMAGE}\n"
READS_WELL = [
    "    env_file: .env.production\n",
    "    env_file: .env.production # the host's own\n    image: x\n",
    "    env_file: .env.production\n\n    # a comment\n    image: x\n",
    "    env_file: .env.production\n    <<: *more\n",
    "    env_file: './x.env'\n",
    '    env_file: [.env.production, "config/x.env"]\n',
    "    env_file:\n      - .env.production\n      - path: ./x.env\n        required: false\n    restart: always\n",
    "    env_file:\n    - .env.production\n    # - other\n    restart: always\n",
    "    env_file: &files [.env.production]\n",
    "    env_file: [{path: x.env, required: false}, y.env]\n",
    "    env_file: /opt/capakraken/.env.production\n",
    "  b: {image: x, env_file: .env.production}\n",
    "  b: {env_file: .env.production, image: x}\n",
    "    extends: base\n",
    "    extends: {service: base}\n",
    "    extends:\n      service: base\n    image: x\n",
    "    command: [grep, --include, '*.py', 'what?', '!x']\n",
    "    labels: {a: 'includes: x', my_env_file: y, envfile: z}\n",
    "x-c: &c {A: 1}\nx-d: {<<: *c}\n",
    "    environment: &connections\n      A: b\n    ports:\n      - '*:80'\n",
    '    command: "a \\\\ \\n \\t b"\n',
]


@pytest.mark.parametrize("text", READS_WELL)
def test_a_text_that_reads_only_the_host_s_own_settings_passes(text: str) -> None:
    assert [str(finding) for finding in text_findings(TEXT + text, GROUND)] == []


READS_TOO_MUCH = [
    ("include: [other.yml]\n", "include:any"),
    ("include:\n  - https://github.com/a/b.git\n", "include:any"),
    ("'include' : [x]\n", "include:any"),
    ('{"include":[x]}\n', "include:any"),
    ("<<: {include: [x]}\n", "include:any"),
    ("---\ninclude: [x]\n", "include:any"),
    ("a: 1\rinclude: [x]\n", "include:any"),
    ("a: 1\x85include: [x]\n", "include:any"),
    ("a: 1\u2028include: [x]\n", "include:any"),
    ('"inc\\u006cude": [x]\n', "disguised-key:any:escape"),
    ('"\\x69nclude": [x]\n', "disguised-key:any:escape"),
    ('"\\U00000069nclude": [x]\n', "disguised-key:any:escape"),
    ("!!binary aW5jbHVkZQ==: [x]\n", "disguised-key:any:tag"),
    ("!<tag:yaml.org,2002:binary> aW5jbHVkZQ==: [x]\n", "disguised-key:any:tag"),
    ("%TAG !e! tag:yaml.org,2002:\n---\n!e!binary aW5jbHVkZQ==: [x]\n", "disguised-key:any:directive"),
    ("\ufeff%TAG ! tag:yaml.org,2002:bin\n---\n!ary aW5jbHVkZQ==: [x]\n", "disguised-key:any:directive"),
    ("x-k: &k include\n*k : [x]\n", "disguised-key:any:alias"),
    ("? include\n: [x]\n", "disguised-key:any:question-mark"),
    ("{? include : [x]}\n", "disguised-key:any:question-mark"),
    (TEXT + "    extends: {service: a, file: b.yml}\n", "extends:any:b.yml"),
    (TEXT + "    extends:\n      file: https://x/y.git\n      service: a\n", ""),
    (TEXT + "    extends:\n      file: ../b.yml\n      service: a\n", "extends:any:../b.yml"),
    (TEXT + "    env_file: /etc/app.env\n", "env-file:any:/etc/app.env"),
    (TEXT + "    env_file: ../x.env\n", "env-file:any:/opt/x.env"),
    (TEXT + "    env_file: a/../../../etc/x\n", "env-file:any:/etc/x"),
    (TEXT + '    env_file: "~/.ssh/id_ed25519"\n', "env-file:any:~/.ssh/id_ed25519"),
    (TEXT + "    env_file: ~/.ssh/id_ed25519\n", ""),
    (TEXT + '    env_file: "${FILE}"\n', "env-file:any:${FILE}"),
    (TEXT + "    env_file: ${FILE:-/etc/x}\n", ""),
    (TEXT + "    env_file: .fairway/evidence_key\n", "env-file:any:/opt/capakraken/.fairway/evidence_key"),
    (TEXT + "    env_file: [.env.production, /etc/x]\n", "env-file:any:/etc/x"),
    (TEXT + "    env_file: [{path: /etc/x, required: false}]\n", "env-file:any:/etc/x"),
    (TEXT + "    env_file:\n      - .env.production\n      - /etc/x\n", "env-file:any:/etc/x"),
    (TEXT + "    env_file:\n      - path: /etc/x\n        required: false\n", "env-file:any:/etc/x"),
    (TEXT + "  b: {image: x, env_file: /etc/x}\n", "env-file:any:/etc/x"),
    # What Compose reads as one path, over two lines or past a comma.
    (TEXT + "    env_file: .e\n      /../../../etc/x\n", ""),
    (TEXT + "    env_file: .e\n\n\n      /../../../etc/x\n", ""),
    (TEXT + "    env_file: .e, /../../../etc/x\n", ""),
    (TEXT + "    env_file: foo,\n    labels: a, env_file: .e, /../../x\n", ""),
    ("services: {a: {image: x,\nenv_file: .e\n/../../../etc/x}}\n", ""),
    ("services: {a: {image: x,\n    env_file: .e\n  /../../../etc/x}}\n", ""),
    ("services: {a: {image: x,\n    env_file: .e\n  - /../../../etc/x}}\n", ""),
    ("services: {a: {image: x, env_file: [.e\n/../../../etc/x]}}\n", ""),
    (TEXT + "    env_file: .e\n      }\n      /../../../etc/x\n", ""),
    (TEXT + "    env_file:\n      - .e\n        /../../../etc/x\n", ""),
    (TEXT + "    env_file:\n      - .e\n         - x\n", ""),
    (TEXT + "    env_file: *files\n", ""),
    (TEXT + "    env_file:\n      - *file\n", ""),
    (TEXT + "    env_file: !reset /etc/x\n", ""),
    (TEXT + "    env_file: |\n      /etc/x\n", ""),
    (TEXT + '    "env_file": "/etc\\x2fx"\n', ""),
    (TEXT + "    label_file: /etc/x\n", "label-file:any:/etc/x"),
]


@pytest.mark.parametrize(("text", "name"), READS_TOO_MUCH)
def test_a_text_with_which_compose_would_read_something_else_is_refused(text: str, name: str) -> None:
    assert name in [finding.name for finding in text_findings(text, GROUND)]


@given(st.text(alphabet="env_file: .\n\t-#,{}[]'\"/x&*!?\\u0065", max_size=200))
def test_any_text_is_looked_at_to_its_end(text: str) -> None:
    text_findings(text, GROUND)


def test_a_text_made_to_take_long_does_not() -> None:
    for unit in ("env_file:\n", "env_file: [", "{env_file: a, ", "env_file: a\n", "include:" + " " * 50, "? ", "{ "):
        text_findings(unit * (200_000 // len(unit)), GROUND)


def test_a_link_is_followed_for_what_compose_reads(tmp_path: Path) -> None:
    (tmp_path / "x.env").symlink_to("/etc/shadow")
    ground = Ground(str(tmp_path), "capakraken", "3000", follow_links)
    assert [f.name for f in text_findings(TEXT + "    env_file: x.env\n", ground)] == ["env-file:any:/etc/shadow"]


def test_a_text_that_was_refused_is_never_given_to_compose(
    release: Release, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rendered(*arguments: Any, **options: Any) -> None:
        pytest.fail("it was rendered")

    monkeypatch.setattr("fairway.engine.drivers.compose.run", rendered)
    monkeypatch.setattr(Containers, "of_project", lambda self, project: [])
    host = HostConfig("capakraken", "staging", "3000", "haproxy:3.2", proven_only=False)
    driver = ComposeDriver(layout, host, Edge(layout.edge, layout.edge_run), Redactor({}))
    stored = StoredRelease(Digest.of(b"x"), release, {release.compose.file: b"include: [/etc/other.yml]\n"})
    launch = Launch(stored, {}, Placement({}, {}))
    with pytest.raises(Refused, match="asks for more of this host"):
        driver.judge(launch, Policy())
    with pytest.raises(Refused, match="asks for more of this host"):
        driver.services(launch)


def test_a_policy_allows_by_the_exact_name(model: dict[str, Any], release: Release) -> None:
    model["services"]["worker"].update({"privileged": True, **bind("/srv/uploads")})
    findings = model_findings(model, release, GROUND)
    names = ["privileged:worker", "host-mount:worker:/srv/uploads"]

    def refuse(*allow: str) -> None:
        refuse_unallowed(findings, allow, file="compose.yml", environment="production")

    refuse(*names)
    for partial in (
        [],
        names[:1],
        names[1:],
        ["privileged:app", "host-mount:worker:/srv"],
        ["privileged", "host-mount"],
    ):
        with pytest.raises(Refused) as refused:
            refuse(*partial)
        assert [name for name in names if f"{name}: " in refused.value.why] == [n for n in names if n not in partial]
        assert "[environments.production.policy] allow" in refused.value.hint
        assert "fairway bootstrap production" in refused.value.hint


def test_what_no_policy_can_allow_is_refused_with_every_name_allowed(model: dict[str, Any], release: Release) -> None:
    model["services"]["worker"]["container_name"] = "capakraken-edge"
    findings = model_findings(model, release, GROUND)
    with pytest.raises(Refused) as refused:
        refuse_unallowed(findings, ["", "reserved-name:worker"], file="compose.yml", environment="staging")
    assert "no policy can allow this" in refused.value.why


@pytest.mark.parametrize(
    "service", [service for service, _ in REFUSED_OF_A_SERVICE], ids=lambda case: json.dumps(case)[:60]
)
def test_every_name_can_be_written_in_a_policy(
    model: dict[str, Any], release: Release, service: dict[str, Any]
) -> None:
    model["services"]["worker"].update(service)
    names = tuple(f.name for f in model_findings(model, release, GROUND) if f.name)
    policy = Policy(allow=names)
    assert Policy.parse(Fields(policy.as_json(), "policy")) == policy


def test_a_name_too_long_for_a_policy_cannot_be_allowed(model: dict[str, Any], release: Release) -> None:
    model["services"]["worker"].update(bind("/srv/" + "x" * 600))
    assert [finding.name for finding in model_findings(model, release, GROUND)] == [""]


def test_many_findings_are_shown_up_to_a_limit(model: dict[str, Any], release: Release) -> None:
    model["services"]["worker"]["cap_add"] = [f"X{number}" for number in range(100)]
    with pytest.raises(Refused) as refused:
        refuse_unallowed(model_findings(model, release, GROUND), (), file="c.yml", environment="staging")
    assert refused.value.why.endswith("and 60 more")


# Compose Specification, definitions/service, as of Compose 2.40; "extends" is gone once a file is rendered.
SPECIFIED = keys(
    "annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs"
    " container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares"
    " cpus cpuset credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt"
    " dns_search domainname entrypoint env_file environment expose external_links extra_hosts gpus"
    " group_add healthcheck hostname image init ipc isolation label_file labels links logging mac_address"
    " mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable"
    " oom_score_adj pid pids_limit platform ports post_start pre_stop privileged profiles provider"
    " pull_policy pull_refresh_after read_only restart runtime scale secrets security_opt shm_size"
    " stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user"
    " userns_mode uts volumes volumes_from working_dir"
)


def test_every_key_of_the_specification_is_known() -> None:
    known = HARMLESS | set(CHECKS)
    assert known == SPECIFIED


def test_the_model_is_left_as_it_is(model: dict[str, Any], release: Release) -> None:
    before = copy.deepcopy(model)
    model_findings(model, release, GROUND)
    assert model == before


def test_every_rule_is_described_once() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    page = bundle_policy.PAGE.read_text(encoding="utf-8")
    assert rewritten(page, bundle_policy.render()) == page, "run: make docs"


def test_a_host_without_a_policy_has_the_default(layout: Layout) -> None:
    assert read_policy(layout) == Policy()
    layout.trust.mkdir()
    layout.policy.write_bytes(Policy(allow=("privileged:worker",)).to_bytes())
    assert read_policy(layout).allow == ("privileged:worker",)
    layout.policy.write_text("{}")
    with pytest.raises(Invalid):
        read_policy(layout)
