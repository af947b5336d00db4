"""What the connectors do with an agency's answer: its bytes decoded, its rows found, mapped, and joined by company.

Six agencies' answers, 10 rows a company, as varied as real ones: no two companies share a name, a number or a sum, some
values are missing or stand for nothing, a few are written in another way than the rest.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import orjson
import uvloop

from benchmarks.tables import Effort, Section, Table, microseconds, milliseconds
from benchmarks.workload import AGENCIES, CODE_COLUMN, Agency, Kind
from connectors.contract import RawRow, SourceAnswer
from connectors.joining import Joiner
from connectors.json_body import read_json
from connectors.manifest import DatasetManifest, MissingMeans
from connectors.mapping import compile_mapper
from connectors.paths import list_rows
from connectors.turns import Turn
from gateway.assembly import record_shapes
from gateway.demo.identifiers import credit_code, organisation_code
from schema.credit_code import CreditCode
from schema.records import catalogue as build_catalogue

COMPANIES: Final = (1, 100, 1_000)
ROUNDS: Final = {1: 2_000, 100: 30, 1_000: 4}
RUNS: Final = 7

NOTHING_EVERY: Final = 20
"""One value in so many is missing, or a word for nothing."""

ODD_EVERY: Final = 200
"""One date in so many is written in another way."""

_NOTHINGS: Final = (None, None, "", "无", "—")


@dataclass(frozen=True)
class Figures:
    """CPU seconds of each step, and the longest for which it held the event loop."""

    companies: int
    rows: int
    values: int
    steps: Mapping[str, float]
    pause: float


@dataclass(frozen=True)
class Answer:
    """One agency's answer: its bytes, its rows, and who reads them."""

    body: bytes
    rows: Sequence[RawRow]
    joiner: Joiner
    names: frozenset[str]


def answers(codes: Sequence[CreditCode]) -> Sequence[Answer]:
    """What the six agencies say of these companies."""
    draw = Random(len(codes))  # noqa: S311  (made-up rows)
    shapes = record_shapes(build_catalogue())
    made = []
    for agency in AGENCIES:
        manifest = DatasetManifest.model_validate(
            {
                "record": agency.record,
                "key": CODE_COLUMN,
                "batch": 1_000,
                "missingMeans": MissingMeans.NONE,
                "fields": {"recordId": "id"}
                | {
                    field.name: {"path": field.column, "unit": "元"} if field.kind is Kind.MONEY else field.column
                    for field in agency.fields
                },
            }
        )
        shape = shapes[agency.record]
        joiner = Joiner(manifest, shape, compile_mapper(manifest, shape, ()), whole_rows=True)
        rows = [_varied(draw, code, row, agency) for code in codes for row in agency.company(code)]
        made.append(Answer(orjson.dumps({"lb": rows}), rows, joiner, frozenset(field.name for field in agency.fields)))
    return made


def _varied(draw: Random, code: CreditCode, row: Mapping[str, str], agency: Agency) -> RawRow:
    columns = {field.column: _value(draw, row[field.name], field.kind) for field in agency.fields}
    return {CODE_COLUMN: code, "id": f"{draw.randrange(10**12):012d}", **columns}


def _value(draw: Random, text: str, kind: Kind) -> object:
    """The agency's value, now and then missing or in another form."""
    if draw.randrange(NOTHING_EVERY) == 0:
        return draw.choice(_NOTHINGS)
    odd = kind is Kind.DATE and draw.randrange(ODD_EVERY) == 0
    return text.replace("-", "/") if odd else text


@dataclass(frozen=True)
class Work:
    """What is measured, step by step."""

    codes: Sequence[CreditCode]
    answers: Sequence[Answer]
    documents: Sequence[Any]

    async def decode(self) -> None:
        """The answers' bytes decoded."""
        for one in self.answers:
            await read_json(one.body)

    async def find(self) -> None:
        """The rows found in the documents."""
        for document in self.documents:
            await list_rows(document, "lb", (), CODE_COLUMN, null_is_none=False)

    async def map(self) -> None:
        """The rows mapped, all together."""
        for one in self.answers:
            await one.joiner.mapper.read(one.rows, one.names, Turn())

    async def join(self) -> None:
        """The rows given to their companies, freed of duplicates, and mapped."""
        for one in self.answers:
            await one.joiner.join(self.codes, one.names, SourceAnswer(one.rows))

    async def all(self) -> None:
        """Everything, from the bytes on."""
        for one in self.answers:
            listing = await list_rows(await read_json(one.body), "lb", (), CODE_COLUMN, null_is_none=False)
            await one.joiner.join(self.codes, one.names, SourceAnswer(listing.rows if listing else ()))


async def _figures(companies: int, runs: int) -> Figures:
    """Figures for calls about so many companies, the least of several runs."""
    draw = Random(companies)  # noqa: S311  (made-up companies)
    codes = [CreditCode.parse(credit_code("9", "1", "330106", organisation_code(draw))) for _ in range(companies)]
    given = answers(codes)
    work = Work(codes, given, [await read_json(one.body) for one in given])
    named = {
        "decode": work.decode,
        "find rows": work.find,
        "map": work.map,
        "join (and map)": work.join,
        "all": work.all,
    }
    gc.collect()
    return Figures(
        companies,
        rows=sum(len(one.rows) for one in given),
        values=sum(len(one.rows) * len(one.names) for one in given),
        steps={name: await _least(step, ROUNDS[companies], runs) for name, step in named.items()},
        pause=await _longest_pause(work.all, runs),
    )


async def _least(work: Callable[[], Awaitable[None]], rounds: int, runs: int) -> float:
    """The least CPU seconds of the work."""
    least = float("inf")
    for _ in range(runs):
        gc.collect()
        began = time.process_time()
        for _ in range(rounds):
            await work()
        least = min(least, (time.process_time() - began) / rounds)
    return least


async def _longest_pause(work: Callable[[], Awaitable[None]], runs: int) -> float:
    """For how many CPU seconds the work holds the event loop at most: the median of several runs."""
    longest: list[float] = []

    async def tick() -> None:
        while True:
            began = time.process_time()
            await asyncio.sleep(0)
            longest[-1] = max(longest[-1], time.process_time() - began)

    for _ in range(runs):
        longest.append(0.0)
        ticking = asyncio.create_task(tick())
        await asyncio.sleep(0)
        await work()
        await asyncio.sleep(0)
        ticking.cancel()
    return statistics.median(longest)


async def _measured(runs: int) -> Sequence[Figures]:
    return [await _figures(number, runs) for number in COMPANIES]


def measure(effort: Effort) -> Section:
    """The section of the report."""
    rows: list[Sequence[str]] = []
    for one in uvloop.run(_measured(2 if effort.quick else RUNS)):
        size = f"{one.companies:,}"
        for step, seconds in one.steps.items():
            each = (seconds / one.rows, seconds / one.values)
            rows.append((step, size, milliseconds(seconds), *map(microseconds, each)))
        rows.append(("longest hold of the event loop", size, milliseconds(one.pause), "", ""))
    return Section(
        "Rows",
        "What the connectors do with the six agencies' answers, from their bytes on, by itself: one value in "
        f"{NOTHING_EVERY} is missing or a word for nothing, one date in {ODD_EVERY} is written in another way.",
        [Table(("step", "companies", "CPU ms", "µs a row", "µs a value"), rows)],
    )
