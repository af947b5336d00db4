"""Ending: told to, without a lost request; by force, without a lost record."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from tests.connectors.support import CODES
from tests.faults.agency import Call, agency, behave
from tests.faults.installation import penalties, serving
from tests.waiting import until

ASKED = [str(code) for code in CODES[:3]]
COMPLETE = {"COMPLETE"}


async def test_told_to_end_it_is_not_ready_answers_still_and_loses_nothing_in_flight(tmp_path: Path) -> None:
    let_go = asyncio.Event()

    async def wait(call: Call) -> None:
        await let_go.wait()
        await behave(call)

    async with agency(wait) as inspectors:
        suppliers = [penalties("zhejiang-penalties", inspectors.url)]
        async with serving(tmp_path, suppliers, XINQIAO_DRAIN="2") as gateway:
            in_flight = [asyncio.create_task(gateway.ask(ASKED)) for _ in range(20)]

            async def asked() -> bool:
                return inspectors.calls > 0

            async def not_ready() -> bool:
                return (await gateway.ready())["parts"]["server"] == "is ending"

            await until(asked)
            assert (await gateway.ready())["ready"]
            gateway.told(signal.SIGTERM)
            await until(not_ready)
            late = asyncio.create_task(gateway.ask(ASKED))
            await asyncio.wait([late], timeout=0.2)
            let_go.set()
            for answer in [await late, *await asyncio.gather(*in_flight)]:
                assert {one["status"] for one in answer.of("penalties")} == COMPLETE
            assert await gateway.ended() == 0
            with pytest.raises(httpx.ConnectError):
                await gateway.ask(ASKED)
            assert len(gateway.audited()) == 21


async def test_killed_its_next_start_is_clean_and_every_answered_request_is_in_the_audit(tmp_path: Path) -> None:
    answered = 0
    async with agency() as inspectors:
        suppliers = [penalties("zhejiang-penalties", inspectors.url)]
        async with serving(tmp_path, suppliers) as gateway:

            async def ask_on() -> None:
                nonlocal answered
                while True:
                    await gateway.ask(ASKED)
                    answered += 1

            async def busy() -> bool:
                return answered > 100

            asking = [asyncio.create_task(ask_on()) for _ in range(8)]
            await until(busy)
            gateway.told(signal.SIGKILL)
            await gateway.ended()
            await asyncio.gather(*asking, return_exceptions=True)
            assert len(gateway.audit.read_bytes().splitlines()) >= answered
        async with serving(tmp_path, suppliers) as gateway:
            assert (await gateway.ready())["ready"]
            assert {one["status"] for one in (await gateway.ask(ASKED)).of("penalties")} == COMPLETE
            assert len(gateway.audited()) > answered
