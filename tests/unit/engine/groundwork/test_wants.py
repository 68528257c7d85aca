from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fairway.engine.contract.envtext import scan_env
from fairway.engine.contract.errors import Failed, Invalid, Refused
from fairway.engine.contract.fields import Fields
from fairway.engine.groundwork.account import DeployPath, DeployUser
from fairway.engine.groundwork.daemon import ContainerLogs
from fairway.engine.groundwork.machine import Account, Found, ThisMachine
from fairway.engine.groundwork.ports import Ports
from fairway.engine.groundwork.skeleton import Settings, render, skeleton
from fairway.engine.groundwork.table import look_over, make
from fairway.engine.groundwork.wish import Wish
from fairway.remote.unseen import Unseen
from tests.unit.engine.groundwork.machines import DEBIAN_13, SERVED, WISH, Machine, ready

SETTINGS = "/opt/shop/.env.production"


def _quiet(line: str) -> None:
    return None


def test_a_wish_crosses_the_protocol_unchanged() -> None:
    for wish in (WISH, replace(SERVED, tools=("rclone",), external_database=True)):
        assert Wish.parse(Fields(wish.as_json(), "wish"), "/opt/shop") == wish


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"deploy_user": "-o"}, "deploy_user"),
        ({"deploy_user": "a b"}, "deploy_user"),
        ({"deploy_path": "/etc"}, "deploy_path"),
        ({"port": "3000; reboot"}, "port"),
        ({"tools": ["rm"]}, "rm"),
        ({"site": {**SERVED.as_json()["site"], "name": "a b;"}}, "name"),
        ({"site": {**SERVED.as_json()["site"], "certificate": "/etc/x; include /y"}}, "certificate"),
        ({"site": {**SERVED.as_json()["site"], "certificate": "/etc/../x"}}, "certificate"),
        ({"site": {**SERVED.as_json()["site"], "email": "-x@y"}}, "email"),
    ],
)
def test_a_host_takes_no_wish_that_would_say_more_than_it_should(change: dict[str, object], named: str) -> None:
    with pytest.raises(Invalid, match=named):
        Wish.parse(Fields({**WISH.as_json(), **change}, "wish"), "/opt/shop")


def test_a_host_that_has_everything_is_left_alone() -> None:
    machine = ready()
    assert [want["name"] for want in look_over(machine, WISH) if not want["met"] or want["wrong"]] == []
    for want in look_over(machine, WISH):
        made = make(machine, WISH, want["name"], _quiet)
        assert made["changed"] is False
    assert not any(argv[0] in ("apt-get", "useradd", "usermod", "systemctl", "certbot") for argv in machine.ran)


def test_a_host_that_nobody_has_looked_at_is_planned_for_as_a_bare_one() -> None:
    wants = look_over(Unseen({"/etc/os-release": DEBIAN_13}), WISH)
    assert {want["name"] for want in wants if want["steps"]} == {
        "container logs",
        "packages",
        "docker",
        "deploy user",
        "deploy path",
        "settings",
    }


def test_what_has_to_be_mended_first_is_not_gone_past() -> None:
    machine = ready(accounts={"deploy": Account("deploy", 0, 0, "/root", ())})
    with pytest.raises(Refused, match="deploy user is root"):
        make(machine, WISH, "deploy user", _quiet)


def test_what_did_not_help_is_said() -> None:
    machine = ready(accounts={})
    machine.answers["useradd"] = ""  # says nothing, does nothing
    with pytest.raises(Failed, match="it is not so"):
        make(machine, WISH, "deploy user", _quiet)


def test_only_what_is_asked_for_can_be_made() -> None:
    for name in ("nginx", "certificate", "root", "open ports\n"):
        with pytest.raises(Invalid):
            make(ready(), WISH, name, _quiet)


# -- the deploy user and its directory


