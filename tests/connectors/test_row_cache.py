from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.cache import RowCache
from connectors.contract import CompanyRows, FailureCode, FetchRequest, Outcome, SourceAnswer
from connectors.errors import AgencyFailure, UnknownDataset
from connectors.lifetimes import Lifetimes
from schema.credit_code import CreditCode
from tests.connectors.memory import BOTH, MemoryAgency, answered, fetch, settled, supply_of
from tests.connectors.support import CODES, Agency, Asked, ask

FACTS = frozenset({"facts"})
MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        key: code
        batch: 10
        missingMeans: none
        timeToLive: 60
        filters: {decidedFrom: from}
        request: {path: /p, keys: {in: query, name: codes, style: comma}}
        fields: {documentNumber: number, facts: facts, amount: je}
"""


async def court(asked: Asked) -> Any:
    codes = dict(asked.query)["codes"].split(",")
    return [{"code": code, "number": "n", "facts": "f", "je": "1"} for code in codes if code != CODES[3]]


async def test_a_second_question_is_answered_from_memory_with_only_its_columns(agency: Agency, open_one: Any) -> None:
    agency.answer = court
    supply = await open_one(MANIFEST, agency.address)
    first = await ask(supply, CODES[:4])
    again = await ask(supply, CODES[:4], ["facts"])
    assert len(agency.asked) == 1
    assert again[CODES[0]].rows == ({"facts": "f"},)
    assert (again[CODES[3]].outcome, again[CODES[3]].rows) == (Outcome.ANSWERED, ())
    assert first[CODES[3]].outcome is Outcome.ANSWERED
    await ask(supply, CODES[:6])
    assert dict(agency.asked[1].query)["codes"] == ",".join(code for code in CODES[4:6])


async def test_nobody_sees_whether_another_asked_before(agency: Agency, open_one: Any) -> None:
    agency.answer = court
    supply = await open_one(MANIFEST, agency.address)
    for _ in range(2):
        answer = (await ask(supply, CODES[:1]))[CODES[0]]
        assert answer.not_older_than is not None
        age = datetime.now(UTC) - answer.not_older_than
        assert timedelta(seconds=60) <= age < timedelta(seconds=65)


@pytest.mark.parametrize(("time_to_live", "stale"), [(0, 0), (60, 0), (60, 600)])
async def test_what_is_told_of_its_age_counts_from_the_question_and_not_from_the_answer(
    time_to_live: float, stale: float
) -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, timeToLive=time_to_live, staleIfError=stale)
    question = asyncio.create_task(fetch(supply, CODES[:1]))
    await settled()
    at_the_agency = datetime.now(UTC)
    assert agency.gate is not None
    await asyncio.sleep(0.05)
    agency.gate.set()
    rows = (await question)[CODES[0]]
    assert rows.not_older_than is not None
    assert rows.not_older_than + timedelta(seconds=time_to_live) <= at_the_agency


async def test_another_filter_partition_or_wider_columns_is_asked_anew(agency: Agency, open_one: Any) -> None:
    agency.answer = court
    supply = await open_one(MANIFEST, agency.address)
    await ask(supply, CODES[:1], ["facts"])
    await ask(supply, CODES[:1], ["facts"], partition="bank")
    await ask(supply, CODES[:1], ["facts"], filters={"decidedFrom": datetime(2026, 1, 1, tzinfo=UTC).date()})
    await ask(supply, CODES[:1], ["facts", "amount"])
    assert len(agency.asked) == 4


async def test_a_failure_or_an_incomplete_answer_is_not_kept(agency: Agency, open_one: Any) -> None:
    replies: list[Any] = [(500, {}), [{"code": CODES[0], "je": "viel"}], [{"code": CODES[0], "je": "1"}]]

    async def answer(_: Asked) -> Any:
        return replies.pop(0)

    agency.answer = answer
    supply = await open_one(MANIFEST + "\n    retries: {most: 0}\n", agency.address)
    outcomes = [(await ask(supply, CODES[:1]))[CODES[0]].outcome for _ in range(4)]
    assert outcomes == [Outcome.FAILED, Outcome.INCOMPLETE, Outcome.ANSWERED, Outcome.ANSWERED]


async def test_what_no_manifest_declares_is_refused(agency: Agency, open_one: Any) -> None:
    supply = await open_one(MANIFEST, agency.address)
    with pytest.raises(UnknownDataset, match="kind"):
        await ask(supply, CODES[:1], ["kind"])
    with pytest.raises(UnknownDataset, match="decidedTo"):
        await ask(supply, CODES[:1], filters={"decidedTo": datetime(2026, 1, 1, tzinfo=UTC).date()})


async def test_rows_are_as_old_as_the_question_not_the_answer_and_forgotten_when_their_time_is_over() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, timeToLive=0.2)
    loop = asyncio.get_running_loop()
    asked = loop.time()
    question = asyncio.create_task(fetch(supply, CODES[:1]))
    await asyncio.sleep(0.1)
    assert agency.gate is not None
    agency.gate.set()
    await question
    await asyncio.sleep(asked + 0.21 - loop.time())
    await fetch(supply, CODES[:1])
    assert len(agency.calls) == 2
    await supply.close()


async def test_the_least_recently_used_rows_go_first_and_the_bound_counts_rows() -> None:
    rows = {CODES[0]: 1, CODES[1]: 0, CODES[2]: 2, CODES[3]: 1, CODES[4]: 9}

    async def ask(codes: Sequence[CreditCode]) -> Mapping[CreditCode, CompanyRows]:
        asked.append(tuple(codes))
        return {code: CompanyRows(Outcome.ANSWERED, ({"facts": "x"},) * rows[code]) for code in codes}

    async def through(*codes: CreditCode) -> None:
        asked.clear()
        deadline = asyncio.get_running_loop().time() + 1
        await cache.through(
            FetchRequest("a/Penalty", codes, frozenset({"facts"}), {}, "", deadline), Lifetimes(30, 30), ask
        )

    asked: list[tuple[CreditCode, ...]] = []
    cache = RowCache(4)
    await through(*CODES[:3])
    await through(CODES[0], CODES[2])
    assert asked == []
    await through(CODES[3])
    await through(CODES[0], CODES[2], CODES[3])
    assert asked == []
    await through(CODES[1])
    assert asked == [CODES[1:2]]
    await through(CODES[4])
    await through(CODES[3])
    assert asked == [CODES[3:4]]
    await cache.close()


@pytest.mark.parametrize("batch", [1, 10])
async def test_what_another_request_is_asking_is_waited_for_and_not_asked_again(batch: int) -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, timeToLive=60, batch=batch)
    questions = []
    for columns in (BOTH, FACTS, BOTH):
        questions.append(asyncio.create_task(fetch(supply, CODES[:1], columns)))
        await settled()
    assert agency.gate is not None
    agency.gate.set()
    wide, narrow, _ = await asyncio.gather(*questions)
    assert agency.calls == [[CODES[0]]]
    assert (set(wide[CODES[0]].rows[0]), set(narrow[CODES[0]].rows[0])) == (BOTH, FACTS)


async def test_another_partition_or_wider_columns_do_not_wait_for_what_is_being_asked() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, timeToLive=60)
    questions = []
    for columns, partition in ((FACTS, "bank"), (FACTS, "tax"), (BOTH, "bank")):
        questions.append(asyncio.create_task(fetch(supply, CODES[:1], columns, partition=partition)))
        await settled()
    assert len(agency.calls) == 3
    assert agency.gate is not None
    agency.gate.set()
    await asyncio.gather(*questions)


async def test_who_waits_for_another_request_asks_itself_once_that_one_failed_or_left() -> None:
    async def answer(keys: Sequence[str]) -> SourceAnswer:
        if CODES[1] in keys:
            raise AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, "no such key", retryable=False)
        return answered(keys)

    agency = MemoryAgency(answer, gate=asyncio.Event())
    supply = supply_of(agency, timeToLive=60)
    failing = asyncio.create_task(fetch(supply, CODES[:2]))
    leaving = asyncio.create_task(fetch(supply, CODES[2:3]))
    await settled()
    waiting = asyncio.create_task(fetch(supply, [CODES[0], CODES[2]]))
    await settled()
    leaving.cancel()
    assert agency.gate is not None
    agency.gate.set()
    await asyncio.gather(failing, leaving, return_exceptions=True)
    assert {rows.outcome for rows in (await waiting).values()} == {Outcome.ANSWERED}


async def test_who_waits_for_another_request_waits_only_to_its_own_deadline() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, timeToLive=60, timeout=60)
    ahead = asyncio.create_task(fetch(supply, CODES[:1]))
    await settled()
    hasty = await fetch(supply, CODES[:1], seconds=0.05)
    assert hasty[CODES[0]].failure is FailureCode.AGENCY_TIMEOUT
    assert len(agency.calls) == 1
    ahead.cancel()
    await asyncio.gather(ahead, return_exceptions=True)
