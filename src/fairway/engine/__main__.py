"""The engine's command line: what SSH, the forced command and the engine itself start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.layout import Layout

USAGE = "usage: fairway-engine serve | retire <deployment>"


def main() -> None:
    """Run one command; the deploy path is where this very file stands, never an argument."""
    os.umask(0o077)
    try:
        _run(sys.argv[1:], Layout(_deploy_path()))
    except FairwayError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _run(arguments: list[str], layout: Layout) -> None:
    # Each command loads only what it needs: a status or a rollback waits for these imports.
    if arguments == ["serve"]:
        from fairway.engine.serve import serve_standard_streams

        serve_standard_streams(layout)
        return
    from fairway.engine.deployment import Deployment, read_request
    from fairway.engine.hostconfig import read_host_config

    if len(arguments) == 2 and arguments[0] == "retire":
        from fairway.engine.retire import retire

        host = read_host_config(layout.host_config)
        retire(Deployment(layout, host, read_request(layout, arguments[1])))
    else:
        raise Invalid(USAGE)


def _deploy_path() -> Path:
    """Return the deploy path from ``<deploy path>/.fairway/engine/<this file>``."""
    engine = Path(sys.argv[0]).resolve()
    if engine.parent.name != "engine" or engine.parent.parent.name != ".fairway":
        raise Invalid(
            f"the engine does not stand in a deploy path: {engine}",
            hint="it is put there by: fairway bootstrap <environment>",
        )
    return engine.parent.parent.parent


if __name__ == "__main__":
    main()