def test_a_new_deploy_user_has_no_password_and_may_use_docker() -> None:
    machine = ready(accounts={}, groups=set())
    machine.answers |= {"groupadd": "", "useradd": ""}
    DeployUser().do(machine, WISH, _quiet)
    assert ["groupadd", "--system", "docker"] in machine.ran
    made = machine.ran[-1]
    assert made[:1] + made[-2:] == ["useradd", "--", "deploy"]
    assert made[made.index("--password") + 1] == "*"
    assert made[made.index("--groups") + 1] == "docker"


def test_a_user_that_is_there_only_joins_the_group() -> None:
    machine = ready(accounts={"deploy": Account("deploy", 1000, 1000, "/home/deploy", ("staff",))})
    machine.answers["usermod"] = ""
    assert DeployUser().look(machine, WISH).steps == ("add deploy to the group docker",)
    DeployUser().do(machine, WISH, _quiet)
    assert machine.ran[-1] == ["usermod", "--append", "--groups", "docker", "--", "deploy"]


def test_a_user_whom_no_key_can_log_in_is_told() -> None:
    there = Account("deploy", 1000, 1000, "/home/deploy", ("docker",), "/usr/sbin/nologin")
    assert "nobody can log in as deploy" in DeployUser().look(ready(accounts={"deploy": there}), WISH).wrong


@pytest.mark.parametrize(
    ("rules", "by"),
    [
        ("allowusers root\nallowusers ops@10.0.0.0/8\n", "AllowUsers"),
        ("allowusers *\nallowusers !deploy\n", "AllowUsers"),
        ("denyusers dep*\n", "DenyUsers"),
        ("allowgroups ssh-users\n", "AllowGroups"),
        ("denygroups docker\n", "DenyGroups"),
        ("permitrootlogin no\n", ""),
        ("allowusers root\nallowusers deploy@10.0.0.0/8\n", ""),
        ("allowgroups ssh-users\nallowgroups dep?oy\ndenyusers deploy@203.0.113.9\n", ""),
    ],
)
def test_an_sshd_that_lets_the_deploy_user_in_by_no_key_is_told(rules: str, by: str) -> None:
    machine = ready()
    machine.files["/usr/sbin/sshd"] = ""
    machine.answers |= {"/usr/sbin/sshd -T": rules, "id": "deploy docker\n"}
    wrong = DeployUser().look(machine, WISH).wrong
    assert (f"sshd does not let deploy in: {by}" in wrong) if by else wrong == ""


def test_the_deploy_path_is_roots_with_room_for_the_deploy_user() -> None:
    machine = ready()
    del machine.found["/opt/shop"]
    assert DeployPath().look(machine, WISH).steps == ("make /opt/shop",)
    DeployPath().do(machine, WISH, _quiet)
    assert machine.found["/opt/shop"] == Found(0, 1000, 0o1775, True)


@pytest.mark.parametrize(
    ("way", "closed"),
    [
        (Found(0, 0, 0o755, True), True),
        (Found(0, 0, 0o1777, True), True),
        (Found(0, 50, 0o775, True), False),
        (Found(1000, 1000, 0o755, True), False),
    ],
)
def test_a_deploy_path_that_others_could_move_away_is_neither_made_nor_used(way: Found, closed: bool) -> None:
    machine = Machine(found={"/opt": way})
    assert bool(DeployPath().look(machine, WISH).steps) is closed
    assert ("/opt" in DeployPath().look(machine, WISH).blocked) is not closed
    machine.found["/opt/shop"] = Found(0, 1000, 0o1775, directory=True)
    assert ("/opt" in DeployPath().look(machine, WISH).blocked) is not closed


@pytest.mark.parametrize(("owner", "taken"), [(0, True), (1000, True), (1001, False)])
def test_a_directory_that_another_user_works_in_is_not_taken_from_them(owner: int, taken: bool) -> None:
    machine = ready()
    machine.found["/opt/shop"] = Found(owner, owner, 0o755, directory=True)
    assert ("belongs to user 1001" in DeployPath().look(machine, WISH).blocked) is not taken
    machine.accounts.clear()
    assert bool(DeployPath().look(machine, WISH).blocked) is (owner != 0)


# -- the settings


