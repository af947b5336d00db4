"""Callers that go away, and callers that are very many: none of them costs the others anything."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.faults import agency as faulty
from tests.faults.callers import ASKED, connected, gateway_over_one, request
from tests.waiting import until

IDLE = 2_000


@pytest.mark.parametrize("further", [0, 1], ids=["one request", "another one behind it"])
async def test_what_a_caller_who_goes_away_asked_is_asked_no_longer_and_is_in_the_audit(
    tmp_path: Path, further: int
) -> None:
    async with gateway_over_one(tmp_path) as (gateway, inspectors):
        inspectors.behaviour = faulty.freeze
        caller = await connected(gateway)
        caller.say(request() + further * request())

        async def asked() -> bool:
            return inspectors.calls == 1

        async def given_up() -> bool:
            return inspectors.gone == 1

        async def audited() -> bool:
            return [line["outcome"] for line in gateway.audited()][:1] == ["ASKED"]

        await until(asked)
        caller.leave()
        # Long before the agency's own two seconds are over, or the request's twenty.
        await until(given_up, seconds=1.5)
        await until(audited)
        assert sorted(gateway.audited()[0]["companies"]) == sorted(ASKED)


async def test_thousands_of_idle_connections_cost_little_and_leave_nothing(tmp_path: Path) -> None:
    settings = {"XINQIAO_CONNECTIONS__MOST": str(2 * IDLE), "XINQIAO_CONNECTIONS__HEAD": "300"}
    async with gateway_over_one(tmp_path, **settings) as (gateway, _):
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
        for caller in idle:
            caller.leave()

        async def let_go() -> bool:
            return process.num_fds() <= files + 1

        await until(let_go)
