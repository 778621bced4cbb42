"""A TCP proxy between the site and an SSH server that cuts, stalls, delays and counts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_BLOCK = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST, as a firewall does


@dataclass
class Connection:
    """One connection that the site opened.

    Args:
        opened: monotonic seconds.
        up: bytes from the site.
        down: bytes to the site.
        is_open: whether it still is.
    """

    opened: float
    up: int = 0
    down: int = 0
    is_open: bool = True
    writers: list[asyncio.StreamWriter] = field(default_factory=list, repr=False)


class Proxy:
    """Forwards `port` of the loopback to `target`; faults may be set from any thread."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.connections: list[Connection] = []
        self.delay = 0.0  # s that each packet waits
        self.is_stalled = False  # nothing moves, nothing ends
        self.is_refusing = False
        self.cuts = 0
        self._budget: int | None = None  # bytes until everything is cut
        self._loop = asyncio.new_event_loop()

    @property
    def open_count(self) -> int:
        return sum(connection.is_open for connection in self.connections)

    def cut(self) -> int:
        """Reset every open connection; return how many there were."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def cut_after(self, size: int) -> None:
        """Reset everything when `size` more bytes have passed, in either direction."""
        self._budget = size

    async def _cut(self) -> int:
        self._budget = None
        alive = [connection for connection in self.connections if connection.is_open]
        for connection in alive:
            self._end(connection)
        self.cuts += bool(alive)
        return len(alive)

    def _end(self, connection: Connection) -> None:
        connection.is_open = False
        for writer in connection.writers:
            stream = writer.get_extra_info("socket")
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(time.monotonic(), writers=[writer])
        self.connections.append(connection)
        if self.is_refusing:
            self._end(connection)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            self._end(connection)
            return
        connection.writers.append(far_writer)
        # The end of the proxy itself cancels what still flows.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(
                [
                    asyncio.create_task(self._pump(connection, reader, far_writer, "up")),
                    asyncio.create_task(self._pump(connection, far_reader, writer, "down")),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        self._end(connection)

    async def _pump(
        self,
        connection: Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: str,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_BLOCK):
                while self.is_stalled and connection.is_open:
                    await asyncio.sleep(0.05)
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self._budget is not None and self._budget < len(data):
                    writer.write(data[: self._budget])
                    await self._cut()
                    return
                if self._budget is not None:
                    self._budget -= len(data)
                setattr(connection, way, getattr(connection, way) + len(data))
                writer.write(data)
                await writer.drain()

    def _run(self, ready: threading.Event, stop: asyncio.Event) -> None:
        async def main() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
            server.close()
            await self._cut()

        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(main())
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()


@contextmanager
def running_proxy(target: int) -> Iterator[Proxy]:
    """Run a proxy in a thread until the block ends."""
    proxy = Proxy(target)
    ready, stop = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=proxy._run, args=(ready, stop), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        proxy._loop.call_soon_threadsafe(stop.set)
        thread.join(10)
