"""What the gateway itself costs between receiving and the bytes, agencies left out, as Markdown tables.

Six datasets, 51 leaf fields, the demonstration's policies, rows in memory; each request asks about other companies.
Arguments: how many companies a request has (1 100 1000 where none is given). `--modules` adds where the time goes.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import datetime as dt
import gc
import importlib.util
import pstats
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson

from connectors.contract import CompanyRows, Coverage, Dataset, FetchRequest, Outcome, Row
from gateway.demo import identifiers
from gateway.messages import Received
from gateway.pipeline import Gateway
from schema.credit_code import CreditCode
from schema.values import Code, Count, Money

ROOT: Final = Path(__file__).parents[1]
ENVELOPE: Final = """status sources { agency { id name } status asOf notOlderThan failure { code } }
  access { coordinate decision mask reason agency { id } }"""
QUERY: Final = f"""query ($codes: [CreditCode!]!) {{ enterprises(codes: $codes) {{ creditCode
  registration {{ {ENVELOPE} record {{ recordId name legalRepresentative status {{ code label }} kind {{ code }}
    establishedOn registeredCapital {{ amount currency }} paidInCapital {{ amount currency from to }} address telephone
    industry {{ code label }} businessScope authority validUntil employees {{ value from to }} registrationNumber }} }}
  penalties {{ {ENVELOPE} hasMore records {{ documentNumber decidedOn authority kind {{ code }}
    severity {{ code label }} facts legalBasis amount {{ amount currency }} confiscated {{ amount }}
    responsiblePerson }} }}
  judgmentDefaults {{ {ENVELOPE} hasMore records {{ caseNumber court filedOn amountDue {{ amount }}
    performance {{ code }} legalRepresentative }} }}
  taxCredits {{ {ENVELOPE} records {{ year grade {{ code }} authority ratedOn }} }}
  taxArrears {{ {ENVELOPE} records {{ taxKind {{ code }} balance {{ amount }} dueOn }} }}
  shareholders {{ {ENVELOPE} records {{ name share subscribedCapital {{ amount }} }} }} }} }}"""
DATASETS: Final = (
    "registry/Registration",
    "registry/Shareholder",
    "court/JudgmentDefault",
    "tax/TaxArrears",
    "tax/TaxCredit",
    "zhejiang-penalties/Penalty",
)
COMPANIES: Final = 3_000
AS_OF: Final = dt.datetime(2026, 11, 1, 8, 0, tzinfo=dt.UTC)
TODAY: Final = dt.datetime.now(dt.UTC).date()
TICK: Final = 0.001
ROUNDS: Final = {1: 1_500, 100: 40, 1_000: 6}
RUNS: Final = 5


@dataclass
class ReadySupply:
    """Answers that are there: what a fetch costs is what it takes to look them up, and that is kept apart."""

    datasets: Mapping[str, Dataset]
    answers: Mapping[str, Mapping[CreditCode, CompanyRows]]
    spent: float = 0.0

    async def fetch(self, request: FetchRequest) -> Mapping[CreditCode, CompanyRows]:
        """The answers, those of each request with columns of their own made beforehand."""
        began = time.process_time()
        known = self.answers[request.dataset]
        found = {code: known[code] for code in request.codes}
        self.spent += time.process_time() - began
        return found


@dataclass
class SilentAudit:
    """An audit log that keeps nothing."""

    async def append(self, record: Mapping[str, Any]) -> None:
        """Writes the line, and throws it away."""
        orjson.dumps(record)


@dataclass
class Ticker:
    """The longest time for which the event loop was held, in seconds: how late a timer of one millisecond was."""

    longest: float = 0.0
    _stop: bool = field(default=False, repr=False)

    async def run(self) -> None:
        """Ticks until it is stopped."""
        while not self._stop:
            began = time.perf_counter()
            await asyncio.sleep(TICK)
            self.longest = max(self.longest, time.perf_counter() - began - TICK)

    def stop(self) -> None:
        """Ends it at its next tick."""
        self._stop = True


def rows(dataset: str, number: int) -> tuple[Row, ...]:
    """Made-up rows of one company."""
    day = TODAY - dt.timedelta(days=10 + number % 60)
    base = {"recordId": f"{dataset}-{number}", "objection": number % 7 == 0}
    sum_ = Money(Decimal(number * 1_000 + 50) / 100)
    two = range(2)
    match dataset:
        case "registry/Registration":
            names = ("name", "address", "telephone", "businessScope", "authority", "registrationNumber")
            texts = {name: f"{name} {number} 公司" for name in names}
            codes = {name: Code("1", "存续") for name in ("status", "kind", "industry")}
            more = {
                "legalRepresentative": "王小明",
                "establishedOn": day,
                "validUntil": None,
                "employees": Count(number),
            }
            return ({**base, **texts, **codes, **more, "registeredCapital": sum_, "paidInCapital": sum_},)
        case "registry/Shareholder":
            return ({**base, "name": "李四", "share": Decimal("12.5"), "subscribedCapital": sum_},)
        case "court/JudgmentDefault":
            person = {"legalRepresentative": "张三", "performance": Code("none"), "filedOn": day, "amountDue": sum_}
            return tuple({**base, **person, "recordId": f"c{i}", "caseNumber": f"({i})", "court": "法院"} for i in two)
        case "tax/TaxArrears":
            return ({**base, "taxKind": Code("vat"), "balance": sum_, "dueOn": day},)
        case "tax/TaxCredit":
            return ({**base, "year": 2025, "grade": Code("A"), "authority": "税务局", "ratedOn": day},)
        case _:
            texts = {name: f"{name} 处罚 {number}" for name in ("documentNumber", "authority", "facts", "legalBasis")}
            shared = {"decidedOn": day, "severity": Code("serious", "严重"), "kind": Code("fine"), "amount": sum_}
            return tuple(
                {**base, **texts, **shared, "recordId": f"p{i}", "confiscated": None, "responsiblePerson": "赵六"}
                for i in two
            )


def companies() -> tuple[CreditCode, ...]:
    """Made-up companies, half of them registered in Zhejiang."""
    chance = random.Random(1)  # noqa: S311 - a benchmark, no secret
    divisions = ("330100", "440300")
    return tuple(
        CreditCode.parse(identifiers.credit_code("9", "1", divisions[i % 2], identifiers.organisation_code(chance)))
        for i in range(COMPANIES)
    )


def build(codes: Sequence[CreditCode]) -> tuple[Any, Gateway, ReadySupply]:
    """The tests' world over answers that are there."""
    spec = importlib.util.spec_from_file_location("stages_world", ROOT / "tests/gateway/stages/conftest.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError("the tests' world is not there")
    world = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(world)
    datasets = {name: world.dataset(name, coverage=Coverage()) for name in DATASETS}
    answers = {
        name: {code: CompanyRows(Outcome.ANSWERED, rows(name, i), AS_OF, AS_OF) for i, code in enumerate(codes)}
        for name in DATASETS
    }
    supply = ReadySupply(datasets, answers)
    return world, replace(world.build_world(datasets=datasets).gateway, supply=supply, audit=SilentAudit()), supply


@dataclass(frozen=True)
class Figures:
    """Seconds: CPU a request, and the longest pause of the event loop; bytes of an answer."""

    cpu: float
    pause: float
    size: int


@dataclass
class Bench:
    """A gateway that is asked about other companies each time."""

    codes: Sequence[CreditCode]
    world: Any
    gateway: Gateway
    supply: ReadySupply
    _next: int = 0

    async def ask(self, number: int) -> int:
        """Asks about so many companies; the length of the answer."""
        start = self._next % (len(self.codes) - number)
        self._next += number
        codes = list(self.codes[start : start + number])
        received = Received(
            "bench", QUERY, None, {"codes": codes}, self.world.BANK, "credit.underwriting", (), _far(), read_only=False
        )
        return len((await self.gateway.answer(received)).body)

    async def measure(self, number: int) -> Figures:
        """The median of several runs; pauses are the longest of all."""
        size, runs = await self.ask(number), []
        rounds = ROUNDS.get(number, 10)
        for _ in range(RUNS):
            spent, began = self.supply.spent, time.process_time()
            for _ in range(rounds):
                await self.ask(number)
            runs.append((time.process_time() - began - (self.supply.spent - spent)) / rounds)
        ticker, pauses = Ticker(), []
        ticking = asyncio.create_task(ticker.run())
        for _ in range(min(rounds, 30)):
            ticker.longest = 0.0
            await self.ask(number)
            await asyncio.sleep(TICK * 2)
            pauses.append(ticker.longest)
        ticker.stop()
        await ticking
        return Figures(statistics.median(runs), statistics.median(pauses), size)

    def modules(self, number: int) -> Iterator[tuple[str, float]]:
        """Which modules the time goes to, in shares; what is built in counts for the module that calls it."""
        profile = cProfile.Profile()
        profile.enable()
        asyncio.run(self._several(number))
        profile.disable()
        spent: Counter[str] = Counter()
        for (file, _, _), (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
            if file == "~":
                for (caller, _, _), (_, _, part, _) in callers.items():
                    spent[_short(caller)] += part
            else:
                spent[_short(file)] += own
        total = sum(spent.values())
        yield from ((name, seconds / total) for name, seconds in spent.most_common(16))

    async def _several(self, number: int) -> None:
        for _ in range(ROUNDS.get(number, 10)):
            await self.ask(number)


def _far() -> float:
    return asyncio.get_running_loop().time() + 60


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) and ".venv" not in path.parts else path.parent.name


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("companies", type=int, nargs="*", default=[1, 100, 1_000])
    parser.add_argument("--modules", action="store_true")
    arguments = parser.parse_args()
    codes = companies()
    bench = Bench(codes, *build(codes))
    asyncio.run(bench.ask(1))
    gc.collect()
    gc.freeze()
    print("| companies | CPU µs a request | longest pause ms (median) | bytes |\n| --- | --- | --- | --- |")
    for number in arguments.companies:
        figures = asyncio.run(bench.measure(number))
        print(f"| {number:,} | {figures.cpu * 1e6:,.0f} | {figures.pause * 1e3:.1f} | {figures.size:,} |", flush=True)
    if arguments.modules:
        for number in arguments.companies:
            print(f"\n{number:,} companies:")
            for name, share in bench.modules(number):
                print(f"  {share:6.1%} {name}")


if __name__ == "__main__":
    main()
