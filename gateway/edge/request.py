"""What a caller sent, as an ASGI server hands it over."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.types import Receive, Scope

from gateway.errors import BodyTooLargeError, ClientGoneError, RequestMalformedError
from gateway.identity.certificates import Certificate

CERTIFICATE: Final = "xinqiao.certificate"
"""The key of the ASGI scope with the connection's `Certificate`, where the caller presented one."""

CLOSED: Final = "xinqiao.closed"
"""The key of the ASGI scope with a future that is done once the caller's connection is closed."""

MAX_DRAINED: Final = 32
"""How many times the limit is read of a body that is too large, and thrown away: many clients do not look at an answer
before they have sent all of theirs, and would see nothing but a broken connection."""


class Headers:
    """The headers of a request, gone through once. `pairs` are those of the ASGI scope: names in lower case, and
    Latin-1 (RFC 9110, section 5.5).
    """

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))

    def every(self, name: str) -> Sequence[str]:
        """The values of a header, as often as it came."""
        return self._values.get(name.lower(), ())

    def single(self, name: str) -> str | None:
        """The value of a header that may come once. Raises `RequestMalformedError` where it comes again."""
        values = self.every(name)
        if len(values) > 1:
            raise RequestMalformedError(f"The header {name} came {len(values)} times; send it once.")
        return values[0] if values else None


class HttpRequest:
    """One request. `query_string` is not decoded yet. `peer` is the address that its connection comes from; `closed` is
    done once that is closed; each is None where the server does not tell.
    """

    __slots__ = ("_receive", "certificate", "closed", "headers", "method", "peer", "query_string")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        client = scope.get("client")
        self.method: str = scope["method"]
        self.headers = Headers(scope["headers"])
        self.query_string: bytes = scope.get("query_string", b"")
        self.peer: str | None = client[0] if client else None
        self.certificate: Certificate | None = scope.get(CERTIFICATE)
        self.closed: Future[None] | None = scope.get(CLOSED)
        self._receive = receive

    async def body(self, most: int) -> bytes:
        """The body, of so many bytes at most. Raises `BodyTooLargeError`, `ClientGoneError`."""
        body = bytearray()
        length, more = 0, True
        while more and length <= most * MAX_DRAINED:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            part = message.get("body", b"")
            length += len(part)
            if length <= most:
                body += part
            more = message.get("more_body", False)
        if length > most:
            raise BodyTooLargeError(
                f"The body is longer than {most} bytes. Split the request, or ask for fewer companies."
            )
        return bytes(body)
