"""Build the two images into this machine's store only: what CI tries before there is a release."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.config import Config
from fairway.engine.contract.names import Digest
from fairway.release import git
from fairway.release.build import build_command, check_dockerfile, image_id, run_build
from fairway.release.bundle import make_bundle
from fairway.release.compose import check_compose
from fairway.release.docker import find_docker
from fairway.release.migrations import read_shipped
from fairway.release.migrator import check_migrator
from fairway.release.progress import Reporter


@dataclass(frozen=True)
class Trial:
    """One image that was built: what it is called here, and its id in the local store."""

    target: str
    reference: str
    id: Digest


def local_names(config: Config, commit: str) -> tuple[str, str]:
    """Return what the application's and the migrator's image of a commit are called on this machine.

    The tag is no release's: it is moved by each build of the commit, and never pushed.
    """
    return f"{config.images.app}:ci-{commit}", f"{config.images.migrator}:ci-{commit}"


def build_only(config: Config, reporter: Reporter) -> tuple[Trial, ...]:
    """Build both images, and check all that a release of this tree would be checked for; push and archive nothing.

    The tree may have uncommitted changes. Raises ``Invalid`` for files that cannot be deployed, ``Failed``
    when a build fails.
    """
    with reporter.step("check"):
        checkout = git.read_checkout(config.root)
        docker = find_docker()
        check_dockerfile(config)
        check_compose(docker, config)
        make_bundle(config)
        shipped = read_shipped(config)
    built: list[Trial] = []
    targets = (config.build.app_target, config.build.migrator_target)
    for target, reference in zip(targets, local_names(config, checkout.commit), strict=True):
        with reporter.step(f"build {target}"):
            run_build(
                build_command(docker, config, checkout, target=target, reference=reference), config, target, reporter
            )
            built.append(Trial(target, reference, image_id(docker, reference)))
    check_migrator(docker, config, built[1].reference, shipped.sources)
    return tuple(built)
