"""A gateway as a process of its own, over agencies, with a collector of traces: what it tells, and whom."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.connectors.support import CODES, Asked
from tests.faults.installation import QUERY, Gateway, defaults, penalties, serving
from tests.gateway.editions.test_reload import Office, listening_office
from tests.gateway.tracing.collector import Collector, Told
from tests.waiting import until

ASKED = [str(code) for code in CODES[:3]]
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OTHER = "1" * 32

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def rows(asked: Asked) -> Any:
    return {"rows": [{"code": code, "id": "1", "number": "1", "day": "2026-10-01"} for code in asked.body["codes"]]}


async def broken(_: Asked) -> Any:
    return 500, {}


def traceparent(trace: str = TRACE, flags: str = "01") -> str:
    return f"00-{trace}-{CALLER}-{flags}"


@dataclass
class Installation:
    gateway: Gateway
    collector: Collector
    court: Office
    inspectors: Office
    client: httpx.AsyncClient

    async def ask(self, *traceparents: str, **headers: str) -> httpx.Response:
        given = [("traceparent", one) for one in traceparents] + list(headers.items())
        sent = [(name.encode(), value.encode()) for name, value in given]
        body = {"query": QUERY, "variables": {"codes": ASKED}}
        return await self.client.post(self.gateway.url, json=body, headers=sent)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> AsyncIterator[Installation]:
    """Of its two agencies the court is told of traces, and the inspectors are not."""
    async with AsyncExitStack() as stack:
        court = await stack.enter_async_context(listening_office())
        inspectors = await stack.enter_async_context(listening_office())
        suppliers = [defaults("court", court.address), penalties("zhejiang-penalties", inspectors.address)]
        settings = {
            "XINQIAO_TRACING__EXPORT": "otlp",
            "XINQIAO_TRACING__AGENCIES": '["court"]',
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20abc",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_SERVICE_NAME": "bridge",
        }
        gateway = await stack.enter_async_context(serving(tmp_path_factory.mktemp("traces"), suppliers, **settings))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
        yield Installation(gateway, collector, court, inspectors, client)


@pytest_asyncio.fixture(loop_scope="module")
async def installation(shared: Installation) -> Installation:
    """The one that the tests share: its agencies answer, and nothing is kept of what was asked before."""
    shared.court.answer = shared.inspectors.answer = rows

    async def answers() -> bool:
        answer = await shared.ask(traceparent(flags="00"))  # which is not recorded
        return all(one["penalties"]["status"] == "COMPLETE" for one in answer.json()["data"]["enterprises"])

    await until(answers)
    for kept in (shared.court.asked, shared.inspectors.asked, shared.collector.spans):
        kept.clear()
    return shared


def by_name(spans: Sequence[Told]) -> Mapping[str, Told]:
    found = {span.name: span for span in spans}
    assert len(found) == len(spans), [span.name for span in spans]
    return found


async def test_a_request_is_a_trace_of_its_stages_its_questions_and_its_calls(installation: Installation) -> None:
    answer = await installation.ask(traceparent())
    spans = by_name(await installation.collector.trace(TRACE))
    names = {span.id: span.name for span in spans.values()}
    assert {name: names.get(span.parent, span.parent) for name, span in spans.items()} == {
        "POST /graphql": CALLER,
        "receive": "POST /graphql",
        "document": "POST /graphql",
        "plan": "POST /graphql",
        "decide": "plan",
        "fetch": "POST /graphql",
        "ask court/JudgmentDefault": "fetch",
        "ask zhejiang-penalties/Penalty": "fetch",
        "call court/JudgmentDefault": "ask court/JudgmentDefault",
        "call zhejiang-penalties/Penalty": "ask zhejiang-penalties/Penalty",
        "join": "POST /graphql",
        "shape": "POST /graphql",
        "encode": "POST /graphql",
        "record": "POST /graphql",
    }
    assert not any(span.failed for span in spans.values())
    assert dict(spans["POST /graphql"].attributes) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "xinqiao.request_id": answer.headers["X-Request-Id"],
    }
    call = spans["call court/JudgmentDefault"]
    assert call.kind == "SPAN_KIND_CLIENT"
    assert dict(call.attributes) == {
        "peer.service": "court",
        "xinqiao.dataset": "court/JudgmentDefault",
        "xinqiao.companies": 3,
    }
    assert (call.resource["service.name"], call.resource["service.instance.id"]) == ("bridge", "xinqiao")


async def test_agencies_are_told_of_a_trace_where_the_operator_says_so_alone(installation: Installation) -> None:
    await installation.ask(traceparent(), tracestate="bank=1")
    spans = by_name(await installation.collector.trace(TRACE))
    (told,) = installation.court.asked
    assert told.headers["traceparent"][:-2] == f"00-{TRACE}-{spans['call court/JudgmentDefault'].id}-"
    assert int(told.headers["traceparent"][-2:], 16) & 1
    assert "tracestate" not in told.headers
    (untold,) = installation.inspectors.asked
    assert "traceparent" not in untold.headers


async def test_what_the_caller_does_not_record_is_not_recorded_here(installation: Installation) -> None:
    await installation.ask(traceparent(OTHER, "00"))
    await installation.ask(traceparent())
    await installation.collector.trace(TRACE)
    assert {span.trace for span in installation.collector.spans} == {TRACE}
    unrecorded, _ = installation.court.asked
    assert unrecorded.headers["traceparent"].startswith(f"00-{OTHER}-")
    assert not int(unrecorded.headers["traceparent"][-2:], 16) & 1


async def test_without_a_trace_that_can_be_read_one_begins(installation: Installation) -> None:
    malformed = [
        ("nonsense",),
        (f"ff-{TRACE}-{CALLER}-01",),
        (f"00-{TRACE}-{CALLER}-01-more",),
        (f"00-{TRACE.upper()}-{CALLER}-01",),
        (f"00-{'0' * 32}-{CALLER}-01",),
        (f"00-{TRACE}-{'0' * 16}-01",),
        (f"00-{TRACE[:-1]}张-{CALLER}-01",),
        (f"01-{TRACE}-{CALLER}-01-{'x' * 2_000}",),
        (traceparent(), traceparent()),
        (),
    ]
    for traceparents in malformed:
        assert (await installation.ask(*traceparents)).status_code == 200

    async def begun() -> Sequence[Told]:
        found = [span for span in installation.collector.spans if span.kind == "SPAN_KIND_SERVER"]
        return found if len(found) == len(malformed) else ()

    spans = await until(begun)
    assert {span.parent for span in spans} == {""}
    assert len({span.trace for span in spans} - {TRACE}) == len(malformed)


async def test_an_agency_that_fails_fails_its_spans_and_no_others(installation: Installation) -> None:
    installation.inspectors.answer = broken
    await installation.ask(traceparent())
    spans = await installation.collector.trace(TRACE)
    failed = [span for span in spans if span.failed]
    assert {span.name for span in failed} == {"ask zhejiang-penalties/Penalty", "call zhejiang-penalties/Penalty"}
    assert {span.attributes["error.type"] for span in failed} == {"AGENCY_BAD_RESPONSE"}
    (question,) = [span for span in failed if span.name.startswith("ask")]
    assert question.attributes["xinqiao.companies_failed"] == 3
    calls = [span for span in spans if span.name == "call zhejiang-penalties/Penalty"]
    assert len(calls) == len(installation.inspectors.asked)


async def test_an_agency_that_is_late_fails_its_spans(installation: Installation) -> None:
    installation.inspectors.gated = ""
    installation.inspectors.answer = installation.inspectors._rows
    await installation.ask(traceparent(), **{"X-Timeout-Ms": "300"})
    spans = by_name(await installation.collector.trace(TRACE))
    for name in ("ask zhejiang-penalties/Penalty", "call zhejiang-penalties/Penalty"):
        assert (spans[name].failed, spans[name].attributes["error.type"]) == (True, "AGENCY_TIMEOUT")


async def test_no_trace_tells_of_a_company_a_caller_or_a_value(installation: Installation) -> None:
    installation.inspectors.answer = broken
    query = f'query Of{ASKED[0]} {{ enterprise(code: "{ASKED[0]}") {{ penalties {{ status }} }} }}'
    headers = {"traceparent": traceparent(), "tracestate": "a=officer-1", "X-Purpose": "credit.underwriting"}
    await installation.client.post(installation.gateway.url, json={"query": query}, headers=headers)
    await installation.client.request("PLANTED", installation.gateway.url, headers={"X-API-Key": "xq_planted"})
    await installation.ask(traceparent(OTHER))
    await installation.collector.trace(OTHER)
    await installation.collector.trace(TRACE)
    told = b"".join(installation.collector.bodies).lower()
    for planted in (*ASKED, "2026-10-01", "officer-1", "first-bank", "credit.underwriting", "planted", "127.0.0.1"):
        assert planted.lower().encode() not in told, planted


async def test_what_refuses_a_request_is_told_by_its_status(installation: Installation) -> None:
    answer = await installation.ask(traceparent(), **{"X-Timeout-Ms": "never"})
    spans = by_name(await installation.collector.trace(TRACE))
    assert spans["POST /graphql"].attributes["http.response.status_code"] == answer.status_code == 400
    assert spans["receive"].attributes["error.type"] == answer.json()["errors"][0]["extensions"]["code"]
    assert not spans["POST /graphql"].failed


async def test_what_the_collector_wants_to_know_is_sent_along(installation: Installation) -> None:
    await installation.ask(traceparent())
    await installation.collector.trace(TRACE)
    headers = installation.collector.headers[-1]
    assert (headers["authorization"], headers["content-encoding"]) == ("Bearer abc", "gzip")


async def test_a_collector_that_is_silent_harms_no_request_and_no_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = {
            "XINQIAO_TRACING__EXPORT": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "3600",  # so that what waits for it waits for longer than the test
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_BSP_MAX_QUEUE_SIZE": "20",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10",
        }
        async with listening_office() as court:
            court.answer = rows
            async with serving(tmp_path, [defaults("court", court.address)], **settings) as gateway:
                for _ in range(20):
                    answer = await gateway.ask(ASKED)
                    assert {one["status"] for one in answer.of("judgmentDefaults")} == {"COMPLETE"}
                gateway.told(signal.SIGTERM)
                async with asyncio.timeout(20):  # OpenTelemetry's own patience is 30 seconds
                    assert await gateway.ended() == 0