def test_a_first_environment_file_has_every_key_and_only_ones_own_passwords_are_made_up() -> None:
    plan = skeleton(SERVED, database_exists=False)
    assert plan.made == ("POSTGRES_PASSWORD", "NEXTAUTH_SECRET")
    assert plan.given == {"NEXTAUTH_URL": "https://www.example.com"}
    assert plan.needed == ("STRIPE_SECRET_KEY",)
    text = render(SERVED, plan, dict.fromkeys(plan.made, "0" * 64))
    read = scan_env(text)
    assert read.problems == ()
    assert tuple(sorted(read.values)) == tuple(sorted(SERVED.env.declared))
    assert SERVED.env.lacking(read.values) == {"STRIPE_SECRET_KEY": "required"}


@pytest.mark.parametrize(
    ("key", "made"),
    [
        ("POSTGRES_PASSWORD", True),
        ("REDIS_PASSWORD", True),
        ("NEXTAUTH_SECRET", True),
        ("AUTH_SECRET", True),
        ("SECRET_KEY", True),
        ("SECRET_KEY_BASE", True),
        ("DJANGO_SECRET_KEY", True),
        ("SMTP_PASSWORD", False),
        ("STRIPE_SECRET_KEY", False),
        ("AZURE_CLIENT_SECRET", False),
        ("AWS_SECRET_ACCESS_KEY", False),
        ("RESTIC_PASSWORD", False),
        ("ADMIN_PASSWORD", False),
        ("ANONYMIZATION_SEED", False),
        ("DATABASE_URL", False),
    ],
)
def test_what_somebody_else_gave_out_is_never_made_up(key: str, made: bool) -> None:
    wish = replace(WISH, env=replace(WISH.env, required=(key,), optional=(), when=()))
    assert skeleton(wish, database_exists=False).made == ((key,) if made else ())


def test_the_password_of_a_database_that_is_there_is_not_made_up() -> None:
    assert "POSTGRES_PASSWORD" not in skeleton(WISH, database_exists=True).made
    assert "POSTGRES_PASSWORD" not in skeleton(replace(WISH, external_database=True), database_exists=False).made
    machine = ready()
    machine.answers["docker volume ls"] = "shop_postgres-data\n"
    del machine.files[SETTINGS], machine.found[SETTINGS]
    assert "to be filled in: POSTGRES_PASSWORD" in Settings().look(machine, WISH).steps[0]


def test_two_hosts_never_get_the_same_passwords_and_no_plan_or_note_has_them() -> None:
    made = []
    for _ in range(2):
        machine = ready()
        del machine.files[SETTINGS], machine.found[SETTINGS]
        said = [*Settings().look(machine, WISH).steps, *Settings().do(machine, WISH, _quiet)]
        values = scan_env(machine.files[SETTINGS]).values
        made += [values["POSTGRES_PASSWORD"], values["NEXTAUTH_SECRET"]]
        assert not [value for value in made if any(value in line for line in said)]
    assert len(set(made)) == 4
    assert min(map(len, made)) >= 64


def test_an_environment_file_that_is_there_is_never_changed_only_told_about() -> None:
    machine = ready()
    machine.files[SETTINGS] = "POSTGRES_PASSWORD=mine\n"
    look = Settings().look(machine, WISH)
    assert look.steps == ()
    assert "NEXTAUTH_SECRET (required)" in look.wrong
    Settings().do(machine, WISH, _quiet)
    assert machine.files[SETTINGS] == "POSTGRES_PASSWORD=mine\n"


def test_no_command_for_root_is_advised_that_would_go_through_the_deploy_users_link() -> None:
    machine = ready()
    machine.found[SETTINGS] = Found(1000, 1000, 0o777, directory=False, plain=False)
    look = Settings().look(machine, WISH)
    assert "no plain file" in look.wrong
    assert "chown" not in look.hint
    machine.found[SETTINGS] = Found(0, 0, 0o600, directory=False)
    assert "chown --no-dereference deploy:" in Settings().look(machine, WISH).hint


