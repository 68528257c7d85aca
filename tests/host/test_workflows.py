"""The workflows that ``fairway init`` writes, run: from a pull request to production and back, by a runner.

The pipeline's key can do nothing but speak Fairway's protocol, and everything it is given comes as secrets.
"""

from __future__ import annotations

import re
import secrets
import urllib.error
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from testbed import changes, toml
from testbed.act import SOURCE, Job, ProcessList, Runner
from testbed.bed import Login, Testbed
from testbed.leaks import Searcher
from testbed.process import TestbedError
from testbed.workspace import Workspace
from tests.host.asking import history, serving, slots_running, status, wait_for_step
from tests.host.guarded import ADMIN, deploy_key_of

ACTOR = "ada"
BUS = "capakraken/sse/event_bus.py"
# Of the example's stages those that need nothing installed and no browser: tests/host/test_ci.py has them all.
STAGES = {
    "workflows": {"run": "fairway init --check"},
    "guardrails": {"run": "fairway guardrails check"},
    "migrations": {"run": "fairway migrations lint"},
    "syntax": {"run": "python3 -m compileall -q capakraken", "needs": ["guardrails"]},
}


class Repository(Workspace):
    """A repository with workflows in it: whoever deploys knows the hosts by a pipeline's variables and nothing else."""

    secrets: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which ``fairway`` runs here: an operator has the same variables as the pipeline."""
        return {**super().environment, **getattr(self, "secrets", {})}

    def hand_over(self) -> None:
        """Take the way to the hosts out of ``fairway.toml``, and name the keys by which they are known."""
        document = self.config
        document["requires"] = "==0.1.*"
        document["ci"] = {"stages": STAGES}
        document["readiness"] = {**document.get("readiness", {}), "timeout_s": 300}
        known = "tooling/deploy/known_hosts"
        for table in document["environments"].values():
            for key in ("hosts", "ssh_config", "deploy_path", "port"):
                del table[key]
            table["known_hosts"] = known
        self.write("fairway.toml", toml.dumps(document))
        self.write(known, (self.bed.state / "known_hosts").read_text(encoding="ascii"))
        assert self.login is not None
        registry = self.bed.registry
        self.secrets = {"REGISTRY_USERNAME": registry.username, "REGISTRY_TOKEN": registry.password}
        for prefix, environment in (("STAGING", "staging"), ("PROD", "production")):
            told = {
                "SSH_HOST": self.host(environment).address,
                "SSH_PORT": "22",
                "SSH_USER": self.user,
                "SSH_KEY": self.login.key.read_text(encoding="ascii"),
                "DEPLOY_PATH": self.deploy_path,
                "APP_HOST_PORT": str(self.port),
                "GHCR_USERNAME": registry.username,
                "GHCR_TOKEN": registry.password,
            }
            self.secrets |= {f"{prefix}_{name}": value for name, value in told.items()}


@dataclass
class Pipeline:
    """The repository, what runs its workflows, and all that was said and started meanwhile."""

    work: Repository
    runner: Runner
    processes: ProcessList
    said: list[str] = field(default_factory=list)

    def run(self, workflow: str, event: str = "workflow_dispatch", **inputs: str) -> str:
        """Run a workflow, which is to succeed; return what was said."""
        return self.end_of(self.runner.start(workflow, event, **inputs), expect=0)

    def end_of(self, job: Job, *, expect: int) -> str:
        """Wait for a workflow's end; return what was said."""
        code = job.wait()
        self.said.append(job.output)
        assert code == expect, job.output
        return job.output


@pytest.fixture(scope="module")
def pipeline(bed: Testbed, make_login: Callable[[], Login]) -> Iterator[Pipeline]:
    """The example's repository with its workflows, on hosts that an administrator has prepared."""
    port = 25_000 + secrets.randbelow(5_000)
    work = Repository(bed, project=f"t-{secrets.token_hex(4)}", port=port, login=make_login())
    work.configure(**ADMIN)
    for environment in ("staging", "production"):
        work.prepare_host(environment)
        work.fairway("bootstrap", environment)
        work.fairway("keys", "add", environment, "ci", deploy_key_of(work), "--role", "deploy")
    work.git("remote", "add", "origin", SOURCE)
    work.hand_over()
    work.fairway("init", "--update", "--yes")
    work.commit("Have a pipeline")
    try:
        with (
            Runner(bed, work.path, secrets=work.secrets, actor=ACTOR) as runner,
            ProcessList() as processes,
        ):
            yield Pipeline(work, runner, processes)
    finally:
        work.remove()


@dataclass(frozen=True)
class Delivered:
    """Two releases, and what served when."""

    first: str
    second: str
    served: dict[str, tuple[str, str]]
    said: dict[str, str]


@pytest.fixture(scope="module")
def staged(pipeline: Pipeline) -> str:
    """Release the commit and have staging serve it; return its tag."""
    pipeline.run("release-image.yml")
    pipeline.run("deploy-staging.yml", tag="")
    assert _serving(pipeline.work, "staging") == pipeline.work.tag
    return pipeline.work.tag


@pytest.fixture(scope="module")
def delivered(pipeline: Pipeline, staged: str) -> Delivered:
    """Promote it; release, try and promote another; then roll production back."""
    work = pipeline.work
    served, said = {"staging": _both(work)}, {}

    def step(name: str, workflow: str, **inputs: str) -> None:
        said[name] = pipeline.run(workflow, **inputs)
        served[name] = _both(work)

    step("production", "deploy-prod.yml", tag=staged)
    changes.add_location(work)
    second = work.tag
    pipeline.run("release-image.yml")
    step("staging again", "deploy-staging.yml", tag=second)
    step("production again", "deploy-prod.yml", tag=second)
    step("rollback", "rollback.yml", environment="production", tag="")
    return Delivered(staged, second, served, said)


