"""The lane of everyday calls: HTTP/1.1, kept alive, with or without TLS, at a small part of a full client's cost."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from connectors.http1 import Http1Connection
from connectors.kindness.places import Places
from connectors.lane import (
    Bodies,
    Garbled,
    LaneAnswer,
    OutOfTime,
    Unreachable,
    Unusable,
    can_be_header,
    with_defaults,
)
from connectors.outgoing import Outgoing
from connectors.reach import Reach, reachable

KEEP_ALIVE_SECONDS: Final = 2.0
"""How long an idle connection is kept: less than servers do (uvicorn 5 s), so that they rarely close it first."""

_TARGET: Final = re.compile(r"/[!-~]*")
"""Path and query of a request (RFC 9112, section 3.2.1), without anything that could end its line."""

_PORTS: Final = {"http": 80, "https": 443}


_CERTIFICATE_FAULTS: Final = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is of no authority that is trusted",
    19: "its certificate is of no authority that is trusted",
    20: "its certificate is of no authority that is trusted",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}
"""What OpenSSL's codes mean (`X509_V_ERR_...`) of a certificate that does not prove who the agency is."""


class FastLane:
    """The `Lane` of an http or https address without user and password."""

    def __init__(  # noqa: PLR0913  (what a lane is made of)
        self,
        address: str,
        headers: Mapping[str, str],
        *,
        connections: int,
        bodies: Bodies,
        tls: ssl.SSLContext | None,
        reach: Reach,
    ) -> None:
        """`address` is scheme, host and port. `connections` is the most that are open at once: further callers wait in
        their order. `tls` is for https: whom to trust, and who we are. `reach` has the addresses that may be reached.

        Raises `Unusable` for a header that cannot be sent.
        """
        parts = urlsplit(address)
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._tls = tls
        self._reach = reach
        self._head = _header_lines(with_defaults(headers, {"Host": parts.netloc, "Accept-Encoding": "identity"}))
        self._bodies = bodies
        self._places = Places(connections)
        self._idle: deque[tuple[float, Http1Connection]] = deque()
        self._closed = False

    async def send(self, request: Outgoing, deadline: float) -> LaneAnswer:
        """As in `Lane`."""
        written, idempotent = self._written(request), request.idempotent
        if not self._places.take():
            await self._wait_for_place(deadline)
        try:
            idle = self._take_idle(idempotent=idempotent)
            connection = idle or await self._connect(deadline)
            try:
                return await self._exchange(connection, written, deadline)
            except (Garbled, Unreachable):
                if idle is None or connection.begun or not idempotent:
                    raise
            return await self._exchange(await self._connect(deadline), written, deadline)
        finally:
            self._places.give_back()

    async def connect(self, deadline: float) -> None:
        """Connects, asks nothing, and lets go. Raises `LaneError`."""
        (await self._connect(deadline)).close()

    async def close(self) -> None:
        """Closes the connections; those of calls under way when these end."""
        self._closed = True
        while self._idle:
            self._idle.pop()[1].close()

    def _written(self, request: Outgoing) -> bytes:
        target, body = request.target, request.body
        if not _TARGET.fullmatch(target):
            raise Unusable("target is not printable ASCII")
        own = _header_lines(request.headers) if request.headers else ""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return f"{request.method} {target} HTTP/1.1\r\n{self._head}{own}{length}\r\n".encode("ascii") + body

    async def _wait_for_place(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.wait()
        except TimeoutError:
            raise OutOfTime("no connection was free in time") from None

    async def _connect(self, deadline: float) -> Http1Connection:
        try:
            async with asyncio.timeout_at(deadline):
                encrypted = self._tls is not None
                addresses = await reachable(self._host, self._port, self._reach, encrypted=encrypted)
                return await self._connect_to(addresses)
        except TimeoutError:
            raise OutOfTime("no connection in time") from None
        except OSError as error:
            raise Unreachable(f"no connection ({_named(error)})") from None
        except ValueError as error:
            raise Unusable(f"no connection ({type(error).__name__})") from None

    async def _connect_to(self, addresses: Sequence[str]) -> Http1Connection:
        """A connection to the first of the addresses that takes one. Raises `OSError`."""
        loop, name = asyncio.get_running_loop(), self._host if self._tls else None
        for left, address in enumerate(addresses, 1 - len(addresses)):
            try:
                made = await loop.create_connection(self._new, address, self._port, ssl=self._tls, server_hostname=name)
            except OSError:
                if not left:
                    raise
            else:
                return made[1]
        raise Unreachable("no address")

    def _new(self) -> Http1Connection:
        return Http1Connection(self._bodies)

    async def _exchange(self, connection: Http1Connection, written: bytes, deadline: float) -> LaneAnswer:
        """Asks, and keeps the connection where it may be asked again. A cancelled call closes it."""
        loop = asyncio.get_running_loop()
        timer = loop.call_at(deadline, connection.expire)
        try:
            return await connection.ask(written)
        finally:
            timer.cancel()
            if connection.reusable and not self._closed:
                self._idle.append((loop.time(), connection))
            else:
                connection.close()

    def _take_idle(self, *, idempotent: bool) -> Http1Connection | None:
        """The connection that was used last; those that were idle for too long are closed. What must not be sent twice
        gets none that the agency is closing.
        """
        oldest = asyncio.get_running_loop().time() - KEEP_ALIVE_SECONDS
        while self._idle and self._idle[0][0] < oldest:
            self._idle.popleft()[1].close()
        while self._idle:
            connection = self._idle.pop()[1]
            if connection.reusable and (idempotent or connection.is_quiet):
                return connection
            connection.close()
        return None


def _named(error: OSError) -> str:
    """What happened, in words that hold no name and no address."""
    kind, code = type(error).__name__, getattr(error, "verify_code", None)
    return f"{kind}: {_CERTIFICATE_FAULTS[code]}" if code in _CERTIFICATE_FAULTS else kind


def _header_lines(headers: Mapping[str, str]) -> str:
    if not all(can_be_header(name, value) for name, value in headers.items()):
        raise Unusable("header is not printable ASCII")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
