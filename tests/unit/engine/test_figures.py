"""What the edge's processes say, added up."""

from __future__ import annotations

import pytest

from fairway.engine.contract.errors import Failed
from fairway.engine.contract.names import Slot
from fairway.engine.figures import add_up

COLUMNS = (
    "pxname,svname,qcur,scur,stot,econ,eresp,status,weight,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,"
    "req_tot,conn_tot,qtime,rtime,ttime"
)


def _said(requests: int, blue_ms: int, status: str = "no check") -> str:
    return "\n".join(
        (
            f"# {COLUMNS}",
            f"traffic,FRONTEND,,3,9,,,OPEN,,{requests},0,1,2,{requests + 3},9,,,",
            f"app,blue,0,2,{requests},1,1,{status},1,{requests},0,0,0,,,1,{blue_ms},{blue_ms + 5}",
            "app,green,0,0,0,0,0,MAINT,1,0,0,0,0,,,0,0,0",
            f"app,BACKEND,4,2,{requests},1,1,UP,1,{requests},0,0,2,,,0,0,0",
            "probe-blue,blue,0,0,70,0,0,no check,1,70,0,0,0,,,0,0,0",
        )
    )


def test_one_process_is_read_as_it_counts_and_the_probes_are_left_out() -> None:
    found = add_up([_said(100, 12)])
    assert (found.requests, found.connections, found.queue, found.answers["5xx"]) == (103, 3, 4, 2)
    blue = found.slots[Slot.BLUE]
    assert (blue.requests, blue.failures, blue.response_ms, blue.total_ms) == (100, 2, 12, 17)
    assert found.as_json()["slots"]["green"]["state"] == "MAINT"


def test_two_processes_are_one_edge_times_weighed_and_the_newest_says_where_requests_go() -> None:
    found = add_up([_said(300, 10, "no check"), _said(100, 50, "MAINT")])
    blue = found.slots[Slot.BLUE]
    assert (found.processes, found.requests, blue.requests) == (2, 406, 400)
    assert (blue.response_ms, blue.state) == (20, "MAINT")


@pytest.mark.parametrize("said", ["", "# pxname,svname\n", "# pxname,svname,scur\ntraffic,FRONTEND,many\n"])
def test_what_gives_no_figures_is_said(said: str) -> None:
    with pytest.raises(Failed, match="gives no figures"):
        add_up([said])
