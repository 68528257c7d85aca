"""A compose file means the same on a host with a plain environment file and on one where it is encrypted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fairway.engine import docker
from fairway.engine.contract.manifest import Release
from fairway.engine.contract.names import Digest
from fairway.engine.drivers import Launch
from fairway.engine.drivers.compose import ComposeDriver
from fairway.engine.edge import Edge
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.model import Placement, compose_text
from fairway.engine.process import run
from fairway.engine.redact import Redactor
from fairway.engine.releases import StoredRelease
from tests.unit.engine.conftest import release  # noqa: F401 - a fixture

SETTINGS = {"V": "/srv/data", "P": "8080", "TAG": "2", "N": "2", "PW": 'a"b$c #', "KEY": "\U0001f511"}
TEXT = "".join(f"{key}='{value}'\n" for key, value in SETTINGS.items())
SERVICES = {
    "no env_file": "{image: 'x:${TAG}'}",
    "one file": "{image: x, env_file: .env.production}",
    "a path of its own": "{image: x, env_file: ['./a/../.env.production']}",
    "several, the last one wins": "{image: x, env_file: [other.env, {path: .env.production}, more.env]}",
    "the environment wins": "{image: x, env_file: .env.production, environment: {V: mine, PW: '${PW}', W: }}",
    "binds": "{image: x, env_file: .env.production, volumes: ['${V}:/a', {type: bind, source: '${V}', target: /b}]}",
    "relative": "{image: x, env_file: .env.production, volumes: ['./d:/a', {type: bind, source: d, target: /b}]}",
    "ports": "{image: x, env_file: .env.production, ports: ['127.0.0.1:${P}:80', {target: 81, published: '${P}'}]}",
    "numbers": "{image: x, env_file: .env.production, deploy: {replicas: '${N}'}, init: '${X:-true}'}",
    "dollars": "{image: x, env_file: .env.production, command: ['echo', '$$HOME', '${TAG:-1}', '${NONE-}']}",
    "a profile": "{image: x, env_file: .env.production, profiles: [later]}",
    "extends": "{extends: {service: base}, environment: {A: b}}",
}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_an_encrypted_file_renders_what_a_plain_one_does(release: Release, tmp_path: Path, service: str) -> None:  # noqa: F811
    for name, text in {".env.production": TEXT, "other.env": "V=other\nO=1\n", "more.env": "TAG=more\n"}.items():
        (tmp_path / name).write_text(text)
    compose = f"services:\n  base: {{image: y, env_file: [.env.production]}}\n  app: {service}\n"
    stored = StoredRelease(Digest.of(b"x"), release, {release.compose.file: compose.encode()})
    models = []
    for sealed in (None, TEXT):
        layout = Layout(tmp_path)
        host = HostConfig("t-rendering", "staging", "3000", "haproxy:3.2", proven_only=False)
        driver = ComposeDriver(layout, host, Edge(layout.edge, layout.edge_run), Redactor({}))
        if sealed is not None:
            (tmp_path / ".env.production").unlink()
        models.append(driver._model(Launch(stored, SETTINGS, Placement({}, {}), sealed)))
    assert models[0] == models[1]
    assert models[0]["services"]["app"]["image"].startswith(("x", "y"))


def test_compose_reads_every_character_of_a_model_as_it_was_rendered(tmp_path: Path) -> None:
    codes = (*range(1, 0x180), 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF, 0x1F511, 0x10FFFF)
    value = "".join(map(chr, codes)).replace("$", "")
    model = {"name": "t-rendering", "services": {"app": {"image": "x", "environment": {"A": value}}}}
    argv = docker.compose_config("t-rendering", tmp_path)
    done = run(argv, env={"PATH": os.environ["PATH"]}, stdin=compose_text(model))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["services"]["app"]["environment"] == {"A": value}
