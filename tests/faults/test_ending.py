"""Ending: told to, without a lost request; by force, without a lost record."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from gateway.audit.files import FileArchive
from gateway.audit.ledger import FileLedger
from gateway.audit.notary import Books
from gateway.audit.verify import verify
from tests.faults.agency import Agency, agency, behave_after
from tests.faults.callers import ASKED, connected, gateway_over_one, request
from tests.faults.installation import Gateway, penalties, serving
from tests.waiting import PATIENCE, until

COMPLETE = {"COMPLETE"}
PLENTY = 20_000
"""Milliseconds that a request is given."""


async def test_told_to_end_it_says_so_answers_still_and_loses_nothing_in_flight(tmp_path: Path) -> None:
    let_go = asyncio.Event()
    async with (
        gateway_over_one(tmp_path, XINQIAO_DRAIN="4") as (gateway, inspectors),
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as caller,
    ):
        inspectors.behaviour = behave_after(let_go)
        live = gateway.url.replace("/graphql", "/healthz")
        in_flight = [asyncio.create_task(gateway.ask(ASKED, PLENTY)) for _ in range(20)]

        async def asked() -> bool:
            return inspectors.calls > 0

        async def not_ready() -> bool:
            return (await gateway.ready())["parts"]["server"] == "is ending"

        await until(asked)
        assert (await gateway.ready())["ready"]
        assert "connection" not in (await caller.get(live)).headers
        gateway.told(signal.SIGTERM)
        await until(not_ready)
        # Nobody shall begin another request on a connection that will end.
        assert (await caller.get(live)).headers["connection"] == "close"
        late = asyncio.create_task(gateway.ask(ASKED, PLENTY))
        await asyncio.wait([late], timeout=0.2)
        let_go.set()
        for answer in [await late, *await asyncio.gather(*in_flight)]:
            assert {one["status"] for one in answer.of("penalties")} == COMPLETE
        assert await gateway.ended() == 0
        with pytest.raises(httpx.ConnectError):
            await gateway.ask(ASKED)
        assert len(gateway.audited()) == 21


async def ends_and_refuses_whoever_comes_too_late(gateway: Gateway, inspectors: Agency) -> None:
    """Refuses them at once, while the last requests are answered."""
    let_go, calls = asyncio.Event(), inspectors.calls
    inspectors.behaviour = behave_after(let_go)
    in_flight = asyncio.create_task(gateway.ask(ASKED, PLENTY))

    async def asked() -> bool:
        return inspectors.calls > calls

    async def refused() -> bool:
        try:
            late = await connected(gateway)
        except ConnectionRefusedError:
            return True
        # It connected before anybody could refuse it.
        late.leave()
        return False

    await until(asked)
    gateway.told(signal.SIGTERM)
    await until(refused)
    assert not in_flight.done()
    let_go.set()
    assert {one["status"] for one in (await in_flight).of("penalties")} == COMPLETE
    assert await gateway.ended() == 0


async def test_whoever_comes_too_late_is_refused_at_once_while_the_last_requests_are_answered(tmp_path: Path) -> None:
    async with gateway_over_one(tmp_path) as (gateway, inspectors):
        await ends_and_refuses_whoever_comes_too_late(gateway, inspectors)


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


def records(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


async def test_a_worker_that_is_killed_under_load_is_replaced_and_loses_no_record_of_an_answer_and_all_end_as_one_does(
    tmp_path: Path,
) -> None:
    answered = 0
    are_replaced = asyncio.Event()
    logs = [tmp_path / f"audit-{number}.jsonl" for number in (1, 2)]
    async with gateway_over_one(tmp_path, XINQIAO_WORKERS="2") as (gateway, inspectors):

        async def ask_on() -> None:
            nonlocal answered
            while not are_replaced.is_set():
                # A connection each, so that both have their part.
                with suppress(OSError, EOFError):
                    caller = await connected(gateway)
                    try:
                        caller.say(request(query="{ agencies { id } }"))
                        assert (await caller.hears()).status == 200
                        answered += 1
                    finally:
                        caller.leave()
                await asyncio.sleep(0.01)

        async def both_are_busy() -> bool:
            return min(map(records, logs)) > 20

        def workers() -> dict[str, psutil.Process]:
            """Who writes which log."""
            found = {}
            for child in psutil.Process(gateway.process.pid).children():
                with suppress(psutil.Error):
                    found |= {file.path: child for file in child.open_files() if file.path in map(str, logs)}
            return found

        async with asyncio.TaskGroup() as callers:
            for _ in range(4):
                callers.create_task(ask_on())
            await until(both_are_busy)
            for log in logs:
                killed = workers()[str(log)]
                killed.kill()
                killed.wait(PATIENCE)
                written = records(log)

                async def answers_again(log: Path = log, written: int = written) -> bool:
                    return records(log) > written

                await until(answers_again)
            are_replaced.set()
        await ends_and_refuses_whoever_comes_too_late(gateway, inspectors)
    books = Books(FileArchive(tmp_path / "audit.jsonl", "xinqiao"), FileLedger(tmp_path / "audit.checkpoints"), {})
    report = await verify("xinqiao", books, None)
    assert report.findings == ()
    assert sum(chain.last for chain in report.chains) >= answered
