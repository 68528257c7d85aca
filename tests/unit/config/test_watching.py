"""Which front doors a host looks at, from what ``fairway.toml`` says."""

from __future__ import annotations

import pytest

from fairway.config.load import parse
from fairway.config.watching import doors_of
from fairway.engine.contract.fields import Fields
from fairway.engine.watcher.doors import Door

FILE = """
project = "shop"
[images]
app = "ghcr.io/acme/shop-app"
migrator = "ghcr.io/acme/shop-migrator"
[environments.staging]
hosts = ["staging.example.com"]
deploy_path = "/opt/shop"
port = "10.0.0.5:3000"
{staging}
[environments.production]
hosts = ["www.example.com"]
deploy_path = "/opt/shop"
port = 3000
admin = "root"
{production}
"""
SITE = 'site = {{ name = "www.example.com", tls = "{tls}"{more} }}'
CERTBOT = SITE.format(tls="certbot", more=', email = "ops@example.com"')


@pytest.mark.parametrize(
    ("staging", "production", "on_staging", "on_production"),
    [
        ("", "", [], []),
        ("watch = { enabled = true }", "", [("staging", "http://10.0.0.5:3000", 60)], []),
        ("", "watch = { enabled = true }", [], [("production", "http://127.0.0.1:3000", 60)]),
        ("", CERTBOT, [], [("production", "https://www.example.com", 60)]),
        ("", SITE.format(tls="none", more=""), [], [("production", "http://www.example.com", 60)]),
        ("", CERTBOT + "\nwatch = { enabled = false }", [], []),
        ("", CERTBOT + '\nurl = "https://cdn.example.com/a"', [], [("production", "https://cdn.example.com/a", 60)]),
        (
            'url = "http://staging.example.com"',
            CERTBOT + '\nwatched_from = "staging"\nwatch = { interval_s = 300 }',
            [("staging", "http://staging.example.com", 60), ("production", "https://www.example.com", 300)],
            [("production", "https://www.example.com", 300)],
        ),
    ],
)
def test_a_host_looks_at_its_own_door_and_at_those_that_name_it(
    staging: str, production: str, on_staging: list[tuple[str, str, int]], on_production: list[tuple[str, str, int]]
) -> None:
    config = parse(FILE.format(staging=staging, production=production))
    for name, wanted in (("staging", on_staging), ("production", on_production)):
        found = list(doors_of(config, config.environment(name)))
        assert [(door.environment, door.url, door.interval_s) for door in found] == wanted
        # What is written to the host, the host takes.
        assert [Door.parse(Fields(door.as_json(), "watch")) for door in found] == found
