"""Bounded load, and what came of it: how many requests failed, which release answered when.

>>> with Load("http://10.231.0.12:3000/", connections=8, rate_per_s=200) as load:
...     ...  # deploy
>>> load.report.failed
0
"""

from __future__ import annotations

import abc
import asyncio
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

import aiohttp

from testbed.addresses import require_testbed_address

RELEASE_HEADER = "X-Release"
NO_RELEASE = "(none)"


@dataclass
class Report:
    """What a load run has seen. Times are seconds since it started."""

    total: int = 0
    ok: int = 0
    failures: list[tuple[float, str]] = field(default_factory=list)
    by_release: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    transitions: list[tuple[float, str]] = field(default_factory=list)
    elapsed_s: float = 0.0

    @property
    def failed(self) -> int:
        """How many requests got no answer, or one that is an error."""
        return len(self.failures)

    @property
    def reasons(self) -> Counter[str]:
        """How many requests failed for which reason."""
        return Counter(reason for _, reason in self.failures)

    @property
    def releases(self) -> list[str]:
        """The releases that served, in order."""
        return [release for _, release in self.transitions]

    def latency_s(self, quantile: float) -> float:
        """Return a quantile of the answers' latencies, such as 0.99; 0 when there were none."""
        if not self.latencies_s:
            return 0.0
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]

    def answer(self, release: str, *, asked_s: float, answered_s: float) -> None:
        """Count a good answer.

        Around a switch old and new answers cross on their way. One that was asked for
        before the last change was seen says nothing; one asked for after it does.
        """
        self.ok += 1
        self.by_release[release] += 1
        self.latencies_s.append(answered_s - asked_s)
        last_s, last = self.transitions[-1] if self.transitions else (0.0, "")
        if release != last and asked_s >= last_s:
            self.transitions.append((answered_s, release))


