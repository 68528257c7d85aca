"""``fairway release``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fairway.cli.output import JsonOption
from fairway.engine.contract.errors import Invalid

if TYPE_CHECKING:
    from fairway.release import RebuildCheck


def release(
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Build a tree with uncommitted changes; never promoted.")
    ] = False,
    rebuild_check: Annotated[
        bool,
        typer.Option("--rebuild-check", help="Build the released commit again and show what differs; push nothing."),
    ] = False,
    only_build: Annotated[
        bool,
        typer.Option("--build-only", help="Build both images for this machine alone; push and archive nothing."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the release of this commit, once, and archive it.

    Builds the application and the migrator, tags both sha-<commit>, pushes them,
    reads their digests back from the registry, and archives release.json with the
    deploy bundle. A tag that already names other bytes is refused, never moved.

    With --rebuild-check both images of this commit's release are built again,
    without a cache, and their configurations and layers are compared by digest
    with what was released. Nothing is pushed and no tag is left behind. It ends
    with 0 when all are the same and with 1 when something differs, for example:
    fairway release --rebuild-check --json

    With --build-only both images are built for this machine's own use, in CI for
    example, and checked as those of a release are, whether or not there are
    uncommitted changes. Their tag, ci-<commit>, is no release's.
    """
    if only_build and rebuild_check:
        raise Invalid("--build-only and --rebuild-check ask for different things", hint="leave one of them out")
    if only_build:
        _build(as_json=as_json)
        return
    if rebuild_check:
        raise typer.Exit(_check(allow_dirty=allow_dirty, as_json=as_json))
    _release(allow_dirty=allow_dirty, as_json=as_json)


def _release(*, allow_dirty: bool, as_json: bool) -> None:
    from fairway.announce import tell_of_release
    from fairway.cli import summary
    from fairway.cli.output import print_json, print_table
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.release import ReleaseOutcome, make_release

    config = load()
    with Progress() as progress:
        result = make_release(config, allow_dirty=allow_dirty, reporter=progress)
        made = result.named.release
        existing = result.outcome is ReleaseOutcome.EXISTING
        if not existing:
            tell_of_release(config, made, progress.notice)
    summary.add(summary.released(made, result.named.name, existing=existing))
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


def _build(*, as_json: bool) -> None:
    from fairway.cli.output import print_json, print_table
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.release import build_only

    with Progress() as progress:
        built = build_only(load(), progress)
    if as_json:
        print_json([{"target": one.target, "image": one.reference, "id": one.id} for one in built])
        return
    print_table(("target", "image", "id"), [(one.target, one.reference, one.id.short) for one in built])


def _check(*, allow_dirty: bool, as_json: bool) -> int:
    from fairway.cli.output import print_json
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.release import check_rebuild

    with Progress() as progress:
        check = check_rebuild(load(), allow_dirty=allow_dirty, reporter=progress)
    if as_json:
        print_json(check.as_json())
    else:
        _show(check)
    return 0 if check.same else 1


def _show(check: RebuildCheck) -> None:
    from fairway.cli.output import print_table
    from fairway.release import explain

    print_table(
        ("image", "part", "released", "rebuilt", "", "made by"),
        [
            (
                image.name,
                part.name,
                part.released.short if part.released else "none",
                part.rebuilt.short if part.rebuilt else "none",
                "same" if part.same else "differs",
                part.made_by[:60],
            )
            for image in check.images
            for part in image.parts
        ],
    )
    for paragraph in explain(check):
        print(f"\n{paragraph}")
