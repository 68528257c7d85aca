"""The command line of a build, and the client that runs it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fairway.config import Config
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.names import Tag
from fairway.release.build import Image, build, build_command, check_dockerfile, labels, worth_telling
from fairway.release.docker import Docker, find_docker
from fairway.release.git import Checkout
from fairway.release.progress import Silent

TAG = Tag("sha-" + "4f" * 20)


def checkout(root: Path, source: str | None = "https://github.com/acme/app") -> Checkout:
    return Checkout(root, "4f" * 20, "jane@example.com", datetime(2026, 1, 31, 12, tzinfo=UTC), source, ())


def client(directory: Path, *plugins: str, fails: str = "") -> str:
    """Write a ``docker`` that has these plugins and whose other commands end with what is in ``fails``."""
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "docker"
    cases = "".join(f'"{plugin} version") exit 0 ;; ' for plugin in plugins)
    program.write_text(
        f'#!/bin/sh\ncase "$1 $2" in {cases}"buildx version"|"compose version") exit 1 ;; esac\n{fails}\n'
    )
    program.chmod(0o755)
    return str(program)


def test_the_labels_are_those_of_the_commit(tmp_path: Path) -> None:
    assert labels(checkout(tmp_path)) == {
        "org.opencontainers.image.revision": "4f" * 20,
        "org.opencontainers.image.created": "2026-01-31T12:00:00Z",
        "org.opencontainers.image.source": "https://github.com/acme/app",
    }
    assert "org.opencontainers.image.source" not in labels(checkout(tmp_path, source=None))


def test_a_build_is_one_command_without_attestations(config: Config) -> None:
    image = Image("runner", config.images.app, TAG)
    source = checkout(config.root, source=None)
    root = str(config.root)
    made = build_command(Docker("docker"), config, source, "--x", target=image.target, reference=image.reference)
    assert made == [
        *("docker", "buildx", "build", "--progress", "plain", "--load", "--provenance=false", "--sbom=false", "--x"),
        *("--file", f"{root}/Dockerfile.prod", "--target", "runner"),
        *("--tag", f"registry.example.com/acme/capakraken-app:{TAG}"),
        *("--label", "org.opencontainers.image.created=2026-01-31T12:00:00Z"),
        *("--label", f"org.opencontainers.image.revision={'4f' * 20}"),
        *("--build-arg", "SOURCE_DATE_EPOCH=1769860800"),
        root,
    ]


@pytest.mark.parametrize("time", ["1769860800", "0"])
def test_build_arguments_are_passed_and_the_images_time_is_the_commits(config: Config, time: str) -> None:
    args = {"PYTHON_IMAGE": "python:3.13-slim", "A": "b=c", **({"SOURCE_DATE_EPOCH": "0"} if time == "0" else {})}
    changed = config.model_copy(update={"build": config.build.model_copy(update={"args": args})})
    command = build_command(Docker("docker"), changed, checkout(config.root), target="runner", reference="x:y")
    assert [command[i + 1] for i, word in enumerate(command) if word == "--build-arg"] == [
        "A=b=c",
        "PYTHON_IMAGE=python:3.13-slim",
        f"SOURCE_DATE_EPOCH={time}",
    ]


def test_a_failed_build_shows_its_end(config: Config, tmp_path: Path) -> None:
    docker = Docker(client(tmp_path / "bin", fails="echo '#7 ERROR: no such stage' >&2; exit 1"))
    with pytest.raises(Failed, match=r"target 'runner' of Dockerfile\.prod failed") as caught:
        build(docker, config, checkout(config.root), Image("runner", config.images.app, TAG), Silent())
    assert "no such stage" in caught.value.why


def test_a_missing_dockerfile_or_context_is_named(config: Config) -> None:
    check_dockerfile(config)
    (config.root / "Dockerfile.prod").unlink()
    with pytest.raises(Invalid, match=r"build\.dockerfile: there is no"):
        check_dockerfile(config)
    (config.root / "Dockerfile.prod").touch()
    changed = config.model_copy(update={"build": config.build.model_copy(update={"context": "nowhere"})})
    with pytest.raises(Invalid, match=r"build\.context: there is no"):
        check_dockerfile(changed)


def test_the_first_client_with_both_plugins_is_taken(tmp_path: Path) -> None:
    bare = client(tmp_path / "a")
    half = client(tmp_path / "b", "compose")
    whole = client(tmp_path / "c", "compose", "buildx")
    path = f"{tmp_path}/a:{tmp_path}/b:{tmp_path}/nowhere:{tmp_path}/c"
    assert find_docker({"PATH": path}).program == whole
    with pytest.raises(Failed) as caught:
        find_docker({"PATH": f"{tmp_path}/a:{tmp_path}/b"})
    assert caught.value.why == f"{bare} has no buildx and no compose; {half} has no buildx"


def test_a_client_can_be_named(tmp_path: Path) -> None:
    client(tmp_path / "a", "compose", "buildx")
    named = client(tmp_path / "b", "compose", "buildx")
    assert find_docker({"PATH": f"{tmp_path}/a", "FAIRWAY_DOCKER": named}).program == named


def test_no_client_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="docker is not installed"):
        find_docker({"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("#6 [runner 2/4] COPY app /app", "[runner 2/4] COPY app /app"),
        ("#6 0.312 Collecting starlette", "0.312 Collecting starlette"),
        ("#1 [internal] load build definition from Dockerfile.prod", None),
        ("#6 CACHED", None),
        ("#6 DONE 0.2s", None),
        ("#14 exporting layers done", None),
        ("", None),
    ],
)
def test_only_what_a_step_says_of_itself_is_told(line: str, told: str | None) -> None:
    assert worth_telling(line) == told
