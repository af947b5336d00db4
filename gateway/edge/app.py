"""The HTTP application: its routes, and what stands around them, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from secrets import token_bytes
from typing import Any, Final, Protocol
from uuid import uuid4

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.activity import Activity, Stage
from gateway.edge.forwarded import ForwardedCertificates
from gateway.edge.health import Check, assess
from gateway.edge.receive import check_method, credentials, deadline_of, receive
from gateway.edge.request import HttpRequest
from gateway.edge.respond import MediaType, error_response, json_response, negotiate, refuse, respond
from gateway.errors import (
    AuditUnavailableError,
    ClientGoneError,
    DeadlineExceededError,
    HttpError,
    InternalError,
    RequestTimeoutError,
)
from gateway.identity.identity import Authenticator
from gateway.logs import REQUEST_ID, outline
from gateway.messages import Answered, Principal, Received
from gateway.settings import Settings

_log = structlog.stdlib.get_logger(__name__)

GRAPHQL: Final = "/graphql"
IDS_DRAWN: Final = 256
"""How many request ids are drawn at once: the call to the operating system takes much longer than an id."""

_ID_BYTES: Final = 16

ANSWERED: Final = "ANSWERED"
REFUSED: Final = "REFUSED"
CANCELLED: Final = "CANCELLED"
"""What becomes of requests, beside the codes of HTTP errors: executed; refused as GraphQL (a request error); given up
as the server ends, or as the caller goes away while the answer leaves.
"""

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


class Pipeline(Protocol):
    """What lies between the stages receive and respond."""

    async def answer(self, received: Received) -> Answered:
        """The answer to one request, within its deadline, recorded. An `HttpError` is answered with its status."""
        ...


class RecordRefusal(Protocol):
    """Writes the audit line of a request that got no answer of the pipeline."""

    async def __call__(self, request_id: str, principal: Principal | None, error: HttpError) -> None:
        """Returns when the line is durable. `principal` is None where the caller is not known."""
        ...


class GraphQLEndpoint:
    """The ASGI application at /graphql. `activity` counts what is asked of it."""

    def __init__(
        self,
        pipeline: Pipeline,
        authenticator: Authenticator,
        settings: Settings,
        record_refusal: RecordRefusal,
        activity: Activity | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._settings = settings
        self._record_refusal = record_refusal
        self._activity = activity or Activity()
        self._proxies = ForwardedCertificates(settings.proxies) if settings.proxies.networks else None
        self._ids = _request_ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        request_id = next(self._ids)
        named = REQUEST_ID.set(request_id)
        began, outcome = self._activity.begin(), CANCELLED
        try:
            response, outcome = await self._respond(HttpRequest(scope, receive), request_id)
            await response(scope, receive, send)
        finally:
            self._activity.end(began, outcome)
            REQUEST_ID.reset(named)

    async def _respond(self, request: HttpRequest, request_id: str) -> tuple[Response, str]:
        """The response, and what became of the request, in a word."""
        media_type = MediaType.JSON
        principal: Principal | None = None
        try:
            with self._activity.stage(Stage.RECEIVE):
                check_method(request.method)
                media_type = negotiate(request.headers.every("Accept"))
                deadline = deadline_of(request.headers, self._settings.deadline)
                try:
                    async with asyncio.timeout_at(deadline):
                        # An issuer may be slow to say which keys it has.
                        principal = await self._authenticator.authenticate(credentials(request, self._proxies))
                        received = await receive(request, request_id, principal, self._settings, deadline)
                except TimeoutError:
                    raise DeadlineExceededError if principal is None else RequestTimeoutError from None
            answered = await _while_connected(request.closed, self._pipeline.answer(received))
        except HttpError as error:
            refusal = error
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the caller learns its request id and no more
            refusal = _unexpected(error, request_id)
        else:
            return respond(answered, media_type, request_id), ANSWERED if answered.executed else REFUSED
        refusal = await self._recorded(request_id, principal, refusal)
        return refuse(refusal, media_type, request_id), refusal.code

    async def _recorded(self, request_id: str, principal: Principal | None, refusal: HttpError) -> HttpError:
        """The refusal once it is in the audit log; where that fails, the failure in its place."""
        if isinstance(refusal, AuditUnavailableError):
            return refusal
        try:
            with self._activity.stage(Stage.RECORD):
                await self._record_refusal(request_id, principal, refusal)
        except AuditUnavailableError as error:
            return error
        return refusal


class ErrorBoundary:
    """ASGI middleware: nothing raised inside it reaches the server, which would log it with its message."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 500 where the application raises, unless its answer is already on the way."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the last place to catch it
            request_id = uuid4().hex
            refusal = _unexpected(error, request_id)
            if not started:
                await refuse(refusal, MediaType.JSON, request_id)(scope, receive, send)


