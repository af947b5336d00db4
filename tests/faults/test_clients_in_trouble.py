"""Callers that go away, and callers that are very many: none of them costs the others anything."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio

from tests.faults import agency as faulty
from tests.faults.agency import Agency
from tests.faults.callers import ASKED, connected, gateway_over_one, request
from tests.faults.installation import Gateway
from tests.waiting import until

IDLE = 2_000
MINUTE_MS = "60000"

Running = tuple[Gateway, Agency]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    settings = {
        "XINQIAO_CONNECTIONS__MOST": str(2 * IDLE),
        "XINQIAO_CONNECTIONS__HEAD": "300",
        "XINQIAO_DEADLINE__MAXIMUM": "60",
    }
    async with gateway_over_one(tmp_path_factory.mktemp("clients"), **settings) as both:
        yield both


@pytest.mark.parametrize("further", [0, 1], ids=["one request", "another one behind it"])
async def test_what_a_caller_who_goes_away_asked_is_asked_no_longer_and_is_in_the_audit(
    running: Running, further: int
) -> None:
    gateway, inspectors = running
    inspectors.behaviour = faulty.freeze
    calls, gone, audited = inspectors.calls, inspectors.gone, len(gateway.audited())
    caller = await connected(gateway)
    caller.say((1 + further) * request(X_Timeout_Ms=MINUTE_MS))

    async def asked() -> bool:
        return inspectors.calls == calls + 1

    async def given_up() -> bool:
        return inspectors.gone == gone + 1

    async def is_audited() -> bool:
        return [line["outcome"] for line in gateway.audited()][audited : audited + 1] == ["ASKED"]

    await until(asked)
    caller.leave()
    # Long before the agency's own minute is over, or the request's.
    await until(given_up)
    await until(is_audited)
    assert sorted(gateway.audited()[audited]["companies"]) == sorted(ASKED)
    inspectors.behaviour = faulty.behave


async def test_thousands_of_idle_connections_cost_little_and_leave_nothing(running: Running) -> None:
    gateway, _ = running
    assert (await gateway.ask(ASKED)).status == 200
    process = psutil.Process(gateway.process.pid)
    before, files = process.memory_info().rss, process.num_fds()
    idle = [await connected(gateway) for _ in range(IDLE)]

    async def accepted() -> bool:
        return process.num_fds() >= files + IDLE

    await until(accepted)
    assert (await gateway.ask(ASKED)).status == 200
    assert process.memory_info().rss - before < IDLE * 32_768
    for caller in idle:
        caller.leave()

    async def let_go() -> bool:
        return process.num_fds() <= files + 1

    await until(let_go)
