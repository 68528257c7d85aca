"""How long the dashboard's pages take with a long past behind a host, beside the command that says the same."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx

from benchmarks import growth
from benchmarks.releases import make_release
from benchmarks.report import Section, table
from benchmarks.timing import ratio, say, seconds, timed
from testbed.workspace import Workspace

_PASTS = {"few": 10, "many": 1000}
_PAGES = ("/", "/environments/few", "/environments/many", "/history")
_FILLED_WITHIN_S = 60


def measure(work: Workspace, *, rounds: int) -> Section:
    """Time the pages of a dashboard over two hosts that differ in their past."""
    with growth.two_pasts(work, _PASTS):
        tag = make_release(work, "Dashboard")
        for name, count in _PASTS.items():
            growth.give_past(work, name, count, [tag])
        started = work.start_fairway("ui", "--port", "0", "--no-open")
        try:
            assert started.stdout is not None
            line = started.stdout.readline()
            address = re.search(r"http://\S+", line)
            assert address is not None, line
            with httpx.Client(follow_redirects=True, timeout=30) as client:
                return _section(work, client, address[0], started.pid, rounds)
        finally:
            started.terminate()
            started.wait(timeout=20)


def _section(work: Workspace, client: httpx.Client, address: str, pid: int, rounds: int) -> Section:
    base = address.partition("/?")[0]
    first = timed(lambda: client.get(address).raise_for_status())
    filled = timed(lambda: _wait_filled(client, base))
    times: dict[str, list[float]] = {page: [] for page in (*_PAGES, "status")}
    for number in range(rounds * 5):
        for page in _PAGES if number % 2 == 0 else reversed(_PAGES):
            times[page].append(timed(lambda page=page: client.get(base + page).raise_for_status()))  # type: ignore[misc]
    for _ in range(rounds):
        times["status"].append(timed(partial(work.fairway, "status")))
    say(f"the first page of all took {first:.3f} s, hosts were heard after {filled:.1f} s more")
    rows = [
        (f"`{page}`", f"{sorted(found)[len(found) // 2] * 1000:.0f} ms", f"{max(found) * 1000:.0f} ms")
        for page, found in times.items()
        if page != "status"
    ]
    share = ratio(times["/environments/many"], times["/environments/few"])
    text = f"""
`fairway ui` over two hosts, one with {_PASTS["few"]} and one with {_PASTS["many"]} deployments in its record;
{rounds * 5} requests of each page over loopback, one after another, while its observers ask both hosts.

{table(["page", "median", "longest"], rows)}

The very first page, before any host was heard, took {first * 1000:.0f} ms; everything was there {filled:.1f} s
later (connecting, and the whole record once). `fairway status`, which asks the hosts each time, takes
{seconds(times["status"])}. The process has {_resident_mb(pid):.0f} MB.
"""
    short = (
        f"The dashboard's first page takes {rows[0][1]} (longest {rows[0][2]}) with {_PASTS['many']} deployments on "
        f"record; an environment's page {share} times what it takes with {_PASTS['few']}."
    )
    return Section("Dashboard", (short,), text)


def _wait_filled(client: httpx.Client, base: str) -> None:
    ends = time.monotonic() + _FILLED_WITHIN_S
    filled: Callable[[], bool] = lambda: all(  # noqa: E731
        one["state"] not in ("asked", "unknown") for one in client.get(f"{base}/api/environments").json()
    )
    while not filled():
        assert time.monotonic() < ends, "the hosts were not heard"
        time.sleep(0.05)


def _resident_mb(pid: int) -> float:
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