class Application(Starlette):
    """The application: a router, but for the one path that nearly all requests ask for. That one is told by itself, for
    the router's way takes longer than reading the request.
    """

    def __init__(self, endpoint: ASGIApp, routes: Sequence[BaseRoute], lifespan: Lifespan | None) -> None:
        """`endpoint` lets no exception out."""
        super().__init__(
            routes=routes,
            middleware=[Middleware(ErrorBoundary)],
            exception_handlers={HTTPException: http_exception},
            lifespan=lifespan,
        )
        self._graphql = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or opens and closes what the lifespan does."""
        if scope["type"] == "http" and scope["path"] == GRAPHQL:
            await self._graphql(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(  # noqa: PLR0913 - the parts of the application, each named
    *,
    pipeline: Pipeline,
    authenticator: Authenticator,
    settings: Settings,
    record_refusal: RecordRefusal,
    readiness: Mapping[str, Check],
    extra_routes: Sequence[BaseRoute] = (),
    lifespan: Lifespan | None = None,
    activity: Activity | None = None,
    traced: Callable[[ASGIApp], ASGIApp] | None = None,
) -> Starlette:
    """The application: inside an error boundary, /graphql, /healthz, /readyz or an extra route.

    `readiness` names the parts that /readyz asks. `lifespan` opens what the parts need before the first request, and
    closes it after the last. `activity` counts the requests; `traced` puts around what answers them what traces them.
    """

    async def readyz(_: Request) -> Response:
        state = await assess(readiness)
        return json_response({"ready": state.ready, "parts": state.parts}, 200 if state.ready else 503)

    endpoint: ASGIApp = ErrorBoundary(GraphQLEndpoint(pipeline, authenticator, settings, record_refusal, activity))
    return Application(
        traced(endpoint) if traced else endpoint,
        [Route("/healthz", healthz), Route("/readyz", readyz), *extra_routes],
        lifespan,
    )


async def healthz(_: Request) -> Response:
    """The process is up: it says so."""
    return json_response({"status": "up"})


async def http_exception(_: Request, exception: Exception) -> Response:
    """The router's own refusals (no such path, wrong method), in the one form that all errors have."""
    if not isinstance(exception, HTTPException):
        raise exception
    status = HTTPStatus(exception.status_code)
    return error_response(status.name, status.phrase, status, exception.headers or {}, MediaType.JSON, uuid4().hex)


def _request_ids() -> Iterator[str]:
    """Random ids, as many as are asked for."""
    while True:
        drawn = token_bytes(IDS_DRAWN * _ID_BYTES)
        for start in range(0, len(drawn), _ID_BYTES):
            yield drawn[start : start + _ID_BYTES].hex()


def _unexpected(error: Exception, request_id: str) -> InternalError:
    _log.error("unexpected exception", request_id=request_id, fault=outline(error))
    return InternalError("Something went wrong here. Tell the operator the request id.")


async def _while_connected(closed: asyncio.Future[None] | None, work: Coroutine[Any, Any, Answered]) -> Answered:
    """The work's result. Where the caller's connection is closed first, the work is cancelled and `ClientGoneError`
    raised.
    """
    working = asyncio.current_task()
    if working is None:
        raise LookupError("a request is answered in a task")
    if closed is None:
        return await work
    gone, done = False, False

    def leave(_: asyncio.Future[None]) -> None:
        nonlocal gone
        if not done:
            gone = True
            working.cancel()

    closed.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        if not gone or working.uncancel():
            raise
        raise ClientGoneError from None
    finally:
        done = True
        closed.remove_done_callback(leave)
