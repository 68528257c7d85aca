"""Which files ``fairway init`` writes, and what is in each."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from fairway.config.environment import VARIABLES, default_prefix
from fairway.config.requires import suggested
from fairway.workflows import pins
from fairway.workflows.answers import Answers, Provider
from fairway.workflows.model import Pipeline
from fairway.workflows.rendering import render
from fairway.workflows.survey import NodeBuild, PythonBuild, Stack, Stage, Survey
from fairway.workflows.tree import Tree

NOTE = "tooling/deploy/README.md"
KNOWN_HOSTS = "tooling/deploy/known_hosts"
_IGNORED = (".env.production", "deploy.env", ".fairway/", "reports/")
_SECRETS = {
    "SSH_HOST": "the host",
    "SSH_PORT": "its SSH port",
    "SSH_USER": "the deploy user",
    "SSH_KEY": "the text of that user's private key",
    "DEPLOY_PATH": "the directory on the host",
    "APP_HOST_PORT": "where the application is published there",
    "GHCR_USERNAME": "what the host logs in to the registry with, to pull",
    "GHCR_TOKEN": "its token, which needs to read packages only",
}


class Kind(enum.Enum):
    """Whose a file is once it is written."""

    #: Follows ``fairway.toml``: brought up to date until a person changes it.
    KEPT = "kept"
    #: A beginning, the team's own from then on.
    BEGUN = "begun"


@dataclass(frozen=True)
class File:
    """A file as it is to be."""

    path: str
    text: str
    kind: Kind
    executable: bool = False


@dataclass(frozen=True)
class _Target:
    name: str
    prefix: str
    host: str
    promote_from: str | None


def needed_images(survey: Survey, tree: Tree) -> dict[str, str]:
    """Return the images of others that the files of a repository name, by their names in ``pins``."""
    names = [*(["postgres"] if survey.postgres else []), *(["redis"] if survey.redis else [])]
    if isinstance(survey.build, PythonBuild):
        names.append("python")
    elif isinstance(survey.build, NodeBuild):
        names.append("node")
    elif survey.stack is Stack.RAILS:
        names.append("ruby")
    elif not tree.has("Dockerfile"):
        names.append("debian")
    return {name: pins.IMAGES[name] for name in names}


def begun_files(
    survey: Survey, answers: Answers, tree: Tree, images: Mapping[str, str] = pins.IMAGES
) -> tuple[File, ...]:
    """Return the files that are the team's own once they are there. ``images`` are those of others that they name."""
    survey = replace(survey, stages=_stages(survey, answers))
    services = (*(("postgres",) if survey.postgres else ()), *(("redis",) if survey.redis else ()))
    required = (*(("POSTGRES_PASSWORD",) if survey.postgres else ()), *survey.env_required)
    required = tuple(dict.fromkeys(required))
    values = {
        "a": answers,
        "s": survey,
        "services": services,
        "workers": survey.workers,
        "stages": survey.stages,
        "required": required,
        "optional": tuple(key for key in survey.env_optional if key not in required),
        "connections": _connections(survey, answers),
        "database": answers.project.replace("-", "_"),
        "images": images,
        "requires": suggested(),
        "allowances": [f"undigested-image:{one}" for one in services if "@" not in images[one]],
        "targets": (
            _Target("staging", default_prefix("staging"), answers.staging, None),
            _Target("production", default_prefix("production"), answers.production, "staging"),
        ),
    }
    files = [
        File("fairway.toml", render("fairway.toml.j2", **values), Kind.BEGUN),
        File("docker-compose.cicd.yml", render("docker-compose.cicd.yml.j2", **values), Kind.BEGUN),
        File(".env.production.example", render("env.production.example.j2", **values), Kind.BEGUN),
        File(KNOWN_HOSTS, render("known_hosts.j2"), Kind.BEGUN),
    ]
    if services:
        files.append(File("docker-compose.ci.yml", render("docker-compose.ci.yml.j2", **values), Kind.BEGUN))
    if not tree.has("Dockerfile.prod"):
        files.append(File("Dockerfile.prod", _dockerfile(survey, tree, values), Kind.BEGUN))
        files.append(File("Dockerfile.prod.dockerignore", render("dockerignore.j2"), Kind.BEGUN))
    ignore = tree.text(".gitignore")
    wanted = (*_IGNORED, ".venv/") if isinstance(survey.build, PythonBuild) else _IGNORED
    if missing := [line for line in wanted if line not in ignore.splitlines()]:
        begin = ignore if not ignore or ignore.endswith("\n") else ignore + "\n"
        files.append(File(".gitignore", begin + "".join(f"{line}\n" for line in missing), Kind.BEGUN))
    return tuple(files)


def kept_files(pipeline: Pipeline) -> tuple[File, ...]:
    """Return the files that follow ``fairway.toml``: the pipeline, and the note to the operator."""
    daily = (
        ("fairway release", "build the commit once"),
        *(
            (f"fairway promote sha-... --to {one.name}", f"the same digests to {one.name}")
            if one.promote_from
            else (f"fairway deploy {one.name} sha-...", "try it")
            for one in pipeline.targets
        ),
        (f"fairway rollback {pipeline.targets[-1].name}", "back to what served before"),
        ("fairway status", "what serves, asked of the hosts"),
    )
    width = max(len(command) for command, _ in daily)
    note = render(
        "operator-note.md.j2",
        p=pipeline,
        secrets=[(suffix, _SECRETS[suffix]) for suffix in VARIABLES],
        daily=[f"{command:<{width}}  # {what}" for command, what in daily],
    )
    wrapper = File("tooling/deploy/fairway.sh", render("fairway.sh.j2"), Kind.KEPT, executable=True)
    made = {Provider.GITHUB: _github, Provider.GITLAB: _gitlab, Provider.SHELL: _shell}[pipeline.provider](pipeline)
    return (File(NOTE, note, Kind.KEPT), wrapper, *made)


