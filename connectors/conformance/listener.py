"""A server on this machine for a trial: it refuses connections until it listens, and ends every conversation."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

HOST: Final = "127.0.0.1"

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""One conversation, to the end. It is cancelled where the listener ends it."""


class Listener:
    """A port of its own, and whoever is connected to it."""

    def __init__(self, converse: Converse) -> None:
        self._converse = converse
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, 0))
        self.port: Final[int] = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """From now on connections are taken."""
        self._server = await asyncio.start_server(self._serve, sock=self._socket)

    async def end_all(self) -> None:
        """Ends every conversation."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Takes no more connections, and ends every conversation."""
        if self._server is None:
            self._socket.close()
        else:
            self._server.close()
            await self.end_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._converse(reader, writer)