class _Background(abc.ABC):
    """An event loop in a thread, with a beginning and an end."""

    def __init__(self, url: str) -> None:
        require_testbed_address(url)
        self.url = url
        self._started = 0.0
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._running = threading.Event()
        self._error: BaseException | None = None

    def _start(self) -> None:
        self._thread.start()
        self._running.wait()

    def stop(self) -> None:
        """End it; what is under way is waited for. Raises what went wrong inside, if anything did."""
        if self._loop is not None and self._ending is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def now_s(self) -> float:
        """Return the seconds since the start, on the clock of the report."""
        return time.monotonic() - self._started

    def _main(self) -> None:
        try:
            asyncio.run(self._enclose())
        except BaseException as error:  # shown by stop(), in the thread that can show it
            self._error = error
        finally:
            self._running.set()

    async def _enclose(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._started = time.monotonic()
        self._running.set()
        await self._work(self._ending)

    @abc.abstractmethod
    async def _work(self, ending: asyncio.Event) -> None:
        """Do the work until it is done or ``ending`` is set."""


class Load(_Background):
    """Ask for one URL over and over, on connections that are kept, until a limit or the end.

    ``rate_per_s`` is that of all connections together; without it each asks again
    as soon as it is answered. A good answer is one below 400.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int = 16,
        rate_per_s: float | None = None,
        max_requests: int = 200_000,
        max_s: float = 600.0,
        timeout_s: float = 15.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(url)
        self.report = Report()
        self._connections = connections
        self._rate_per_s = rate_per_s
        self._max_requests = max_requests
        self._max_s = max_s
        self._timeout_s = timeout_s
        self._headers = dict(headers or {})
        self._issued = 0

    def __enter__(self) -> Load:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _work(self, ending: asyncio.Event) -> None:
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=60)
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=self._headers) as session:
            # aiohttp would quietly ask again when a kept connection turns out to be closed: count it instead.
            session._retry_connection = False
            await asyncio.gather(*(self._ask_on(session, ending) for _ in range(self._connections)))
        self.report.elapsed_s = self.now_s()

    async def _ask_on(self, session: aiohttp.ClientSession, ending: asyncio.Event) -> None:
        while not ending.is_set() and self._issued < self._max_requests and self.now_s() < self._max_s:
            number = self._issued
            self._issued += 1
            if self._rate_per_s:
                early_s = number / self._rate_per_s - self.now_s()
                if early_s > 0:
                    try:
                        await asyncio.wait_for(ending.wait(), early_s)
                        return
                    except TimeoutError:
                        pass
            await self._ask(session)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        asked_s = self.now_s()
        self.report.total += 1
        try:
            async with session.get(self.url, allow_redirects=False) as response:
                await response.read()
                status, release = response.status, response.headers.get(RELEASE_HEADER, NO_RELEASE)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.report.failures.append((self.now_s(), f"{type(error).__name__}: {error}"[:200]))
            # A host that is down is not to be asked as fast as this machine can.
            await asyncio.sleep(0.01)
            return
        if status >= 400:
            self.report.failures.append((self.now_s(), f"HTTP {status}"))
        else:
            self.report.answer(release, asked_s=asked_s, answered_s=self.now_s())


@dataclass
class StreamReport:
    """What became of event streams. Times are seconds since the start."""

    opened: int = 0
    events: int = 0
    ended: list[float] = field(default_factory=list)
    cut: list[tuple[float, str]] = field(default_factory=list)
    refused: list[tuple[float, str]] = field(default_factory=list)
    transitions: list[tuple[float, str]] = field(default_factory=list)


class Streams(_Background):
    """Listen to server-sent events as browsers do, and note every stream that breaks.

    A stream the server ends in order has *ended*, one that breaks off is *cut*, a
    connection that gets no stream is *refused*. After each a new one is opened, as
    ``EventSource`` does, ``reconnect_s`` later.
    """

    def __init__(
        self,
        url: str,
        *,
        count: int = 4,
        reconnect_s: float = 0.2,
        max_s: float = 600.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(url)
        self.report = StreamReport()
        self._count = count
        self._reconnect_s = reconnect_s
        self._max_s = max_s
        self._headers = {"Accept": "text/event-stream", **(headers or {})}

    def __enter__(self) -> Streams:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _work(self, ending: asyncio.Event) -> None:
        timeout = aiohttp.ClientTimeout(total=None, connect=10)
        connector = aiohttp.TCPConnector(limit=self._count)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=self._headers) as session:
            listeners = [asyncio.create_task(self._listen_on(session)) for _ in range(self._count)]
            try:
                await asyncio.wait_for(ending.wait(), self._max_s)
            except TimeoutError:
                pass
            finally:
                for listener in listeners:
                    listener.cancel()
                await asyncio.gather(*listeners, return_exceptions=True)

    async def _listen_on(self, session: aiohttp.ClientSession) -> None:
        while True:
            await self._listen(session)
            await asyncio.sleep(self._reconnect_s)

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        is_open = False
        try:
            async with session.get(self.url, allow_redirects=False) as response:
                kind = response.headers.get("Content-Type", "")
                if response.status != 200 or not kind.startswith("text/event-stream"):
                    self.report.refused.append((self.now_s(), f"HTTP {response.status} {kind}"))
                    return
                is_open = True
                self.report.opened += 1
                self._note(response.headers.get(RELEASE_HEADER, NO_RELEASE))
                async for line in response.content:
                    # An event ends with an empty line; comments keep a connection alive and count for nothing.
                    if line.startswith(b"data:"):
                        self.report.events += 1
            self.report.ended.append(self.now_s())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            found = self.report.cut if is_open else self.report.refused
            found.append((self.now_s(), f"{type(error).__name__}: {error}"[:200]))

    def _note(self, release: str) -> None:
        if not self.report.transitions or self.report.transitions[-1][1] != release:
            self.report.transitions.append((self.now_s(), release))
