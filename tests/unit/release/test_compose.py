"""Which Compose files can be deployed."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.config import Config
from fairway.release.compose import problems_of

APP = {"image": "${APP_IMAGE}"}
MIGRATOR = {"image": "${MIGRATOR_IMAGE}"}
GOOD: dict[str, Any] = {"app": APP, "worker": APP, "migrator": MIGRATOR, "postgres": {"image": "postgres:17"}}


def test_a_file_with_every_role_is_good(config: Config) -> None:
    assert problems_of({"services": GOOD}, config) == []


@pytest.mark.parametrize(
    "image", ["${APP_IMAGE}", "$APP_IMAGE", "${APP_IMAGE:?set by the deployment}", "${APP_IMAGE?}", "${APP_IMAGE:-x}"]
)
def test_every_way_to_write_the_variable_is_good(config: Config, image: str) -> None:
    assert problems_of({"services": {**GOOD, "app": {"image": image}}}, config) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"app": {"image": "ghcr.io/acme/app:latest"}},
            "services.app.image must be ${APP_IMAGE}, not 'ghcr.io/acme/app:latest'",
        ),
        ({"app": {"image": "${APP_IMAGE}:latest"}}, "services.app.image must be ${APP_IMAGE}"),
        ({"app": {"image": "$APP_IMAGE_OLD"}}, "services.app.image must be ${APP_IMAGE}"),
        ({"app": {}}, "services.app.image must be ${APP_IMAGE}, not ''"),
        ({"app": None}, "services.app.image must be ${APP_IMAGE}, not ''"),
        ({"app": {**APP, "build": {"context": "."}}}, "services.app.build: a host never builds"),
        ({"postgres": {"build": "."}}, "services.postgres.build: a host never builds"),
        ({"migrator": APP}, "services.migrator.image must be ${MIGRATOR_IMAGE}"),
        ({"mailer": APP}, "services.mailer uses the release's image: list it in compose.workers"),
    ],
)
def test_what_cannot_be_deployed_is_named(config: Config, change: dict[str, Any], sentence: str) -> None:
    (problem,) = problems_of({"services": {**GOOD, **change}}, config)
    assert problem.startswith(sentence)


@pytest.mark.parametrize(
    ("missing", "key"), [("app", "app_service"), ("migrator", "migrator_service"), ("worker", "workers")]
)
def test_a_missing_service_is_named_with_its_key(config: Config, missing: str, key: str) -> None:
    services = {name: service for name, service in GOOD.items() if name != missing}
    (problem,) = problems_of({"services": services}, config)
    assert f"there is no service {missing!r}, which compose.{key} names" in problem


@pytest.mark.parametrize("model", [None, [], {}, {"services": None}, {"services": []}])
def test_a_model_without_services_lacks_every_role(config: Config, model: Any) -> None:
    assert len(problems_of(model, config)) == 3
