"""Environments: hosts, promotion, and the variables a pipeline sets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.config import Config, Host, Promotion, load
from fairway.config.environment import default_prefix
from fairway.config.hosts import parse_host
from fairway.engine.contract.errors import Invalid

FILE = """
project = "capakraken"
[images]
app = "ghcr.io/acme/capakraken-app"
migrator = "ghcr.io/acme/capakraken-migrator"
[environments.production]
hosts = ["deploy@www.example.com", "www2"]
deploy_path = "/opt/capakraken/"
port = "127.0.0.1:3000"
promote_from = "staging"
[environments.staging]
hosts = ["local"]
deploy_path = "/srv/capakraken"
port = 3000
[environments.bare]
"""
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0IGtleQ==\n-----END OPENSSH PRIVATE KEY-----"


def config(tmp_path: Path, environ: dict[str, str] | None = None, text: str = FILE) -> Config:
    (tmp_path / "fairway.toml").write_text(text)
    return load(tmp_path / "fairway.toml", environ or {})


def why(tmp_path: Path, environ: dict[str, str], name: str = "production") -> str:
    with pytest.raises(Invalid) as caught:
        config(tmp_path, environ).environment(name)
    return caught.value.why


def test_an_environment_is_what_the_file_says(tmp_path: Path) -> None:
    production = config(tmp_path).environment("production")
    assert production.hosts == (
        Host("deploy@www.example.com", "www.example.com", user="deploy"),
        Host("www2", "www2"),
    )
    assert (production.deploy_path, production.port, production.port_number) == (
        "/opt/capakraken",
        "127.0.0.1:3000",
        3000,
    )
    assert production.edge_image == "haproxy:3.0"
    assert production.login is None


def test_an_unknown_environment_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        config(tmp_path).environment("prod")
    assert "staging, production, bare" in caught.value.why


def test_the_order_puts_a_source_before_its_target(tmp_path: Path) -> None:
    assert config(tmp_path).environment_order == ("staging", "production", "bare")


def test_the_only_promotion_is_the_default(tmp_path: Path) -> None:
    assert config(tmp_path).promotion() == Promotion("staging", "production")
    assert config(tmp_path).promotion("production") == Promotion("staging", "production")


def test_a_promotion_that_is_not_clear_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="nothing is promoted to staging"):
        config(tmp_path).promotion("staging")
    with pytest.raises(Invalid, match="there is no environment"):
        config(tmp_path).promotion("nowhere")
    second = FILE + 'promote_from = "production"\n'
    with pytest.raises(Invalid) as caught:
        config(tmp_path, text=second).promotion()
    assert "production, bare" in caught.value.why
    with pytest.raises(Invalid, match="it is not clear"):
        config(tmp_path, text=FILE.replace('promote_from = "staging"', "")).promotion()


def test_an_environment_s_own_receivers_stand_in_the_place_of_all_others(tmp_path: Path) -> None:
    told = '[[notifications]]\nurl_key = "OPS_URL"\n'
    mine = '[[environments.bare.notifications]]\nurl_key = "B_URL"\nevents = ["failed"]\nat_most = 9\n'
    text = FILE.replace("[environments.staging]", "[environments.staging]\nnotifications = []")
    found = config(tmp_path, text=text + mine + told)
    keys = {name: [one.url_key for one in found.environment(name).notifications] for name in ("staging", "production")}
    assert keys == {"staging": [], "production": ["OPS_URL"]}
    (usual,) = found.environment("production").notifications
    assert ("failed" in usual.events, "locked" in usual.events, usual.at_most) == (True, False, 6)


def test_variables_go_before_the_file(tmp_path: Path) -> None:
    environ = {
        "PROD_SSH_HOST": "a.example.com, ssh://b.example.com:2022",
        "PROD_SSH_PORT": "2222",
        "PROD_SSH_USER": "ship",
        "PROD_SSH_KEY": KEY.replace("\n", "\r\n"),
        "PROD_DEPLOY_PATH": "/srv/app",
        "PROD_APP_HOST_PORT": "8080",
        "PROD_GHCR_USERNAME": "robot",
        "PROD_GHCR_TOKEN": "s3cr3t\n",
        "STAGING_SSH_USER": "someone else",
    }
    production = config(tmp_path, environ).environment("production")
    assert [(host.destination, host.user, host.port) for host in production.hosts] == [
        ("a.example.com", "ship", 2222),
        ("b.example.com", "ship", 2222),
    ]
    assert production.hosts[0].identity is not None
    assert production.hosts[0].identity.get_secret_value() == KEY + "\n"
    assert (production.deploy_path, production.port) == ("/srv/app", "8080")
    assert production.login is not None
    assert (production.login.registry, production.login.username) == ("ghcr.io", "robot")
    assert production.login.token.get_secret_value() == "s3cr3t"


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    environ = {"PROD_SSH_HOST": "", "PROD_SSH_KEY": " ", "PROD_GHCR_TOKEN": ""}
    assert config(tmp_path, environ).environment("production") == config(tmp_path).environment("production")


def test_the_local_host_takes_no_login(tmp_path: Path) -> None:
    staging = config(tmp_path, {"STAGING_SSH_USER": "x", "STAGING_SSH_KEY": KEY}).environment("staging")
    assert staging.hosts == (Host("local", "local"),)
    assert staging.hosts[0].local


def test_an_environment_may_live_in_the_variables_alone(tmp_path: Path) -> None:
    environ = {"BARE_SSH_HOST": "h", "BARE_DEPLOY_PATH": "/x", "BARE_APP_HOST_PORT": "1"}
    assert config(tmp_path, environ).environment("bare").hosts == (Host("h", "h"),)
    assert why(tmp_path, {}, "bare").splitlines() == [
        "fairway.toml: environments.bare.hosts: is missing, and BARE_SSH_HOST is not set",
        "fairway.toml: environments.bare.deploy_path: is missing, and BARE_DEPLOY_PATH is not set",
        "fairway.toml: environments.bare.port: is missing, and BARE_APP_HOST_PORT is not set",
    ]


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("PROD_SSH_PORT", "ssh", "PROD_SSH_PORT must be a port from 1 to 65535"),
        ("PROD_SSH_USER", "-l", "PROD_SSH_USER must be a user name"),
        ("PROD_SSH_HOST", "-oProxyCommand=x", "PROD_SSH_HOST must be user@host"),
        ("PROD_SSH_KEY", "hunter2", "PROD_SSH_KEY must hold the text of a private key"),
        ("PROD_DEPLOY_PATH", "/a/../b", "PROD_DEPLOY_PATH must be an absolute path"),
        ("PROD_APP_HOST_PORT", "x", "PROD_APP_HOST_PORT must be a port"),
        ("PROD_GHCR_TOKEN", "hunter2", "PROD_GHCR_USERNAME is not set, and PROD_GHCR_TOKEN is"),
    ],
)
def test_a_wrong_variable_is_named_and_a_secret_is_not_shown(
    tmp_path: Path, variable: str, value: str, sentence: str
) -> None:
    message = why(tmp_path, {variable: value})
    assert sentence in message
    assert "hunter2" not in message


def test_no_secret_is_in_any_representation(tmp_path: Path) -> None:
    environ = {"PROD_SSH_KEY": KEY, "PROD_GHCR_USERNAME": "robot", "PROD_GHCR_TOKEN": "hunter2"}
    read = config(tmp_path, environ)
    production = read.environment("production")
    shown = f"{read!r} {read} {production!r} {production}"
    assert "hunter2" not in shown
    assert "c2VjcmV0" not in shown


def test_the_ssh_configuration_is_relative_to_the_file_and_must_exist(tmp_path: Path) -> None:
    text = FILE.replace("[environments.bare]", 'ssh_config = "ssh/config"\n[environments.bare]')
    with pytest.raises(Invalid) as caught:
        config(tmp_path, text=text).environment("staging")
    assert "environments.staging.ssh_config: there is no file" in caught.value.why
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh/config").touch()
    assert config(tmp_path, text=text).environment("staging").ssh_config == tmp_path / "ssh/config"


@pytest.mark.parametrize(("name", "prefix"), [("staging", "STAGING"), ("production", "PROD"), ("eu-west", "EU_WEST")])
def test_the_prefix_follows_from_the_name(name: str, prefix: str) -> None:
    assert default_prefix(name) == prefix


@pytest.mark.parametrize(
    ("text", "destination", "user", "port"),
    [
        ("www", "www", None, None),
        ("deploy@www.example.com", "www.example.com", "deploy", None),
        ("ssh://deploy@www.example.com:2222", "www.example.com", "deploy", 2222),
        ("ssh://10.0.0.7", "10.0.0.7", None, None),
        ("ssh://[2001:db8::1]:22", "2001:db8::1", None, 22),
        ("ssh://deploy@[::1]", "::1", "deploy", None),
    ],
)
def test_a_host_is_written_as_ssh_knows_it(text: str, destination: str, user: str | None, port: int | None) -> None:
    assert parse_host(text) == Host(text, destination, user, port)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must be user@host"),
        ("-oProxyCommand=id", "must be user@host"),
        ("-x@host", "must be user@host"),
        ("@host", "must be user@host"),
        ("user@", "must be user@host"),
        ("a b", "must be user@host"),
        ("www:2222", "it is written ssh://www:2222"),
        ("user:hunter2@host", "must not hold a password"),
        ("ssh://host:0", "must be a port"),
        ("ssh://host:x", "must be a port"),
        ("ssh://host/path", "must be user@host"),
        ("http://host", "it is written ssh://"),
    ],
)
def test_what_is_no_host_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        parse_host(text)
    assert "hunter2" not in str(caught.value)


@given(st.text(alphabet="abc-@:/[].0123 \n'$;ssh", max_size=30))
def test_no_host_can_become_an_option_or_shell_words(text: str) -> None:
    try:
        host = parse_host(text)
    except ValueError:
        return
    for part in (host.destination, host.user or "x"):
        assert not part.startswith("-")
        assert not set(part) & set(" \n'$;/@")


def test_the_keys_that_a_host_may_have_are_in_a_file_that_must_exist(tmp_path: Path) -> None:
    text = FILE.replace('promote_from = "staging"', 'known_hosts = "deploy/known_hosts"')
    with pytest.raises(Invalid) as caught:
        config(tmp_path, text=text).environment("production")
    assert "environments.production.known_hosts: there is no file" in caught.value.why
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/known_hosts").write_text("")
    hosts = config(tmp_path, text=text).environment("production").hosts
    assert [host.known_hosts for host in hosts] == [tmp_path / "deploy/known_hosts"] * len(hosts)
