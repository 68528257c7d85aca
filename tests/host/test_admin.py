"""What a deploy key can do where an administrator keeps the host: deploy, and nothing else."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fairway.engine.contract.protocol import Operation, encode, request
from fairway.remote.installer import install
from testbed import changes, images
from testbed.bed import Login, Testbed
from testbed.host import Host
from testbed.process import run
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, start_on, status, wait_for_step
from tests.host.guarded import deploy_key_of, give_deploy_key, guarded

ONLY_PROTOCOL = "this key may only speak Fairway's protocol"


@pytest.fixture(scope="module")
def work(bed: Testbed, make_login: Callable[[], Login]) -> Iterator[Workspace]:
    """A project on hosts that root keeps, with one deploy key, and a release that serves on staging."""
    made = guarded(bed, make_login())
    for environment in ("staging", "production"):
        made.prepare_host(environment)
        made.fairway("bootstrap", environment)
        give_deploy_key(made, environment)
    made.fairway("deploy", "staging", release(made))
    yield made
    made.remove()


@pytest.fixture
def make_guarded(bed: Testbed, make_login: Callable[[], Login]) -> Iterator[Callable[[], Workspace]]:
    """Make projects of a test's own, which name an administrator; nothing is prepared yet."""
    made: list[Workspace] = []

    def make() -> Workspace:
        made.append(guarded(bed, make_login()))
        return made[-1]

    yield make
    for work in made:
        work.remove()


