"""Cases in which other tools are known to fail: here the old release goes on serving, and the reason is said.

Requests run through each of them, and none is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from testbed import changes
from testbed.bed import Testbed
from testbed.load import Load
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, slots_running, sql, start_on, status, wait_for_step

COMPOSE = "docker-compose.cicd.yml"
BEGIN = "    services = make_services(settings)\n    config = uvicorn.Config("
WORKER = '    command: ["python", "-m", "capakraken", "work"]\n'
MAILER = """\
  mailer:
    image: ${APP_IMAGE:?set it in deploy.env}
    command: ["python", "-m", "capakraken", "work"]
    env_file: .env.production
    environment: *connections
    healthcheck: {disable: true}
    restart: always

volumes:
"""


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A project with an application and two workers on staging; every test here leaves its first release serving."""
    made = Workspace(bed, project="t-known", port=19_970)
    made.edit(COMPOSE, "volumes:\n  postgres-data:", MAILER + "  postgres-data:")
    made.configure(compose={"workers": ["worker", "mailer"]})
    changes.count_migrations(made)
    start_on(made, "staging")
    yield made
    made.remove()


@pytest.fixture(autouse=True)
def load(work: Workspace) -> Iterator[Load]:
    """Start each test from the first commit, with requests; see that none failed and that nothing was left."""
    first = serving(work, "staging")
    work.git("checkout", "--quiet", "--detach", first.removeprefix("sha-"))
    with Load(work.url("staging", "/api/health"), connections=4, rate_per_s=40) as running:
        yield running
    assert running.report.reasons == {}
    assert set(running.report.by_release) == {first}
    assert serving(work, "staging") == first
    assert status(work, "staging")["drift"] == []
    assert slots_running(work, "staging") == [f"{work.project}-app-blue"]
    for worker in ("worker", "mailer"):
        assert _label(work, f"{work.project}-{worker}-1") == first


def _label(work: Workspace, container: str) -> str:
    return work.host("staging").docker("inspect", "--format", '{{index .Config.Labels "dev.fairway.tag"}}', container)


def _never_ready(work: Workspace) -> None:
    changes.never_ready(work)
    work.configure(readiness={"timeout_s": 5})
    work.commit("Give up soon")


def _fails(work: Workspace) -> str:
    """Release what is checked out and see its deployment fail; return what was said."""
    done = work.fairway("deploy", "staging", release(work), check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in done.stdout
    last = history(work, "staging")[-1]
    assert (last["tag"], last["outcome"]) == (work.tag, "failed")
    return said


def _containers(work: Workspace) -> list[str]:
    label = f"label=com.docker.compose.project={work.project}"
    return sorted(work.host("staging").docker("ps", "--all", "--filter", label, "--format", "{{.Names}}").split())


def test_an_image_that_exits_at_once_with_a_health_check_and_no_restart_policy(work: Workspace) -> None:
    app = work.path.joinpath(COMPOSE).read_text(encoding="utf-8")
    work.write(
        COMPOSE, app.replace("    stop_grace_period: 15s\n    restart: always\n", "    stop_grace_period: 15s\n")
    )
    work.edit("capakraken/app.py", BEGIN, "    raise SystemExit(0)\n" + BEGIN)
    work.commit("End at once, without a word")
    said = _fails(work)
    assert "does not stay up: it exited with code 0" in said
    assert "its command ended instead of serving" in said


def test_a_crash_loop_without_a_health_check(work: Workspace) -> None:
    text = work.path.joinpath("Dockerfile.prod").read_text(encoding="utf-8")
    head, _, tail = text.partition("HEALTHCHECK ")
    work.write("Dockerfile.prod", head + "CMD" + tail.partition("\nCMD")[2])
    changes.crash_at_boot(work)
    said = _fails(work)
    assert "does not stay up: it exited with code 1" in said
    assert "/app/models/forecast.bin is missing" in said


def test_a_run_that_is_killed_and_run_again_leaves_one_replica_and_no_sick_container(work: Workspace) -> None:
    before = _containers(work)
    _never_ready(work)
    tag = release(work)
    client = work.start_fairway("deploy", "staging", tag)
    wait_for_step(work, "staging", "ready")
    client.kill()
    work.host("staging").sh(f"pkill -KILL -f '{work.deploy_path}/[.]fairway/engine/current serve'")
    client.communicate()
    again = work.fairway("deploy", "staging", tag, check=False)
    assert again.returncode == 1
    assert f"undid the interrupted deploy of {tag[:11]}" in again.stderr
    assert "was not ready within 5 s" in again.stderr
    assert _containers(work) == before
    assert [e["outcome"] for e in history(work, "staging")][-2:] == ["failed", "failed"]


def test_a_compose_file_whose_application_depends_on_a_migration_service(work: Workspace, load: Load) -> None:
    """The service that runs to its end is run by Fairway, once a deployment, and never by ``depends_on``."""
    compose = work.path.joinpath(COMPOSE).read_text(encoding="utf-8")
    assert "migrator: {condition: service_completed_successfully}" in compose
    _never_ready(work)
    _fails(work)
    assert "migrate" in history(work, "staging")[-1]["steps"]
    assert sql(work, "staging", "SELECT count(*) FROM applications") == "1"
    assert [name for name in _containers(work) if "migrat" in name] == []


def test_images_are_pulled_while_the_old_container_serves(work: Workspace, load: Load) -> None:
    changes.add_ballast(work, 20, "slow")
    _never_ready(work)
    tag = release(work)
    client = work.start_fairway("deploy", "staging", tag)
    # From then on the host alone asks the registry, and not before the pull.
    wait_for_step(work, "staging", "verify")
    work.bed.registry.pause()
    try:
        wait_for_step(work, "staging", "pull")
        answered = load.report.ok
        wait_for("answers while the registry hangs", lambda: load.report.ok > answered + 80)
        assert slots_running(work, "staging") == [f"{work.project}-app-blue"]
    finally:
        work.bed.registry.unpause()
        client.communicate(timeout=120)
    assert "pull" in history(work, "staging")[-1]["steps"]


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ('    command: ["python", "-c", "raise SystemExit(\'no mail server\')"]\n', "exited with code 1"),
        ('    command: ["/nowhere"]\n', "/nowhere"),
    ],
    ids=["exits at once", "cannot be started"],
)
def test_one_of_several_services_that_does_not_stay_up_takes_all_of_them_back(
    work: Workspace, load: Load, service: str, reason: str
) -> None:
    compose = work.path.joinpath(COMPOSE).read_text(encoding="utf-8")
    head, mailer, tail = compose.partition("  mailer:\n")
    work.write(COMPOSE, head + mailer + tail.replace(WORKER, service, 1))
    work.commit("Send mail another way")
    said = _fails(work)
    assert reason in said
    _only_the_first_served_for_good(work, load)


