"""What looks for leaks must find one."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from urllib.parse import quote, quote_plus

import pytest

from testbed.leaks import Searcher

VALUE = 'canary 7f3a"9b%/+=\\ümlaut'
KEY = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nzcyNTUxOQAAACD4\n-----END KEY-----\n"
SEARCHER = Searcher({"secret": VALUE, "key": KEY})


def _tar(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("a/file")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "planted",
    [
        f"password={VALUE}\n",
        json.dumps({"env": VALUE}),
        json.dumps({"env": VALUE}, ensure_ascii=False),
        f"postgresql://u:{quote(VALUE, safe='')}@db",
        f"?p={quote_plus(VALUE)}",
        repr({"env": VALUE}),
        base64.b64encode(VALUE.encode()),
        base64.b64encode(f"u:{VALUE}".encode()),
        base64.urlsafe_b64encode(f"us:{VALUE}:more".encode()),
        base64.b64encode(f"use:{VALUE}".encode()),
        VALUE.encode().hex(),
        b"A=1\0B=" + VALUE.encode() + b"\0",
        gzip.compress(_tar(VALUE.encode())),
        _tar(gzip.compress(VALUE.encode())),
    ],
)
def test_a_planted_leak_is_found_however_it_is_written(planted: bytes | str) -> None:
    assert SEARCHER.names_in(planted) == {"secret"}


def test_a_line_of_a_key_is_the_key() -> None:
    assert SEARCHER.names_in("debug: zcyNTUxOQAAACD4") == {"key"}
    assert SEARCHER.names_in("-----BEGIN KEY-----") == set()


@pytest.mark.parametrize(
    "clean", ["", "canary", "[redacted]", b"\x1f\x8bnot gzip", VALUE[:-1], base64.b64encode(b"x" * 90)]
)
def test_what_has_no_leak_is_not_accused(clean: bytes | str) -> None:
    assert SEARCHER.names_in(clean) == set()
