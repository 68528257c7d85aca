"""``fairway release``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption


def release(
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Build a tree with uncommitted changes; never promoted.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the release of this commit, once, and archive it.

    Builds the application and the migrator, tags both sha-<commit>, pushes them,
    reads their digests back from the registry, and archives release.json with the
    deploy bundle. A tag that already names other bytes is refused, never moved.
    """
    from fairway.cli.output import print_json, print_table
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.release import ReleaseOutcome, make_release

    with Progress() as progress:
        result = make_release(load(), allow_dirty=allow_dirty, reporter=progress)
    made = result.named.release
    existing = result.outcome is ReleaseOutcome.EXISTING
    if as_json:
        print_json(
            {
                "tag": made.tag,
                "release": result.named.name,
                "app": made.app.reference,
                "migrator": made.migrator.reference,
                "bundle": made.bundle.digest,
                "outcome": result.outcome.value,
            }
        )
        return
    print_table(
        ("part", "digest"),
        [
            ("release", result.named.name),
            ("application", made.app.digest),
            ("migrator", made.migrator.digest),
            ("bundle", made.bundle.digest),
        ],
    )
    print(f"{'released before' if existing else 'released'}: {made.tag}")
