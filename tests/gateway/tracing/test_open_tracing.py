"""Tracing as it is opened; and the lines of the log of requests that are traced."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import Any

import httpx
import orjson
import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from gateway.edge.server import running_server
from gateway.errors import SettingsInvalidError
from gateway.logs import configure_logging
from gateway.settings import Settings, TracingSettings
from gateway.tracing import open as opening
from gateway.tracing import otlp
from gateway.tracing.open import open_tracing
from gateway.tracing.otlp import TellingExporter, open_tracer
from tests.gateway.editions.test_reload import COMPANY, PATIENCE, Office, environment, offices, settings
from tests.gateway.tracing.collector import Collector

__all__ = ["offices", "settings"]

TRACED = {"tracing": TracingSettings(export="otlp")}
TRACE = "0af7651916cd43dd8448eb211c80319c"
OTHER = "1" * 32


async def test_no_tracing_without_being_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    async with open_tracing(Settings(), None, {}) as tracing:
        assert tracing is None


async def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda _: None)
    with pytest.raises(SettingsInvalidError, match=r"xinqiao\[otel\]"):
        async with open_tracing(Settings(**TRACED), None, {}):
            pytest.fail("it was opened")


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
async def test_another_protocol_than_it_speaks_stops_the_start(name: str) -> None:
    with pytest.raises(SettingsInvalidError, match=name):
        async with open_tracing(Settings(**TRACED), None, {name: "grpc"}):
            pytest.fail("it was opened")


def test_the_log_says_once_that_traces_do_not_leave_and_once_that_they_do() -> None:
    outcomes = iter("sffs")

    class Exporter(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002  # named so by its library
            return SpanExportResult.SUCCESS if next(outcomes) == "s" else SpanExportResult.FAILURE

    exporter = TellingExporter(Exporter())
    with capture_logs() as lines:
        for _ in range(4):
            exporter.export(())
    assert [line["event"] for line in lines] == ["traces cannot be exported", "traces are exported again"]


async def test_at_its_end_it_lets_the_last_spans_leave(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    async with open_tracer(TRACED["tracing"], "xinqiao-1", {}) as tracer:
        with tracer.request(f"00-{OTHER}-b7ad6b7169203331-01", "POST"):
            pass
    (span,) = [span for span in collector.spans if span.trace == OTHER]
    assert (span.resource["service.name"], span.resource["service.instance.id"]) == ("xinqiao", "xinqiao-1")


async def test_a_collector_that_is_away_harms_no_request_and_no_end(
    settings: Settings, offices: tuple[Office, Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "ENDING_SECONDS", 0.1)
    for name, value in {
        "EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "EXPORTER_OTLP_TIMEOUT": "3600",  # so that what waits for it waits for longer than the test
        "BSP_SCHEDULE_DELAY": "50",
        "BSP_MAX_QUEUE_SIZE": "20",
        "BSP_MAX_EXPORT_BATCH_SIZE": "10",
    }.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    chosen = settings.model_copy(update=TRACED)
    query = f'{{ enterprise(code: "{COMPANY}") {{ certifications {{ status }} }} }}'
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running_server(chosen, environment(offices, chosen)))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=PATIENCE))
        for _ in range(20):
            answer = await client.post(f"{url}/graphql", json={"query": query})
            assert answer.json()["data"]["enterprise"]["certifications"]["status"] == "COMPLETE"
        async with asyncio.timeout(20):  # OpenTelemetry's own patience is 30 seconds
            await stack.aclose()
    for thread in threading.enumerate():
        if thread.name == "end of tracing":  # which goes on a little, and writes to the log
            await asyncio.to_thread(thread.join)


@pytest.mark.usefixtures("restored_logging")
async def test_every_line_of_a_request_has_its_id_and_its_trace(
    settings: Settings,
    offices: tuple[Office, Office],
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def broken(_: object) -> tuple[int, dict[str, str]]:
        return 500, {"secret": COMPANY}

    offices[0].answer = offices[1].answer = broken
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    configure_logging("json", "debug")
    chosen = settings.model_copy(update=TRACED)
    query = f'{{ enterprise(code: "{COMPANY}") {{ certifications {{ status }} honours {{ status }} }} }}'
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running_server(chosen, environment(offices, chosen)))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=PATIENCE))
        capsys.readouterr()
        headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        answer = await client.post(f"{url}/graphql", json={"query": query}, headers=headers)
        written = capsys.readouterr().err
    failed = [line for line in map(orjson.loads, written.splitlines()) if line["event"] == "agency call failed"]
    assert {line["dataset"] for line in failed} == {"standards/Certification", "honours/Honour"}
    assert {line["request_id"] for line in failed} == {answer.headers["X-Request-Id"]}
    assert {line["trace_id"] for line in failed} == {TRACE}
    assert answer.json()["extensions"]["requestId"] == answer.headers["X-Request-Id"]
    assert COMPANY not in written
