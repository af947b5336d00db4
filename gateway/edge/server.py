"""A gateway on a socket, from the settings to the last answer."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gc
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.admin.desk import Desk
from gateway.admin.open import admin_route, open_desk
from gateway.assembly import Installation, open_gateway, read_installation
from gateway.audit.log import LATE_SECONDS
from gateway.audit.open import certifying, watching, worker_part
from gateway.beside import beside
from gateway.console import console_routes
from gateway.edge import serving
from gateway.edge.app import create_app
from gateway.edge.authority import authority
from gateway.edge.connections import Connections, TimedProtocol, reserve_files
from gateway.edge.draining import Draining
from gateway.edge.health import Check
from gateway.edge.protocol import HEADERS
from gateway.edge.respond import json_response
from gateway.edge.tls import CertificateProtocol, ServerCertificate
from gateway.edge.worker import Worker
from gateway.errors import HttpError
from gateway.identity.identity import Authenticator, open_authenticator
from gateway.messages import Principal
from gateway.metrics.agencies import AgencyCollector
from gateway.metrics.gateway import GatewayCollector
from gateway.metrics.serving import serving_metrics
from gateway.pipeline import Gateway
from gateway.quotas.quotas import Admission
from gateway.receipt import Receipts
from gateway.settings import PREFIX, Settings
from gateway.stages.record import refusal_record
from gateway.tracing.contract import Tracing
from gateway.tracing.open import open_tracing

SHUTDOWN_SECONDS: Final = 30
"""How long requests in flight may take to end once the server is told to."""

BACKLOG: Final = 2_048

YOUNG_OBJECTS: Final = 100_000
"""How many more objects than there were set the collector going. Requests leave next to no cycles, and at Python's
own 700 it walks through each of them, still under way, several times.
"""


@asynccontextmanager
async def running_server(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """A server that answers from the moment the context is entered; the context gives its address, without a path.

    `environment` is where the manifests' `${NAME}` are looked up. Raises the packages' errors where the gateway cannot
    be opened or the address not be listened on.
    """
    with listening(settings) as listener:
        # Entered once this process writes the log, for whoever does has a notary; left when the last record is written.
        async with AsyncExitStack() as stack, answering(listener, settings, read_installation(settings), environment):
            await stack.enter_async_context(certifying(settings))
            yield address(listener, settings)


@asynccontextmanager
async def answering(
    listener: socket.socket,
    settings: Settings,
    installation: Installation,
    environment: Mapping[str, str],
    worker: Worker | None = None,
) -> AsyncIterator[None]:
    """A gateway that answers what comes to the listener, from the moment the context is entered.

    `worker` is which it is where there are several. Told to end, it is drained first (`Draining`). Raises the packages'
    errors where the gateway cannot be opened.
    """
    certificate = ServerCertificate(settings.tls) if settings.tls.certificate else None
    draining = Draining(settings.drain)
    number = worker.number if worker else None
    async with (
        open_tracing(settings, number, environment) as tracing,
        open_gateway(settings, installation, environment, worker, tracing) as gateway,
        open_desk(settings, gateway) as desk,
        watching(settings, worker_part(number), gateway.audit) as checks,
        open_authenticator(settings, lambda: gateway.editions.current.policy.organisations) as authenticator,
        beside(*([certificate.follow()] if certificate else []), name="certificate"),
    ):
        config = uvicorn.Config(
            application(gateway, desk, authenticator, settings, {"server": draining.check, **checks}, tracing),
            ws="none",
            ssl_context_factory=(lambda *_: certificate.context) if certificate else None,
            log_config=None,
            access_log=False,  # addresses of GET requests hold credit codes
            server_header=False,
            proxy_headers=False,  # nothing asks for the caller's address
            lifespan="off",
            timeout_keep_alive=settings.connections.idle,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        connections = Connections(settings.connections, settings.limits.request_bytes + HEADERS)
        protocol = CertificateProtocol if settings.tls.client_authorities else TimedProtocol
        collectors = AgencyCollector(gateway.health, gateway.refused_manifests), GatewayCollector(gateway)
        async with (
            serving_metrics(settings, number, collectors),
            serving.serving(config, listener, connections, protocol),
        ):
            with _frozen():
                yield
            connections.take_leave()
            await draining.drain()


@contextlib.contextmanager
def _frozen() -> Iterator[None]:
    """What is there by now (modules, catalogue, policy) stays: the collector need not go through all of it time and
    again while requests wait, only through what they make.
    """
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def address(listener: socket.socket, settings: Settings) -> str:
    """The address of a listener, without a path."""
    scheme = "https" if settings.tls.certificate else "http"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{authority(host, port)}"


def application(  # noqa: PLR0913, PLR0917 - the parts of the application, each named
    gateway: Gateway,
    desk: Desk,
    authenticator: Authenticator,
    settings: Settings,
    checks: Mapping[str, Check],
    tracing: Tracing | None = None,
) -> Starlette:
    """The HTTP application over an open gateway, and the administrators' desk beside it. `checks` are what readiness
    takes beside these.
    """

    async def record_refusal(request_id: str, principal: Principal | None, error: HttpError) -> None:
        record = refusal_record(request_id, principal, error.code, dt.datetime.now(dt.UTC))
        await gateway.audit.append(record, LATE_SECONDS)

    return create_app(
        pipeline=Admission(gateway, gateway.quotas),
        authenticator=authenticator,
        settings=settings,
        record_refusal=record_refusal,
        readiness={"audit": gateway.audit.check, "policy": gateway.editions.check, **checks},
        extra_routes=[
            *console_routes(),
            *_key_routes(gateway.receipts),
            admin_route(desk, authenticator, settings, record_refusal),
        ],
        activity=gateway.activity,
        traced=tracing.requests if tracing else None,
    )


def _key_routes(receipts: Receipts | None) -> list[Route]:
    """Where the public keys are published with which receipts are verified, where there are any."""
    if receipts is None:
        return []
    document = receipts.keys.public.as_dict(private=False)

    async def published(_: Request) -> Response:
        return json_response(document)

    return [Route("/.well-known/jwks.json", published)]


async def interrupted() -> None:
    """Returns when the process is told to end (SIGINT, SIGTERM, SIGHUP)."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    # Left in place: a second interrupt must not cut short what the first one set going.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, told.set)
    await told.wait()


def listening(settings: Settings) -> AbstractContextManager[socket.socket]:
    """A socket that listens where the settings say. Raises `SettingsInvalidError`."""
    reserve_files(settings.connections.most)
    return serving.listening(settings.host, settings.port, BACKLOG, f"{PREFIX}HOST and {PREFIX}PORT")
