"""The edge as one thing made of several processes: its configuration, its figures, its record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fairway.engine import clock
from fairway.engine.contract.names import Slot
from fairway.engine.edge import Edge, ServerStats, config_revision, render_config, together
from fairway.engine.instances.containers import read_container
from fairway.engine.instances.record import EdgeRecord, Pending, Running, read_record
from fairway.engine.instances.runtime import BASE, directory, look, present, read_process

INFO = "Name: HAProxy\nVersion: 3.0.11-1+deb13u4\nUptime_sec: 42\nnode: x\ndescription: 0123456789ab\n"
FRONTEND = "# pxname,svname,scur,status,conn_tot\ntraffic,FRONTEND,3,{status},17\n"


def _stats(serving: Slot, sessions: int = 0, requests: int = 0, response_ms: int = 0) -> dict[Slot, ServerStats]:
    return {
        slot: ServerStats("no check" if slot is serving else "MAINT", sessions, 1, requests, 1, 2, response_ms)
        for slot in Slot
    }


def test_one_configuration_serves_every_process_each_with_sockets_of_its_own() -> None:
    text = render_config(3000, Slot.GREEN)
    assert 'stats socket "/run/fairway/${FAIRWAY_EDGE_DIRECTORY}admin.sock"' in text
    assert text.count('bind "unix@/run/fairway/${FAIRWAY_EDGE_DIRECTORY}probe-') == 2
    assert text.count('bind "unix@/run/fairway/${FAIRWAY_EDGE_DIRECTORY}metrics.sock" mode 600') == 1


def test_the_configuration_names_itself_whichever_slot_serves() -> None:
    revision = config_revision(3000)
    for active in (None, *Slot):
        assert f"\n    description {revision}\n" in render_config(3000, active)
    assert config_revision(3001) != revision


@pytest.mark.parametrize("active", list(Slot))
def test_the_file_says_which_slot_an_edge_that_starts_serves(tmp_path: Path, active: Slot) -> None:
    edge = Edge(tmp_path, tmp_path / "run")
    edge.write_config(3000, active)
    assert edge.configured() is active


def test_figures_of_several_processes_are_summed_and_times_weighed() -> None:
    old, new = _stats(Slot.BLUE, sessions=4, requests=300, response_ms=10), _stats(Slot.BLUE, 1, 100, 50)
    blue = together([old, new])[Slot.BLUE]
    assert (blue.sessions, blue.requests, blue.errors, blue.failures, blue.response_ms) == (5, 400, 2, 4, 20)
    assert together([_stats(Slot.BLUE)])[Slot.BLUE].response_ms == 0


def test_only_what_every_process_says_is_the_active_slot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    edge = Edge(tmp_path, tmp_path)
    for said, active in ((["BLUE"], Slot.BLUE), (["GREEN", "GREEN"], Slot.GREEN), (["BLUE", "GREEN"], None)):
        merged = together([_stats(Slot[each]) for each in said])
        monkeypatch.setattr(edge, "stats", lambda merged=merged: merged)
        assert edge.active() is active


def test_a_process_is_read_from_its_own_words() -> None:
    process = read_process(2, INFO, FRONTEND.format(status="OPEN"))
    assert process is not None
    assert (process.version, process.revision, process.uptime_s) == ("3.0.11-1+deb13u4", "0123456789ab", 42)
    assert (process.listening, process.sessions, process.accepted) == (True, 3, 17)


@pytest.mark.parametrize(("status", "listening"), [("OPEN", True), ("FULL", True), ("STOP", False)])
def test_a_process_that_was_told_to_stop_does_not_listen(status: str, listening: bool) -> None:
    process = read_process(0, INFO, FRONTEND.format(status=status))
    assert process is not None
    assert process.listening is listening


@pytest.mark.parametrize(("info", "frontend"), [("", ""), (INFO, ""), ("Version: x", FRONTEND), (INFO, "no,csv\n1,2")])
def test_what_is_not_a_process_is_none(info: str, frontend: str) -> None:
    assert read_process(0, info, frontend) is None


def test_instances_are_found_by_their_directories_the_newest_last(tmp_path: Path) -> None:
    for name in ("10", "9", "trial"):
        (tmp_path / name).mkdir()
    assert present(tmp_path) == [BASE, 9, 10]
    assert present(tmp_path / "none") == [BASE]
    assert (directory(tmp_path, BASE), directory(tmp_path, 9)) == (tmp_path, tmp_path / "9")


def test_an_instance_nobody_listens_for_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "admin.sock").touch()
    assert look(tmp_path, BASE) is None
    assert not Edge(tmp_path, tmp_path).answers()


def test_the_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    pending = Pending(3, Running("haproxy:3.0", "3.0.11"), Running("haproxy:3.2", "3.2.1"), "ada", clock.now())
    record = EdgeRecord(2, 3, pending=pending).drain(1, clock.later(60))
    record.write(tmp_path / "instances.json")
    assert read_record(tmp_path / "instances.json") == record
    assert read_record(tmp_path / "none") == EdgeRecord()


def test_an_instance_that_drains_keeps_its_time() -> None:
    record = EdgeRecord(2, 2).drain(1, "2026-01-01T00:00:00.000Z")
    assert record.drain(1, clock.later(60)) == record
    assert record.draining[0].overdue
    assert not replace(record.draining[0], until=clock.later(60)).overdue
    assert record.without([1]).draining == ()


def test_a_container_is_read_from_what_docker_says() -> None:
    container = read_container(
        {
            "Name": "/x-edge-2",
            "Image": "sha256:1",
            "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00.123456789Z"},
            "Config": {"Image": "haproxy:3.0", "User": "1000:1000", "Labels": {"dev.fairway.instance": "2"}},
            "NetworkSettings": {
                "Networks": {"x_back": {}, "x_default": {}},
                "Ports": {"80/tcp": None, "3000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "3100"}]},
            },
        }
    )
    assert (container.number, container.name, container.running) == (2, "x-edge-2", True)
    assert (container.networks, container.published) == (("x_back", "x_default"), ("127.0.0.1", 3100))
