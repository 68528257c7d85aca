"""What a Dockerfile means: its stages, the images they begin from, and who they run as."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fairway.config import Config
from fairway.guardrails.checkers.hit import Hit

_FROM = re.compile(r"(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<name>\S+))?\s*$", re.IGNORECASE)
_COPY_FROM = re.compile(r"(?:^|\s)--from=(?P<image>\S+)|(?:^|[\s,])from=(?P<mount>[^\s,]+)")
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::?[-](?P<default>[^}]*))?\}|\$(?P<bare>\w+)")
_HEREDOC = re.compile(r"<<-?\s*([\"']?)(?P<end>[A-Za-z_]\w*)\1")
_PAIR = re.compile(r"([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S*)")
# Images that are made to run as nobody, and say so in their name.
_UNPRIVILEGED = re.compile(r"^cgr\.dev/|/nginx-unprivileged(?:[:@]|$)|:(?:[\w.-]*-)?nonroot(?:-[\w.-]+)?(?:@|$)")


@dataclass
class _Stage:
    """One ``FROM`` and what follows it: ``base`` with its variables filled in."""

    names: tuple[str, ...]
    base: str
    line: int
    source: str
    user: str | None = None
    user_line: int = 0
    copied: list[tuple[int, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def stages_of(text: str) -> list[_Stage]:
    """Read the stages of a Dockerfile, in their order. A variable without a value stays as it is."""
    stages: list[_Stage] = []
    outside: dict[str, str] = {}  # ARG before the first FROM, the only ones that a FROM sees
    inside: dict[str, str] = {}
    for instruction, line, value in _instructions(text):
        if instruction == "FROM" and (found := _FROM.match(value)):
            names = (str(len(stages)), *((found["name"].lower(),) if found["name"] else ()))
            stages.append(_Stage(names, _filled(found["image"], outside), line, value))
            inside = {}
        elif instruction == "ARG":
            name, _, default = value.partition("=")
            known = {**({name: outside[name]} if name in outside else {}), **({name: default} if default else {})}
            values = inside if stages else outside
            values.update({key: _filled(text, values) for key, text in known.items()})
        elif not stages:
            continue
        elif instruction == "USER":
            stages[-1].user, stages[-1].user_line = _filled(value, inside), line
        elif instruction == "ENV":
            pairs = _PAIR.findall(value)
            stages[-1].keys += [key for key, _ in pairs] or value.split()[:1]
            inside.update({key: _filled(text, inside) for key, text in pairs})
        elif instruction in ("COPY", "ADD", "RUN"):
            for found in _COPY_FROM.finditer(" ".join(_options(value))):
                stages[-1].copied.append((line, found["image"] or found["mount"]))
    return stages


def _options(value: str) -> Iterator[str]:
    for word in value.split():
        if not word.startswith("--"):
            return
        yield word


def _instructions(text: str) -> list[tuple[str, int, str]]:
    from dockerfile_parse import DockerfileParser  # type: ignore[import-untyped]

    parser = DockerfileParser(fileobj=io.BytesIO(_without_heredocs(text).encode()))
    read = ((part["instruction"].upper(), part["startline"] + 1, part["value"]) for part in parser.structure)
    return [(name, line, str(value).strip()) for name, line, value in read if name != "COMMENT"]


def _without_heredocs(text: str) -> str:
    """Blank the bodies of here-documents, which the parser would take for instructions; keep every line."""
    kept: list[str] = []
    ends: list[str] = []
    for line in text.split("\n"):
        if ends:
            if line.strip() == ends[0]:
                ends.pop(0)
            kept.append("")
            continue
        if re.match(r"\s*(?:RUN|COPY|ADD)\s", line, re.IGNORECASE):
            ends = [found["end"] for found in _HEREDOC.finditer(line)]
        kept.append(line)
    return "\n".join(kept)


def _filled(text: str, values: Mapping[str, str]) -> str:
    def fill(found: re.Match[str]) -> str:
        name = found["name"] or found["bare"]
        return values.get(name) or found["default"] or found.group()

    return _VARIABLE.sub(fill, text.strip("\"'"))


def environment_of(text: str) -> Iterator[str]:
    """Yield the keys that ``ENV`` gives a value in any stage."""
    for stage in stages_of(text):
        yield from stage.keys


def tag_problem(image: str) -> str:
    """Say what is wrong with how an image is named, empty when it is named by a tag of its own or by digest.

    >>> tag_problem("node"), tag_problem("node:latest"), tag_problem("localhost:5000/node:22")
    ('node has no tag, which means latest', 'node:latest moves', '')
    """
    if "@" in image or "$" in image:
        return ""
    name, _, tag = image.rpartition("/")[2].partition(":")
    if not tag:
        return f"{image} has no tag, which means latest"
    return f"{image} moves" if name and tag == "latest" else ""


def untagged(files: Mapping[str, str], config: Config, allow: tuple[str, ...]) -> Iterator[Hit]:
    """Find the images that a Dockerfile begins or copies from and that are not named by a tag of their own."""
    for path, text in files.items():
        before: set[str] = {"scratch", *allow}
        for stage in stages_of(text):
            used = [(stage.line, stage.base), *stage.copied]
            for line, image in used:
                if image.lower() not in before and (problem := tag_problem(image)):
                    yield Hit(path, line, image, problem)
            before.update(stage.names)


def missing_targets(files: Mapping[str, str], config: Config, allow: tuple[str, ...]) -> Iterator[Hit]:
    """Find the targets of ``[build]`` that a Dockerfile lacks."""
    for path, text in files.items():
        stages = stages_of(text)
        there = ", ".join(stage.names[-1] for stage in stages) or "none"
        for key, target in _targets(config).items():
            if not any(target.lower() in stage.names for stage in stages):
                yield Hit(path, 1, target, f"build.{key} is {target!r}, and the stages are {there}")


def root_users(files: Mapping[str, str], config: Config, allow: tuple[str, ...]) -> Iterator[Hit]:
    """Find the targets of ``[build]`` whose last ``USER``, in them or in what they begin from, is root or none."""
    for path, text in files.items():
        stages = stages_of(text)
        for target in dict.fromkeys(_targets(config).values()):
            if target not in allow:
                yield from _root_user(path, stages, target)


def _root_user(path: str, stages: list[_Stage], target: str) -> Iterator[Hit]:
    stage = next((one for one in stages if target.lower() in one.names), None)
    if stage is None:
        return  # what is not there is another rule's finding
    at: _Stage = stage
    while at.user is None:
        earlier = stages[: stages.index(at)]
        parent = next((one for one in reversed(earlier) if at.base.lower() in one.names), None)
        if parent is None:
            if not _UNPRIVILEGED.search(at.base):
                detail = f"{target} has no USER, and {at.base} runs as root as far as is known"
                yield Hit(path, stage.line, f"{target}: no USER", detail)
            return
        at = parent
    user = at.user.partition(":")[0].strip()
    if user in ("root", "") or (user.isdigit() and int(user) == 0):
        yield Hit(path, at.user_line, f"{target}: USER {at.user}", f"{target} runs as {at.user}")


def _targets(config: Config) -> dict[str, str]:
    return {"app_target": config.build.app_target, "migrator_target": config.build.migrator_target}
