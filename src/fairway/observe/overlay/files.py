"""The overlay's files: which are Fairway's and written anew, which are the operator's once they are there."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairway.engine.contract.errors import Failed
from fairway.engine.files import write_atomically
from fairway.observe.overlay.plan import Overlay
from fairway.observe.prometheus import as_yaml, blackbox, blackbox_job, dashboard, front_door, node_job, rules

if TYPE_CHECKING:
    from jinja2 import Environment as Templates

COMPOSE = "docker-compose.monitoring.yml"
#: What the services run, by the start of their variables' names.
IMAGES = {
    "PROMETHEUS": "prom/prometheus:v3.5.0",
    "ALERTMANAGER": "prom/alertmanager:v0.28.1",
    "BLACKBOX": "prom/blackbox-exporter:v0.27.0",
    "NODE_EXPORTER": "prom/node-exporter:v1.9.1",
    "GRAFANA": "grafana/grafana:12.0.2",
}
#: The most memory that each may take.
MEMORY = {
    "PROMETHEUS": "512m",
    "ALERTMANAGER": "128m",
    "BLACKBOX": "64m",
    "NODE_EXPORTER": "64m",
    "GRAFANA": "512m",
}
#: Where credentials are put by hand, each in a file of its own.
SECRETS = ("secrets/alertmanager", "secrets/grafana")
_HEAD = "# Written by Fairway, and written anew by: fairway metrics overlay\n"
#: Alertmanager waits so many looks before it says more of what it has told of already.
_LOOKS_TOGETHER = 10


class Owner(enum.Enum):
    """Whose a file is."""

    FAIRWAY = "fairway"
    OPERATOR = "operator"


@dataclass(frozen=True)
class File:
    """One file, by its path in the overlay's directory."""

    path: str
    text: str
    owner: Owner = Owner.FAIRWAY


class Outcome(enum.Enum):
    """What became of a file."""

    WRITTEN = "written"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    KEPT = "kept"


@dataclass(frozen=True)
class Written:
    """A file, and what became of it."""

    path: str
    outcome: Outcome


def files(overlay: Overlay) -> tuple[File, ...]:
    """Return every file of the overlay; none has a credential."""
    return (
        File(COMPOSE, _HEAD + _render(f"{COMPOSE}.j2", overlay)),
        File(".env", _render("env.j2", overlay), Owner.OPERATOR),
        File("prometheus/prometheus.yml", _HEAD + as_yaml(_prometheus(overlay))),
        File("prometheus/fairway-rules.yml", rules(patience=f"{overlay.pace.patience_s}s")),
        File("prometheus/monitoring-rules.yml", _HEAD + _render("monitoring-rules.yml.j2", overlay)),
        File("alertmanager/alertmanager.yml", _render("alertmanager.yml.j2", overlay), Owner.OPERATOR),
        File("blackbox/blackbox.yml", blackbox()),
        File("grafana/provisioning/datasources/fairway.yml", _HEAD + _render("grafana/datasources.yml.j2", overlay)),
        File("grafana/provisioning/dashboards/fairway.yml", _HEAD + _render("grafana/dashboards.yml.j2", overlay)),
        File("grafana/dashboards/fairway.json", dashboard()),
        File("secrets/.gitignore", "*\n!.gitignore\n"),
    )


def write(directory: Path, made: Iterable[File]) -> list[Written]:
    """Put the files into a directory; what is the operator's is left as it is. Raises ``Failed``."""
    try:
        for name in SECRETS:
            _make(directory, name)
        return [_write(directory, file) for file in made]
    except OSError as error:
        raise Failed(f"{directory} cannot be written", why=str(error)) from None


def _write(directory: Path, file: File) -> Written:
    path = directory / file.path
    there = path.read_text(encoding="utf-8") if path.exists() else None
    if there is not None and file.owner is Owner.OPERATOR:
        return Written(file.path, Outcome.KEPT)
    if there == file.text:
        return Written(file.path, Outcome.UNCHANGED)
    _make(directory, str(Path(file.path).parent))
    # The containers' users are nobody's here, and there is nothing to hide.
    write_atomically(path, file.text.encode(), mode=0o644)
    return Written(file.path, Outcome.WRITTEN if there is None else Outcome.CHANGED)


def _make(directory: Path, name: str) -> None:
    """Make a directory that the containers' users can look into, whatever this user's mask is."""
    for part in reversed((directory / name, *(directory / one for one in Path(name).parents))):
        if not part.is_dir():
            part.mkdir(parents=True)
            part.chmod(0o755)


def _prometheus(overlay: Overlay) -> dict[str, Any]:
    """Return Prometheus' configuration."""
    every = f"{overlay.pace.interval_s}s"
    nodes: list[dict[str, Any]] = [
        {"targets": ["node-exporter:9100"], "labels": {"instance": overlay.here or "monitoring"}}
    ]
    if overlay.nodes:
        nodes.append({"targets": list(overlay.nodes)})
    fronts = [front_door(one.url, project=overlay.project, environment=one.environment) for one in overlay.doors]
    jobs = [node_job(nodes), *([blackbox_job(fronts, "blackbox:9115")] if fronts else [])]
    jobs += [
        {"job_name": name, "static_configs": [{"targets": [f"{name}:{port}"]}]}
        for name, port in (("prometheus", 9090), ("alertmanager", 9093), ("blackbox", 9115))
    ]
    return {
        "global": {
            "scrape_interval": every,
            "scrape_timeout": f"{min(overlay.pace.interval_s, 10)}s",
            "evaluation_interval": every,
        },
        "rule_files": ["fairway-rules.yml", "monitoring-rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
        "scrape_configs": jobs,
    }


@cache
def _templates() -> Templates:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # noqa: S701 - YAML: values are quoted by a filter of its own
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # Prometheus' own templates have the usual braces, Compose's variables one of them.
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="[[",
        variable_end_string="]]",
    )
    # JSON's way to write a text is also YAML's.
    templates.filters["yaml"] = json.dumps
    return templates


def _render(name: str, overlay: Overlay) -> str:
    return (
        _templates()
        .get_template(name)
        .render(
            overlay=overlay,
            images=IMAGES,
            memory=MEMORY,
            interval=overlay.pace.interval_s,
            together=overlay.pace.interval_s * _LOOKS_TOGETHER,
        )
    )
