"""Where Prometheus asks. Each worker has an address of its own, so that nothing has to be shared between them, and
Prometheus adds them up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, ProcessCollector, make_asgi_app
from prometheus_client.registry import Collector

from gateway.edge.connections import Connections
from gateway.edge.serving import listening, serving
from gateway.settings import PREFIX, Settings

BACKLOG: Final = 16
"""Who collects comes alone, or nearly so."""


@asynccontextmanager
async def serving_metrics(
    settings: Settings, worker: int | None, collectors: Iterable[Collector]
) -> AsyncIterator[None]:
    """Answers Prometheus where the settings say, if they do, for as long as the context lasts.

    `worker` counts from 1; each has the next port. Raises `SettingsInvalidError` where it cannot be listened on.
    """
    if settings.metrics_port is None:
        yield
        return
    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        registry.register(collector)
    ProcessCollector(registry=registry)
    config = uvicorn.Config(
        make_asgi_app(registry),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    port = settings.metrics_port + (worker or 1) - 1
    names = f"{PREFIX}METRICS_HOST and {PREFIX}METRICS_PORT"
    with listening(settings.metrics_host, port, BACKLOG, names) as listener:
        async with serving(config, listener, Connections(settings.connections)):
            yield
