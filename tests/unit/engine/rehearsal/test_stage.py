"""The stage of a rehearsal: what of the operator's services is on it, and that no way leads off it."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.engine.contract.manifest import ComposeRoles
from fairway.engine.model import EDGE_SERVICE, EdgeMounts, Model, Placement, slot_service
from fairway.engine.rehearsal.naming import LABEL, LABEL_OF, Naming
from fairway.engine.rehearsal.stage import (
    DATABASE_SERVICE,
    MIGRATOR_SERVICE,
    SLOT,
    Copy,
    Elsewhere,
    Part,
    build,
    redirected,
    supporting,
)

ROLES = ComposeRoles("docker-compose.cicd.yml", "app", 3000, "migrator", ("worker",))
NAMING = Naming("shop", "20260131-120000-000000")
APP = slot_service(SLOT)
KINDS = {"/opt/shop/ca.pem": "file", "/opt/shop/conf": "directory", "/srv/uploads": "directory"}


def _model(**app: Any) -> Model:
    return {
        "name": "shop",
        "services": {
            "app": {"image": "ghcr.io/acme/app@sha256:0", "environment": {"NEXTAUTH_SECRET": "x"}, **app},
            "migrator": {"image": "m", "environment": {"A": "b"}, "depends_on": {"db": {}}, "restart": "always"},
            "worker": {"image": "ghcr.io/acme/app@sha256:0"},
            "db": {"image": "postgres:17", "container_name": "shop-db", "volumes": [{"type": "volume", "source": "d"}]},
            "redis": {"image": "redis:8", "networks": {"default": {"aliases": ["cache"]}}, "ports": [{"target": 6379}]},
        },
        "volumes": {"d": {}},
        "secrets": {"key": {"file": "/opt/shop/key"}},
    }


def _build(model: Model | None = None, *, first: bool = False, elsewhere: Elsewhere | None = None) -> Model:
    new = Part(_model(), ROLES, Placement({}, {"FAIRWAY_RELEASE": "new"}))
    before = None if first else Part(model or _model(), ROLES, Placement({}, {"FAIRWAY_RELEASE": "old"}))
    return build(
        NAMING,
        new=new,
        before=before,
        copy_of=Copy("postgres:17", "shop", "secret"),
        edge=EdgeMounts("haproxy:3.0", "1000:1000", "/opt/shop/e", "/opt/shop/e/run"),
        options="-c lock_timeout=5000ms",
        elsewhere=elsewhere,
        kind=lambda path: KINDS.get(path, "other"),
    )


def test_everything_is_on_one_network_that_leads_nowhere_and_bears_the_labels() -> None:
    stage = _build()
    assert stage["networks"]["default"]["internal"] is True
    assert stage["networks"]["default"]["labels"] == {LABEL: "shop", LABEL_OF: NAMING.id}
    assert set(stage["services"]) == {"redis", MIGRATOR_SERVICE, DATABASE_SERVICE, APP, EDGE_SERVICE}
    for service in stage["services"].values():
        assert service["labels"] == {LABEL: "shop", LABEL_OF: NAMING.id}
        assert set(service["networks"]) == {"default"}
        assert service["restart"] == "no"
        assert service["container_name"].startswith(f"shop-rehearsal-{NAMING.id}-")
        assert not set(service) & {"ports", "depends_on", "network_mode", "extra_hosts", "devices", "privileged"}
    assert supporting(stage) == ["redis"]


@pytest.mark.parametrize(
    "way_off",
    [
        {"network_mode": "host"},
        {"extra_hosts": ["db=10.0.0.5"]},
        {"external_links": ["other"]},
        {"dns": ["10.0.0.2"]},
        {"pid": "host", "ipc": "host", "privileged": True, "devices": ["/dev/kvm"]},
        {"logging": {"driver": "syslog", "options": {"syslog-address": "tcp://logs:514"}}},
        {"networks": {"manual": None}},
        {"volumes_from": ["container:shop-db"]},
    ],
)
def test_what_would_lead_off_the_stage_does_not_come_along(way_off: dict[str, Any]) -> None:
    assert _build(_model(**way_off))["services"][APP] == _build()["services"][APP]


@pytest.mark.parametrize(
    ("mount", "instead"),
    [
        (
            {"type": "bind", "source": "/opt/shop/ca.pem", "target": "/ca.pem"},
            {"type": "bind", "source": "/opt/shop/ca.pem", "target": "/ca.pem", "read_only": True},
        ),
        (
            {"type": "bind", "source": "/opt/shop/conf", "target": "/conf", "read_only": True},
            {"type": "bind", "source": "/opt/shop/conf", "target": "/conf", "read_only": True},
        ),
        # What is written to, and the socket of what really serves.
        ({"type": "bind", "source": "/srv/uploads", "target": "/uploads"}, {"type": "volume", "target": "/uploads"}),
        (
            {"type": "bind", "source": "/run/postgresql/.s.PGSQL.5432", "target": "/s", "read_only": True},
            {"type": "volume", "target": "/s"},
        ),
        ({"type": "volume", "source": "d", "target": "/data"}, {"type": "volume", "target": "/data"}),
    ],
)
def test_what_is_mounted_is_read_or_empty(mount: dict[str, Any], instead: dict[str, Any]) -> None:
    assert _build(_model(volumes=[mount]))["services"][APP]["volumes"] == [instead]


def test_the_copy_is_found_under_every_name_of_the_database_and_asks_for_a_password() -> None:
    copy = _build()["services"][DATABASE_SERVICE]
    assert copy["networks"] == {"default": {"aliases": ["db", "shop-db"]}}
    assert copy["environment"]["POSTGRES_HOST_AUTH_METHOD"] == "md5"
    assert "volumes" not in copy
    assert _build()["services"]["redis"]["networks"] == {"default": {"aliases": ["cache"]}}


def test_the_migrator_is_the_new_releases_with_its_session_and_the_application_the_one_before() -> None:
    services = _build()["services"]
    migrator, app = services[MIGRATOR_SERVICE]["environment"], services[APP]["environment"]
    assert (migrator["PGAPPNAME"], migrator["PGOPTIONS"]) == (f"fairway-{NAMING.id}", "-c lock_timeout=5000ms")
    assert (migrator["FAIRWAY_RELEASE"], app["FAIRWAY_RELEASE"]) == ("new", "old")
    assert (app["NEXTAUTH_SECRET"], app["FAIRWAY_REHEARSAL"]) == ("x", "true")


def test_before_the_first_release_nobody_is_asked() -> None:
    assert set(_build(first=True)["services"]) == {"redis", MIGRATOR_SERVICE, DATABASE_SERVICE}


OUTSIDE = Elsewhere("DATABASE_URL", "db.example.com")


@pytest.mark.parametrize(
    ("value", "there"),
    [
        (
            "postgresql://shop:p%40ss@db.example.com:6432/shop?sslmode=require&schema=app",
            f"postgresql://shop:p%40ss@{DATABASE_SERVICE}:5432/shop?schema=app",
        ),
        ("postgres://shop@DB.example.com/shop", f"postgres://shop@{DATABASE_SERVICE}:5432/shop"),
        ("postgresql+psycopg://s:p@db.example.com/shop", f"postgresql+psycopg://s:p@{DATABASE_SERVICE}:5432/shop"),
        (
            "postgresql://s:p@localhost/shop?host=db.example.com",
            f"postgresql://s:p@{DATABASE_SERVICE}:5432/shop",
        ),
        ("postgresql://s:p@other.example.com/shop", "postgresql://s:p@other.example.com/shop"),
        ("https://db.example.com/", "https://db.example.com/"),
        ("postgres://[", "postgres://["),
    ],
)
def test_a_url_of_a_database_elsewhere_is_made_one_of_the_copy(value: str, there: str) -> None:
    assert redirected({"DATABASE_URL": value}, OUTSIDE) == {"DATABASE_URL": there}


def test_libpqs_own_variables_are_too_and_the_name_of_the_server_is_the_copys() -> None:
    outside = Elsewhere("PGHOST", "db.example.com")
    found = redirected({"PGHOST": "db.example.com", "PGPORT": "6432", "PGSSLMODE": "require", "X": None}, outside)
    assert found == {"PGHOST": DATABASE_SERVICE, "PGPORT": "5432", "PGSSLMODE": "disable", "X": None}
    copy = _build(elsewhere=outside)["services"][DATABASE_SERVICE]
    assert "db.example.com" in copy["networks"]["default"]["aliases"]
