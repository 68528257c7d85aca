"""Look at a repository with everything there is to look with."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from functools import cache

from fairway.guardrails import rules
from fairway.workflows import settings
from fairway.workflows.stacks import compose, node, python, rails
from fairway.workflows.survey import Stack, Survey, Worker, plain_name
from fairway.workflows.tree import Tree, table

# Rails goes first: its repositories often have a package.json for what the browser gets.
_LOOKS = (rails.look, node.look, python.look)
#: Presets that look at all code, and that code which does nothing forbidden passes as it is.
_GENERAL = ("settings-secrets",)
_READY = (
    ("**/api/ready/route.ts", "/api/ready"),
    ("**/api/ready/route.js", "/api/ready"),
    ("**/api/health/route.ts", "/api/health"),
    ("**/api/health/route.js", "/api/health"),
    ("**/pages/api/ready.ts", "/api/ready"),
)
_READY_ROUTE = re.compile(r"""["'](?P<path>/(?:api/)?(?:ready|readyz|healthz?|up)/?)["']""")
_READY_DJANGO = re.compile(r"""path\(\s*["'](?P<path>(?:api/)?(?:ready|readyz|healthz?)/?)["']""")


def look(tree: Tree) -> Survey:
    """Return what can be seen of a repository."""
    survey = next((found for one in _LOOKS if (found := one(tree)) is not None), None)
    survey = survey or Survey(name=plain_name(tree.root.name), stack=Stack.OTHER)
    composed = compose.look(tree)
    if composed is not None:
        survey = compose.merged(survey, composed)
    required, optional = settings.read_example(tree)
    survey = replace(
        survey,
        name=plain_name(tree.source) if tree.source else survey.name,
        workers=survey.workers or _procfile(tree),
        env_required=tuple(dict.fromkeys((*survey.env_required, *required))),
        env_optional=tuple(key for key in optional if key not in survey.env_required),
        presets=_presets(tree),
        ready_path=survey.ready_path or _ready_path(tree, survey.stack),
    )
    return replace(survey, notes=(*survey.notes, *_notes(tree, survey)))


def _procfile(tree: Tree) -> tuple[Worker, ...]:
    found = []
    for line in tree.text("Procfile").splitlines():
        name, colon, command = line.partition(":")
        if colon and name.strip() not in ("web", "release") and re.fullmatch(r"[a-z][a-z0-9_-]*", name.strip()):
            try:
                found.append(Worker(name.strip(), tuple(shlex.split(command))))
            except ValueError:
                continue
    return tuple(found)


def _ready_path(tree: Tree, stack: Stack) -> str | None:
    for glob, path in _READY:
        if tree.matching(glob):
            return path
    pattern = _READY_DJANGO if stack is Stack.DJANGO else _READY_ROUTE
    endings = {Stack.NEXTJS: (), Stack.NODE: (".ts", ".js"), Stack.RAILS: (".rb",)}.get(stack, (".py",))
    found = set()
    for name in tree.files:
        if name.endswith(endings) and endings and "test" not in name:
            found |= {one["path"] for one in pattern.finditer(tree.text(name))}
    paths = sorted("/" + path.lstrip("/") for path in found)
    return next((path for path in paths if "ready" in path), paths[0] if paths else None)


def _presets(tree: Tree) -> tuple[str, ...]:
    """Return the guardrails that hold here at once.

    Those that guard named files are chosen when the files of each of their rules are there: a rule that
    guards nothing refuses. Of those that look at all code, the ones that no honest code offends.
    """
    chosen = []
    for name in rules.preset_names():
        guarded = _guarded(name)
        if name in _GENERAL or (guarded and all(any(_is_there(tree, glob) for glob in files) for files in guarded)):
            chosen.append(name)
    return tuple(chosen)


def _is_there(tree: Tree, glob: str) -> bool:
    """Say whether a glob finds something, or will: the files that fairway.toml names are written with it."""
    return glob.startswith("${") or bool(tree.matching(glob))


@cache
def _guarded(preset: str) -> tuple[tuple[str, ...], ...]:
    """Return the globs of each rule of a preset that must find some files; its samples are not read."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    files = sorted((rules.PRESETS / preset).glob("*.yml"))
    documents = [document for file in files for document in yaml.load_all(file.read_text(encoding="utf-8"))]
    wanted = [one for one in documents if one and not table(one, "metadata").get("optional")]
    return tuple(tuple(one["files"]) for one in wanted if one.get("files"))


def _notes(tree: Tree, survey: Survey) -> list[str]:
    notes = []
    if tree.has("Dockerfile") and not tree.has("Dockerfile.prod") and survey.stack is not Stack.OTHER:
        notes.append("there is a Dockerfile: compare what it installs with Dockerfile.prod")
    if survey.migrations is not None and survey.migrations.kind is None:
        notes.append("Fairway cannot read these migrations: they run, without verdicts and without a rollback check")
    if survey.ready_path is None:
        notes.append("no readiness route was found: the application has to answer it with 200 when it can serve")
    return notes
