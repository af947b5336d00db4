"""HTTP/1.1 towards callers: uvicorn's protocol, with bounds to what it keeps before the application is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS: Final = 64 * 1024
"""Bytes that a request's headers may have, or its trailers: a certificate and twenty consents have half of it."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)

_UPGRADE: Final = frozenset({b"upgrade", b"http2-settings"})
"""The headers by which a caller wishes for another protocol."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which ends a connection whose caller sends a head or trailers without end: uvicorn keeps all
    of them.

    It also passes over wishes for another protocol (RFC 9110, section 7.8), as whoever speaks none may: the parser
    takes such a request for one without a body, and its body for the next request.

    `largest_head` is how many bytes may come that are no body, and what one read from the socket brings.
    """

    def __init__(self, *args: Any, largest_head: int, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self._largest_head = largest_head
        self._beside_bodies = 0
        self.parser = self._new_parser()

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        self._beside_bodies += len(data)
        self._unset_keepalive_if_required()
        self._parse(data)
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

    def _new_parser(self) -> HttpRequestParser:
        parser = HttpRequestParser(_WithoutUpgrades(self))
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does: its caller is answered first
        return parser

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            if self.parser.get_method() == b"CONNECT":
                self.send_400_response("This is no proxy.")
                return
            head = b"".join(self._head_without_upgrade())
            self.parser = self._new_parser()
            self._parse(head + data[upgrade.args[0] :])
        except HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _head_without_upgrade(self) -> Iterator[bytes]:
        """The head that was read, to be read again without the wish."""
        yield b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        for name, value in self.headers:
            if name == b"connection":
                kept = [option for option in value.split(b",") if option.strip().lower() not in _UPGRADE]
                yield b"connection: %b\r\n" % b",".join(kept)
            elif name not in _UPGRADE:
                yield b"%b: %b\r\n" % (name, value)
        yield b"\r\n"


class _WithoutUpgrades:
    """What the parser tells, but for the ends of a request that wishes for another protocol: it is read again."""

    def __init__(self, protocol: BoundedProtocol) -> None:
        self._protocol = protocol
        self.on_message_begin = protocol.on_message_begin
        self.on_url = protocol.on_url
        self.on_header = protocol.on_header
        self.on_body = protocol.on_body

    def on_headers_complete(self) -> None:
        if not self._protocol.parser.should_upgrade():
            self._protocol.on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._protocol.parser.should_upgrade():
            self._protocol.on_message_complete()
