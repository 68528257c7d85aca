"""``fairway release``: from the working tree to an archived release, once for each commit."""

from __future__ import annotations

import enum
import getpass
import os
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import fairway
from fairway.config import Config
from fairway.engine.contract.errors import Failed, FairwayError, Invalid, Refused
from fairway.engine.contract.manifest import (
    ComposeRoles,
    Migrations,
    NamedRelease,
    Readiness,
    Release,
    Soak,
    author_address,
    run_address,
)
from fairway.engine.contract.names import PinnedImage, Repository, Tag
from fairway.registry import Access, Archive, RegistryClient, connect
from fairway.release import git
from fairway.release.build import Image, build, check_dockerfile
from fairway.release.bundle import PackedBundle, make_bundle
from fairway.release.compose import check_compose
from fairway.release.docker import Docker, find_docker
from fairway.release.migrations import Shipped, read_shipped
from fairway.release.migrator import check_migrator
from fairway.release.progress import Reporter
from fairway.release.publish import find_present, publish

_SHOWN_FILES = 10


class ReleaseOutcome(enum.Enum):
    """What ``make_release`` did."""

    CREATED = "created"
    EXISTING = "existing"


@dataclass(frozen=True)
class ReleaseResult:
    """A release, new or found, with the exact bytes of its parts."""

    outcome: ReleaseOutcome
    named: NamedRelease
    manifest_bytes: bytes
    bundle: bytes


def make_release(
    config: Config,
    *,
    allow_dirty: bool,
    reporter: Reporter,
    connect_to: Callable[[str, Access], RegistryClient] = connect,
) -> ReleaseResult:
    """Build, push, pin and archive the release of the working tree.

    A release that is archived already is returned as it is and nothing is changed. Raises
    ``Invalid`` for a dirty tree that was not allowed and for files that cannot be
    deployed, ``Refused`` when a tag names something else, ``Failed`` when a build or a
    push does; then no release exists, and running it again is safe.
    """
    with reporter.step("check"):
        checkout = read_source(config, allow_dirty=allow_dirty)
        tag = git.release_tag(checkout)
        docker = find_docker()
        check_dockerfile(config)
        check_compose(docker, config)
        bundle = make_bundle(config)
        shipped = read_shipped(config)
    with ExitStack() as stack:
        clients = _clients(config, connect_to, stack)
        archive = Archive(clients[config.release_repository], config.release_repository)
        with reporter.step("archive: look"):
            if archive.find(tag):
                reporter.line(f"{tag.short} was released before; nothing to build")
                return _existing(config, clients, archive, tag)
        app, migrator = _images(config, docker, checkout, tag, clients, shipped, reporter)
        release = _release(config, checkout, tag, app, migrator, bundle, shipped)
        content = release.to_bytes()
        with reporter.step("archive: write"):
            archive.put(content, bundle.content)
            reporter.line(f"{config.release_repository}:{tag}")
    return ReleaseResult(ReleaseOutcome.CREATED, NamedRelease.read(content), content, bundle.content)


def read_source(config: Config, *, allow_dirty: bool) -> git.Checkout:
    """Return the working tree. Raises ``Invalid`` for a dirty one that was not allowed, and for a nameless author."""
    checkout = git.read_checkout(config.root)
    try:
        author_address(checkout.author)
    except FairwayError as error:
        raise Invalid(
            f"the commit {checkout.commit[:7]} does not say whose it is",
            why=error.what,
            hint="git config user.email, then git commit --amend --reset-author",
        ) from None
    if checkout.dirty and not allow_dirty:
        shown = "\n".join(checkout.changed[:_SHOWN_FILES])
        rest = len(checkout.changed) - _SHOWN_FILES
        raise Invalid(
            "the working tree is not what its commit says",
            why=f"changed or not in Git:\n{shown}" + (f"\nand {rest} more" if rest > 0 else ""),
            hint="commit or remove them; --allow-dirty makes a release that can be tried in staging only",
        )
    return checkout


def _clients(
    config: Config, connect_to: Callable[[str, Access], RegistryClient], stack: ExitStack
) -> Mapping[Repository, RegistryClient]:
    """Return a client for each of the three repositories, one connection a registry."""
    repositories = (config.images.app, config.images.migrator, config.release_repository)
    registries = dict.fromkeys(repository.registry for repository in repositories)
    clients = {registry: stack.enter_context(connect_to(registry, Access.PUSH)) for registry in registries}
    return {repository: clients[repository.registry] for repository in repositories}