def test_a_pipe_and_a_link_that_the_deploy_user_made_are_seen_for_what_they_are(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("/etc/passwd")
    machine = ThisMachine()
    assert machine.read(str(pipe)) is None
    found = [machine.find(str(path)) for path in (pipe, link)]
    assert [one.plain for one in found if one is not None] == [False, False]
    assert machine.real(str(link)) == "/etc/passwd"


def test_root_begins_no_file_in_a_directory_of_the_deploy_users() -> None:
    machine = ready()
    wish = replace(WISH, env=replace(WISH.env, file="config/production.env"))
    look = Settings().look(machine, wish)
    assert look.steps == ()
    assert "/opt/shop/config/production.env" in look.wrong
    assert "POSTGRES_PASSWORD" in look.hint


def test_an_encrypted_environment_file_counts() -> None:
    machine = ready()
    del machine.files[SETTINGS], machine.found[SETTINGS]
    machine.files[f"{SETTINGS}.age"] = "-----BEGIN AGE"
    assert Settings().look(machine, WISH).met


# -- logs and ports


@pytest.mark.parametrize(
    ("text", "limited"),
    [
        ('{"log-opts": {"max-size": "10m"}}', True),
        ('{"log-driver": "local"}', True),
        ('{"log-driver": "json-file", "log-opts": {"max-file": "3"}}', False),
        ("{}", False),
        ("no json", False),
    ],
)
def test_dockers_settings_of_somebody_else_are_only_told_about(text: str, limited: bool) -> None:
    machine = ready()
    machine.files["/etc/docker/daemon.json"] = text
    look = ContainerLogs().look(machine, WISH)
    assert look.met
    assert bool(look.notes) is not limited


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("/usr/sbin/dockerd\0-H\0fd://\0--log-opt\0max-size=5m\0", "started with --log-opt"),
        ("/usr/bin/dockerd\0--log-driver=journald\0", "started with --log-driver"),
        ("dockerd\0--config-file\0/srv/docker.json\0", "started with --config-file"),
        ("some other program of that number\0", "does not run"),
        (None, "does not run"),
    ],
)
def test_a_docker_that_a_file_could_keep_from_starting_gets_none(arguments: str | None, told: str) -> None:
    machine = ready()
    del machine.files["/etc/docker/daemon.json"]
    machine.files["/var/run/docker.pid"] = "812\n"
    if arguments is not None:
        machine.files["/proc/812/cmdline"] = arguments
    look = ContainerLogs().look(machine, WISH)
    assert look.steps == ()
    assert told in look.notes[0]


def test_a_docker_that_is_told_nothing_of_logs_gets_the_file() -> None:
    machine = ready()
    del machine.files["/etc/docker/daemon.json"]
    machine.files |= {"/var/run/docker.pid": "812", "/proc/812/cmdline": "/usr/bin/dockerd\0-H\0fd://\0"}
    assert "write /etc/docker/daemon.json" in ContainerLogs().look(machine, WISH).steps[0]
    assert "write /etc/docker/daemon.json" in ContainerLogs().look(Machine(), WISH).steps[0]


def test_a_database_that_everybody_can_reach_is_told_even_where_no_process_listens() -> None:
    machine = ready(ports=[("", 22), ("127.0.0.1", 6379), ("::1", 25)])
    machine.answers["docker ps"] = "127.0.0.1:3000->3000/tcp\n0.0.0.0:5432->5432/tcp, [::]:5432->5432/tcp\n80/tcp\n"
    look = Ports().look(machine, WISH)
    assert look.wrong == "open to everybody: 5432 (PostgreSQL)"
    assert look.found.endswith("22, 5432")
    assert "past ufw" in look.hint


def test_an_edge_beside_its_own_site_is_told() -> None:
    look = Ports().look(Machine(), replace(SERVED, port="3000"))
    assert "3000 (the edge, past nginx and its TLS)" in look.wrong
    assert Ports().look(Machine(), replace(WISH, port="3000")).wrong == ""
    assert Ports().look(Machine(), SERVED).wrong == ""
