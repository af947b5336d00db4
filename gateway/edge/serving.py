"""An ASGI application on a socket, for as long as a context lasts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from gateway.beside import beside
from gateway.edge.connections import Connections, TimedProtocol
from gateway.errors import SettingsInvalidError


@contextlib.asynccontextmanager
async def serving(
    config: uvicorn.Config,
    listener: socket.socket,
    connections: Connections,
    protocol: type[TimedProtocol] = TimedProtocol,
) -> AsyncIterator[None]:
    """Answers what comes to the listener from the moment the context is entered; left, it ends once all is answered.

    `protocol` is what the `connections` speak, whatever the `config` says of that.
    """
    server = _Server(config, connections, protocol)
    async with beside(connections.follow(), name="connections"):
        task = asyncio.create_task(server.serve([listener]), name="server")
        try:
            await _started(server, task)
            yield
        finally:
            server.should_exit = True
            await task


class _Server(uvicorn.Server):
    """uvicorn's server, but the signals are ours: it would raise them again on its way out, and a SIGTERM would then
    end the process before whatever was opened around it is closed. And so are the connections, from their handshake on.
    """

    def __init__(self, config: uvicorn.Config, connections: Connections, protocol: type[TimedProtocol]) -> None:
        super().__init__(config)
        self._connections = connections
        self._protocol = protocol

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop, tls = asyncio.get_running_loop(), self.config.ssl
        seconds = self._connections.settings.head if tls else None
        self.servers = [
            await loop.create_server(
                self._connection, sock=listener, ssl=tls, ssl_handshake_timeout=seconds, backlog=self.config.backlog
            )
            for listener in sockets or ()
        ]
        self.started = True

    def _connection(self) -> TimedProtocol:
        return self._protocol(self.config, self.server_state, {}, bounds=self._connections)


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
