"""What a second build of a released commit gives, beside the first."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.config import Config
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Digest, PinnedImage, Repository
from fairway.registry import MediaType
from fairway.release import RebuildCheck, Silent, check_rebuild, explain
from fairway.release.rebuild import Contents, compare, parse_config, parse_inspection, read_released
from tests.unit.registry.fake_registry import APP, FakeRegistry
from tests.unit.registry.test_archive import release

ONE, TWO, THREE, CONFIG, OTHER = (Digest.of(bytes([number])) for number in range(5))
PINNED = PinnedImage(Repository("ghcr.io/acme/app"), ONE, 100)
RELEASED = Contents(CONFIG, (ONE, TWO), ("FROM base", "RUN make"), {"Env": ["A=1"], "Cmd": ["run"]})
REBUILT = replace(RELEASED, made_by=())


def check(*rebuilt: Contents) -> RebuildCheck:
    images = tuple(
        compare(name, PINNED, RELEASED, one) for name, one in zip(("application", "migrator"), rebuilt, strict=False)
    )
    return RebuildCheck(NamedRelease.read(release().to_bytes()), images)


def differing(found: RebuildCheck) -> list[tuple[str, str]]:
    return [(image.name, part.name) for image in found.images for part in image.parts if not part.same]


def test_equal_digests_are_the_same_image() -> None:
    found = check(REBUILT, REBUILT)
    assert found.same
    assert differing(found) == []
    assert explain(found) == ["The same: built again, this commit gives the very images that were released."]
    assert found.as_json()["same"] is True


@pytest.mark.parametrize(
    ("rebuilt", "parts", "words"),
    [
        (
            replace(REBUILT, config=OTHER, layers=(ONE, THREE)),
            ["configuration", "layer 2"],
            ["Times are the usual cause", "A configuration lists its layers"],
        ),
        (replace(REBUILT, config=OTHER, layers=(ONE,)), ["configuration", "layer 2"], ["a base image whose tag was"]),
        (
            replace(REBUILT, config=OTHER, layers=(ONE, TWO, THREE)),
            ["configuration", "layer 3"],
            ["holds other files, or the same files with other times"],
        ),
        (
            replace(REBUILT, config=OTHER, settings={"Env": ["A=2"], "Cmd": ["run"], "User": "app"}),
            ["configuration"],
            ["The migrator would start with other settings: Env, User."],
        ),
        (replace(REBUILT, config=OTHER), ["configuration"], ["differs in its history or its times only"]),
    ],
)
def test_each_difference_is_named_and_explained(rebuilt: Contents, parts: list[str], words: list[str]) -> None:
    found = check(REBUILT, rebuilt)
    assert not found.same
    assert differing(found) == [("migrator", part) for part in parts]
    said = "\n".join(explain(found))
    for word in words:
        assert word in said
    assert ("Times are the usual cause" in said) is any(part.startswith("layer") for part in parts)
    shown = found.as_json()["images"]["migrator"]
    assert [part["part"] for part in shown["parts"] if not part["same"]] == parts


def test_a_layer_says_what_made_it() -> None:
    found = compare("application", PINNED, RELEASED, replace(REBUILT, layers=(ONE, THREE)))
    assert [(part.name, part.made_by) for part in found.parts] == [
        ("configuration", ""),
        ("layer 1", "FROM base"),
        ("layer 2", "RUN make"),
    ]


def config_of(*layers: Digest) -> bytes:
    history = [{"created_by": "FROM base"}, {"created_by": "ENV A=1", "empty_layer": True}, {"created_by": "RUN make"}]
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["A=1"], "Cmd": ["run"], "Entrypoint": None},
        "rootfs": {"type": "layers", "diff_ids": layers},
        "history": history,
    }
    return json.dumps(document).encode()


INSPECTED = {
    "Os": "linux",
    "Architecture": "arm",
    "Variant": "v7",
    "RootFS": {"Type": "layers", "Layers": [ONE, TWO]},
    "Config": {"Hostname": "", "Env": ["A=1"], "Cmd": ["run"], "Entrypoint": None, "Tty": False, "Labels": {}},
}


def test_both_sides_are_read_alike() -> None:
    """Docker shows keys that are not set; the registry has the configuration as it was written."""
    released = parse_config(config_of(ONE, TWO), CONFIG)
    rebuilt, platform = parse_inspection(json.dumps([INSPECTED]), CONFIG)
    assert released == RELEASED
    assert rebuilt == REBUILT
    assert platform == "linux/arm/v7"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"rootfs": {"diff_ids": [3]}}', b'{"rootfs": {}}', b"null"])
def test_what_is_no_configuration_is_refused(content: bytes) -> None:
    with pytest.raises(Failed, match="not that of an image"):
        parse_config(content, CONFIG)
    with pytest.raises(Failed, match="does not tell"):
        parse_inspection(content.decode(), CONFIG)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["history", "rootfs", "config", "diff_ids"]), json_values), json_values)
def test_no_document_breaks_the_parsers(document: dict[str, object], rootfs: object) -> None:
    for content in (document, {**document, "rootfs": {"diff_ids": rootfs}}):
        with suppress(Failed):
            assert parse_config(json.dumps(content).encode(), CONFIG).config == CONFIG


def image(fake: FakeRegistry, *layers: Digest) -> tuple[Digest, int]:
    """Store an image and return its manifest's digest and size."""
    config = config_of(*layers)
    fake.blobs[Digest.of(config)] = config
    descriptor = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest.of(config)}
    document = {"schemaVersion": 2, "config": {**descriptor, "size": len(config)}, "layers": []}
    content = json.dumps(document).encode()
    fake.manifests[APP.path, Digest.of(content)] = (MediaType.OCI_MANIFEST, content)
    return Digest.of(content), len(content)


def test_of_an_index_the_image_of_this_platform_is_compared(fake: FakeRegistry) -> None:
    entries = []
    for architecture, layer in (("amd64", ONE), ("arm64", TWO)):
        digest, size = image(fake, layer)
        platform = {"os": "linux", "architecture": architecture}
        entries.append({"mediaType": MediaType.OCI_MANIFEST, "digest": digest, "size": size, "platform": platform})
    index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    fake.manifests[APP.path, Digest.of(index)] = (MediaType.OCI_INDEX, index)
    pinned = PinnedImage(APP, Digest.of(index), 100)
    assert read_released(fake.client(), pinned, "linux/arm64").layers == (TWO,)
    with pytest.raises(Failed, match="was not released for linux/riscv64") as caught:
        read_released(fake.client(), pinned, "linux/riscv64")
    assert "linux/amd64, linux/arm64" in caught.value.why


def test_a_commit_that_was_not_released_has_nothing_to_compare_with(
    config: Config, fake: FakeRegistry, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path_factory.mktemp("bin") / "docker"
    docker.write_text('#!/bin/sh\n[ "$2" = version ]\n')
    docker.chmod(0o755)
    monkeypatch.setenv("FAIRWAY_DOCKER", str(docker))
    with pytest.raises(Failed, match="there is no release") as caught:
        check_rebuild(config, allow_dirty=False, reporter=Silent(), connect_to=fake.connect)
    assert "fairway release" in caught.value.hint


@pytest.fixture
def fake() -> FakeRegistry:
    return FakeRegistry()