def _both(work: Repository) -> tuple[str, str]:
    return _serving(work, "staging"), _serving(work, "production")


def _serving(work: Repository, environment: str) -> str:
    try:
        return serving(work, environment)
    except urllib.error.URLError:
        return "nothing"


def test_a_pull_request_that_breaks_an_invariant_is_red_at_its_line(pipeline: Pipeline) -> None:
    work = pipeline.work
    line = "        message = json.dumps"
    work.edit(BUS, line, '        await self._redis.publish(f"role:{event.data[\'role\']}", "{}")\n' + line)
    work.commit("Tell a role")
    said = pipeline.end_of(pipeline.runner.start("ci.yml", "pull_request"), expect=1)
    work.git("reset", "--quiet", "--hard", "HEAD~1")
    text = (work.path / BUS).read_text(encoding="utf-8")
    number = text[: text.index(line)].count("\n") + 1
    assert re.search(rf"::error file={BUS},line={number}\b", said), said
    assert re.search(r"guardrails +failed", said)
    assert re.search(r"syntax +skipped", said)
    assert re.search(r"workflows +passed", said), said


def test_a_pull_request_that_keeps_them_is_green(pipeline: Pipeline) -> None:
    said = pipeline.run("ci.yml", "pull_request")
    for stage in STAGES:
        assert re.search(rf"{stage} +passed", said), said


def test_the_release_has_both_images_under_the_commits_tag(pipeline: Pipeline, delivered: Delivered) -> None:
    registry = pipeline.work.bed.registry
    for image in ("app", "migrator"):
        for tag in (delivered.first, delivered.second):
            assert registry.status(f"/v2/{pipeline.work.project}/{image}/manifests/{tag}") == 200


def test_the_same_release_goes_from_staging_to_production_and_back(delivered: Delivered) -> None:
    first, second = delivered.first, delivered.second
    assert delivered.served == {
        "staging": (first, "nothing"),
        "production": (first, first),
        "staging again": (second, first),
        "production again": (second, second),
        "rollback": (second, first),
    }


def test_the_page_of_a_promotion_has_the_gates_checklist_and_the_timeline(delivered: Delivered) -> None:
    page = delivered.said["production again"]
    assert f"### production: everything is met for `{delivered.second[:11]}`" in page
    assert re.search(r"\| ✅ \| switch \| [0-9.]+ s \|", page)


def test_production_has_it_on_record_who_asked(pipeline: Pipeline, delivered: Delivered) -> None:
    entries = [entry for entry in history(pipeline.work, "production") if "tag" in entry]
    assert {entry["by"] for entry in entries} == {f"{ACTOR} (CI)"}
    assert [(entry["action"], entry["tag"], entry["outcome"]) for entry in entries] == [
        ("deploy", delivered.first, "succeeded"),
        ("deploy", delivered.second, "succeeded"),
        ("rollback", delivered.first, "succeeded"),
    ]


def _slow_deployment(pipeline: Pipeline) -> tuple[str, Job]:
    """Start a deployment to staging that will wait for long; return its release and the workflow's run."""
    work = pipeline.work
    changes.never_ready(work)
    work.fairway("release")
    job = pipeline.runner.start("deploy-staging.yml", tag=work.tag)
    try:
        wait_for_step(work, "staging", "ready")
    except TestbedError:
        raise TestbedError(job.output) from None
    return work.tag, job


def _assert_reverted(work: Repository, tag: str, before: str) -> None:
    assert serving(work, "staging") == before
    assert len(slots_running(work, "staging")) == 1
    last = history(work, "staging")[-1]
    assert (last["tag"], last["outcome"]) == (tag, "cancelled")
    assert status(work, "staging")["drift"] == []


def test_a_cancelled_workflow_sees_the_deployment_reverted(pipeline: Pipeline, staged: str) -> None:
    before = serving(pipeline.work, "staging")
    tag, job = _slow_deployment(pipeline)
    job.cancel()
    said = pipeline.end_of(job, expect=1)
    pipeline.work.git("reset", "--quiet", "--hard", "HEAD~1")
    assert "was cancelled" in said
    _assert_reverted(pipeline.work, tag, before)


def test_a_step_that_is_interrupted_has_the_deployment_reverted(pipeline: Pipeline, staged: str) -> None:
    before = serving(pipeline.work, "staging")
    # What GitHub's runner does: the signal goes to the step's own process, which has to be Fairway by then.
    tag, job = _slow_deployment(pipeline)
    job.interrupt_step()
    said = pipeline.end_of(job, expect=1)
    pipeline.work.git("reset", "--quiet", "--hard", "HEAD~1")
    assert "cancelling: the host is asked to revert" in said
    _assert_reverted(pipeline.work, tag, before)


def test_no_secret_is_shown_or_an_argument_of_any_process(pipeline: Pipeline, delivered: Delivered) -> None:
    # The first line of the body says what kind of a key it is: every key of the kind has it.
    given = {name: value for name, value in pipeline.work.secrets.items() if name.endswith(("_KEY", "_TOKEN"))}
    for name in given:
        if name.endswith("_KEY"):
            begin, _, *rest = given[name].splitlines()
            given[name] = "\n".join([begin, *rest])
    searcher = Searcher(given)
    assert len(pipeline.said) > 8
    assert searcher.names_in("\n".join(pipeline.said)) == set()
    started = pipeline.processes.seen
    assert any(b"docker\0login" in one for one in started)
    assert any(b"fairway\0promote" in one for one in started)
    assert searcher.names_in(b"\n".join(started)) == set()
