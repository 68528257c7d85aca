"""``fairway-engine metrics``: print the figures, or put them where node_exporter reads them."""

from __future__ import annotations

import sys

from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.hostconfig import read_host_config
from fairway.engine.layout import Layout
from fairway.engine.metrics import textfile
from fairway.engine.metrics.collect import expose

USAGE = "usage: fairway-engine metrics [--write]"


def metrics(arguments: list[str], layout: Layout) -> None:
    """Take the figures once."""
    if arguments not in ([], ["--write"]):
        raise Invalid(USAGE)
    host = read_host_config(layout.host_config)
    if not arguments:
        sys.stdout.write(expose(layout, host))
        return
    path = textfile.file_of(host)
    if path is None:
        raise Invalid(
            "this host has no place for metrics",
            hint=f"set environments.{host.environment}.textfile in fairway.toml, "
            f"then: fairway bootstrap {host.environment}",
        )
    if not path.parent.is_dir():
        # Made here it would be the deploy user's alone, where nobody looks.
        raise Failed(f"there is no directory {path.parent}", hint=f"fairway bootstrap {host.environment}")
    try:
        textfile.write(path, expose(layout, host))
    except OSError as error:
        raise Failed(
            f"{path} cannot be written", why=str(error), hint=f"let the deploy user write in {path.parent}"
        ) from None
