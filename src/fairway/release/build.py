"""Build the two images of a release, each target once, into the local image store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fairway import process
from fairway.config import Config
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.contract.names import Digest, Repository, Tag
from fairway.release.docker import Docker
from fairway.release.git import Checkout
from fairway.release.progress import Reporter

# A step's headline, ``#6 [runner 2/4] COPY ...``, or what its command says, ``#6 0.31 ...``.
_STEP = re.compile(r"#\d+ (\[(?!internal\]).+|\d+\.\d+ .+)")
_LABEL = "org.opencontainers.image."


@dataclass(frozen=True)
class Image:
    """One image to build: a target of the Dockerfile, and what it is called."""

    target: str
    repository: Repository
    tag: Tag

    @property
    def reference(self) -> str:
        """``repository:tag``, the name in the local store."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True)
class Built:
    """An image in the local store, by the id the store gave it.

    The id is the digest of the image's configuration in Docker's classic store, and
    that of its manifest in the containerd store.
    """

    image: Image
    id: Digest


def labels(checkout: Checkout) -> dict[str, str]:
    """Return the OCI labels of an image. The time is the commit's: the same source, the same labels."""
    found = {
        f"{_LABEL}revision": checkout.commit,
        f"{_LABEL}created": checkout.committed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if checkout.source:
        found[f"{_LABEL}source"] = checkout.source
    return found


def arguments(config: Config, checkout: Checkout) -> dict[str, str]:
    """Return the build arguments: those of ``fairway.toml``, and the commit's time as that of the image.

    Without it BuildKit writes the time of the build into each configuration, and no image
    would be the same twice. Source: https://reproducible-builds.org/docs/source-date-epoch/
    """
    return {"SOURCE_DATE_EPOCH": str(int(checkout.committed_at.timestamp())), **config.build.args}


def build_command(
    docker: Docker, config: Config, checkout: Checkout, *options: str, target: str, reference: str
) -> list[str]:
    """Return the command line that builds one target into the local store, under a reference.

    Without provenance and SBOM attestations: with them the tag names an index whose
    digest is another one each time.
    """
    command = docker("buildx", "build", "--progress", "plain", "--load", "--provenance=false", "--sbom=false")
    command += [*options, "--file", str(config.root / config.build.dockerfile), "--target", target]
    command += ["--tag", reference]
    for name, value in sorted(labels(checkout).items()):
        command += ["--label", f"{name}={value}"]
    for name, value in sorted(arguments(config, checkout).items()):
        command += ["--build-arg", f"{name}={value}"]
    return [*command, str(config.root / config.build.context)]


def build(docker: Docker, config: Config, checkout: Checkout, image: Image, reporter: Reporter) -> Built:
    """Build one image. Raises ``Failed`` with the end of the build's own output."""
    command = build_command(docker, config, checkout, target=image.target, reference=image.reference)
    run_build(command, config, image.target, reporter)
    return Built(image, image_id(docker, image.reference))


def run_build(command: Sequence[str], config: Config, target: str, reporter: Reporter) -> None:
    """Run a build, telling its steps. Raises ``Failed`` with the end of its own output."""

    def on_line(line: str) -> None:
        if told := worth_telling(line):
            reporter.line(told)

    done = process.stream(command, on_line, cwd=config.root)
    done.or_fail(
        f"building the target {target!r} of {config.build.dockerfile} failed",
        hint="nothing was pushed; mend it and run fairway release again",
    )


def worth_telling(line: str) -> str | None:
    """Return what a line of BuildKit's plain progress says of a step, or None for its bookkeeping."""
    match = _STEP.match(line)
    return match[1] if match else None


def image_id(docker: Docker, reference: str) -> Digest:
    """Return the id of an image in the local store. Raises ``Failed`` when it is not there."""
    asked = process.run(docker("image", "inspect", "--format", "{{.Id}}", reference))
    text = asked.or_fail(f"the image {reference} is not in the local image store after its build")
    try:
        return Digest(text.strip())
    except FairwayError:
        raise Failed(f"Docker does not tell the id of {reference}", why=text.strip()[:100]) from None


def check_dockerfile(config: Config) -> None:
    """Raise ``Invalid`` when the Dockerfile or the context is not there."""
    dockerfile, context = config.root / config.build.dockerfile, config.root / config.build.context
    if not dockerfile.is_file():
        raise Invalid(_missing("build.dockerfile", dockerfile), hint="a release is built from it")
    if not context.is_dir():
        raise Invalid(_missing("build.context", context), hint="it is the directory the build may read")


def _missing(key: str, path: Path) -> str:
    return f"fairway.toml: {key}: there is no {path}"
