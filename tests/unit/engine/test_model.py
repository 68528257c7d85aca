from __future__ import annotations

import copy
from typing import Any

import pytest

from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.manifest import ComposeRoles
from fairway.engine.contract.names import Slot
from fairway.engine.model import (
    EDGE_SERVICE,
    EdgeMounts,
    Model,
    Naming,
    Placement,
    check_roles,
    published_ports,
    restart_policy,
    slot_service,
    supporting_services,
    with_edge,
    with_migrator,
    with_slot,
    with_workers,
)

ROLES = ComposeRoles("docker-compose.cicd.yml", "app", 3000, "migrator", ("worker",))
NAMING = Naming("capakraken")
PLACEMENT = Placement({"dev.fairway.tag": "sha-4f4f4f4"}, {"FAIRWAY_RELEASE": "sha-4f4f4f4"})
MOUNTS = EdgeMounts("haproxy:3.0", "1000:1000", "/opt/x/.fairway/edge", "/opt/x/.fairway/edge/run")


@pytest.fixture
def model() -> Model:
    """A model as ``docker compose config --format json`` prints it."""
    return {
        "name": "capakraken",
        "services": {
            "app": {
                "image": "ghcr.io/acme/app@sha256:0",
                "environment": {"NEXTAUTH_SECRET": "x"},
                "depends_on": {"migrator": {"condition": "service_completed_successfully"}},
                "ports": [{"mode": "ingress", "target": 3000, "published": "3000", "host_ip": "127.0.0.1"}],
                "networks": {"default": None, "back": {"aliases": ["web"]}},
                "container_name": "web",
                "restart": "unless-stopped",
            },
            "migrator": {
                "image": "m",
                "profiles": ["migrate"],
                "depends_on": {"postgres": {}},
                "restart": "always",
            },
            "worker": {"image": "ghcr.io/acme/app@sha256:0", "depends_on": {"app": {}}},
            "postgres": {"image": "postgres:17", "volumes": [{"type": "volume", "source": "data"}]},
            "redis": {"image": "redis:8", "depends_on": {"postgres": {}}},
            "adminer": {"image": "adminer", "profiles": ["debug"]},
        },
        "volumes": {"data": {}},
    }


def test_a_slot_is_the_application_without_port_name_and_dependencies(model: Model) -> None:
    slot = with_slot(model, ROLES, NAMING, Slot.GREEN, PLACEMENT)["services"][slot_service(Slot.GREEN)]
    assert "ports" not in slot
    assert "depends_on" not in slot
    assert slot["container_name"] == "capakraken-app-green"
    assert slot["networks"] == {"default": None, "back": None}
    assert slot["restart"] == "no"
    assert slot["environment"] == {
        "NEXTAUTH_SECRET": "x",
        "FAIRWAY_RELEASE": "sha-4f4f4f4",
        "FAIRWAY_SLOT": "green",
    }
    assert slot["labels"]["dev.fairway.slot"] == "green"


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ({"restart": "unless-stopped"}, "unless-stopped"),
        ({"deploy": {"restart_policy": {"condition": "any"}}}, "always"),
        ({"deploy": {"restart_policy": {"condition": "none"}}}, "no"),
        ({}, "no"),
    ],
)
def test_the_operators_restart_policy_is_known_however_it_is_written(
    model: Model, written: dict[str, Any], policy: str
) -> None:
    del model["services"]["app"]["restart"]
    model["services"]["app"].update(written)
    assert restart_policy(model, ROLES) == policy


def test_the_edge_has_the_applications_port_networks_and_name(model: Model) -> None:
    edge = with_edge(model, ROLES, NAMING, MOUNTS)["services"][EDGE_SERVICE]
    assert edge["ports"] == model["services"]["app"]["ports"]
    assert edge["networks"] == {"default": {"aliases": ["app"]}, "back": {"aliases": ["app"]}}
    assert edge["user"] == "1000:1000"


def test_the_edge_sees_none_of_the_settings(model: Model) -> None:
    assert "environment" not in with_edge(model, ROLES, NAMING, MOUNTS)["services"][EDGE_SERVICE]


def test_the_migrator_runs_once_and_is_named_after_its_deployment(model: Model) -> None:
    migrator = with_migrator(model, ROLES, NAMING, "20260131-120000-000000", PLACEMENT)["services"]["migrator"]
    assert migrator["restart"] == "no"
    assert "profiles" not in migrator
    assert migrator["container_name"] == "capakraken-migrate-20260131-120000-000000"
    assert migrator["environment"]["PGAPPNAME"] == "fairway-20260131-120000-000000"


def test_no_part_waits_for_a_service_that_is_not_there(model: Model) -> None:
    for made in (
        with_slot(model, ROLES, NAMING, Slot.BLUE, PLACEMENT),
        with_edge(model, ROLES, NAMING, MOUNTS),
    ):
        for service in made["services"].values():
            assert set(service.get("depends_on", {})) <= set(made["services"])


def test_workers_are_marked_as_the_releases(model: Model) -> None:
    worker = with_workers(model, ROLES, PLACEMENT)["services"]["worker"]
    assert worker["labels"]["dev.fairway.role"] == "worker"
    assert worker["environment"]["FAIRWAY_RELEASE"] == "sha-4f4f4f4"


def test_the_operators_model_is_left_as_it_was(model: Model) -> None:
    before = copy.deepcopy(model)
    with_slot(model, ROLES, NAMING, Slot.BLUE, PLACEMENT)
    with_edge(model, ROLES, NAMING, MOUNTS)
    with_migrator(model, ROLES, NAMING, "20260131-120000-000000", PLACEMENT)
    with_workers(model, ROLES, PLACEMENT)
    assert model == before


def test_only_the_database_and_the_cache_are_supporting_services(model: Model) -> None:
    assert supporting_services(model, ROLES) == ["postgres", "redis"]


@pytest.mark.parametrize("service", ["app", "migrator", "worker"])
def test_a_role_without_its_service_is_named(model: Model, service: str) -> None:
    del model["services"][service]
    with pytest.raises(Invalid, match=f"no service '{service}'"):
        check_roles(model, ROLES)


def test_a_host_never_builds(model: Model) -> None:
    model["services"]["redis"]["build"] = {"context": "."}
    with pytest.raises(Refused, match="redis"):
        check_roles(model, ROLES)


@pytest.mark.parametrize("ports", [None, [], [{"target": 9090, "published": "9090"}], [{"target": 3000}]])
def test_an_application_without_a_published_port_is_refused(model: Model, ports: Any) -> None:
    model["services"]["app"]["ports"] = ports
    with pytest.raises(Invalid, match="does not publish port 3000"):
        published_ports(model, ROLES)
