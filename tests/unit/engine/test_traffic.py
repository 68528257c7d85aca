from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.errors import Invalid
from fairway.engine.layout import Layout
from fairway.engine.traffic.command import who
from fairway.engine.traffic.edits import Edit, digest, edits_forward, way_back
from fairway.engine.traffic.record import Record, Side, read_record

PATH = "/etc/nginx/sites-available/app"
BEFORE = """\
upstream app {
    server 127.0.0.1:3000; server localhost:3000 backup;
}
server {
    location / { proxy_pass http://[::1]:3000; }
    location /x { proxy_pass http://127.0.0.1:4000; }
}
"""


@pytest.fixture
def moved() -> Edit:
    (edit,) = edits_forward({PATH: BEFORE, "/other": "user x;"}, lambda f: f.port == 3000, "127.0.0.1:13100")
    return edit


def test_every_forward_to_the_port_is_moved_and_no_other(moved: Edit) -> None:
    assert "3000" not in moved.after
    assert moved.after.count("127.0.0.1:13100") == 3
    assert "proxy_pass http://127.0.0.1:4000;" in moved.after
    lines = moved.after.split("\n")
    for made in moved.made:
        assert lines[made.line - 1][made.column :].startswith(made.new)
    assert moved.diff().startswith(f"--- {PATH}\n+++ {PATH}\n")


def test_the_way_back_is_byte_for_byte(moved: Edit) -> None:
    back = way_back(moved.changed_file, moved.after, None)
    assert back.whole
    assert back.edit is not None
    assert back.edit.after == BEFORE
    assert back.gone == ()


def test_a_file_that_is_back_already_needs_nothing(moved: Edit) -> None:
    assert way_back(moved.changed_file, BEFORE, None).edit is None
    assert way_back(moved.changed_file, BEFORE, None).whole


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("upstream app {", "# reviewed\n\nupstream app {"),
        ("    location /x", "    location /y"),
        ("server localhost", "server localhost"),
        ("backup;", "backup max_fails=3;"),
    ],
)
def test_an_edited_file_keeps_its_edit(moved: Edit, old: str, new: str) -> None:
    back = way_back(moved.changed_file, moved.after.replace(old, new), BEFORE)
    assert back.edit is not None
    assert back.edit.after == BEFORE.replace(old, new)
    assert back.gone == ()


def test_only_what_is_still_there_is_changed_back(moved: Edit) -> None:
    edited = moved.after.replace("http://127.0.0.1:13100", "http://127.0.0.1:5000")
    back = way_back(moved.changed_file, edited, BEFORE)
    assert back.edit is not None
    assert not back.whole
    assert "server 127.0.0.1:3000; server localhost:3000 backup;" in back.edit.after
    assert "http://127.0.0.1:5000" in back.edit.after
    assert [made.line for made in back.gone] == [5]


def test_a_forward_that_somebody_else_added_is_theirs(moved: Edit) -> None:
    edited = moved.after + "server { location / { proxy_pass http://127.0.0.1:13100; } }\n"
    back = way_back(moved.changed_file, edited, BEFORE)
    assert back.edit is not None
    assert back.edit.after == BEFORE + "server { location / { proxy_pass http://127.0.0.1:13100; } }\n"


def test_nothing_is_changed_where_nothing_is_left(moved: Edit) -> None:
    back = way_back(moved.changed_file, "user x;\n", BEFORE)
    assert back.edit is None
    assert back.gone == moved.made


@given(st.lists(st.integers(min_value=0, max_value=7), max_size=4), st.booleans())
def test_lines_put_in_anywhere_do_not_mislead(places: list[int], copied: bool) -> None:
    (edit,) = edits_forward({PATH: BEFORE}, lambda f: f.port == 3000, "127.0.0.1:3100")
    lines = edit.after.split("\n")
    original = BEFORE.split("\n")
    for place in places:
        lines.insert(place, "# note")
        original.insert(place, "# note")
    back = way_back(edit.changed_file, "\n".join(lines), BEFORE if copied else None)
    assert back.edit is not None
    assert back.edit.after == "\n".join(original)


def test_a_record_is_read_back_as_it_was_written(layout: Layout, moved: Edit) -> None:
    assert read_record(layout) is None
    record = Record(Side.FAIRWAY, True, "now", "ada", (moved.changed_file,))
    record.write(layout)
    assert read_record(layout) == record
    assert record.old_addresses == [("127.0.0.1", 3000), ("localhost", 3000), ("[::1]", 3000)]
    assert moved.changed_file.before == digest(BEFORE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format": 1', '"format": 2'),
        ('"moving": true', '"moving": 1'),
        ('"127.0.0.1:3000"', '"; include /etc/passwd"'),
        ('"files": [', '"files": 3, "x": ['),
    ],
)
def test_a_record_that_was_tampered_with_is_refused(layout: Layout, moved: Edit, old: str, new: str) -> None:
    Record(Side.FAIRWAY, True, "now", "ada", (moved.changed_file,)).write(layout)
    path = layout.root / "traffic.json"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(Invalid, match=r"traffic\.json"):
        read_record(layout)


def test_who_acted_is_the_user_behind_sudo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert who({"SUDO_USER": "ada"}).startswith("ada@")
    assert who({"SUDO_USER": "ada"}).endswith(" (sudo)")
    assert who({}).startswith("root@")
    assert "\n" not in who({"SUDO_USER": "a\nb"})
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert who({"SUDO_USER": "ada"}).startswith("12345@")
