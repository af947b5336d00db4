"""HTTP/1.1 towards callers: uvicorn's protocol, with bounds to what it keeps before the application is asked."""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS: Final = 64 * 1024
"""Bytes that a request's headers may have, or its trailers: a certificate and twenty consents have half of it."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which ends a connection whose caller sends a head or trailers without end: uvicorn keeps all
    of them.

    `largest_head` is how many bytes may come that are no body, and what one read from the socket brings.
    """

    def __init__(self, *args: Any, largest_head: int, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self._largest_head = largest_head
        self._beside_bodies = 0

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        self._beside_bodies += len(data)
        super().data_received(data)
        if self._beside_bodies > self._largest_head and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]  # there may be none
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Called by the parser, as are those below: a request begins."""
        self._beside_bodies = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """A part of the body, whose size is the application's to bound."""
        self._beside_bodies = 0
        super().on_body(body)
