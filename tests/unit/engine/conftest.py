from __future__ import annotations

from pathlib import Path

import pytest

from fairway.engine.contract.environment import EnvironmentFile
from fairway.engine.contract.manifest import (
    Bundle,
    ComposeRoles,
    Migrations,
    Readiness,
    Release,
    Soak,
)
from fairway.engine.contract.names import Digest, PinnedImage, Repository, Tag
from fairway.engine.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "deploy")
    made.create()
    return made


@pytest.fixture(scope="session")
def release() -> Release:
    digest = Digest.of(b"bytes")
    return Release(
        project="capakraken",
        tag=Tag("sha-" + "4f" * 20),
        commit="4f" * 20,
        author="jane@example.com",
        source="https://example.com/acme/capakraken",
        dirty=False,
        created_at="2026-01-31T12:00:00Z",
        created_by="dev@laptop",
        ci_run=None,
        fairway="0.1.0",
        app=PinnedImage(Repository("ghcr.io/acme/capakraken-app"), digest, 1000),
        migrator=PinnedImage(Repository("ghcr.io/acme/capakraken-migrator"), digest, 500),
        bundle=Bundle(digest, 200, {"docker-compose.cicd.yml": digest}),
        compose=ComposeRoles("docker-compose.cicd.yml", "app", 3000, "migrator", ("worker",)),
        readiness=Readiness("/api/ready", 3, 0.1, 60.0, 5.0),
        migrations=Migrations(3600.0, 5.0, 900.0, 3),
        soak=Soak(0.0, (), 30.0, 20, 0.02, 3.0),
        drain_timeout_s=30.0,
        warm_keep_s=3600.0,
        env=EnvironmentFile(".env.production", ("POSTGRES_PASSWORD",)),
    )
