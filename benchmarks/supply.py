"""What the supply costs beside its agencies: the cache's hits and misses, and calls that leave together.

The agency is a function that answers in the loop's next round.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Final

import uvloop

from benchmarks.tables import Effort, Section, Table, microseconds
from connectors.cache import RowCache
from connectors.contract import Coverage, Dataset, FetchRequest, RecordShape, SourceAnswer, SourceCall
from connectors.joining import Joiner
from connectors.kindness.bounds import Bounds
from connectors.kindness.declared import Treatment
from connectors.line import Line
from connectors.manifest import DatasetManifest, MissingMeans
from connectors.mapping import compile_mapper
from connectors.open_agency import OpenAgency
from connectors.supply import AgencySupply
from gateway.demo.identifiers import credit_code, organisation_code
from schema.credit_code import CreditCode
from schema.values import Kind

SHAPE: Final = RecordShape(
    "Penalty", single=False, fields={"recordId": Kind.TEXT, "facts": Kind.TEXT, "amount": Kind.MONEY}
)
COLUMNS: Final = frozenset(SHAPE.fields)
BATCH: Final = 100
COMPANIES: Final = 6_400
AT_ONCE: Final = 64


class Agency:
    """One row a company."""

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows."""
        await asyncio.sleep(0)
        return SourceAnswer([{"code": key, "id": key, "facts": "f", "amount": "12.50"} for key in call.keys])

    async def close(self) -> None:
        """Nothing to close."""


def supply(time_to_live: float, *, coalesce: bool = True) -> AgencySupply:
    """A supply of one dataset."""
    manifest = DatasetManifest.model_validate(
        {
            "record": "Penalty",
            "key": "code",
            "batch": BATCH,
            "missingMeans": MissingMeans.NONE,
            "coalesce": coalesce,
            "fields": {"recordId": "id", "facts": "facts", "amount": "amount"},
        }
    )
    joiner = Joiner(manifest, SHAPE, compile_mapper(manifest, SHAPE, ()), whole_rows=True)
    dataset = Dataset(
        id="agency/Penalty",
        agency="agency",
        record="Penalty",
        fields=COLUMNS,
        coverage=Coverage(),
        batch=BATCH,
        projection=True,
        filters=frozenset(),
        time_to_live=time_to_live,
        shared=False,
    )
    line = Line(dataset, Agency(), joiner, Bounds("agency", Treatment()), idempotent=True)
    return AgencySupply([OpenAgency({dataset.id: line})], RowCache(1_000_000))


def request(codes: Sequence[CreditCode]) -> FetchRequest:
    """A question about these companies."""
    deadline = asyncio.get_running_loop().time() + 60
    return FetchRequest("agency/Penalty", tuple(codes), COLUMNS, {}, "bank", deadline)


async def one_by_one(agency_supply: AgencySupply, chunks: Sequence[Sequence[CreditCode]]) -> None:
    """Fetches the chunks one after the other."""
    for chunk in chunks:
        await agency_supply.fetch(request(chunk))


async def at_once(agency_supply: AgencySupply, codes: Sequence[CreditCode]) -> None:
    """Fetches one company each, so many at once."""
    for start in range(0, len(codes), AT_ONCE):
        await asyncio.gather(*(agency_supply.fetch(request([code])) for code in codes[start : start + AT_ONCE]))


async def _measured(fetches: int, work: Callable[[], Awaitable[object]], rounds: int) -> str:
    """Microseconds of one fetch: the best of some rounds of work, of so many fetches."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        started = time.process_time()
        await work()
        best = min(best, (time.process_time() - started) / fetches)
    return microseconds(best)


async def _rows(rounds: int) -> list[Sequence[str]]:
    draw = Random(0)  # noqa: S311  (made-up companies)
    codes = [CreditCode.parse(credit_code("9", "1", "330106", organisation_code(draw))) for _ in range(COMPANIES)]
    rows: list[Sequence[str]] = []
    for size in (1, 100):
        chunks = [codes[start : start + size] for start in range(0, len(codes), size)]
        warm = supply(3600)
        await one_by_one(warm, chunks)
        works: dict[str, Callable[[], Awaitable[object]]] = {
            "kept": partial(one_by_one, warm, chunks),
            "asked and kept": lambda chunks=chunks: one_by_one(supply(3600), chunks),  # type: ignore[misc]
            "asked and not kept": partial(one_by_one, supply(0), chunks),
        }
        for name, work in works.items():
            rows.append((f"companies: {size}, {name}", await _measured(len(chunks), work, rounds)))
    for name, coalesce in (("each by itself", False), ("together", True)):
        work = partial(at_once, supply(0, coalesce=coalesce), codes)
        what = f"companies: 1, {AT_ONCE} fetches at once, {name}"
        rows.append((what, await _measured(len(codes), work, rounds)))
    return rows


def measure(effort: Effort) -> Section:
    """The section of the report."""
    return Section(
        "Supply",
        "One fetch of the supply, beside its agency: the rows' cache, the mapping of one row a company, and calls that "
        "leave together.",
        [Table(("one fetch", "CPU µs"), uvloop.run(_rows(1 if effort.quick else effort.rounds + 2)))],
    )
