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
from tests.connectors.support import CODES
from tests.faults.agency import agency, behave_after
from tests.faults.installation import penalties, serving
from tests.waiting import PATIENCE, until

ASKED = [str(code) for code in CODES[:3]]
COMPLETE = {"COMPLETE"}


async def test_told_to_end_it_is_not_ready_answers_still_and_loses_nothing_in_flight(tmp_path: Path) -> None:
    let_go = asyncio.Event()

    async with agency(behave_after(let_go)) as inspectors:
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


def records(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


async def test_a_worker_that_is_killed_under_load_is_replaced_and_loses_no_record_of_an_answer(tmp_path: Path) -> None:
    answered = 0
    logs = [tmp_path / f"audit-{number}.jsonl" for number in (1, 2)]
    async with agency() as inspectors:
        suppliers = [penalties("zhejiang-penalties", inspectors.url)]
        async with serving(tmp_path, suppliers, XINQIAO_WORKERS="2") as gateway:

            async def ask_on() -> None:
                nonlocal answered
                while True:
                    # A connection each, so that both have their part.
                    with suppress(httpx.TransportError):
                        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
                            answer = await client.post(gateway.url, json={"query": "{ agencies { id } }"})
                            assert answer.status_code == 200
                            answered += 1

            async def both_are_busy() -> bool:
                return min(map(records, logs)) > 20

            def workers() -> dict[str, psutil.Process]:
                """Who writes which log."""
                found = {}
                for child in psutil.Process(gateway.process.pid).children():
                    with suppress(psutil.Error):
                        found |= {file.path: child for file in child.open_files() if file.path in map(str, logs)}
                return found

            async def all_answer() -> bool:
                return len(workers()) == len(logs)

            asking = [asyncio.create_task(ask_on()) for _ in range(4)]
            for log in logs:
                await until(both_are_busy)
                before = workers()[str(log)]
                before.kill()
                before.wait(PATIENCE)
                written = records(log)

                async def replaced(log: Path = log, written: int = written) -> bool:
                    return records(log) > written

                await until(replaced)
                await until(all_answer)
            assert not [task for task in asking if task.done()]
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
    books = Books(FileArchive(tmp_path / "audit.jsonl", "xinqiao"), FileLedger(tmp_path / "audit.checkpoints"), {})
    report = await verify("xinqiao", books, None)
    assert report.findings == ()
    assert sum(chain.last for chain in report.chains) >= answered
