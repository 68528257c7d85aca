from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.nginx import server
from fairway.engine.nginx.grammar import decode, directives, encode, find_forwards, included, replace


def _known(text: str) -> list[tuple[str, str, int]]:
    return [(f.directive, f.address, f.line) for f in find_forwards(text) if f.known]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("location / { proxy_pass http://127.0.0.1:3000; }", ("proxy_pass", "127.0.0.1:3000", 1)),
        ("location / {\n proxy_pass\n  http://localhost:3000/app/;\n}", ("proxy_pass", "localhost:3000", 3)),
        ("upstream app {\n\tserver 127.0.0.1:3000 weight=5;\n}", ("server", "127.0.0.1:3000", 2)),
        ("server 10.0.0.5:3000 backup;", ("server", "10.0.0.5:3000", 1)),
        ("proxy_pass http://[::1]:3000;", ("proxy_pass", "[::1]:3000", 1)),
        ("proxy_pass 'https://127.0.0.1:3000';", ("proxy_pass", "127.0.0.1:3000", 1)),
        ("proxy_pass http://127.0.0.1:3000$request_uri;", ("proxy_pass", "127.0.0.1:3000", 1)),
        ('set $app "http://127.0.0.1:3000";', ("set", "127.0.0.1:3000", 1)),
        ("stream { server { listen 1; proxy_pass 127.0.0.1:3000; } }", ("proxy_pass", "127.0.0.1:3000", 1)),
        ("# caf\u00e9\r\nproxy_pass http://127.0.0.1:3000;\r\n", ("proxy_pass", "127.0.0.1:3000", 2)),
        ('if ($x = "}{;#") { proxy_pass http://127.0.0.1:3000; }', ("proxy_pass", "127.0.0.1:3000", 1)),
        ("return 200 a#b; proxy_pass http://127.0.0.1:3000;", ("proxy_pass", "127.0.0.1:3000", 1)),
        ("log_format x '${a}{' ; proxy_pass http://127.0.0.1:3000;", ("proxy_pass", "127.0.0.1:3000", 1)),
        (
            "content_by_lua_block { ngx.say('proxy_pass http://127.0.0.1:1;') { } }\nproxy_pass http://127.0.0.1:3000;",
            ("proxy_pass", "127.0.0.1:3000", 2),
        ),
    ],
)
def test_a_forward_is_found_however_it_is_written(text: str, found: tuple[str, str, int]) -> None:
    assert _known(text) == [found]


@pytest.mark.parametrize(
    "text",
    [
        "# proxy_pass http://127.0.0.1:3000;",
        "location / { # proxy_pass http://127.0.0.1:3000;\n}",
        "listen 127.0.0.1:3000;",
        "server { listen 127.0.0.1:3000; server_name a; }",
        "proxy_pass http://app;",
        "proxy_pass http://unix:/run/app.sock;",
        "proxy_pass http://127.0.0.1;",
        "proxy_pass http://127.0.0.1:99999;",
        "proxy_pass http://127.0.0.1:3000x;",
        "return 200 'proxy_pass http://127.0.0.1:3000;';",
    ],
)
def test_what_is_not_a_forward_is_not_found(text: str) -> None:
    assert _known(text) == []


def test_a_mention_is_told_from_a_forward() -> None:
    text = "proxy_redirect http://127.0.0.1:3000/ /;\nmap $host $up { default 127.0.0.1:3000; }"
    assert [(f.directive, f.line, f.known) for f in find_forwards(text)] == [
        ("proxy_redirect", 1, False),
        ("default", 2, False),
    ]


def test_the_line_is_shown_as_it_was_written() -> None:
    text = decode("\n   server 127.0.0.1:3000;  # für Gäste\n".encode())
    (forward,) = find_forwards(text)
    assert forward.text == "server 127.0.0.1:3000;  # für Gäste"


def test_includes_are_read_in_order_and_blocks_are_known() -> None:
    text = "include a.conf; http { include 'sites/*'; # include no;\n }"
    assert included(text) == ["a.conf", "sites/*"]
    assert [d.within for d in directives(text)] == [(), (), ("http",)]


def test_only_the_address_is_replaced() -> None:
    text = "upstream a { server 127.0.0.1:3000; server localhost:3000; } # 127.0.0.1:3000\n\tproxy_pass http://[::1]:3000/;"
    forwards = find_forwards(text)
    changed = replace(text, forwards, ["127.0.0.1:3100"] * 3)
    assert changed == (
        "upstream a { server 127.0.0.1:3100; server 127.0.0.1:3100; } # 127.0.0.1:3000\n\tproxy_pass http://127.0.0.1:3100/;"
    )
    assert replace(changed, find_forwards(changed), [f.address for f in forwards]) == text


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_harm_and_written_back_as_they_were(content: bytes) -> None:
    text = decode(content)
    forwards = find_forwards(text)
    assert encode(replace(text, forwards, [f.address for f in forwards])) == content


@given(st.text(alphabet=" \n;{}#\\\"'$ax", max_size=60))
def test_whatever_stands_before_it_a_forward_on_a_line_of_its_own_is_where_it_says(before: str) -> None:
    text = before + "\n; proxy_pass http://127.0.0.1:3000;\n"
    for forward in find_forwards(text):
        assert text[forward.start :].startswith(forward.address)
        assert text.split("\n")[forward.line - 1][forward.column :].startswith(forward.address)


@pytest.mark.parametrize(
    ("title", "accepts"),
    [
        ("nginx: worker process", True),
        ("nginx: worker process is shutting down", False),
        ("nginx: cache manager process", False),
    ],
)
def test_a_worker_accepts_until_its_title_says_that_it_ends(title: str, accepts: bool) -> None:
    with subprocess.Popen([title, "60"], executable="/bin/sleep") as process:
        wait_for_title(process.pid, title)
        assert server._accepts(process.pid) is accepts
        process.kill()
    assert not server._accepts(process.pid)


def wait_for_title(process: int, title: str) -> None:
    """A forked process has its parent's title until it runs the program."""
    deadline = time.monotonic() + 10
    while title.encode() not in Path(f"/proc/{process}/cmdline").read_bytes():
        assert time.monotonic() < deadline
