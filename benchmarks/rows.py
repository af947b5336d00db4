"""What the connectors do with an agency's answer: its bytes decoded, its rows found, mapped, and joined by company.

Six agencies' answers, 10 rows and 51 values a company, as varied as real ones: no two companies share a name, a number
or a sum, some values are missing or stand for nothing, a few are written in another way than the rest.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import orjson
import uvloop

from benchmarks.agencies import AGENCIES, Supplied
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
_PLACES: Final = "杭州宁波温州嘉兴湖州绍兴金华衢州舟山台州丽水"
_WORDS: Final = "虚构若木扶桑瀛洲蓬莱方丈昆仑瑶池玄圃阆风悬圃建木"


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
    for supplied in AGENCIES.values():
        manifest = DatasetManifest.model_validate(
            {
                "record": supplied.record,
                "key": "dm",
                "batch": 1_000,
                "missingMeans": MissingMeans.NONE,
                "fields": {
                    name: {"path": path, "unit": "元"} if path == "je" else path
                    for name, path in supplied.fields.items()
                },
            }
        )
        shape = shapes[supplied.record]
        joiner = Joiner(manifest, shape, compile_mapper(manifest, shape, ()), whole_rows=True)
        rows = [_varied(draw, code, row, supplied) for code in codes for row in supplied.rows]
        made.append(Answer(orjson.dumps({"lb": rows}), rows, joiner, frozenset(supplied.fields)))
    return made


def _varied(draw: Random, code: CreditCode, row: Mapping[str, object], supplied: Supplied) -> RawRow:
    return {"dm": code.text} | {path: _value(draw, path, str(row[path])) for path in supplied.fields.values()}


def _value(draw: Random, path: str, like: str) -> object:
    """A value like the one given, of the column's kind."""
    if draw.randrange(NOTHING_EVERY) == 0:
        return draw.choice(_NOTHINGS)
    if path in {"nd", "jb", "cd"}:
        return like
    if path in {"clrq", "jzrq", "rq"}:
        day = dt.date(2000, 1, 1) + dt.timedelta(days=draw.randrange(9_000))
        return f"{day:%Y/%m/%d}" if draw.randrange(ODD_EVERY) == 0 else day.isoformat()
    if path == "fs":
        return draw.randrange(100)
    name, place, number = "".join(draw.choices(_WORDS, k=4)), draw.choice(_PLACES), draw.randrange(10**9)
    formats = {
        "je": f"{number / 100:.2f}",
        "zch": f"3301{number:011d}",
        "bm": f"3301{number:011d}",
        "wh": f"（{2000 + number % 25}）浙{number % 100:02d}罚{number}号",
        "ah": f"（{2000 + number % 25}）浙{number % 100:02d}执{number}号",
        "mc": f"{place}州{name}（集团）有限公司",
        "fr": name[:3],
        "zs": f"浙江省{place}州市{name}路{number % 1000}号{number % 30}幢{number % 2000}室",
        "jyfw": f"{like}；{name}技术开发、技术服务（依法须经批准的项目，经批准后方可开展经营活动）{number}",
        "ss": f"{like}：{name}未按规定公示年度报告，经责令改正后逾期未改，事实清楚，证据确凿{number}",
    }
    return formats.get(path, f"{place}州市{name}{like}")


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
            list_rows(document, "lb", None, "dm")

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
            listing = list_rows(await read_json(one.body), "lb", None, "dm")
            await one.joiner.join(self.codes, one.names, SourceAnswer(listing.rows if listing else ()))


async def measure(companies: int) -> Figures:
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
    gc.freeze()
    return Figures(
        companies,
        rows=sum(len(one.rows) for one in given),
        values=sum(len(one.rows) * len(one.names) for one in given),
        steps={name: await _least(step, ROUNDS[companies]) for name, step in named.items()},
        pause=await _longest_pause(work.all),
    )


async def _least(work: Callable[[], Awaitable[None]], rounds: int) -> float:
    """The least CPU seconds of the work."""
    least = float("inf")
    for _ in range(RUNS):
        gc.collect()
        began = time.process_time()
        for _ in range(rounds):
            await work()
        least = min(least, (time.process_time() - began) / rounds)
    return least


async def _longest_pause(work: Callable[[], Awaitable[None]]) -> float:
    """For how many CPU seconds the work holds the event loop at most: the median of several runs."""
    longest: list[float] = []

    async def tick() -> None:
        while True:
            began = time.process_time()
            await asyncio.sleep(0)
            longest[-1] = max(longest[-1], time.process_time() - began)

    for _ in range(RUNS):
        longest.append(0.0)
        ticking = asyncio.create_task(tick())
        await asyncio.sleep(0)
        await work()
        await asyncio.sleep(0)
        ticking.cancel()
    return statistics.median(longest)


def table(measured: Sequence[Figures]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| companies | rows | values | step | ms | µs a row | µs a value |",
        "| ---: | ---: | ---: | --- |" + " ---: |" * 3,
    ]
    for one in measured:
        lines += [
            f"| {one.companies:,} | {one.rows:,} | {one.values:,} | {step} | {seconds * 1e3:.3f} "
            f"| {seconds / one.rows * 1e6:.2f} | {seconds / one.values * 1e6:.3f} |"
            for step, seconds in one.steps.items()
        ]
        lines.append(f"| {one.companies:,} | | | longest pause | {one.pause * 1e3:.1f} | | |")
    return "\n".join(lines)


async def report(companies: Sequence[int] = COMPANIES) -> str:
    """Measures, and gives the table."""
    return table([await measure(number) for number in companies])


if __name__ == "__main__":
    print(uvloop.run(report()))
