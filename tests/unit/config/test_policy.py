"""What an environment asks before its hosts run a release, as ``fairway.toml`` says it."""

from __future__ import annotations

import pytest

from fairway.config.load import parse
from fairway.config.models import Config
from fairway.config.policy import policy_for
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.trust import Policy, Requirement, Window, parse_policy

FILE = """
project = "capakraken"
[images]
app = "ghcr.io/acme/capakraken-app"
migrator = "ghcr.io/acme/capakraken-migrator"
[environments.staging]
[environments.production]
promote_from = "staging"
"""


def config(lines: str) -> Config:
    return parse(f"{FILE}\n{lines}")


def policy(config: Config, name: str = "production") -> Policy:
    table = config.environments[name]
    return policy_for(table.policy, table.promote_from)


def test_without_a_word_production_asks_for_what_it_is_promoted_from() -> None:
    assert policy(config("")) == Policy(requires=(Requirement("staging", 0, 30 * 86400),))
    assert policy(config(""), "staging") == Policy()


def test_every_key_reaches_the_host() -> None:
    made = policy(
        config("""
[environments.production.policy]
soak_s = 600
max_age_s = 86400
approvals = 1
approvers = ["ann@example.com", "ben@example.com"]
author_may_approve = false
allow = ["undigested-image:postgres"]
[[environments.production.policy.frozen]]
days = ["fri"]
start = "16:00"
end = "24:00"
zone = "Europe/Berlin"
""")
    )
    assert made == Policy(
        requires=(Requirement("staging", 600, 86400),),
        approvals=1,
        approvers=("ann@example.com", "ben@example.com"),
        author_may_approve=False,
        frozen=(Window(("fri",), "16:00", "24:00", "Europe/Berlin"),),
        allow=("undigested-image:postgres",),
    )
    assert parse_policy(made.to_bytes()) == made


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("[environments.staging.policy]\nsoak_s = 5", "environments.staging.policy.soak_s: says what promote_from"),
        ("[environments.production.policy]\nsoak_s = 9\nmax_age_s = 8", "policy.soak_s: is longer than max_age_s"),
        ("[environments.production.policy]\napprovals = 2\napprovers = ['a@b']", "approvers has 1"),
        ("[environments.production.policy]\napprovals = 21", "policy.approvals: must be at most 20"),
        ("[environments.production.policy]\nallow = ['everything']", "policy.allow[1]: policy: allow must be like"),
        ("[environments.production.policy]\napprovers = ['a b']", "approvers[1]: not a name for a key"),
        ("[environments.production.policy]\nsoaks = 1", "policy.soaks: unknown key (did you mean 'soak_s'?)"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_key(lines: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        config(lines)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ("days = []\nstart = '16:00'\nend = '24:00'", "frozen[1].days"),
        ("days = ['friday']\nstart = '16:00'\nend = '24:00'", "days[1]: must be one of mon, tue"),
        ("days = ['fri']\nstart = '4pm'\nend = '24:00'", "start: must be a time of day"),
        ("days = ['fri']\nstart = '16:00'\nend = '24:00'\nzone = 'Berlin'", "zone: must be a time zone"),
        ("days = ['fri']\nstart = '16:00'", "frozen[1].end: is missing"),
        ("days = ['fri']\nstart = '16:00'\nend = '17:00'\nzones = 'UTC'", "zones: unknown key (did you mean 'zone'?)"),
    ],
)
def test_a_frozen_window_that_is_not_one_is_refused_with_its_key(window: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        config(f"[[environments.production.policy.frozen]]\n{window}")
    assert sentence in str(caught.value)


def test_the_admin_is_a_user_of_the_hosts() -> None:
    assert config("admin = 'root'").environments["production"].admin == "root"
    with pytest.raises(Invalid, match=r"production\.admin: must be a user name"):
        config("admin = '-oProxyCommand=x'")
