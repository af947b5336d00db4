"""The lane of the unusual, by httpx: compressed answers, users in an address, names of hosts in other alphabets.

The one module that knows httpx, and what each of its errors means.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx

from connectors.lane import (
    Bodies,
    Garbled,
    LaneAnswer,
    LaneError,
    OutOfTime,
    TooLarge,
    Unreachable,
    Unusable,
)
from connectors.outgoing import Outgoing
from connectors.reach import Reach, reachable

# The client logs whole addresses at INFO, and headers at DEBUG: companies and keys are in them.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
"""zlib tells the two by how they begin."""


class HttpxLane:
    """The `Lane` of any http or https address. Each call has a connection of its own."""

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
        """As in `FastLane`."""
        self._address = address
        self._encrypted = address.startswith("https:")
        self._reach = reach
        self._bodies = bodies
        self._client = httpx.AsyncClient(
            headers=headers,
            # Without TLS a context that trusts nobody: otherwise httpx would read certificates, to no purpose.
            verify=tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            # No connection is used twice: there, httpx would take what follows an answer for the next one.
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=0),
            timeout=None,  # noqa: S113  (each call has its deadline)
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, request: Outgoing, deadline: float) -> LaneAnswer:
        """As in `Lane`."""
        try:
            built = self._client.build_request(
                request.method, self._address + request.target, headers=request.headers, content=request.body or None
            )
            async with asyncio.timeout_at(deadline), self._response(built) as response:
                content = await self._read(response) if response.status_code in self._bodies.statuses else b""
        except TimeoutError:
            raise OutOfTime("no answer in time") from None
        except LaneError:
            raise
        except Exception as error:  # noqa: BLE001  (what the libraries beneath httpx raise, it hands on in part)
            raise meaning_of(error) from None
        headers = response.headers
        return LaneAnswer(
            response.status_code,
            content,
            headers.get("retry-after", ""),
            headers.get("link", ""),
            headers.get("location", ""),
            tuple(headers.get_list("set-cookie")),
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def _response(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """The response, its body unread."""
        response = await self._answered(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        """The answer of the first address that takes a connection.

        The request goes to the very address that was checked: a name that is resolved twice may lead elsewhere.
        """
        name = request.url.raw_host.decode().strip("[]")
        port = request.url.port or (443 if self._encrypted else 80)
        addresses = await reachable(name, port, self._reach, encrypted=self._encrypted)
        request.extensions = {**request.extensions, "sni_hostname": name}
        for left, address in enumerate(addresses, 1 - len(addresses)):
            request.url = request.url.copy_with(host=address)  # its header Host is set by now, to the name
            try:
                return await self._client.send(request, stream=True)
            except httpx.ConnectError:
                if not left:
                    raise
        raise Unreachable("no address")

    async def _read(self, response: httpx.Response) -> bytes:
        # Not by httpx's own decoders: they undo all codings that are named, each to its end, before a byte is counted.
        inflate = _inflater(response.headers.get("content-encoding", ""))
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += inflate(chunk, self._bodies.largest + 1 - len(content))
            if len(content) > self._bodies.largest:
                raise TooLarge(self._bodies.largest)
        return bytes(content)


def _inflater(coding: str) -> Callable[[bytes, int], bytes]:
    """What undoes a content coding (RFC 9110, section 8.4.1), piece by piece, to at most so many bytes each. Raises
    `Unusable`, for several codings too.
    """
    match coding.strip().lower():
        case "" | "identity":
            return lambda piece, _: piece
        case "gzip" | "x-gzip" | "deflate":
            return zlib.decompressobj(_GZIP_OR_ZLIB).decompress
    raise Unusable("answer is in a content coding that is not read")


def meaning_of(error: Exception) -> LaneError:
    """What an error of httpx, or of a library beneath it, means. Its own message is left out: it may hold values."""
    name = type(error).__name__
    match error:
        case httpx.TimeoutException():
            return OutOfTime(name)
        case httpx.NetworkError() | httpx.ProxyError() | OSError():
            return Unreachable(name)
        case httpx.RemoteProtocolError():
            return Garbled(name)
        case _:
            return Unusable(name)
