"""What Compose is told of a stage's services, and what the stage is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fairway.ci.services import Port, override_text, published, reached_at, variables, with_dependencies
from fairway.engine.contract.errors import Invalid

FILE = Path("ci.yml")
RENDERED: dict[str, Any] = {
    "name": "p",
    "services": {
        "app": {"depends_on": {"db": {}, "migrator": {}}, "ports": [{"target": 3000, "published": "3000"}]},
        "migrator": {"depends_on": {"db": {}}},
        "db": {"ports": [{"target": 5432, "protocol": "tcp"}, {"target": 5432, "host_ip": "::1", "protocol": "tcp"}]},
        "other": {},
    },
    "volumes": {"data": {"name": "p_data"}, "shared": {"name": "shared", "external": True}},
}


def test_what_services_depend_on_comes_along() -> None:
    assert with_dependencies(RENDERED, ["app"], FILE) == ["app", "db", "migrator"]


def test_a_service_that_is_not_in_the_file_is_refused() -> None:
    with pytest.raises(Invalid, match=r"ci\.yml has no service 'pg'"):
        with_dependencies(RENDERED, ["pg"], FILE)


def test_a_volume_with_a_name_of_its_own_is_refused_because_it_would_be_removed() -> None:
    named = {**RENDERED, "volumes": {"data": {"name": "production-data"}}}
    with pytest.raises(Invalid, match="the volume data has the name 'production-data'"):
        with_dependencies(named, ["db"], FILE)


def test_docker_chooses_the_ports_on_the_loopback_and_the_names_of_the_containers() -> None:
    ports = {name: published(service) for name, service in RENDERED["services"].items() if name in ("db", "migrator")}
    assert override_text(ports, reached_at({})[1]) == (
        "services:\n"
        '  "migrator":\n    container_name: !reset null\n'
        '  "db":\n    container_name: !reset null\n    ports: !override\n      - "127.0.0.1::5432/tcp"\n'
    )


def test_services_are_reached_where_it_is_said_that_they_are() -> None:
    environ = {"FAIRWAY_CI_SERVICES_HOST": "host.docker.internal", "DOCKER_HOST": "tcp://docker:2375"}
    assert reached_at(environ) == ("host.docker.internal", "")


@pytest.mark.parametrize(
    ("docker_host", "expected"),
    [
        ("", ("127.0.0.1", "127.0.0.1::")),
        ("unix:///run/docker.sock", ("127.0.0.1", "127.0.0.1::")),
        ("tcp://docker:2375", ("docker", "")),
    ],
)
def test_services_are_reached_where_docker_is(docker_host: str, expected: tuple[str, str]) -> None:
    assert reached_at({"DOCKER_HOST": docker_host}) == expected


def test_the_first_port_of_a_service_is_its_port() -> None:
    http, metrics = Port(80, "tcp"), Port(9100, "tcp")
    assert variables({"my-app": (http, metrics)}, {("my-app", http): 1001, ("my-app", metrics): 1002}, "h") == {
        "CI_MY_APP_HOST": "h",
        "CI_MY_APP_PORT": "1001",
        "CI_MY_APP_PORT_80": "1001",
        "CI_MY_APP_PORT_9100": "1002",
    }


def test_a_service_without_a_port_has_no_address() -> None:
    assert variables({"worker": ()}, {}, "h") == {}
