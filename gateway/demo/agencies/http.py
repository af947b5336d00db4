"""The agencies that are HTTP servers: serving on loopback, and the access log that a test may read."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.demo.agencies import process

_KEPT: Final = 500


class AccessLog:
    """What was asked of this agency. A real agency keeps an access log; this one can be read at `GET /requests`.

    `{"counts": {path: calls}, "last": [{"path", "keys", "fields"}]}`: the last calls, oldest first, with the companies
    that were asked for, as they were written, and the fields, where the caller names them.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._last: deque[dict[str, object]] = deque(maxlen=_KEPT)

    def note(self, path: str, keys: Sequence[str], fields: Sequence[str] = ()) -> None:
        """Notes one call."""
        self._counts[path] += 1
        self._last.append({"path": path, "keys": list(keys), "fields": list(fields)})

    async def _answer(self, _: Request) -> Response:
        return json_response({"counts": dict(self._counts), "last": list(self._last)})

    def route(self) -> Route:
        """The route at which it is read."""
        return Route("/requests", self._answer)


def json_response(content: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(content), status, media_type="application/json")


class _Server(uvicorn.Server):
    """A server that says when it serves, and ends with its parent."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        process.when_parent_ends(self._end)
        process.announce(self._address)

    def _end(self) -> None:
        self.should_exit = True


def serve(description: str, build: Callable[[Path], Starlette], path: str = "") -> None:
    """Serves, on loopback, what `build` makes of the data directory, until the process is told to end."""
    arguments = process.arguments(description)
    app = build(arguments.data)
    listening = socket.create_server(("127.0.0.1", arguments.port), backlog=2048)
    # asyncio sets this only on sockets that it has made itself; without it, each answer's body waits some 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}{path}"
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    asyncio.run(_Server(config, address).serve(sockets=[listening]))