def test_one_of_several_services_that_is_unhealthy_takes_all_of_them_back(work: Workspace, load: Load) -> None:
    compose = work.path.joinpath(COMPOSE).read_text(encoding="utf-8")
    head, mailer, tail = compose.partition("  mailer:\n")
    check = '    healthcheck: {test: ["CMD", "false"], interval: 1s, retries: 2}\n'
    work.write(COMPOSE, head + mailer + tail.replace("    healthcheck: {disable: true}\n", check, 1))
    work.commit("Look after the mailer")
    said = _fails(work)
    assert "the worker mailer does not stay up: its health check fails" in said
    _only_the_first_served_for_good(work, load)


def _only_the_first_served_for_good(work: Workspace, load: Load) -> None:
    """Traffic is moved before the workers, and moved back: the new release may have answered meanwhile."""
    load.report.by_release.pop(work.tag, None)


def test_an_entrypoint_that_does_not_exist(work: Workspace) -> None:
    last = 'CMD ["python", "-m", "capakraken", "serve"]\n'
    work.edit("Dockerfile.prod", last, f'ENTRYPOINT ["/nowhere"]\n{last}')
    work.commit("Enter by a door that is not there")
    said = _fails(work)
    assert "/nowhere" in said


def test_an_application_that_listens_on_another_port_than_the_compose_file_says(work: Workspace) -> None:
    work.edit("capakraken/app.py", "port=settings.port", "port=settings.port + 1")
    work.commit("Listen elsewhere")
    said = _fails(work)
    assert "nothing listens on port 3000" in said
    assert "3001" in said


def test_an_application_that_is_killed_for_using_too_much_memory(work: Workspace) -> None:
    grace = "    stop_grace_period: 15s\n"
    work.edit(COMPOSE, grace, grace + "    mem_limit: 192m\n    memswap_limit: 192m\n")
    work.edit("capakraken/app.py", BEGIN, "    forecast = bytearray(b'x') * 400_000_000\n" + BEGIN)
    work.commit("Keep the forecast in memory")
    said = _fails(work)
    # Docker itself does not always notice what the kernel did; the exit code is there in any case.
    assert re.search(r"does not stay up: it (was killed .*out of memory|exited with code 137, .*lack of memory)", said)
    assert "mem_limit" in said
