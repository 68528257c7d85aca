"""A distance: a TCP relay on this machine that hands on what it is given some time later."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from types import TracebackType

from testbed.addresses import require_testbed_address
from testbed.process import TestbedError

_CHUNK_BYTES = 256 * 1024
_Due = tuple[float, bytes]


class Relay:
    """Leads to a host as if it were a round trip of ``round_trip_s`` away; use it as a context manager.

    What comes is handed on half a round trip later, however much else is on its way:
    time is added and no throughput taken. A new connection waits for the round trip
    that its handshake would take, as the one with this relay takes none. Packets are
    not lost, and TCP's slow start is not felt.

    >>> with Relay("10.231.0.11", 22, round_trip_s=0.05) as relay:
    ...     ...  # connect to 127.0.0.1, port relay.port
    """

    def __init__(self, address: str, port: int, *, round_trip_s: float) -> None:
        require_testbed_address(f"tcp://{address}:{port}")
        self.port = 0
        self._target = (address, port)
        self._one_way_s = round_trip_s / 2
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    def __enter__(self) -> Relay:
        self._thread.start()
        if not self._listening.wait(timeout=10):
            raise TestbedError("the relay does not listen")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._ending is not None:
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    async def _main(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._ending.wait()
        server.close()

    async def _accept(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        # What is open when the relay ends, ends with it.
        with suppress(asyncio.CancelledError):
            await self._carry(near, near_writer)

    async def _carry(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        far_writer: asyncio.StreamWriter | None = None
        try:
            # The client's handshake is over when a round trip is; the host hears the end of it half a one later.
            await asyncio.sleep(2 * self._one_way_s)
            outward: asyncio.Queue[_Due] = asyncio.Queue()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._take(near, outward))
                await asyncio.sleep(self._one_way_s)
                far, far_writer = await asyncio.open_connection(*self._target)
                inward: asyncio.Queue[_Due] = asyncio.Queue()
                group.create_task(self._take(far, inward))
                group.create_task(_hand_on(outward, far_writer))
                group.create_task(_hand_on(inward, near_writer))
        except* OSError:
            pass  # one side is gone, so the other is let go, too
        finally:
            for writer in (near_writer, far_writer):
                if writer is not None:
                    writer.close()

    async def _take(self, reader: asyncio.StreamReader, queue: asyncio.Queue[_Due]) -> None:
        while True:
            data = await reader.read(_CHUNK_BYTES)
            queue.put_nowait((time.monotonic() + self._one_way_s, data))
            if not data:
                return


async def _hand_on(queue: asyncio.Queue[_Due], writer: asyncio.StreamWriter) -> None:
    while True:
        due, data = await queue.get()
        await asyncio.sleep(due - time.monotonic())
        if not data:
            with suppress(OSError):
                writer.write_eof()
            return
        writer.write(data)
        await writer.drain()
