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
    from fairway.cli.context import whoami
    from fairway.cli.output import print_json, print_table
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.release import make_release

    with Progress() as progress:
        result = make_release(load(), allow_dirty=allow_dirty, by=whoami(), reporter=progress)
    made = result.named.release
    if as_json:
        print_json(
            {
                "tag": made.tag,
                "release": result.named.name,
                "app": made.app.reference,
                "migrator": made.migrator.reference,
                "bundle": made.bundle.digest,
                "already_released": result.already_released,
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
    print(f"{'already released' if result.already_released else 'released'}: {made.tag}")
