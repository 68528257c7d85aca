from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.manifest import ComposeRoles, Migrations
from fairway.engine.contract.names import Slot
from fairway.engine.model import (
    EDGE_SERVICE,
    EdgeMounts,
    Model,
    Naming,
    Placement,
    check_roles,
    is_postgres,
    published_ports,
    restart_policy,
    session_options,
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
    ("written", "runs_with"),
    [
        ({}, "sha-4f4f4f4"),
        ({"SENTRY_RELEASE": ""}, "sha-4f4f4f4"),  # "${SENTRY_RELEASE:-}"
        ({"SENTRY_RELEASE": None}, "sha-4f4f4f4"),  # "SENTRY_RELEASE:", which nothing fills in
        ({"SENTRY_RELEASE": "capakraken@2.1"}, "capakraken@2.1"),
    ],
)
def test_every_part_is_told_for_the_error_tracker_which_release_it_is_unless_the_operator_says(
    model: Model, written: dict[str, Any], runs_with: str
) -> None:
    placement = replace(PLACEMENT, defaults={"SENTRY_RELEASE": "sha-4f4f4f4"})
    for name in ("app", "migrator", "worker"):
        model["services"][name]["environment"] = written
    made = {
        "app": with_slot(model, ROLES, NAMING, Slot.BLUE, placement)["services"][slot_service(Slot.BLUE)],
        "migrator": with_migrator(model, ROLES, NAMING, "1", placement, "")["services"]["migrator"],
        "worker": with_workers(model, ROLES, placement)["services"]["worker"],
    }
    assert {name: one["environment"]["SENTRY_RELEASE"] for name, one in made.items()} == dict.fromkeys(made, runs_with)


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ({"restart": "on-failure:3"}, "on-failure:3"),
        ({"restart": "unless-stopped"}, "always"),  # a killed daemon's containers count as stopped
        ({"deploy": {"restart_policy": {"condition": "any"}}}, "always"),
        ({"deploy": {"restart_policy": {"condition": "none"}}}, "no"),
        ({"restart": "no"}, "no"),
        ({}, "always"),
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


@pytest.mark.parametrize(
    ("networks", "shared"),
    [({"default": None, "manual": None}, "default"), ({"manual": None}, "fairway")],
)
def test_the_edge_keeps_off_a_network_of_somebody_else(model: Model, networks: dict[str, Any], shared: str) -> None:
    model["networks"] = {
        "default": {"name": "capakraken_default"},
        "manual": {"name": "capakraken-prod_default", "external": True},
    }
    model["services"]["app"]["networks"] = networks
    edge = with_edge(model, ROLES, NAMING, MOUNTS)
    slot = with_slot(model, ROLES, NAMING, Slot.BLUE, PLACEMENT)
    assert edge["services"][EDGE_SERVICE]["networks"] == {shared: {"aliases": ["app"]}}
    assert slot["services"][slot_service(Slot.BLUE)]["networks"] == {**networks, shared: None}
    assert shared in edge["networks"]
    assert shared in slot["networks"]


def test_the_edge_sees_none_of_the_settings(model: Model) -> None:
    assert "environment" not in with_edge(model, ROLES, NAMING, MOUNTS)["services"][EDGE_SERVICE]


def test_the_migrator_runs_once_and_is_named_after_its_deployment(model: Model) -> None:
    options = session_options(Migrations(3600.0, 5.0, 900.0, 3), 170002)
    made = with_migrator(model, ROLES, NAMING, "20260131-120000-000000", PLACEMENT, options)
    migrator = made["services"]["migrator"]
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
    with_migrator(model, ROLES, NAMING, "20260131-120000-000000", PLACEMENT, "-c lock_timeout=5000ms")
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


@pytest.mark.parametrize(("version", "checked"), [(None, False), (130012, False), (140000, True), (170002, True)])
def test_a_migrators_session_has_limits_that_its_server_understands(version: int | None, checked: bool) -> None:
    options = session_options(Migrations(3600.0, 5.0, 900.0, 3), version)
    assert options.startswith("-c lock_timeout=5000ms -c statement_timeout=900000ms")
    assert ("client_connection_check_interval=1000ms" in options) is checked


def test_a_database_service_that_is_named_must_be_there(model: Model) -> None:
    check_roles(model, replace(ROLES, database_service="postgres"))
    with pytest.raises(Invalid, match="no service 'db'"):
        check_roles(model, replace(ROLES, database_service="db"))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("postgres:17", True),
        ("postgres", True),
        ("registry.example.com/library/postgres@sha256:ab", True),
        ("postgresql:16-alpine", True),
        ("postgis/postgis:17-3.5", True),
        ("pgvector/pgvector:pg17", True),
        ("timescale/timescaledb-ha:pg17", True),
        ("prom/postgres-exporter:1", False),
        ("redis:8", False),
    ],
)
def test_the_database_is_known_by_its_image(image: str, expected: bool) -> None:
    assert is_postgres(image) is expected
