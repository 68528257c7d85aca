"""``fairway releases``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption


def releases(
    limit: Annotated[int, typer.Option(help="How many of the newest releases.", min=1)] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the releases in the archive, newest first."""
    from fairway.cli.context import open_archive
    from fairway.cli.output import print_json, print_table, show_error
    from fairway.config import load

    archive = open_archive(load())
    entries = archive.read_all(archive.tags())
    for entry in entries:
        if entry.error is not None:
            show_error(entry.error)
    found = [entry.named for entry in entries if entry.named is not None][:limit]
    if as_json:
        print_json(
            [
                {
                    "tag": named.release.tag,
                    "release": named.name,
                    "commit": named.release.commit,
                    "author": named.release.author,
                    "dirty": named.release.dirty,
                    "created_at": named.release.created_at,
                    "created_by": named.release.created_by,
                    "ci_run": named.release.ci_run,
                    "app": named.release.app.reference,
                    "migrator": named.release.migrator.reference,
                }
                for named in found
            ]
        )
        return
    print_table(
        ("tag", "created (UTC)", "by", "release", "application"),
        [
            (
                named.release.tag.short + (" (dirty)" if named.release.dirty else ""),
                named.release.created_at.replace("T", " ").rstrip("Z"),
                named.release.created_by,
                named.name.short,
                named.release.app.digest.short,
            )
            for named in found
        ],
    )