def _ssh(
    work: Workspace, *command: str, options: tuple[str, ...] = (), stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Use the deploy key with the plain client, as somebody who has stolen it would."""
    argv: list[str] = ["ssh", "-F", str(work.ssh_config), *options, "staging", *(["--", *command] if command else [])]
    return run(argv, check=False, stdin=stdin, timeout_s=30)


def _speak(work: Workspace, operation: Operation, **args: Any) -> dict[str, Any]:
    """Ask the engine one thing over the deploy key, past the command line; return how it answered."""
    engine = f"{work.deploy_path}/.fairway/engine/current"
    done = _ssh(work, "python3", "-I", engine, "serve", stdin=encode(request(operation, **args)).decode())
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _trust_files(work: Workspace) -> str:
    root = f"{work.deploy_path}/.fairway"
    return work.host("staging").sh(
        f"cd {root} && sha256sum engine/* trust/* host.json; stat -c '%U %a %n' engine trust"
    )


def test_a_deployment_over_the_forced_command_works_end_to_end(work: Workspace) -> None:
    first = serving(work, "staging")
    changes.retitle(work, "Second")
    second = release(work)
    said = work.fairway("deploy", "staging", second).stdout
    assert "serving" in said
    assert serving(work, "staging") == second
    assert status(work, "staging")["serving"]["tag"] == second
    work.fairway("rollback", "staging")
    assert serving(work, "staging") == first
    assert work.fairway("logs", "staging", "--tail", "5").stdout
    assert [entry["outcome"] for entry in history(work, "staging")][-2:] == ["succeeded", "succeeded"]
    assert json.loads(work.fairway("prune", "staging", "--json").stdout)["problems"] == []
    assert status(work, "staging")["drift"] == []


def test_what_root_runs_on_the_host_itself_works_where_root_keeps_it(work: Workspace) -> None:
    host, own = work.host("staging"), f"{work.deploy_path}/.fairway"
    before = host.sh(f"cd {own} && find . -user root | sort")
    assert f"{serving(work, 'staging')[:11]} serves" in host.sh(f"{work.deploy_path}/fairway recover")
    refused = host.run(f"{work.deploy_path}/fairway install-unit", check=False)
    assert "does not run systemd" in refused.stderr

    site = f"/etc/nginx/conf.d/{work.project}.conf"
    host.put(
        site, f"server {{ listen 127.0.0.1:{work.port + 5_000}; location / {{ proxy_pass http://127.0.0.1:9; }} }}\n"
    )
    manual = host.get(site)
    host.sh("mv /etc/nginx/sites-enabled/default /root/nginx-default && nginx")
    try:
        said = host.sh(f"{work.deploy_path}/fairway traffic to-fairway --from 9")
        assert f"127.0.0.1:9 -> 127.0.0.1:{work.port}" in said
        assert host.sh(f"curl -fsS 127.0.0.1:{work.port + 5_000}/api/ready")
        host.sh(f"{work.deploy_path}/fairway traffic to-manual --anyway")
        assert host.get(site) == manual
    finally:
        host.sh(f"nginx -s stop; rm {site}; mv /root/nginx-default /etc/nginx/sites-enabled/default")
    assert [entry["action"] for entry in history(work, "staging")][-2:] == ["traffic", "traffic"]
    # The copy of nginx's file is for root alone; all else that was written is the deploy user's.
    grown = set(host.sh(f"cd {own} && find . -user root | sort").split()) - set(before.split())
    assert {name.rpartition("/")[0] for name in grown} == {"./traffic"}


@pytest.fixture
def systemd(bed: Testbed) -> Iterator[Host]:
    """A host of the test's own that boots with systemd, and has sudo."""
    host = bed.add_host(f"systemd-{secrets.token_hex(3)}", image=images.provide_systemd())
    yield host
    bed.remove_host(host.name)


def test_an_administrator_by_sudo_installs_what_recovers_the_host_at_boot(
    systemd: Host, bed: Testbed, make_login: Callable[[], Login]
) -> None:
    login = make_login()
    systemd.add_user("ops", login.public)
    work = Workspace(
        bed, project=f"t-{secrets.token_hex(4)}", port=24_999, environments={"staging": systemd.name}, login=login
    )
    try:
        work.configure(environments={"staging": {"admin": "ops"}})
        work.prepare_host("staging")
        refused = work.fairway("bootstrap", "staging", check=False)
        assert "does not let the administrator be root" in refused.stderr
        systemd.put("/etc/sudoers.d/ops", "ops ALL=(root) NOPASSWD: /usr/bin/python3\n", mode=0o440)
        said = work.fairway("bootstrap", "staging").stdout
        assert "root: the deploy key cannot change" in said
        unit = f"fairway-{work.project}-staging.service"
        assert f"{unit} is enabled" in said
        assert f"User={login.name}" in systemd.get(f"/etc/systemd/system/{unit}")
        systemd.sh(f"systemctl start {unit}")
        assert systemd.sh(f"journalctl --unit {unit} --output cat | grep -c 'nothing is recorded as serving'") == "1"
    finally:
        work.remove()


def test_ctrl_c_reverts_over_the_forced_command(make_guarded: Callable[[], Workspace]) -> None:
    work = make_guarded()
    work.prepare_host("staging")
    work.fairway("bootstrap", "staging")
    give_deploy_key(work, "staging")
    first = release(work)
    work.fairway("deploy", "staging", first)
    changes.never_ready(work)
    work.configure(readiness={"timeout_s": 120})
    work.commit("Wait for long")
    client = work.start_fairway("deploy", "staging", release(work))
    wait_for_step(work, "staging", "ready")
    client.send_signal(signal.SIGINT)
    said, _ = client.communicate(timeout=60)
    assert client.returncode == 130, said
    assert serving(work, "staging") == first
    assert history(work, "staging")[-1]["outcome"] == "cancelled"


@pytest.mark.parametrize(
    "command",
    [
        ["bash"],
        ["id"],
        ["python3 -I {engine} serve; touch {marker}"],
        ["python3 -I {engine} serve $(touch {marker})"],
        ["python3 -I {engine} admin"],
        ["python3 -I {engine} recover"],
        ["python3 -I /tmp/other.pyz serve"],
        ['python3 -c \'open("{marker}", "w")\''],
        ["unbalanced '"],
    ],
)
def test_a_deploy_key_that_asks_for_a_shell_is_refused_in_words(work: Workspace, command: list[str]) -> None:
    marker = f"/tmp/{work.project}-marker"
    engine = f"{work.deploy_path}/.fairway/engine/current"
    done = _ssh(work, *(word.format(engine=engine, marker=marker) for word in command))
    assert done.returncode == 3
    assert ONLY_PROTOCOL in done.stderr
    assert json.loads(done.stdout)["error"]["exit_code"] == 3
    assert work.host("staging").sh(f"ls {marker} 2>/dev/null || echo none") == "none"


def test_a_deploy_key_without_a_command_gets_no_shell_and_no_terminal(work: Workspace) -> None:
    marker = f"/tmp/{work.project}-marker"
    done = _ssh(work, stdin=f"touch {marker}\n")
    assert json.loads(done.stdout)["kind"] == "error"
    on_terminal = _ssh(work, options=("-tt",), stdin=f"touch {marker}\n")
    assert "PTY allocation request failed" in on_terminal.stderr
    assert work.host("staging").sh(f"ls {marker} 2>/dev/null || echo none") == "none"


def test_a_deploy_key_forwards_no_port_in_either_direction(work: Workspace) -> None:
    there = _ssh(work, options=("-W", "127.0.0.1:22"))
    assert there.returncode != 0
    assert "administratively prohibited" in there.stderr
    assert "SSH-2.0" not in there.stdout
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    back = _ssh(work, options=("-N", "-o", "ExitOnForwardFailure=yes", "-R", f"{port}:127.0.0.1:22"))
    assert back.returncode != 0
    assert "remote port forwarding failed" in back.stderr


@pytest.mark.parametrize("program", [["scp"], ["scp", "-O"]])
def test_a_deploy_key_copies_no_file_there_or_back(work: Workspace, program: list[str], tmp_path: Path) -> None:
    marker = f"/tmp/{work.project}-copied"
    (tmp_path / "mine").write_text("mine")
    settings = f"{work.deploy_path}/.env.production"
    there = run([*program, "-F", work.ssh_config, tmp_path / "mine", f"staging:{marker}"], check=False)
    back = run([*program, "-F", work.ssh_config, f"staging:{settings}", tmp_path / "theirs"], check=False)
    assert there.returncode != 0
    assert back.returncode != 0
    if "-O" in program:  # without it scp speaks sftp, and sshd drops the words of a subsystem
        assert ONLY_PROTOCOL in there.stderr
    assert not (tmp_path / "theirs").exists() or not (tmp_path / "theirs").read_bytes()
    assert work.host("staging").sh(f"ls {marker} 2>/dev/null || echo none") == "none"


def test_a_deploy_key_speaks_no_sftp(work: Workspace) -> None:
    settings = f"{work.deploy_path}/.env.production"
    done = run(["sftp", "-F", work.ssh_config, "-b", "-", "staging"], check=False, stdin=f"get {settings} -\n")
    assert done.returncode != 0
    assert "Connection closed" in done.stderr
    assert "POSTGRES_PASSWORD" not in done.stdout + done.stderr


def test_a_deploy_key_does_not_replace_the_engine(work: Workspace) -> None:
    before = _trust_files(work)
    program = Path(install.__code__.co_filename).read_text()
    payload = {"deploy_path": work.deploy_path, "file_name": "x.pyz", "content": "", "sha256": ""}
    stolen = _ssh(work, "python3", "-I", "-", stdin=f"{program}\nmain({json.dumps(payload)!r})\n")
    assert stolen.returncode == 3
    assert ONLY_PROTOCOL in stolen.stderr
    work.configure(environments={"staging": {"admin": None}})
    try:
        done = work.fairway("bootstrap", "staging", check=False)
    finally:
        work.git("checkout", "--quiet", "fairway.toml")
    assert done.returncode == 3
    assert ONLY_PROTOCOL in done.stderr
    assert _trust_files(work) == before


def test_nor_does_a_shell_of_the_deploy_user_replace_it(work: Workspace) -> None:
    root, before = f"{work.deploy_path}/.fairway", _trust_files(work)
    for attempt in (
        f"mv {root} {root}.away",
        f"mv {work.deploy_path}/.fairway/engine {root}/other",
        f"ln -sfn /tmp/x {root}/engine/current",
        f"rm -rf {root}/trust",
        f"echo >{root}/trust/policy.json",
        f"mv {root}/host.json {root}/host.json.away",
        f"mv {work.deploy_path} {work.deploy_path}.away",
        f"rm -f {work.deploy_path}/fairway",
    ):
        done = work.host("staging").run(attempt, user=work.user, check=False)
        assert done.returncode != 0, attempt
    assert _trust_files(work) == before


@pytest.mark.parametrize(
    ("operation", "args"),
    [
        (Operation.SET_TRUST, {"by": "thief", "keys": {"keys": []}}),
        (Operation.SET_TRUST, {"by": "thief", "new_evidence_key": True}),
        (Operation.CONFIGURE, {"host": {}}),
        (Operation.INSTALL_UNIT, {}),
        (Operation.BACKUP_RESTORE, {"by": "thief"}),
        (Operation.BACKUP_DROP_OLD, {"by": "thief"}),
        (Operation.BACKUP_PRUNE, {"by": "thief", "plan": False}),
        (Operation.COMPARE_ENV, {"env": {"file": ".env.production", "required": []}, "comparing": "x"}),
    ],
)
def test_a_deploy_key_changes_nothing_that_the_host_goes_by(
    work: Workspace, operation: Operation, args: dict[str, Any]
) -> None:
    before = _trust_files(work)
    answer = _speak(work, operation, **args)
    assert answer["error"]["exit_code"] == 3
    assert "only an administrator may" in answer["error"]["what"]
    assert _trust_files(work) == before


def test_removing_backups_is_the_administrator_s_who_becomes_the_deploy_user_for_it(work: Workspace) -> None:
    assert "nothing to remove" in work.fairway("backup", "prune", "staging").stdout


def test_values_are_compared_by_the_administrator_and_names_by_any_deploy_key(work: Workspace) -> None:
    compared = json.loads(work.fairway("env", "diff", "staging", "production", "--json", check=False).stdout)
    names = json.loads(work.fairway("env", "diff", "staging", "production", "--names", "--json", check=False).stdout)
    assert {row["key"] for row in compared} == {row["key"] for row in names}
    assert False in {row["equal"] for row in compared}  # each host was given passwords of its own
    assert {row["equal"] for row in names} == {None}
    work.configure(environments={"production": {"admin": None}})
    try:
        refused = work.fairway("env", "diff", "staging", "production", check=False)
        assert refused.returncode == 3
        assert "only an administrator may compare the values" in refused.stderr
        assert work.fairway("env", "diff", "staging", "production", "--names", check=False).returncode in (0, 1)
    finally:
        work.configure(environments={"production": {"admin": "root"}})


def test_the_administrator_s_connection_deploys_nothing(work: Workspace) -> None:
    engine = f"{work.deploy_path}/.fairway/engine/current"
    asked = encode(request(Operation.ROLLBACK, by="root")).decode()
    done = _ssh(work, "python3", "-I", engine, "admin", options=("-l", "root"), stdin=asked)
    assert "does not answer 'rollback'" in json.loads(done.stdout)["error"]["what"]


def test_the_doctor_says_who_keeps_the_host_and_what_differs(work: Workspace) -> None:
    def found() -> dict[str, dict[str, Any]]:
        done = work.fairway("doctor", "production", "--json", check=False)
        return {check["name"]: check for check in json.loads(done.stdout)["production"]}

    checks = found()
    assert "root: the deploy key cannot change" in checks["kept by"]["found"]
    assert checks["policy"]["ok"]
    assert checks["evidence key"]["found"] == "production:production"
    assert checks["believes staging"]["found"] == "staging:staging"
    assert checks["keys of the deploy user"]["found"] == "none opens a shell"
    work.configure(environments={"production": {"policy": {"approvals": 1, "soak_s": 60}}})
    try:
        checks = found()
        assert not checks["policy"]["ok"]
        assert "requires, approvals" in checks["policy"]["found"]
        work.fairway("bootstrap", "production")
        assert found()["policy"]["ok"]
    finally:
        work.git("checkout", "--quiet", "fairway.toml")


def test_bootstrap_twice_changes_nothing_and_says_nothing(work: Workspace) -> None:
    work.fairway("bootstrap", "production")
    before = history(work, "production"), _trust_files(work)
    again = work.fairway("bootstrap", "production")
    assert "changed on the host" not in again.stderr
    assert "now believes" not in again.stderr
    assert (history(work, "production"), _trust_files(work)) == before


def test_production_before_staging_says_what_to_do(make_guarded: Callable[[], Workspace]) -> None:
    work = make_guarded()
    work.prepare_host("production")
    done = work.fairway("bootstrap", "production", check=False)
    assert done.returncode == 1
    assert "staging cannot be asked for its evidence key" in done.stderr
    assert "fairway bootstrap staging, then again: fairway bootstrap production" in done.stderr
    work.prepare_host("staging")
    work.fairway("bootstrap", "staging")
    said = work.fairway("bootstrap", "production").stderr
    assert "production now believes staging:staging" in said


def test_a_host_s_changed_key_is_refused_until_somebody_rotates_it(make_guarded: Callable[[], Workspace]) -> None:
    work = make_guarded()
    for environment in ("staging", "production"):
        work.prepare_host(environment)
        work.fairway("bootstrap", environment)
    key = f"{work.deploy_path}/.fairway/evidence_key"
    make = f"rm {key}; ssh-keygen -q -t ed25519 -N '' -f {key}; rm {key}.pub"
    work.host("staging").sh(make, user=work.user)
    done = work.fairway("bootstrap", "production", check=False)
    assert done.returncode == 3
    assert "the evidence key of staging:staging is not the one that is believed" in done.stderr
    assert "fairway keys rotate staging --host" in done.stderr

    rotated = json.loads(work.fairway("keys", "rotate", "staging", "--host", "--json").stdout)
    assert rotated["told"] == ["staging", "production"]
    keys = json.loads(work.fairway("keys", "list", "production", "--json").stdout)["keys"]
    states = [
        (entry["public"] == rotated["public"], "until" in entry) for entry in keys if entry["name"] == "staging:staging"
    ]
    assert states == [(False, True), (True, False)]
    work.fairway("bootstrap", "production")
    assert work.host("staging").sh(f"stat -c '%a %U' {key}") == f"600 {work.user}"


def test_a_key_that_was_revoked_can_no_longer_connect(make_guarded: Callable[[], Workspace]) -> None:
    work = make_guarded()
    work.prepare_host("staging")
    said = work.fairway("bootstrap", "staging").stderr
    assert "these keys of the deploy user can still open a shell" in said
    give_deploy_key(work, "staging")
    file = f"/home/{work.user}/.ssh/authorized_keys"
    host = work.host("staging")
    # The key also stands on a line of its own, as the one that made the user left it: the forced command goes first.
    assert host.get(file).count(Path(deploy_key_of(work)).read_text().split()[1]) == 2
    assert _ssh(work, "id").returncode == 3
    assert host.sh(f"stat -c '%a %U' {file}") == f"600 {work.user}"
    host.run(f"echo '# mine' >>{file}", user=work.user)

    done = work.fairway("keys", "revoke", "staging", "ci", "--role", "deploy", "--reason", "stolen")
    assert "had a revoked key without Fairway's command; it is gone" in done.stdout
    assert host.get(file).strip() == "# mine"
    closed = work.fairway("status", "staging", check=False)
    assert closed.returncode == 5
    assert "refused the key" in closed.stdout
    again = work.fairway(
        "keys",
        "add",
        "staging",
        "ci",
        deploy_key_of(work),
        "--role",
        "deploy",
        check=False,
    )
    assert again.returncode == 2
    assert "was revoked" in again.stderr
    listed = json.loads(work.fairway("keys", "list", "staging", "--json").stdout)["keys"]
    assert [(key["name"], key["why"]) for key in listed if "revoked" in key] == [("ci", "stolen")]


def test_a_viewer_s_key_looks_and_changes_nothing(make_guarded: Callable[[], Workspace]) -> None:
    work = make_guarded()
    work.prepare_host("staging")
    work.fairway("bootstrap", "staging")
    work.fairway("keys", "add", "staging", "dashboard", deploy_key_of(work), "--role", "viewer")
    for look in (["status", "staging"], ["history", "staging"], ["keys", "list", "staging"]):
        work.fairway(*look)
    for change in (["lock", "staging", "--reason", "mine"], ["rollback", "staging"], ["prune", "staging"]):
        refused = work.fairway(*change, check=False)
        assert refused.returncode == 3, refused.stderr
        assert "it can look, and nothing else" in refused.stdout + refused.stderr
    assert _ssh(work, "id").returncode == 3
    assert _ssh(work, f"python3 -I {work.deploy_path}/.fairway/engine/current upkeep").returncode == 3


def test_a_host_that_the_deploy_user_kept_is_taken_over_while_it_serves(make_guarded: Callable[[], Workspace]) -> None:
    work = make_guarded()
    work.configure(environments={"staging": {"admin": None}})
    work.commit("Without an administrator at first")
    first = start_on(work, "staging")
    key = deploy_key_of(work)
    said = work.fairway("keys", "add", "staging", "ann@example.com", key, "--role", "reviewer").stdout
    assert f"whoever can log in as {work.user} could do the same" in said
    locked_out = work.fairway("keys", "add", "staging", "ci", key, "--role", "deploy", check=False)
    assert locked_out.returncode == 2  # one key, one role
    work.fairway("keys", "revoke", "staging", "ann@example.com", "--role", "reviewer")
    doctor = work.fairway("doctor", "staging").stdout
    assert f"{work.user}: whoever holds that login can change what this host goes by" in doctor

    work.configure(environments={"staging": {"admin": "root"}})
    taken = work.fairway("bootstrap", "staging").stderr
    assert "trust/keys.json, trust/policy.json came from when the deploy user kept them" in taken
    assert serving(work, "staging") == first
    assert status(work, "staging")["drift"] == []
    assert "root: the deploy key cannot change" in work.fairway("doctor", "staging").stdout
    changes.retitle(work, "Second")
    second = release(work)
    work.fairway("deploy", "staging", second)
    work.fairway("rollback", "staging")
    assert serving(work, "staging") == first
    host, root = work.host("staging"), f"{work.deploy_path}/.fairway"
    assert host.sh(f"{work.deploy_path}/fairway status --json | head -c 1") == "{"
    owned_by_root = host.sh(f"cd {root} && find . -user root -printf '%P\\n' | sed 's,/.*,,' | sort -u")
    assert owned_by_root.split() == ["engine", "host.json", "trust"]


def test_the_last_way_in_is_not_given_away(make_guarded: Callable[[], Workspace]) -> None:
    work = make_guarded()
    work.configure(environments={"staging": {"admin": None}})
    work.prepare_host("staging")
    work.fairway("bootstrap", "staging")
    key = deploy_key_of(work)
    done = work.fairway("keys", "add", "staging", "ci", key, "--role", "deploy", check=False)
    assert done.returncode == 3
    assert "that would leave nobody a way to log in to this host" in done.stderr
    assert work.fairway("keys", "list", "staging").stdout.count(" deploy ") == 0
    work.fairway("status", "staging")
