"""What ``fairway.toml`` may say, and what is said when it does not."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fairway.config import load
from fairway.config.environment import VARIABLES
from fairway.config.environment_tables import EnvironmentTable, Frozen, Notification, PolicyTable, Retention
from fairway.config.load import check, find, parse
from fairway.config.models import CiStage, Config, EnvCondition
from fairway.config.requires import refuse_other_version, suggested
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.tracker import Service, Tracker

MINIMAL = """
project = "capakraken"
[images]
app = "ghcr.io/acme/capakraken-app"
migrator = "ghcr.io/acme/capakraken-migrator"
"""
REFERENCE = Path(__file__).parents[3] / "docs/reference/configuration.md"


def refused(text: str) -> str:
    with pytest.raises(Invalid) as caught:
        parse(text)
    return str(caught.value)


def test_the_smallest_file_gets_the_documented_defaults() -> None:
    config = parse(MINIMAL)
    assert config.release_repository == "ghcr.io/acme/capakraken-release"
    assert config.build.dockerfile == "Dockerfile.prod"
    assert (config.readiness.successes, config.readiness.interval_s) == (3, 0.1)
    assert config.environment_order == ()


def test_the_whole_file_of_the_reference_is_accepted_and_says_the_defaults() -> None:
    text = REFERENCE.read_text()
    example = text.partition("```toml\n")[2].partition("```")[0]
    config = parse(example)
    bare = parse(MINIMAL)
    for table in ("build", "compose", "bundle", "readiness", "drain", "warm", "env", "guardrails"):
        assert getattr(config, table) == getattr(bare, table)
    assert config.release_repository == bare.release_repository
    assert config.environment_order == ("staging", "production")
    retention = config.environments["production"].retention
    assert retention == EnvironmentTable().retention == Retention(releases=10, deployments=100)
    assert config.environments["production"].policy == EnvironmentTable().policy == PolicyTable()


def documented_keys(model: type[BaseModel], prefix: str) -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += documented_keys(inner, f"{prefix}{name}.")
        elif name == "environments":
            keys += documented_keys(EnvironmentTable, "environments.<name>.")
        elif name == "stages":
            keys += documented_keys(CiStage, f"{prefix}stages.<name>.")
        elif name == "frozen":
            keys += [prefix + name, *documented_keys(Frozen, f"{prefix}{name}.")]
        elif name == "when":
            keys += [prefix + name, *documented_keys(EnvCondition, f"{prefix}{name}.")]
        elif name == "notifications":
            # Those of an environment have the same keys.
            keys += [prefix + name, *(documented_keys(Notification, f"{name}.") if not prefix else ())]
        else:
            keys.append(prefix + (field.alias or name))
    return keys


@pytest.mark.parametrize("key", documented_keys(Config, ""))
def test_every_key_is_in_the_reference(key: str) -> None:
    assert f"| `{key}` |" in REFERENCE.read_text()


@pytest.mark.parametrize("suffix", VARIABLES)
def test_every_variable_is_in_the_reference(suffix: str) -> None:
    assert f"`STAGING_{suffix}`" in REFERENCE.read_text()


@pytest.mark.parametrize(
    ("addition", "sentence"),
    [
        ("[readines]\npath='/x'", "readines: unknown key (did you mean 'readiness'?)"),
        ("[readiness]\nsucceses = 1", "readiness.succeses: unknown key (did you mean 'successes'?)"),
        ("[readiness]\ntimeout_s = 0", "readiness.timeout_s: must be at least 0.1"),
        ("[readiness]\ntimeout_s = nan", "readiness.timeout_s: must be a finite number"),
        ("[readiness]\nsuccesses = true", "readiness.successes: must be a whole number"),
        ('[readiness]\nsuccesses = "3"', "readiness.successes: must be a whole number"),
        ('[readiness]\npath = "ready"', "readiness.path: must be a path that starts with '/', not 'ready'"),
        ("[compose]\napp_port = 70000", "compose.app_port: must be at most 65535"),
        ('[compose]\nworkers = "worker"', "compose.workers: must be a list"),
        ('[compose]\nworkers = ["w", "w"]', "compose.workers: lists 'w' twice"),
        ('[compose]\nworkers = ["app"]', "compose: app_service, migrator_service and workers must be different"),
        ('[compose]\nfile = "../x.yml"', "compose.file: not a path for the deploy bundle"),
        ('[build]\nargs = { "a b" = "x" }', "must be a build argument's name"),
        ("[build]\nargs = { A = 1 }", "build.args.A: must be a string"),
        ('[build]\ndockerfile = "/etc/x"', "build.dockerfile: must be a path relative to fairway.toml"),
        ("build = 3", "build: must be a table"),
        ('[bundle]\nfiles = [".env.production"]', "bundle.files: .env.production holds the hosts' secrets"),
        ('[bundle]\nfiles = ["docker-compose.cicd.yml"]', "which always travels with a release"),
        ('[env]\nrequired = ["A B"]', "env.required[1]: must be a variable's name"),
        ('[env]\nrequired = ["A"]\noptional = ["A"]', "env: A is required, so it is neither optional nor required"),
        ('[env]\n[[env.when]]\nkey = "A"', "env.when[1].if: is missing"),
        ('[[env.when]]\nkey = "A"\nif = "A"', "env.when: A cannot be its own condition"),
        ('[[env.when]]\nkey = "A"\nif = "B"\nequals = "it\'s"', "env.when[1].equals: must be one line"),
        ('[env]\nrecipients = ["AGE-SECRET-KEY-1X"]', "env.recipients[1]: must be an age recipient"),
        ('[ci.stages.A]\nrun = "x"', "ci.stages.A: must be a stage's name"),
        ("[ci.stages.a]", "ci.stages.a.run: is missing"),
        ("[ci.stages.a]\nrun = []", "ci.stages.a.run: must be a script, or a program and its arguments"),
        ('[ci.stages.a]\nrun = ""', "ci.stages.a.run: must be a script, or a program and its arguments"),
        ('[ci.stages.a]\nrun = "x"\nneed = ["b"]', "ci.stages.a.need: unknown key (did you mean 'needs'?)"),
        ('[ci.stages.a]\nrun = "x"\nneeds = ["b"]', "ci.stages.a.needs: there is no stage 'b' (there are a)"),
        ('[ci.stages.a]\nrun = "x"\nneeds = ["a"]', "ci.stages.a.needs: a cannot need itself"),
        ('[ci.stages.a]\nrun = "x"\nservices = ["db"]', "ci.stages.a.services: ci.compose must say in which"),
        ('[ci.stages.a]\nrun = "x"\nenv = { A = "5$" }', "ci.stages.a.env.A: a '$' begins the name of a variable"),
        ('[ci.stages.a]\nrun = "x"\njunit = ["../x"]\ntimeout_s = 0', "ci.stages.a.timeout_s: must be at least 1"),
        ('[ci.stages.a]\nrun = "x"\njunit = ["r/**.xml"]', "ci.stages.a.junit: in 'r/**.xml' ** must stand between"),
        (
            '[ci.stages]\na = { run = "x", needs = ["b"] }\nb = { run = "x", needs = ["a"] }',
            "ci.stages: they wait for each other in a circle: ",
        ),
        ("[[notifications]]", "notifications[1].url_key: is missing"),
        ('[[notifications]]\nurl_key = "https://x"', "notifications[1].url_key: must be a variable's name"),
        (
            '[[notifications]]\nurl_key = "A"\nevents = ["lunch"]',
            "notifications[1].events[1]: must be one of deployed,",
        ),
        ('[[notifications]]\nurl_key = "A"\nevents = []', "notifications[1].events: "),
        ('[[notifications]]\nurl_key = "A"\nat_most = 0', "notifications[1].at_most: must be at least 1"),
        (
            '[[notifications]]\nurl_key = "A"\n[[notifications]]\nurl_key = "A"\nat_most = 2',
            "notifications: A is the url_key of two receivers",
        ),
        (
            '[environments.a]\nnotifications = [{ url_key = "A" }, { url_key = "A", at_most = 2 }]',
            "environments.a.notifications: A is the url_key of two receivers",
        ),
        ("[environments.Staging]", "environments.Staging: must be an environment name"),
        ('[environments.staging]\nhost = ["a"]', "environments.staging.host: unknown key (did you mean 'hosts'?)"),
        ('[environments.staging]\ndeploy_path = "opt"', "environments.staging.deploy_path: must be an absolute path"),
        ('[environments.staging]\ndeploy_path = "/a/../b"', "environments.staging.deploy_path: must be an absolute"),
        ('[environments.staging]\ndeploy_path = "/a b"', "environments.staging.deploy_path: must be an absolute"),
        ('[environments.staging]\ndeploy_path = "/"', "environments.staging.deploy_path: must be an absolute"),
        ("[environments.staging]\nport = 0", "environments.staging.port: must be a port from 1 to 65535"),
        ("[environments.staging]\nport = true", "environments.staging.port: must be a port, or a string"),
        ('[environments.staging]\nport = "::1:80"', "environments.staging.port: must be a port from 1 to 65535"),
        ('[environments.staging]\nport = "300.0.0.1:80"', "environments.staging.port: must be a port from 1"),
        ('[environments.staging]\nedge_image = "-x"', "environments.staging.edge_image: must be an image reference"),
        ('[environments.a]\npromote_from = "b"', "environments.a.promote_from: there is no environment 'b'"),
        ('[environments.a]\npromote_from = "a"', "environments.a.promote_from: leads back to a"),
        (
            '[environments.a]\nwatched_from = "b"',
            "environments.a.watched_from: there is no environment 'b' (there are a)",
        ),
        ('[environments.a]\nwatched_from = "a"', "environments.a.watched_from: must name another environment"),
        ('[environments.a]\nwatched_from = "b"\n[environments.b]', "environments.a.url: is missing: watched_from has"),
        (
            '[environments.a]\nurl = "http://a.org"\nwatched_from = "b"\nwatch = { enabled = false }\n[environments.b]',
            "environments.a.watch.enabled: is false, but watched_from has b watch it",
        ),
        (
            '[environments]\na = { url = "http://a.org", hosts = ["h"], watched_from = "b" }\nb = { hosts = ["h"] }',
            "environments.a.watched_from: b is on the same host",
        ),
        ('[environments.a]\nurl = "https://u:w@a.org"', "environments.a.url: must be an address like https://"),
        ("[environments.a.watch]\ninterval_s = 90", "environments.a.watch.interval_s: must be a multiple of 60"),
        (
            '[environments.a]\npromote_from = "b"\n[environments.b]\npromote_from = "a"',
            "environments.b.promote_from: leads back to b",
        ),
        ("[environments.prod]\n[environments.production]", "environments.production.secrets_prefix: PROD is already"),
        ('[environments.a]\nhosts = ["u@h", "ssh://u@h"]', "environments.a.hosts: lists the same host twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(addition: str, sentence: str) -> None:
    line = next(line for line in refused(addition_first(addition)).splitlines() if sentence in line)
    assert "fairway.toml: " in line


def addition_first(addition: str) -> str:
    """A bare key must stand before the first table."""
    return MINIMAL + addition if addition.startswith("[") else addition + MINIMAL


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "project: is missing"),
        (MINIMAL.replace("capakraken-app", "Capa"), "images.app: not an image repository"),
        (MINIMAL.replace("ghcr.io/acme/capakraken-app", "acme/app"), "did you mean 'docker.io/acme/app'?"),
        (MINIMAL.replace("-app", "-migrator"), "must be three different repositories"),
        (MINIMAL.replace('"capakraken"', '"Capa Kraken"'), "project: not a project name: 'Capa Kraken'"),
    ],
)
def test_what_is_missing_or_not_a_name_is_named(text: str, sentence: str) -> None:
    assert sentence in refused(text)


def test_a_schema_can_be_made_of_the_models() -> None:
    schema = Config.model_json_schema()
    assert set(schema["required"]) == {"project", "images"}
    assert schema["additionalProperties"] is False


def test_all_problems_are_shown_at_once() -> None:
    message = refused(MINIMAL + "[drain]\ntimeout_s = -1\n[warm]\nkep_s = 1\n[env]\nfile = 3")
    assert message.startswith("fairway.toml has 3 problems")
    assert "drain.timeout_s" in message
    assert "(did you mean 'keep_s'?)" in message
    assert "env.file: must be a string" in message


@pytest.mark.parametrize(
    ("site", "sentence"),
    [
        ('tls = "none"', "site.name: is missing"),
        ('name = "www.example.com"', "site.tls: is missing"),
        ('name = "a b;"\ntls = "none"', "site.name: must be a host name in lower case"),
        ('name = "x.org"\ntls = "on"', "site.tls: "),
        ('name = "x.org"\ntls = "files"\ncertificate = "/c"', "site.certificate_key: is missing"),
        ('name = "x.org"\ntls = "none"\ncertificate = "/c"', "site.certificate: is for tls"),
        ('name = "x.org"\ntls = "files"\ncertificate = "c.crt"', "must be an absolute path of plain characters"),
        ('name = "x.org"\ntls = "certbot"', "site.email: is missing"),
        ('name = "x.org"\ntls = "none"\nemail = "a@b.org"', "site.email: is for tls"),
        ('name = "x.org"\ntls = "none"', "site: needs an administrator"),
    ],
)
def test_a_site_that_could_not_be_served_is_refused(site: str, sentence: str) -> None:
    assert sentence in refused(f"{MINIMAL}[environments.staging.site]\n{site}\n")


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        ("max_new_issues = 1", "errors.max_new_issues: needs token_key"),
        ('token_key = "T"', "errors.token_key: nothing is asked unless a release is watched"),
        ('token_key = "sntrys_eyJ-x"', "errors.token_key: must be a variable's name"),
        ('service = "bugsnag"', "errors.service: "),
        ('url = "http://sentry.example.com"', "errors.url: the token for the error tracker would be sent in the clear"),
        ('url = "https://sentry.io/"', "errors.url: not the address of an error tracker"),
    ],
)
def test_an_error_tracker_that_could_not_be_asked_is_refused(errors: str, sentence: str) -> None:
    table = f'[errors]\norganization = "acme"\nproject = "capakraken"\n{errors}\n'
    assert sentence in refused(MINIMAL + table)


def test_a_setting_that_fairway_itself_reads_is_declared_by_the_key_that_names_it() -> None:
    config = parse(
        MINIMAL
        + """
            [env]
            required = ["OPS_URL"]
            optional = ["SMTP_USER"]
            [soak]
            for_s = 60
            [errors]
            organization = "acme"
            project = "shop"
            token_key = "SENTRY_READ_TOKEN"
            [[notifications]]
            url_key = "OPS_URL"
            [backup]
            offsite = "sftp:backup@vault:/srv/shop"
            offsite_password = "RESTIC_PASSWORD"
            offsite_env = ["AWS_ACCESS_KEY_ID"]
            [environments.staging]
            hosts = ["deploy@staging.example.com"]
            deploy_path = "/opt/shop"
            port = 3000
            notifications = [{ url_key = "STAGING_URL" }]
        """
    )
    rules = config.env_rules
    assert rules.required == ("OPS_URL",)
    expected = {"SMTP_USER", "SENTRY_READ_TOKEN", "RESTIC_PASSWORD", "AWS_ACCESS_KEY_ID", "STAGING_URL"}
    assert set(rules.optional) == expected
    assert len(rules.optional) == len(expected)


def test_an_error_tracker_without_a_token_is_announced_to_and_not_asked() -> None:
    table = '[errors]\norganization = "acme"\nproject = "capakraken"\n'
    errors = parse(MINIMAL + table).errors
    assert errors is not None
    assert errors.tracker is None
    asked = parse(MINIMAL + table + 'token_key = "T"\n[soak]\ncanary = [5]\n').errors
    assert asked is not None
    assert asked.tracker == Tracker("https://sentry.io", Service.SENTRY, "acme", "capakraken", "T", 0)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("project = \n", "fairway.toml, line 1"),
        (MINIMAL + "[images]\n", "fairway.toml, line 6"),
        (MINIMAL + "\n\nx = [1,", "fairway.toml, line 8"),
        ("a = 'open", "fairway.toml, line 1"),
    ],
)
def test_a_syntax_error_is_named_with_its_line(text: str, where: str) -> None:
    assert refused(text).startswith(where)


def test_a_file_that_is_not_text_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "fairway.toml").write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(Invalid, match="line 2: not UTF-8"):
        load(tmp_path / "fairway.toml", {})


def test_the_file_is_found_from_a_directory_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "src" / "deep"
    below.mkdir(parents=True)
    (tmp_path / "fairway.toml").write_text(MINIMAL)
    monkeypatch.chdir(below)
    assert load(environ={}).root == tmp_path
    assert find(below) == tmp_path / "fairway.toml"


def test_no_file_anywhere_is_said_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"there is no fairway\.toml here"):
        find(tmp_path)
    with pytest.raises(Invalid, match="there is no file"):
        load(tmp_path / "fairway.toml", {})


toml_values = st.recursive(
    st.text(max_size=20) | st.integers(-10, 99999) | st.floats() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
tables = st.sampled_from([*Config.model_fields, "imges", "environments"])


@given(st.dictionaries(tables, toml_values, max_size=4))
def test_no_document_breaks_the_check(document: dict[str, object]) -> None:
    """Whatever the shapes, the answer is a configuration or an ``Invalid``."""
    with suppress(Invalid):
        assert isinstance(check(document, "fairway.toml"), Config)


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str) -> None:
    assert refused(text).startswith("fairway.toml")


@pytest.mark.parametrize("asked", ["==0.1.*", ">=0.1", ">=0.1,<2", "~=0.1.0"])
def test_a_file_for_this_version_is_taken(asked: str) -> None:
    document = {"requires": asked, **tomllib.loads(MINIMAL)}
    refuse_other_version(document, "fairway.toml", "0.1.3")
    refuse_other_version(document, "fairway.toml", "0.1.4.dev2")


@pytest.mark.parametrize("asked", ["==0.2.*", ">=1", "<0.1.3", "!=0.1.3"])
def test_a_file_for_another_version_is_refused_before_its_keys_are_looked_at(asked: str) -> None:
    with pytest.raises(Invalid) as caught:
        refuse_other_version({"requires": asked, "of_a_later_version": 1}, "fairway.toml", "0.1.3")
    assert f"asks for Fairway {asked}, and this is 0.1.3" in str(caught.value)
    assert f'pip install "fairway{asked}"' in str(caught.value)


def test_the_version_is_asked_first() -> None:
    assert "asks for Fairway ==99.*" in refused('requires = "==99.*"\nof_a_later_version = 1\n' + MINIMAL)


@pytest.mark.parametrize("asked", ["", "0.1", "latest", "==0.1.*; rm -rf /", "== 0.1.* --index-url=x"])
def test_what_is_no_specifier_is_refused_with_the_other_problems(asked: str) -> None:
    said = refused(f'requires = "{asked}"\nnope = 1\n' + MINIMAL)
    assert "requires: must be a version specifier" in said
    assert "nope: unknown key" in said


def test_the_line_of_releases_of_a_version_is_suggested() -> None:
    assert (suggested("0.1.0"), suggested("1.12.3")) == ("==0.1.*", "==1.12.*")
