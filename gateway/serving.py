"""An ASGI application on a socket, for as long as a context lasts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from gateway.errors import SettingsInvalidError


@contextlib.asynccontextmanager
async def serving(config: uvicorn.Config, listener: socket.socket) -> AsyncIterator[None]:
    """Answers what comes to the listener from the moment the context is entered; left, it ends once all is answered."""
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]), name="server")
    try:
        await _started(server, task)
        yield
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """uvicorn's server, but the signals are ours: it would raise them again on its way out, and a SIGTERM would then
    end the process before whatever was opened around it is closed.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _started(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    while not server.started:
        if serving.done():
            await serving
            raise SettingsInvalidError("the server ended before it answered")
        await asyncio.sleep(0.01)


@contextlib.contextmanager
def listening(host: str, port: int, backlog: int, settings: str) -> Iterator[socket.socket]:
    """A socket that listens there. Raises `SettingsInvalidError`, which names the `settings` that say so."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        raise SettingsInvalidError(f"{settings}: {host}:{port} cannot be listened on: {error.strerror}.") from None
    with listener:
        yield listener
