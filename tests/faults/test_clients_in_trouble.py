"""Callers that go away, that never come to the point, and that are too many: none of them costs the others anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.connectors.support import CODES
from tests.faults import agency as faulty
from tests.faults.agency import Agency, agency
from tests.faults.installation import QUERY, Gateway, penalties, serving
from tests.waiting import until

ASKED = [str(code) for code in CODES[:3]]
IDLE = 2_000


@asynccontextmanager
async def gateway_over_one(folder: Path) -> AsyncIterator[tuple[Gateway, Agency]]:
    async with (
        agency() as inspectors,
        serving(folder, [penalties("zhejiang-penalties", inspectors.url)]) as running,
    ):
        yield running, inspectors


def request(gateway: Gateway) -> bytes:
    body = json.dumps({"query": QUERY, "variables": {"codes": ASKED}}).encode()
    lines = [
        "POST /graphql HTTP/1.1",
        f"Host: {urlsplit(gateway.url).netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "X-Timeout-Ms: 20000",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def connected(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = urlsplit(gateway.url)
    return await asyncio.open_connection(where.hostname, where.port)


async def test_what_a_caller_who_goes_away_asked_is_asked_no_longer_and_is_in_the_audit(tmp_path: Path) -> None:
    async with gateway_over_one(tmp_path) as (gateway, inspectors):
        inspectors.behaviour = faulty.freeze
        _, writer = await connected(gateway)
        writer.write(request(gateway))

        async def asked() -> bool:
            return inspectors.calls == 1

        async def given_up() -> bool:
            return inspectors.gone == 1

        async def audited() -> bool:
            return [line["outcome"] for line in gateway.audited()][:1] == ["ASKED"]

        await until(asked)
        writer.transport.abort()
        # Long before the agency's own two seconds are over, or the request's twenty.
        await until(given_up, seconds=1.5)
        await until(audited)
        assert sorted(gateway.audited()[0]["companies"]) == sorted(ASKED)


@pytest.mark.parametrize("said", [b"POST /graphql HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"GET / HT", b""])
async def test_callers_who_never_come_to_the_point_do_not_keep_others_out(tmp_path: Path, said: bytes) -> None:
    async with gateway_over_one(tmp_path) as (gateway, _):
        slow = [await connected(gateway) for _ in range(200)]
        for _, writer in slow:
            writer.write(said)
        answer = await gateway.ask(ASKED)
        assert (answer.status, answer.seconds < 2) == (200, True)
        for _, writer in slow:
            writer.transport.abort()


async def test_thousands_of_idle_connections_cost_little_and_leave_nothing(tmp_path: Path) -> None:
    async with gateway_over_one(tmp_path) as (gateway, _):
        assert (await gateway.ask(ASKED)).status == 200
        process = psutil.Process(gateway.process.pid)
        before, files = process.memory_info().rss, process.num_fds()
        idle = [await connected(gateway) for _ in range(IDLE)]

        async def accepted() -> bool:
            return process.num_fds() >= files + IDLE

        await until(accepted)
        answer = await gateway.ask(ASKED)
        assert (answer.status, answer.seconds < 2) == (200, True)
        assert process.memory_info().rss - before < IDLE * 32_768
        for _, writer in idle:
            writer.transport.abort()

        async def let_go() -> bool:
            return process.num_fds() <= files + 1

        await until(let_go)
