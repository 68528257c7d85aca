"""The files, as text: three that are the same everywhere, and one that is made of ``fairway.toml``."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fairway.config import Environment, Host

_TEXTS = Path(__file__).parent / "texts"
#: Where node_exporter and the blackbox exporter listen unless told otherwise.
NODE_PORT = 9100
BLACKBOX = "127.0.0.1:9115"
#: How long visitors are not served before an alert fires, as the rules are written.
PATIENCE = "2m"


def rules(*, patience: str = PATIENCE) -> str:
    """Return Prometheus' alert rules; ``patience`` is how long visitors are not served before somebody is told."""
    return _text("rules.yml").replace(f"for: {PATIENCE}\n", f"for: {patience}\n")


def dashboard() -> str:
    """Return the dashboard for Grafana, as JSON."""
    return _text("dashboard.json")


def blackbox() -> str:
    """Return the configuration of the blackbox exporter."""
    return _text("blackbox.yml")


def scrape(environments: Iterable[Environment], ready_path: str) -> str:
    """Return the part of Prometheus' configuration that has it ask these environments.

    A host is asked by the name that it is deployed to by; one that is this machine is
    ``localhost``. A site, or another address, is asked from outside, through its front door.
    """
    known = tuple(environments)
    nodes = sorted({node_address(host) for one in known for host in one.hosts if one.textfile})
    jobs: list[dict[str, Any]] = []
    if nodes:
        jobs.append(node_job([{"targets": nodes}]))
    fronts = [
        front_door(f"{one.url.rstrip('/')}{ready_path}", environment=one.name) for one in known if one.url is not None
    ]
    if fronts:
        jobs.append(blackbox_job(fronts, BLACKBOX))
    return as_yaml({"rule_files": ["fairway-rules.yml"], "scrape_configs": jobs})


def node_job(targets: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the job that asks node_exporters, which have the figures of the hosts."""
    return {"job_name": "node", "static_configs": targets}


def front_door(url: str, **labels: str) -> dict[str, Any]:
    """Return what the blackbox exporter is to ask for, by the module for its scheme."""
    module = "fairway_ready" if url.startswith("https://") else "fairway_ready_plain"
    return {"targets": [url], "labels": {**labels, "__param_module": module}}


def blackbox_job(fronts: list[dict[str, Any]], address: str) -> dict[str, Any]:
    """Return the job that has a blackbox exporter at ``address`` ask front doors."""
    return {
        "job_name": "fairway-blackbox",
        "metrics_path": "/probe",
        "static_configs": fronts,
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": address},
        ],
    }


def as_yaml(document: dict[str, Any]) -> str:
    """Write a document as Prometheus' own files are laid out."""
    from ruamel.yaml import YAML

    out = io.StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(document, out)
    return out.getvalue()


def node_address(host: Host) -> str:
    """Return where a host's node_exporter listens, by the name that it is deployed to by."""
    name = "localhost" if host.local else host.destination
    return f"[{name}]:{NODE_PORT}" if ":" in name else f"{name}:{NODE_PORT}"


def _text(name: str) -> str:
    return (_TEXTS / name).read_text(encoding="utf-8")
