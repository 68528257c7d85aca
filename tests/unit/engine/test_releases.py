"""A release on its way in: what is altered, foreign or moved is not kept."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.engine.contract.errors import FairwayError, Invalid, Refused
from fairway.engine.contract.manifest import Bundle, Release
from fairway.engine.contract.names import Digest
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.releases import load_release, open_bundle, store_release

COMPOSE = b"services: {}\n"


def _tar(*entries: tuple[str, bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, body, kind in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = "/etc/passwd"
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def _described(content: bytes, files: dict[str, bytes]) -> Bundle:
    return Bundle(Digest.of(content), len(content), {name: Digest.of(body) for name, body in files.items()})


def _good(release: Release, compose: bytes = COMPOSE) -> tuple[bytes, bytes]:
    content = _tar((release.compose.file, compose, tarfile.REGTYPE))
    return replace(release, bundle=_described(content, {release.compose.file: compose})).to_bytes(), content


def test_a_release_is_kept_and_read_back(layout: Layout, release: Release) -> None:
    manifest, bundle = _good(release)
    stored = store_release(layout, manifest, bundle)
    assert load_release(layout, release.tag) == stored
    assert stored.files == {"docker-compose.cicd.yml": COMPOSE}


def test_the_same_tag_with_other_bytes_is_refused_once_the_first_ran_here(layout: Layout, release: Release) -> None:
    first = store_release(layout, *_good(release))
    Ledger(layout.ledger).append(release=first.name, outcome="succeeded")
    with pytest.raises(Refused, match="names another release"):
        store_release(layout, *_good(release, b"services: {app: {}}\n"))
    assert load_release(layout, release.tag) == first


def test_who_was_refused_with_other_bytes_does_not_keep_the_tag(layout: Layout, release: Release) -> None:
    forged = store_release(layout, *_good(release, b"services: {app: {}}\n"))
    Ledger(layout.ledger).append(release=forged.name, outcome="failed")
    honest = store_release(layout, *_good(release))
    assert load_release(layout, release.tag) == honest


def test_a_bundle_changed_on_the_host_is_noticed(layout: Layout, release: Release) -> None:
    store_release(layout, *_good(release))
    path = layout.release(release.tag) / "bundle.tar.gz"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(Invalid, match="was altered"):
        load_release(layout, release.tag)


@pytest.mark.parametrize(
    "entry",
    [
        ("../outside", b"x", tarfile.REGTYPE),
        ("/etc/cron.d/x", b"x", tarfile.REGTYPE),
        ("a", b"", tarfile.SYMTYPE),
        ("a", b"", tarfile.LNKTYPE),
        ("a", b"", tarfile.CHRTYPE),
        ("a", b"other bytes", tarfile.REGTYPE),
    ],
)
def test_an_entry_that_is_not_a_listed_plain_file_is_refused(entry: tuple[str, bytes, bytes]) -> None:
    content = _tar(entry)
    with pytest.raises(Invalid):
        open_bundle(Bundle(Digest.of(content), len(content), {"a": Digest.of(b"x")}), content)


def test_a_file_that_is_listed_and_not_there_is_named() -> None:
    content = _tar(("a", b"x", tarfile.REGTYPE))
    with pytest.raises(Invalid, match="lacks b"):
        open_bundle(_described(content, {"a": b"x", "b": b"y"}), content)


@given(st.binary(max_size=300))
def test_no_bytes_are_more_than_refused(content: bytes) -> None:
    with pytest.raises(FairwayError):
        open_bundle(Bundle(Digest.of(content), len(content), {"a": Digest.of(b"x")}), content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(min_value=0), value=st.integers(min_value=0, max_value=255))
def test_a_bundle_changed_by_one_byte_is_refused(release: Release, position: int, value: int) -> None:
    _, bundle = _good(release)
    index = position % len(bundle)
    changed = bundle[:index] + bytes([value]) + bundle[index + 1 :]
    expected = Bundle(Digest.of(bundle), len(bundle), {release.compose.file: Digest.of(COMPOSE)})
    if changed == bundle:
        assert open_bundle(expected, changed)
    else:
        with pytest.raises(Invalid):
            open_bundle(expected, changed)
