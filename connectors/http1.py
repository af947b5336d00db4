"""One HTTP/1.1 connection to an agency (RFC 9112): a request goes out, its answer comes back whole, or an error.

The parser is llhttp, by httptools: strict about lengths, line ends and header characters. What it leaves open is
decided here: sizes, encodings, and what may follow an answer.
"""

from __future__ import annotations

import asyncio
import select
from typing import Final, cast

import httptools

from connectors.lane import Bodies, Garbled, LaneAnswer, LaneError, OutOfTime, TooLarge, Unreachable, Unusable

LARGEST_HEAD: Final = 64 * 1024
"""Most bytes of a status line and headers, those of informational answers included; servers bound theirs to less."""

_FIRST_FINAL_STATUS: Final = 200
"""Below are informational answers, which precede the one that was asked for (RFC 9110, section 15.2)."""


class Http1Connection(asyncio.Protocol):
    """An open connection. One request at a time; an answer that cannot be trusted to its end closes it."""

    _waiting: asyncio.Future[LaneAnswer] | None = None
    _transport: asyncio.Transport | None = None
    _fault: LaneError | None
    _status: int
    _received: int
    _size: int
    _body: list[bytes]
    _retry_after: str
    _link: list[bytes]
    _location: str
    _cookies: list[str]
    _framed: bool
    _plain: bool
    _head_read: bool
    _complete: bool
    _keep: bool

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._parser = httptools.HttpResponseParser(self)
        self._begin()

    def ask(self, request: bytes) -> asyncio.Future[LaneAnswer]:
        """Sends a request; the future gives its answer. Both raise `LaneError`."""
        self._begin()
        if self._transport is None:
            raise Unreachable("closed before it was asked")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent."""
        return self._waiting is None and self._transport is not None

    @property
    def is_quiet(self) -> bool:
        """Whether nothing lies at its socket, unread by the event loop yet: the agency's closing it, most likely."""
        if self._transport is None:
            return False
        socket = select.poll()
        socket.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not socket.poll(0)

    @property
    def begun(self) -> bool:
        """Whether any byte of the last answer has come."""
        return self._received > 0

    def expire(self) -> None:
        """Ends the request under way: its time is up."""
        self._fail(OutOfTime("no answer in time"))

    def close(self) -> None:
        """Closes at once, whatever is under way."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from it

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        if self._waiting is None:
            self.close()  # nothing was asked: it would be taken for the next answer
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._complete:
                self._keep = False  # what follows an answer cannot be told from the next one
            else:
                self._fault = self._fault or Garbled(f"answer is no HTTP/1.1 ({type(error).__name__})")
        fault = self._fault or self._excess()
        if fault is not None:
            self._fail(fault)
        elif self._complete:
            self._deliver(keep=self._keep)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        ended_there = exc is None and self._transport is not None
        self._transport = None
        if ended_there and self._head_read and not self._framed:
            self._deliver(keep=False)  # without a length, the body ends with the connection (RFC 9112, section 6.3)
        self._fail(Garbled("answer broke off") if exc is None else Unreachable(f"reset ({type(exc).__name__})"))

    def on_message_begin(self) -> None:
        """Called by the parser, as are those below: an answer begins, or an informational one before it."""
        if self._complete:
            raise ValueError
        self._framed, self._plain = False, True
        self._link, self._location, self._cookies = [], "", []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or a trailer, which changes nothing: what the head said of the body was acted on."""
        match name.lower():
            case b"content-length":
                self._framed = True
                if int(value) > self._bodies.largest:
                    self._fault = TooLarge(self._bodies.largest)
            case b"transfer-encoding":
                self._framed = True
                self._plain &= value.lower() == b"chunked"
            case b"content-encoding":
                self._plain &= value.lower() == b"identity"
            case b"retry-after":
                self._retry_after = value.decode("latin-1")
            case b"link" if not self._head_read:
                self._link.append(value)
            case b"location" if not self._head_read:
                self._location = value.decode("latin-1")
            case b"set-cookie" if not self._head_read:
                self._cookies.append(value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """The head is read."""
        self._status = self._parser.get_status_code()
        self._head_read = self._status >= _FIRST_FINAL_STATUS
        if self._head_read and not self._plain:
            self._fault = self._fault or Unusable("answer is encoded, though that was not asked for")

    def on_body(self, data: bytes) -> None:
        """A part of the body, its chunks already undone."""
        self._size += len(data)
        self._body.append(data)

    def on_message_complete(self) -> None:
        """The answer is whole, or an informational one before it."""
        if self._head_read:
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    def _begin(self) -> None:
        self._fault = None
        self._status = self._received = self._size = 0
        self._body = []
        self._retry_after = self._location = ""
        self._link, self._cookies = [], []
        self._head_read = self._complete = self._keep = self._framed = False
        self._plain = True

    def _excess(self) -> LaneError | None:
        """What is too much of what has come. Small chunks take several times what they carry: once more is borne."""
        if not self._head_read:
            return Garbled(f"head larger than {LARGEST_HEAD} bytes") if self._received > LARGEST_HEAD else None
        if self._size > self._bodies.largest or self._received > LARGEST_HEAD + 2 * self._bodies.largest:
            return TooLarge(self._bodies.largest)
        return None

    def _deliver(self, *, keep: bool) -> None:
        waiting, self._waiting = self._waiting, None
        # A request that is still being written was answered before it was read: its rest would begin the next one.
        if not keep or self._transport is None or self._transport.get_write_buffer_size():
            self.close()
        if waiting is not None and not waiting.done():
            content = b"".join(self._body) if self._status in self._bodies.statuses else b""
            waiting.set_result(
                LaneAnswer(
                    self._status,
                    content,
                    self._retry_after,
                    b",".join(self._link).decode("latin-1"),
                    self._location,
                    tuple(self._cookies),
                )
            )

    def _fail(self, error: LaneError) -> None:
        if self._head_read and self._status not in self._bodies.statuses:
            self._deliver(keep=False)  # the status says enough: what comes with it is read only to keep the connection
            return
        waiting, self._waiting = self._waiting, None
        self.close()
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
