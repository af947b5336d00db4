"""Whatever else is asked at the same time, each request gets what it would have got alone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import CompanyRows, FailureCode, Outcome, SourceAnswer
from connectors.errors import AgencyFailure
from schema.credit_code import CreditCode
from tests.connectors.memory import MemoryAgency, answered, fetch, supply_of
from tests.connectors.support import CODES

COMPANIES = CODES[:12]
CALL_SECONDS = 1.0
TIMEOUT = 5.0
SHORT, LONG = 0.5, 60.0
"""Deadlines: shorter than any call, and long enough for a call that times out and another one."""


class ClockworkLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer as soon as there is nothing else to do."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._now = max(self._now, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


@dataclass(frozen=True)
class Asked:
    """One request: it begins `after` so many rounds of the loop, or at the second of that number."""

    codes: tuple[CreditCode, ...]
    columns: frozenset[str]
    seconds: float
    partition: str
    after: float


@dataclass(frozen=True)
class World:
    """`refused` companies fail their call, `silent` ones leave it unanswered, `dirty` ones make it incomplete."""

    refused: frozenset[CreditCode]
    silent: frozenset[CreditCode]
    dirty: frozenset[CreditCode]

    def agency(self) -> MemoryAgency:
        async def answer(keys: Sequence[str]) -> SourceAnswer:
            codes = {CreditCode.parse(key) for key in keys}
            await asyncio.sleep(CALL_SECONDS * (1000 if codes & self.silent else 1))
            if codes & self.refused:
                raise AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, "no such key", retryable=False)
            whole = answered(keys)
            return SourceAnswer([*whole.rows, {"code": "?"}]) if codes & self.dirty else whole

        return MemoryAgency(answer)


requests = st.builds(
    Asked,
    codes=st.lists(st.sampled_from(COMPANIES), min_size=1, max_size=9, unique=True).map(tuple),
    columns=st.sampled_from([frozenset({"facts"}), frozenset({"facts", "documentNumber"})]),
    seconds=st.sampled_from([-1.0, SHORT, LONG, LONG]),
    partition=st.sampled_from(["bank", "tax"]),
    after=st.sampled_from([0, 0, 0, 1, 2, 0.25]),
)
few = st.frozensets(st.sampled_from(COMPANIES), max_size=2)
worlds = st.builds(World, refused=few, silent=few, dirty=few)
Answers = dict[CreditCode, CompanyRows]


def run(work: Coroutine[Any, Any, list[Answers]]) -> list[Answers]:
    with asyncio.Runner(loop_factory=ClockworkLoop) as runner:
        return runner.run(work)


async def ask(world: World, asked: Sequence[Asked], batch: int, time_to_live: float) -> list[Answers]:
    supply = supply_of(
        world.agency(),
        timeout=TIMEOUT,
        concurrency=100,
        treatment={"breaker": {"failures": 100}},
        batch=batch,
        timeToLive=time_to_live,
    )

    async def one(request: Asked) -> Answers:
        if isinstance(request.after, int):
            for _ in range(request.after):
                await asyncio.sleep(0)
        else:
            await asyncio.sleep(request.after)
        return await fetch(supply, request.codes, request.columns, seconds=request.seconds, partition=request.partition)

    answers = await asyncio.gather(*map(one, asked))
    await supply.close()
    return answers


def told(answers: Answers) -> list[tuple[CreditCode, Outcome, FailureCode | None, object]]:
    return [(code, rows.outcome, rows.failure, rows.rows) for code, rows in answers.items()]


@given(worlds, st.lists(requests, min_size=1, max_size=6), st.integers(2, 5))
@settings(max_examples=150, deadline=None)
def test_each_request_gets_what_it_would_get_alone(world: World, asked: list[Asked], batch: int) -> None:
    together = run(ask(world, asked, batch, 0))
    alone = [run(ask(world, [request], batch, 0))[0] for request in asked]
    assert list(map(told, together)) == list(map(told, alone))


@given(worlds, st.lists(requests, min_size=1, max_size=6), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_with_rows_kept_a_request_suffers_only_from_its_own_companies_and_its_own_deadline(
    world: World, asked: list[Asked], batch: int
) -> None:
    culprits = world.refused | world.silent | world.dirty
    for request, answers in zip(asked, run(ask(world, asked, batch, 100)), strict=True):
        assert list(answers) == list(request.codes)
        for code, rows in answers.items():
            if request.seconds == LONG and not culprits.intersection(request.codes):
                assert rows.outcome is Outcome.ANSWERED
            if rows.outcome is not Outcome.FAILED:
                texts = {"facts": f"facts of {code}", "documentNumber": f"number of {code}"}
                assert rows.rows == ({column: texts[column] for column in request.columns},)
