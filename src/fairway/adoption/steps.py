"""The operator's way from the existing set-up to Fairway's path and back, with this host's own commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairway.adoption.collisions import Collision, Wanted
from fairway.config import Config, Environment


@dataclass(frozen=True)
class Step:
    """What to do, on which machine, and the commands for it."""

    what: str
    where: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class ManualEdit:
    """A line of nginx's configuration to change by hand: ``old`` to ``new``."""

    file: str
    line: int
    old: str
    new: str


def next_steps(
    survey: dict[str, Any], config: Config, target: Environment, collisions: list[Collision], serves: str | None
) -> list[Step]:
    """Return what to do next, in order; a step that was done already is left out.

    ``serves`` says who has the visitors now, as in the report.
    """
    if collisions:
        return [Step("settle what collides, then look again", "here", (f"fairway adopt {target.name}",))]
    traffic = traffic_steps(survey, target, serves)
    if any(project["fairway"] and project["name"] == config.project for project in survey["projects"]):
        return [_look(config, target), *traffic]
    return [*_preparation(survey, config, target), _deploy(target), _look(config, target), *traffic]


def _preparation(survey: dict[str, Any], config: Config, target: Environment) -> list[Step]:
    path, steps = survey["deploy_path"], []
    if not path["writable"]:
        make = f"sudo install -d -o {survey['user']} -m 755 {target.deploy_path}"
        steps.append(Step("make the deploy directory", "host", (make,)))
    if not path["settings"]:
        file = f"{target.deploy_path}/{config.env.file}"
        required = ", ".join(config.env.required) or "what the application needs"
        what = f"write the new path's own settings: {required}; the existing set-up's file stays where it is"
        steps.append(Step(what, "host", (f"install -m 600 /dev/null {file}", f"editor {file}")))
    if not path["belongs_to"]:
        steps.append(Step("put the engine there, and log the host in", "here", (f"fairway bootstrap {target.name}",)))
    return steps


def _deploy(target: Environment) -> Step:
    ship = f"fairway promote <tag> --to {target.name}" if target.promote_from else f"fairway deploy {target.name} <tag>"
    return Step(f"deploy beside it, on port {target.port}", "here", (ship,))


def _look(config: Config, target: Environment) -> Step:
    ready = f"curl -i http://{published_at(target.port)}{config.readiness.path}"
    return Step("look at it", "host", (ready,))


def traffic_steps(survey: dict[str, Any], target: Environment, serves: str | None) -> list[Step]:
    """Return how traffic is moved, and moved back, by root on the host."""
    if not survey["nginx"]["installed"]:
        return [Step(f"have the reverse proxy forward to {published_at(target.port)}", "host", ())]
    command = f"sudo python3 -I {target.deploy_path}/.fairway/engine/current traffic"
    back = Step("the way back, at any time", "host", (f"{command} to-manual",))
    if serves == "fairway":
        return [back]
    application = survey["application"]
    port = f"--from {application['port'] if application else '<port>'}"
    forward = (f"{command} to-fairway {port} --plan", f"{command} to-fairway {port}")
    return [Step("move traffic: see what changes, then change it", "host", forward), back]


def manual_edits(survey: dict[str, Any], wanted: Wanted) -> list[ManualEdit]:
    """Return the lines to change for those who edit nginx's files themselves."""
    application = survey["application"]
    if application is None:
        return []
    target = published_at(wanted.port)
    return [
        ManualEdit(f["file"], f["line"], f["text"], f["text"].replace(f["address"], target))
        for f in survey["nginx"]["forwards"]
        if f["known"] and f["port"] == application["port"] and f["address"] != target
    ]


def published_at(port: str) -> str:
    """Return the address at which a program on the host itself finds a published port."""
    return port if ":" in port else f"127.0.0.1:{port}"
