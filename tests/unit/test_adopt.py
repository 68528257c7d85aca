"""What is made of a host's survey: which project is the application, what collides, what to do."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fairway.adoption.collisions import Wanted, find_collisions
from fairway.adoption.database import same_database
from fairway.adoption.report import adoption_report
from fairway.adoption.steps import manual_edits
from fairway.config import Config, load
from fairway.engine.projects import Port, Project, choose_application, leads_to, read_projects

DIRECTORY = "/srv/capakraken"


def _container(
    service: str, *, project: str = "capakraken-prod", fairway: bool = False, **changes: Any
) -> dict[str, Any]:
    labels = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.project.working_dir": DIRECTORY,
        "com.docker.compose.project.config_files": "-" if fairway else f"{DIRECTORY}/docker-compose.prod.yml",
        **({"dev.fairway.project": project} if fairway else {}),
    }
    ports = changes.pop("ports", {})
    return {
        "Name": f"/{project}-{service}-1",
        "Image": changes.pop("image_id", "sha256:pulled"),
        "State": {"Status": changes.pop("state", "running")},
        "Config": {"Image": changes.pop("image", service), "Labels": labels, "Env": changes.pop("env", [])},
        "HostConfig": {"PortBindings": ports},
        "NetworkSettings": {"Ports": ports, "Networks": {f"{project}_default": {}}},
        "Mounts": changes.pop("mounts", []),
    }


ENV = ["POSTGRES_HOST=db", "POSTGRES_USER=db", "DATABASE_URL=postgresql://db:s3cret@db:5432/db", "TOKEN=s3cret"]
CONTAINERS = [
    _container(
        "app", image_id="sha256:built", env=ENV, ports={"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3000"}]}
    ),
    _container(
        "db", image="postgres:17", mounts=[{"Type": "volume", "Name": "prod_db", "Destination": "/var/lib/postgresql"}]
    ),
    _container("cache", image="redis:8"),
    _container("site", project="blog", image="wordpress", ports={"80/tcp": [{"HostIp": "", "HostPort": "8000"}]}),
]
IMAGES: dict[str, dict[str, Any]] = {
    "sha256:pulled": {"RepoDigests": ["x@sha256:0"]},
    "sha256:built": {"RepoDigests": []},
}


@pytest.fixture
def projects() -> list[Project]:
    return read_projects(CONTAINERS, IMAGES)


@pytest.fixture
def survey(projects: list[Project]) -> dict[str, Any]:
    """What a host with the above and an nginx in front answers."""
    application = choose_application(projects, [("127.0.0.1", 3000)], like="capakraken", containers=CONTAINERS)
    assert application is not None
    forward = {
        "file": "/etc/nginx/nginx.conf",
        "line": 4,
        "text": "proxy_pass http://127.0.0.1:3000;",
        "address": "127.0.0.1:3000",
        "port": 3000,
        "known": True,
    }
    made = {
        "user": "deploy",
        "deploy_path": {
            "path": "/opt/capakraken",
            "real": "/opt/capakraken",
            "exists": False,
            "writable": False,
            "settings": False,
            "belongs_to": None,
        },
        "projects": [project.as_json() for project in projects],
        "application": application.as_json(),
        "nginx": {"installed": True, "invalid": "", "unreadable": [], "forwards": [forward]},
        "listening": [{"address": "127.0.0.1", "port": 3000}, {"address": "", "port": 22}],
    }
    document: dict[str, Any] = json.loads(json.dumps(made))
    return document


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "fairway.toml").write_text(
        'project = "capakraken"\n[images]\napp = "ghcr.io/acme/a-app"\nmigrator = "ghcr.io/acme/a-migrator"\n'
        '[compose]\nworkers = ["worker"]\n'
        '[environments.production]\nhosts = ["deploy@x"]\ndeploy_path = "/opt/capakraken"\nport = "127.0.0.1:3100"\n'
    )
    return load(tmp_path / "fairway.toml")


WANTED = Wanted("production", "capakraken", "127.0.0.1:3100", "/opt/capakraken")


def test_projects_are_read_from_their_containers(projects: list[Project]) -> None:
    blog, prod = projects
    assert (blog.name, prod.name) == ("blog", "capakraken-prod")
    assert prod.config_files == (f"{DIRECTORY}/docker-compose.prod.yml",)
    facts = {service.name: (service.kind, service.built_here) for service in prod.services}
    assert facts == {"app": ("", True), "db": ("postgres", False), "cache": ("redis", False)}
    assert prod.services[0].ports == (Port("127.0.0.1", 3000, 3000),)


def test_no_value_of_a_container_s_environment_leaves_the_host(survey: dict[str, Any]) -> None:
    assert "s3cret" not in json.dumps(survey)
    assert survey["application"]["database"]["settings"] == [
        {"key": "POSTGRES_HOST", "form": "host"},
        {"key": "DATABASE_URL", "form": "url"},
    ]


@pytest.mark.parametrize(
    ("forwarded", "like", "chosen"),
    [
        ([("localhost", 3000)], "shop", "capakraken-prod"),
        ([("127.0.0.1", 8000)], "shop", "blog"),
        ([("127.0.0.1", 8000), ("127.0.0.1", 3000)], "capakraken", "capakraken-prod"),
        ([], "capakraken", "capakraken-prod"),
    ],
)
def test_the_application_is_what_nginx_forwards_to_and_is_named_alike(
    projects: list[Project], forwarded: list[tuple[str, int]], like: str, chosen: str
) -> None:
    found = choose_application(projects, forwarded, like=like)
    assert found is not None
    assert found.project == chosen


def test_nobody_guesses_between_two_that_look_alike() -> None:
    port = {"3000/tcp": [{"HostIp": "", "HostPort": "3000"}]}
    twins = read_projects([_container("app", project=name, ports=port) for name in ("one", "two")], {})
    assert choose_application(twins, [], like="shop") is None


def test_fairway_s_own_project_is_never_the_existing_application() -> None:
    port = {"3000/tcp": [{"HostIp": "", "HostPort": "3000"}]}
    own = read_projects([_container("app", fairway=True, ports=port)], {})
    assert own[0].fairway
    assert choose_application(own, [("127.0.0.1", 3000)], like="capakraken-prod") is None


@pytest.mark.parametrize(
    ("address", "host", "leads"),
    [
        ("", "10.0.0.5", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "10.0.0.5", False),
        ("10.0.0.5", "10.0.0.5", True),
        ("::1", "[::1]", True),
    ],
)
def test_a_forward_leads_to_a_port_that_is_published_where_it_asks(address: str, host: str, leads: bool) -> None:
    assert leads_to(Port(address, 3000, 80), host, 3000) is leads
    assert not leads_to(Port(address, 3001, 80), host, 3000)


def test_the_way_is_clear_beside_it(survey: dict[str, Any]) -> None:
    assert find_collisions(survey, WANTED) == []


@pytest.mark.parametrize(
    ("changes", "what", "fix"),
    [
        ({"project": "capakraken-prod"}, "the Compose project capakraken-prod", 'project = "capakraken-prod-fairway"'),
        ({"port": "3000"}, "the port 3000 is taken", 'port = "127.0.0.1:3100"'),
        ({"port": "127.0.0.1:22"}, "the port 127.0.0.1:22 is taken", 'port = "127.0.0.1:122"'),
        ({"volumes": frozenset({"prod_db"})}, "the volume prod_db is in use", "--same-database"),
        ({"containers": frozenset({"blog-site-1"})}, "a container of blog is named blog-site-1", "container_name"),
    ],
)
def test_a_collision_names_what_to_change(survey: dict[str, Any], changes: Any, what: str, fix: str) -> None:
    (collision,) = find_collisions(survey, replace(WANTED, **changes))
    assert collision.what.startswith(what)
    assert fix in collision.fix


@pytest.mark.parametrize("path", [{"path": DIRECTORY}, {"real": DIRECTORY}])
def test_the_existing_set_up_s_directory_is_not_a_deploy_path(survey: dict[str, Any], path: dict[str, str]) -> None:
    survey["deploy_path"].update(path)
    whats = {collision.what for collision in find_collisions(survey, WANTED)}
    assert whats == {
        f"the deploy path {survey['deploy_path']['path']} is where {name} lives" for name in ("blog", "capakraken-prod")
    }


def test_a_deploy_path_of_another_environment_is_refused(survey: dict[str, Any]) -> None:
    survey["deploy_path"]["belongs_to"] = {"project": "capakraken", "environment": "staging"}
    (collision,) = find_collisions(survey, WANTED)
    assert "capakraken (staging)" in collision.why


def test_a_port_on_another_address_is_free(survey: dict[str, Any]) -> None:
    assert find_collisions(survey, replace(WANTED, port="10.0.0.5:3000")) == []


def test_what_fairway_runs_itself_collides_with_nothing(survey: dict[str, Any]) -> None:
    port = {"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3100"}]}
    own = read_projects([_container("fairway-edge", project="capakraken", fairway=True, ports=port)], {})
    survey["projects"] += [project.as_json() for project in own]
    survey["listening"].append({"address": "127.0.0.1", "port": 3100})
    survey["deploy_path"]["belongs_to"] = {"project": "capakraken", "environment": "production"}
    assert find_collisions(survey, WANTED) == []


def test_the_lines_for_the_same_database_name_its_network_and_its_container(
    survey: dict[str, Any], config: Config
) -> None:
    model = {"services": {"app": {}, "db": {"image": "postgres:17"}, "cache": {"image": "redis:8"}}}
    found = same_database(survey, config, model)
    assert found is not None
    assert (found.network, found.host) == ("capakraken-prod_default", "capakraken-prod-db-1")
    assert "    external: true\n    name: capakraken-prod_default" in found.compose
    assert "  worker:\n    networks: [default, manual]" in found.compose
    assert found.env == (
        "POSTGRES_HOST=capakraken-prod-db-1",
        "DATABASE_URL=postgresql://<user>:<password>@capakraken-prod-db-1:5432/<database>",
    )
    assert found.leave_out == ("db",)
    assert any("call yours capakraken-cache-1" in note for note in found.notes)
    assert any('["external-network:manual:capakraken-prod_default"]' in note for note in found.notes)


@pytest.mark.parametrize(("address", "hint"), [("127.0.0.1", True), ("", False)])
def test_a_database_on_the_host_itself_is_reached_by_its_gateway(
    survey: dict[str, Any], config: Config, address: str, hint: bool
) -> None:
    survey["application"]["database"] = None
    survey["listening"].append({"address": address, "port": 5432})
    found = same_database(survey, config, None)
    assert found is not None
    assert 'extra_hosts: ["host.docker.internal:host-gateway"]' in found.compose
    assert any("listen_addresses" in note for note in found.notes) is hint


def test_without_a_database_there_is_nothing_to_share(survey: dict[str, Any], config: Config) -> None:
    survey["application"] = None
    assert same_database(survey, config, None) is None


def test_those_who_edit_nginx_themselves_get_the_two_lines(survey: dict[str, Any]) -> None:
    (edit,) = manual_edits(survey, WANTED)
    assert (edit.file, edit.line) == ("/etc/nginx/nginx.conf", 4)
    assert edit.new == "proxy_pass http://127.0.0.1:3100;"


def test_steps_that_were_taken_are_left_out(survey: dict[str, Any], config: Config) -> None:
    target = config.environment("production")
    first = adoption_report(config, target, copy.deepcopy(survey), None)
    assert (first["clear"], first["serves"]) == (True, "manual")
    commands = [command for step in first["steps"] for command in step["commands"]]
    assert commands[0] == "sudo install -d -o deploy -m 755 /opt/capakraken"
    assert "fairway bootstrap production" in commands
    assert commands[-1].endswith("/opt/capakraken/.fairway/engine/current traffic to-manual")

    own = read_projects([_container("fairway-edge", project="capakraken", fairway=True)], {})
    survey["projects"] += [project.as_json() for project in own]
    survey["nginx"]["forwards"][0].update(address="127.0.0.1:3100", port=3100)
    moved = adoption_report(config, target, survey, None)
    assert moved["serves"] == "fairway"
    assert [step["what"] for step in moved["steps"]] == ["look at it", "the way back, at any time"]


def test_what_collides_comes_before_anything_else(survey: dict[str, Any], config: Config) -> None:
    survey["deploy_path"]["path"] = DIRECTORY
    report = adoption_report(config, config.environment("production"), survey, None)
    assert not report["clear"]
    assert [step["commands"] for step in report["steps"]] == [("fairway adopt production",)]
    assert report["manual_edits"] == []
