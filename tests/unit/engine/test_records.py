"""The journal, the ledger, the lock and the state: what a crash may do to them."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.engine.contract.errors import Locked
from fairway.engine.contract.names import Digest, Slot, Tag
from fairway.engine.files import append_line, write_atomically
from fairway.engine.hostconfig import HostConfig, Retention, read_host_config
from fairway.engine.journal import Journal, Mark, has_ended, read_journal, steps_marked
from fairway.engine.layout import Layout
from fairway.engine.lock import HOUSEKEEPING, Lock, holder
from fairway.engine.state import Occupant, State, read_state


def _journal(path: Path) -> bytes:
    journal = Journal(path)
    journal.accepted(deployment="d", tag="sha-4f4f4f4")
    journal.started("pull")
    journal.progress("pull", "3 layers")
    journal.done("pull", "pulled")
    journal.started("start")
    journal.failed("start", "no")
    journal.undone("pull", "left")
    journal.ended(outcome="failed")
    return path.read_bytes()


def test_a_journal_tells_what_was_begun_and_done(tmp_path: Path) -> None:
    _journal(tmp_path / "j")
    entries = read_journal(tmp_path / "j")
    assert steps_marked(entries, Mark.STARTED) == ["pull", "start"]
    assert steps_marked(entries, Mark.DONE) == ["pull"]
    assert has_ended(entries)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0, max_value=2000))
def test_a_journal_cut_at_any_byte_is_a_prefix_of_itself(tmp_path: Path, cut: int) -> None:
    whole_path, cut_path = tmp_path / "whole", tmp_path / "cut"
    whole_path.unlink(missing_ok=True)
    content = _journal(whole_path)
    whole = read_journal(whole_path)
    cut_path.write_bytes(content[:cut])
    read = read_journal(cut_path)
    assert read == whole[: len(read)]
    assert has_ended(read) == (cut >= len(content) - 1)


def test_a_line_after_a_cut_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"kind": "step", "st')
    append_line(path, b'{"kind": "ended"}\n', durable=True)
    assert read_journal(path) == [{"kind": "ended"}]


def test_a_line_that_the_disk_takes_a_part_of_is_not_taken_for_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write to a disk that is nearly full ends early without an error; only the next one tells."""
    room = [10]
    write = os.write

    def nearly_full(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = write(descriptor, data[: room[0]])
        room[0] -= taken
        return taken

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(OSError, match="No space"):
        append_line(tmp_path / "j", b'{"kind":"ended"}\n', durable=True)
    room[0] = 1000
    append_line(tmp_path / "j", b'{"kind":"note"}\n', durable=True)
    assert [entry["kind"] for entry in read_journal(tmp_path / "j")] == ["note"]


def test_the_second_to_ask_for_the_lock_is_told_who_has_it(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path / "lock", by="ada@laptop", purpose="deploy")
    with pytest.raises(Locked) as caught:
        Lock.acquire(tmp_path / "lock", by="bob@laptop", purpose="deploy")
    assert "ada@laptop" in caught.value.why
    assert (holder(tmp_path / "lock") or {})["by"] == "ada@laptop"
    lock.release()
    assert holder(tmp_path / "lock") is None
    Lock.acquire(tmp_path / "lock", by="bob@laptop", purpose="deploy").release()


def test_a_command_that_comes_during_housekeeping_waits_for_it(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path / "lock", by="fairway", purpose=HOUSEKEEPING)
    assert (holder(tmp_path / "lock") or {})["purpose"] == HOUSEKEEPING
    done = threading.Timer(0.6, lock.release)  # longer than a deployment would be waited for
    done.start()
    Lock.acquire(tmp_path / "lock", by="bob@laptop", purpose="deploy").release()
    done.join()


def test_a_host_prepared_before_there_was_a_retention_gets_the_default(tmp_path: Path) -> None:
    host = HostConfig("capakraken", "staging", "3000", "haproxy:3.0", False, Retention(3, 20))
    host.write(tmp_path / "host.json")
    assert read_host_config(tmp_path / "host.json") == host
    document = json.loads((tmp_path / "host.json").read_text())
    del document["retention"]
    (tmp_path / "host.json").write_text(json.dumps(document))
    assert read_host_config(tmp_path / "host.json").retention == Retention(10, 100)


def test_a_state_is_read_back_as_it_was_written(layout: Layout) -> None:
    occupant = Occupant(Slot.BLUE, Tag("sha-4f4f4f4"), Digest.of(b""), "20260131-120000-000000", "now", "ada")
    state = State(active=occupant, previous=None)
    state.write(layout.state)
    assert read_state(layout.state) == state


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
