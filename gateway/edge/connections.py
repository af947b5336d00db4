"""Connections of callers. What a caller owes, which is to finish a request, to begin the next or to take an answer,
comes in its time, or the connection is ended; and there are no more connections than the settings say.
"""

from __future__ import annotations

import asyncio
import resource
from collections import OrderedDict
from typing import Any, Final
from uuid import uuid4

import structlog
from starlette.types import Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.edge.protocol import HEADERS, BoundedProtocol
from gateway.edge.request import CLOSED
from gateway.edge.respond import MediaType, refuse
from gateway.errors import ServerBusyError
from gateway.settings import ConnectionSettings

LOOK_SECONDS: Final = 1.0
"""How often it is looked at who has not come in time."""

OTHER_FILES: Final = 1_000
"""How many files a process has open beside its callers' connections, at most: those to agencies, stores and logs."""

_log = structlog.stdlib.get_logger(__name__)

_TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def reserve_files(most: int) -> None:
    """Lets this process, and those that it begins, have so many connections and what else they open, as far as the
    machine allows: at many of its usual limits (1,024) a flood of callers would leave none for agencies and the audit.
    """
    wanted = most + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unbounded = resource.RLIM_INFINITY
    if soft != unbounded and soft < wanted:
        raised = wanted if hard == unbounded else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        if raised < wanted:
            _log.warning("too few files may be open for so many connections", most=raised, wanted=wanted)


class Connections:
    """The connections whose callers owe something, and until when, in seconds of the event loop's clock.

    `largest_head` is how many bytes of a request may come that are no body.
    """

    def __init__(self, settings: ConnectionSettings, largest_head: int = HEADERS) -> None:
        self.settings = settings
        self.largest_head = largest_head
        self.are_ending = False
        self._due: OrderedDict[TimedProtocol, float] = OrderedDict()

    def expect(self, connection: TimedProtocol, seconds: float) -> None:
        """From now on its caller has so many seconds."""
        self._due[connection] = connection.loop.time() + seconds
        self._due.move_to_end(connection)

    def satisfied(self, connection: TimedProtocol) -> None:
        """Its caller owes nothing now."""
        self._due.pop(connection, None)

    def take_leave(self) -> None:
        """From now on each ends with the next answer, which says so: what a caller sends on one that is being closed is
        lost.
        """
        self.are_ending = True

    def make_room(self) -> bool:
        """Ends the connection whose caller has been waited for longest. Whether there was one."""
        if not self._due:
            return False
        connection, _ = self._due.popitem(last=False)
        connection.transport.abort()
        return True

    def look(self) -> None:
        """Ends the connections whose callers have not come in time."""
        now = asyncio.get_running_loop().time()
        for connection in [connection for connection, due in self._due.items() if due <= now]:
            connection.end()

    async def follow(self) -> None:
        """Looks again and again, for as long as it runs."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()


class TimedProtocol(BoundedProtocol):
    """The protocol, which also ends connections whose callers do not come in time: uvicorn waits for ever for the rest
    of a request, and for an answer to be taken. It tells the application when a connection is closed.
    """

    def __init__(self, *args: Any, bounds: Connections, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, largest_head=bounds.largest_head, **kwargs)
        self._bounds = bounds
        self._times = bounds.settings
        self._closed: asyncio.Future[None] = self.loop.create_future()
        self._in_head = False
        self._is_answering = False
        self._under_way: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Makes room for it; where there is none, its first request is told so."""
        super().connection_made(transport)
        if len(self.connections) > self._times.most and not self._bounds.make_room():
            self.app = busy
        self._bounds.expect(self, self._times.head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it, and tells the request under way: uvicorn tells the one that came last."""
        self._bounds.satisfied(self)
        super().connection_lost(exc)
        if self._under_way is not None:
            self._under_way.disconnected = True
            self._under_way.message_event.set()
        self._closed.set_result(None)

    def on_message_begin(self) -> None:
        """Waits for the rest of the head."""
        super().on_message_begin()
        self.scope[CLOSED] = self._closed  # type: ignore[typeddict-unknown-key]
        self._in_head = True
        self._bounds.expect(self, self._times.head)

    def on_headers_complete(self) -> None:
        """Waits for the body."""
        super().on_headers_complete()
        if self._bounds.are_ending:
            self.cycle.keep_alive = False
        self._in_head = False
        self._bounds.expect(self, self._times.body)

    def on_message_complete(self) -> None:
        """Waits no more: it is for the gateway to answer, unless it has refused the request by its head."""
        super().on_message_complete()
        self._is_answering = not self.cycle.response_complete
        if self._is_answering:
            self._bounds.satisfied(self)
        else:
            self._bounds.expect(self, self._times.answer)

    def on_response_complete(self) -> None:
        """Waits for the answer to be taken and for the next request, unless the rest of this one is waited for."""
        super().on_response_complete()
        if self.cycle.response_complete and self._is_answering:
            self._is_answering = False
            self._bounds.expect(self, self._times.answer)

    def pause_writing(self) -> None:
        """Waits for what was written to be taken."""
        super().pause_writing()
        self._bounds.expect(self, self._times.answer)

    def resume_writing(self) -> None:
        """Goes on."""
        super().resume_writing()
        if self._is_answering:
            self._bounds.satisfied(self)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._under_way = cycle
        super()._start_asgi_task(cycle, app)

    def end(self) -> None:
        """Ends the connection: in the middle of a head with a word of why, and by force where it does not end."""
        if self.transport.is_closing():
            self.transport.abort()
            return
        if self._in_head and not self._is_answering:
            self.transport.write(_TOO_LATE)
        self.transport.close()
        self._bounds.expect(self, LOOK_SECONDS)


async def busy(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application for a connection too many."""
    await refuse(ServerBusyError(), MediaType.JSON, uuid4().hex)(scope, receive, send)
