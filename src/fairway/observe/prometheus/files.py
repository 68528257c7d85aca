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


def rules() -> str:
    """Return Prometheus' alert rules."""
    return _text("rules.yml")


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
    from ruamel.yaml import YAML

    known = tuple(environments)
    nodes = sorted({_address(host) for one in known for host in one.hosts if one.textfile})
    jobs: list[dict[str, Any]] = []
    if nodes:
        jobs.append({"job_name": "node", "static_configs": [{"targets": nodes}]})
    fronts = [
        {
            "targets": [f"{one.url.rstrip('/')}{ready_path}"],
            "labels": {
                "environment": one.name,
                "__param_module": "fairway_ready" if one.url.startswith("https:") else "fairway_ready_plain",
            },
        }
        for one in known
        if one.url is not None
    ]
    if fronts:
        jobs.append(
            {
                "job_name": "fairway-blackbox",
                "metrics_path": "/probe",
                "static_configs": fronts,
                "relabel_configs": [
                    {"source_labels": ["__address__"], "target_label": "__param_target"},
                    {"source_labels": ["__param_target"], "target_label": "instance"},
                    {"target_label": "__address__", "replacement": BLACKBOX},
                ],
            }
        )
    out = io.StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump({"rule_files": ["fairway-rules.yml"], "scrape_configs": jobs}, out)
    return out.getvalue()


def _address(host: Host) -> str:
    name = "localhost" if host.local else host.destination
    return f"[{name}]:{NODE_PORT}" if ":" in name else f"{name}:{NODE_PORT}"


def _text(name: str) -> str:
    return (_TEXTS / name).read_text(encoding="utf-8")