def _existing(
    config: Config, clients: Mapping[Repository, RegistryClient], archive: Archive, tag: Tag
) -> ReleaseResult:
    """Return the release that the archive has, after seeing that its images are still there."""
    found = archive.get(tag)
    release = found.named.release
    if release.project != config.project:
        raise Refused(
            f"{archive.repository} holds the releases of {release.project}, not of {config.project}",
            hint="give this project an archive of its own: images.release in fairway.toml",
        )
    for image in (release.app, release.migrator):
        client = clients.get(image.repository)
        if client is not None and client.head_manifest(image.repository, image.digest) is None:
            raise Failed(
                f"the release {tag.short} is archived, but its image is gone",
                why=f"the registry no longer has {image.reference}",
                hint="release from a new commit, and see what cleans up the registry",
            )
    return ReleaseResult(ReleaseOutcome.EXISTING, found.named, found.manifest_bytes, found.bundle)


def _images(
    config: Config,
    docker: Docker,
    checkout: git.Checkout,
    tag: Tag,
    clients: Mapping[Repository, RegistryClient],
    shipped: Shipped,
    reporter: Reporter,
) -> tuple[PinnedImage, PinnedImage]:
    """Build both images, then push both: a build that fails leaves nothing behind."""
    wanted = (
        Image(config.build.app_target, config.images.app, tag),
        Image(config.build.migrator_target, config.images.migrator, tag),
    )
    built = []
    for image in wanted:
        with reporter.step(f"build {image.target}"):
            built.append(build(docker, config, checkout, image, reporter))
    check_unchanged(checkout, tag)
    check_migrator(docker, config, wanted[1].reference, shipped.sources)
    for one in built:  # both before either is pushed
        find_present(clients[one.image.repository], one)
    pinned = []
    for one in built:
        with reporter.step(f"push {one.image.target}"):
            pinned.append(publish(docker, clients[one.image.repository], one, reporter))
    return pinned[0], pinned[1]


def check_unchanged(checkout: git.Checkout, tag: Tag) -> None:
    """Refuse images of a tree that was edited while they were built."""
    if git.release_tag(git.read_checkout(checkout.root)) != tag:
        raise Invalid(
            "the working tree changed while it was built",
            why="the images may hold something else than the tag says",
            hint="nothing was pushed; run fairway release again",
        )


def _release(
    config: Config,
    checkout: git.Checkout,
    tag: Tag,
    app: PinnedImage,
    migrator: PinnedImage,
    bundle: PackedBundle,
    shipped: Shipped,
) -> Release:
    limits = config.migrations.model_dump(exclude={"path", "kind"})
    return Release(
        project=config.project,
        tag=tag,
        commit=checkout.commit,
        author=checkout.author,
        source=checkout.source,
        dirty=checkout.dirty,
        created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        created_by=maker(os.environ, git.identity(config.root)),
        ci_run=ci_run(os.environ),
        fairway=fairway.__version__,
        app=app,
        migrator=migrator,
        bundle=bundle.description,
        compose=ComposeRoles(**dict(config.compose)),
        readiness=Readiness(**dict(config.readiness)),
        migrations=Migrations(**limits, kind=config.migrations.kind, files=shipped.files, shipped=shipped.migrations),
        soak=Soak(**dict(config.soak)),
        drain_timeout_s=config.drain.timeout_s,
        warm_keep_s=config.warm.keep_s,
        env=config.env_rules,
        leftovers=tuple(one.place() for one in config.secrets.leftovers),
        errors=config.errors.tracker if config.errors is not None else None,
    )


def maker(environ: Mapping[str, str], git_identity: str) -> str:
    """Say who makes the release: who started the CI run, or the Git user."""
    actor = environ.get("GITHUB_ACTOR") or environ.get("GITLAB_USER_LOGIN")
    text = actor or git_identity or getpass.getuser()
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)[:200]


def ci_run(environ: Mapping[str, str]) -> str | None:
    """Return the address of the CI run this is: GitHub's and what is built like it, or GitLab's; else ``None``."""
    parts = [environ.get(f"GITHUB_{key}", "") for key in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    address = "{}/{}/actions/runs/{}".format(*parts) if all(parts) else environ.get("CI_JOB_URL", "")
    try:
        return run_address(address)
    except FairwayError:
        return None
