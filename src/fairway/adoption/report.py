"""All of an adoption in one document: what was found, what collides, what to do."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from fairway.adoption.collisions import Wanted, find_collisions
from fairway.adoption.database import same_database
from fairway.adoption.steps import manual_edits, next_steps, published_at
from fairway.config import Config, Environment
from fairway.engine.contract.errors import FairwayError
from fairway.release.compose import read_model
from fairway.release.docker import find_docker
from fairway.remote.engine_archive import build_engine


def adoption_report(
    config: Config, target: Environment, survey: dict[str, Any], model: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the report that ``fairway adopt --json`` prints; ``model`` is :func:`compose_model`'s."""
    wanted = wanted_by(config, target, model)
    collisions = find_collisions(survey, wanted)
    database = same_database(survey, config, model)
    serves = _serves(survey, wanted)
    return {
        "environment": target.name,
        "clear": not collisions,
        "application": survey["application"],
        "serves": serves,
        "collisions": [asdict(collision) for collision in collisions],
        "steps": [asdict(step) for step in next_steps(survey, config, target, collisions, serves)],
        "manual_edits": [asdict(edit) for edit in ([] if collisions else manual_edits(survey, wanted))],
        "same_database": database.as_json() if database else None,
        "engine_sha256": hashlib.sha256(build_engine().content).hexdigest(),
        "survey": survey,
    }


def wanted_by(config: Config, target: Environment, model: dict[str, Any] | None) -> Wanted:
    """Return what an environment takes on its host."""
    volumes, services = ((model or {}).get(key) or {} for key in ("volumes", "services"))
    return Wanted(
        environment=target.name,
        project=config.project,
        port=target.port,
        deploy_path=target.deploy_path,
        volumes=frozenset(str(v["name"]) for v in volumes.values() if isinstance(v, dict) and v.get("name")),
        containers=frozenset(
            str(s["container_name"]) for s in services.values() if isinstance(s, dict) and s.get("container_name")
        ),
    )


def _serves(survey: dict[str, Any], wanted: Wanted) -> str | None:
    """Say who has the visitors: ``fairway``, ``manual``, or None when nginx tells neither."""
    known = [forward for forward in survey["nginx"]["forwards"] if forward["known"]]
    new = published_at(wanted.port)
    application = survey["application"]
    if application and any(f["port"] == application["port"] and f["address"] != new for f in known):
        return "manual"
    return "fairway" if any(f["address"] == new for f in known) else None


def compose_model(config: Config) -> dict[str, Any] | None:
    """Return the new path's Compose model when this machine can read it: it only sharpens the report."""
    try:
        model = read_model(find_docker(), config)
    except FairwayError:
        return None
    return model if isinstance(model, dict) else None
