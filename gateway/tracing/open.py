"""Opens tracing where the settings want it, which takes the extra `otel`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec

from gateway.errors import SettingsInvalidError
from gateway.settings import PREFIX, Settings
from gateway.tracing.contract import Tracing


@asynccontextmanager
async def open_tracing(
    settings: Settings, worker: int | None, environment: Mapping[str, str]
) -> AsyncIterator[Tracing | None]:
    """What traces requests for as long as the context lasts; None where nothing does. `worker` is the process's number
    where there are several. Raises `SettingsInvalidError`.
    """
    if settings.tracing.export == "off":
        yield None
        return
    if find_spec("opentelemetry.exporter") is None:
        raise SettingsInvalidError(f"{PREFIX}TRACING__EXPORT needs the extra: pip install 'xinqiao[otel]'")
    from gateway.tracing.otlp import open_tracer  # noqa: PLC0415 - an extra

    instance = settings.audit.instance + (f"-{worker}" if worker else "")
    async with open_tracer(settings.tracing, instance, environment) as tracer:
        yield tracer