def _github(p: Pipeline) -> list[File]:
    values: dict[str, Any] = {"p": p, "actions": pins.ACTIONS, "suffixes": VARIABLES}
    texts = {name: render(f"github/{name}.yml.j2", **values) for name in ("ci", "release-image", "rollback")}
    for target in p.targets:
        source = p.target(target.promote_from) if target.promote_from else None
        texts[target.workflow] = render("github/deploy.yml.j2", target=target, source=source, **values)
    return [File(f".github/workflows/{name}.yml", text, Kind.KEPT) for name, text in texts.items()]


def _gitlab(p: Pipeline) -> list[File]:
    return [File(".gitlab-ci.yml", render("gitlab/gitlab-ci.yml.j2", p=p), Kind.KEPT)]


def _shell(p: Pipeline) -> list[File]:
    texts = {name: render(f"shell/{name}.sh.j2", p=p) for name in ("ci", "release-image", "rollback")}
    for target in p.targets:
        texts[target.workflow] = render("shell/deploy.sh.j2", p=p, target=target)
    return [File(f"tooling/deploy/{name}.sh", text, Kind.KEPT, executable=True) for name, text in texts.items()]


def _connections(survey: Survey, answers: Answers) -> dict[str, str]:
    """Return what the containers are told of the database and Redis beside them, as Compose fills it in."""
    name = answers.project.replace("-", "_")
    found: dict[str, str] = {}
    if survey.postgres:
        found |= {"POSTGRES_HOST": "postgres", "POSTGRES_USER": name, "POSTGRES_DB": name}
        found["DATABASE_URL"] = f"{survey.database_scheme}://{name}:${{POSTGRES_PASSWORD}}@postgres:5432/{name}"
    if survey.redis:
        found["REDIS_URL"] = "redis://redis:6379/0"
    return found


def _stages(survey: Survey, answers: Answers) -> tuple[Stage, ...]:
    """Return the stages of the pipeline: the repository's own, and Fairway's beside them."""
    name = answers.project.replace("-", "_")
    env = {}
    if survey.postgres:
        env["DATABASE_URL"] = f"{survey.database_scheme}://{name}:ci@${{CI_POSTGRES_HOST}}:${{CI_POSTGRES_PORT}}/{name}"
    if survey.redis:
        env["REDIS_URL"] = "redis://${CI_REDIS_HOST}:${CI_REDIS_PORT}/0"
    stages = [Stage("workflows", "fairway init --check")]
    if survey.presets:
        stages.append(Stage("guardrails", "fairway guardrails check"))
    if survey.migrations and survey.migrations.kind:
        stages.append(Stage("migrations", "fairway migrations lint"))
    stages += [replace(one, env=dict(env)) if one.services else one for one in survey.stages]
    quick = tuple(one.name for one in stages if one.name in ("guardrails", "migrations", "typecheck", "lint"))
    stages.append(Stage("images", "fairway release --build-only", quick))
    return tuple(stages)


def _dockerfile(survey: Survey, tree: Tree, values: dict[str, Any]) -> str:
    build = survey.build
    if isinstance(build, PythonBuild):
        names = requirement_files(tree, build.file)
        directory = str(PurePosixPath(build.file).parent)
        directory = "" if directory == "." else directory
        values = {**values, "requirement_files": names, "requirement_directory": directory}
        return render("docker/python.j2", uv=pins.UV, **values)
    if isinstance(build, NodeBuild):
        owner = build.migrator_directory
        program = f"{owner}/node_modules/.bin/prisma" if owner else "node_modules/.bin/prisma"
        return render("docker/node.j2", prisma_program=program, **values)
    if survey.stack is Stack.RAILS:
        return render("docker/rails.j2", **values)
    return render("docker/other.j2", dockerfile=named_last_stage(tree.text("Dockerfile")), **values)


def requirement_files(tree: Tree, first: str) -> list[str]:
    """Return a requirements file with those of its own directory that it, and they, include."""
    found: dict[str, None] = {}
    waiting = [first]
    while waiting:
        name = waiting.pop()
        found[name] = None
        for line in tree.text(name).splitlines():
            included = re.fullmatch(r"\s*(?:-r|-c|--requirement|--constraint)[\s=]+([A-Za-z0-9_.-]+)\s*", line)
            path = str(PurePosixPath(name).parent / included[1]) if included else ""
            if path and tree.has(path) and path not in found:
                waiting.append(path)
    return sorted(found)


def named_last_stage(dockerfile: str) -> str:
    """Return a Dockerfile whose last stage is called ``application``, to be gone on from; empty for none."""
    lines = dockerfile.rstrip("\n").splitlines()
    begins = [place for place, line in enumerate(lines) if re.match(r"\s*FROM\s", line, re.IGNORECASE)]
    if not begins:
        return ""
    last = begins[-1]
    line = re.sub(r"\s+AS\s+\S+\s*$", "", lines[last], flags=re.IGNORECASE)
    lines[last] = f"{line} AS application"
    return "\n".join(lines)
