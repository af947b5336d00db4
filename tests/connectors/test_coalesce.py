from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from connectors.contract import CompanyRows, FailureCode, FetchRequest, Outcome, SourceAnswer
from connectors.errors import AgencyFailure
from schema.credit_code import CreditCode
from tests.connectors.memory import BOTH, PLENTY, MemoryAgency, answered, fetch, settled, supply_of
from tests.connectors.support import CODES

FACTS = frozenset({"facts"})


def texts(codes: Sequence[CreditCode]) -> list[str]:
    return list(codes)


def outcomes(answers: dict[CreditCode, CompanyRows]) -> list[Outcome | FailureCode]:
    return [rows.failure or rows.outcome for rows in answers.values()]


def refusing(*bad: CreditCode) -> MemoryAgency:
    """An agency that refuses every call with one of these companies in it."""

    async def answer(keys: Sequence[str]) -> SourceAnswer:
        if set(texts(bad)) & set(keys):
            raise AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, "no such key", retryable=False)
        return answered(keys)

    return MemoryAgency(answer)


async def test_concurrent_requests_leave_as_one_call_and_each_gets_only_its_own_companies() -> None:
    agency = MemoryAgency()
    supply = supply_of(agency)
    first, second, third = await asyncio.gather(
        fetch(supply, CODES[:3]), fetch(supply, CODES[2:4], partition="tax"), fetch(supply, CODES[5:6])
    )
    assert agency.calls == [texts([*CODES[:4], CODES[5]])]
    assert [list(answers) for answers in (first, second, third)] == [list(CODES[:3]), list(CODES[2:4]), [CODES[5]]]
    assert second[CODES[2]].rows == ({"facts": f"facts of {CODES[2]}", "documentNumber": f"number of {CODES[2]}"},)


async def test_a_request_of_the_loops_next_round_leaves_with_those_before_and_a_later_one_by_itself() -> None:
    agency = MemoryAgency()
    supply = supply_of(agency)

    async def after(rounds: int) -> None:
        for _ in range(rounds):
            await asyncio.sleep(0)
        await fetch(supply, CODES[rounds : rounds + 1])

    await asyncio.gather(*map(after, range(3)))
    assert agency.calls == [texts(CODES[:2]), texts(CODES[2:3])]


async def test_a_request_of_the_loops_next_round_is_answered_though_those_before_have_left() -> None:
    agency = MemoryAgency()
    supply = supply_of(agency)
    deadline = asyncio.get_running_loop().time() + PLENTY
    requests = [FetchRequest("court/Penalty", (code,), BOTH, {}, "bank", deadline) for code in CODES[:2]]
    supply.fetch(requests[0]).cancel()
    await asyncio.sleep(0)
    answers = await asyncio.gather(*map(supply.fetch, requests))
    assert [list(one) for one in answers] == [[CODES[0]], [CODES[1]]]
    assert agency.calls == [texts(CODES[:2])]


async def test_other_columns_leave_in_a_call_of_their_own() -> None:
    agency = MemoryAgency()
    supply = supply_of(agency)
    narrow, _ = await asyncio.gather(fetch(supply, CODES[:1], FACTS), fetch(supply, CODES[:1], BOTH))
    assert len(agency.calls) == 2
    assert narrow[CODES[0]].rows == ({"facts": f"facts of {CODES[0]}"},)


@pytest.mark.parametrize("options", [{"coalesce": False}, {"batch": 1}])
async def test_where_the_manifest_says_so_or_has_no_batch_each_request_calls_by_itself(
    options: dict[str, object],
) -> None:
    agency = MemoryAgency()
    supply = supply_of(agency, **options)
    await asyncio.gather(fetch(supply, CODES[:1]), fetch(supply, CODES[:1]))
    assert agency.calls == [texts(CODES[:1])] * 2


async def test_a_batch_beyond_the_agencys_limit_is_cut_and_no_key_is_asked_twice() -> None:
    agency = MemoryAgency()
    supply = supply_of(agency, batch=4)
    asked = [CODES[:3], CODES[1:5], CODES[4:8], CODES[:1]]
    answers = await asyncio.gather(*(fetch(supply, codes) for codes in asked))
    assert agency.calls == [texts(CODES[:4]), texts(CODES[4:8])]
    assert [list(each) for each in answers] == [list(codes) for codes in asked]


async def test_no_more_calls_are_under_way_than_the_agency_bears() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, batch=2, concurrency=2)
    questions = asyncio.gather(*(fetch(supply, [code]) for code in CODES[:10]))
    await settled()
    assert len(agency.calls) == 2
    assert agency.gate is not None
    agency.gate.set()
    await questions
    assert len(agency.calls) == 5


async def test_one_requests_bad_key_fails_that_request_alone() -> None:
    agency = refusing(CODES[0])
    supply = supply_of(agency)
    asked = [CODES[:2], CODES[2:4], CODES[2:4], CODES[4:5]]
    bad, *good = await asyncio.gather(*(fetch(supply, codes) for codes in asked))
    assert outcomes(bad) == [FailureCode.AGENCY_BAD_RESPONSE] * 2
    assert [set(outcomes(answers)) for answers in good] == [{Outcome.ANSWERED}] * 3
    # Once together; then each by itself, the two that ask alike as one.
    assert agency.calls == [texts(CODES[:5]), texts(CODES[:2]), texts(CODES[2:4]), texts(CODES[4:5])]


async def test_what_is_logged_of_a_request_that_is_asked_again_or_is_late_is_said_in_its_own_name() -> None:
    named = ContextVar("named", default="nobody")

    async def ask(name: str, code: CreditCode, seconds: float) -> None:
        named.set(name)
        await fetch(supply, [code], seconds=seconds)

    def name(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, "named": named.get()}

    supply = supply_of(refusing(CODES[0], CODES[1]))
    with capture_logs(processors=[name]) as lines:
        await asyncio.gather(ask("first", CODES[0], 20), ask("second", CODES[1], 20))
    assert [line["named"] for line in lines] == ["first", "first", "second"]

    supply = supply_of(MemoryAgency(gate=asyncio.Event()), timeout=60)
    with capture_logs(processors=[name]) as lines:
        await asyncio.gather(ask("first", CODES[0], 0.2), ask("second", CODES[1], 0.05))
    assert [line["named"] for line in lines] == ["second", "first"]


async def test_a_request_whose_call_nobody_shared_is_not_repeated() -> None:
    agency = refusing(CODES[0])
    supply = supply_of(agency)
    same = await asyncio.gather(fetch(supply, CODES[:2]), fetch(supply, CODES[:2]))
    assert [outcomes(answers) for answers in same] == [[FailureCode.AGENCY_BAD_RESPONSE] * 2] * 2
    assert len(agency.calls) == 1


async def test_rows_that_may_be_anybodys_trouble_only_the_request_that_brought_them() -> None:
    async def answer(keys: Sequence[str]) -> SourceAnswer:
        whole = answered(keys)
        return SourceAnswer([*whole.rows, {"code": "?"}]) if CODES[0] in keys else whole

    supply = supply_of(MemoryAgency(answer))
    own, other = await asyncio.gather(fetch(supply, CODES[:1]), fetch(supply, CODES[1:2]))
    assert (outcomes(own), outcomes(other)) == ([Outcome.INCOMPLETE], [Outcome.ANSWERED])


@pytest.mark.parametrize("retryable", [True, False])
@pytest.mark.parametrize("options", [{"idempotent": False}, {"treatment": {"retries": {"most": 0}}}])
async def test_what_may_not_be_made_twice_carries_one_requests_companies_and_is_not_repeated(
    options: dict[str, Any], *, retryable: bool
) -> None:
    async def answer(_: Sequence[str]) -> SourceAnswer:
        raise AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, "no", retryable=retryable)

    agency = MemoryAgency(answer)
    supply = supply_of(agency, **options)
    await asyncio.gather(fetch(supply, CODES[:1]), fetch(supply, CODES[1:3]), fetch(supply, CODES[1:3]))
    assert agency.calls == [texts(CODES[:1]), texts(CODES[1:3])]


@pytest.mark.parametrize("reply", [SourceAnswer([{"code": "?"}]), SourceAnswer([], truncated=True)])
async def test_an_answer_that_is_not_whole_is_asked_for_again_only_where_that_may_be(reply: SourceAnswer) -> None:
    async def answer(_: Sequence[str]) -> SourceAnswer:
        return reply

    for idempotent, calls in ((True, 3), (False, 2)):
        agency = MemoryAgency(answer)
        supply = supply_of(agency, idempotent=idempotent)
        await asyncio.gather(fetch(supply, CODES[:1]), fetch(supply, CODES[1:2]))
        assert len(agency.calls) == calls


async def test_a_call_that_is_not_sent_is_not_repeated() -> None:
    supply = supply_of(MemoryAgency(), treatment={"maintenance": [{"from": "00:00", "to": "00:00"}]})
    first, second = await asyncio.gather(fetch(supply, CODES[:1]), fetch(supply, CODES[1:2]))
    assert outcomes({**first, **second}) == [FailureCode.AGENCY_UNAVAILABLE] * 2
    assert supply.agencies["court"].counts.refused.maintenance == 1


async def test_an_overloaded_agency_is_not_asked_by_each_request_alone() -> None:
    async def answer(_: Sequence[str]) -> SourceAnswer:
        raise AgencyFailure(FailureCode.AGENCY_OVERLOADED, "status 429", retryable=True)

    agency = MemoryAgency(answer)
    supply = supply_of(agency)
    await asyncio.gather(fetch(supply, CODES[:1]), fetch(supply, CODES[1:2]))
    assert agency.calls == [texts(CODES[:2])] * 2  # the call is repeated as it was


async def test_calls_in_vain_are_part_of_the_budget_and_without_it_nobodys_company_spoils_anothers_call() -> None:
    agency = refusing(*CODES)
    supply = supply_of(agency)
    for _ in range(50):
        await asyncio.gather(fetch(supply, CODES[:1]), fetch(supply, CODES[1:2]))
    in_vain = [call for call in agency.calls if len(call) == 2]
    # Ten were saved up; each call earns a tenth, and those that are not shared are two for every pair of requests.
    assert 10 < len(in_vain) <= 10 + len(agency.calls) / 10
    assert len(agency.calls) == 2 * 50 + len(in_vain)
    agency.answer = refusing(CODES[0]).answer
    for _ in range(20):
        _, good = await asyncio.gather(fetch(supply, CODES[:1]), fetch(supply, CODES[1:2]))
        assert outcomes(good) == [Outcome.ANSWERED]


async def test_a_cancelled_request_leaves_the_others_their_answer() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency)
    leaving = asyncio.create_task(fetch(supply, CODES[:2]))
    staying = asyncio.create_task(fetch(supply, CODES[1:3]))
    await settled()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert agency.gate is not None
    agency.gate.set()
    assert outcomes(await staying) == [Outcome.ANSWERED] * 2
    assert (len(agency.calls), agency.cancelled) == (1, 0)


async def test_a_call_that_nobody_waits_for_any_more_is_cancelled_and_its_place_is_free() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, concurrency=1)
    questions = [asyncio.create_task(fetch(supply, [code])) for code in CODES[:2]]
    await settled()
    for question in questions:
        question.cancel()
    await asyncio.gather(*questions, return_exceptions=True)
    await settled()
    assert agency.cancelled == 1
    agency.gate = None
    assert outcomes(await fetch(supply, CODES[:1])) == [Outcome.ANSWERED]


async def test_a_company_whose_request_left_before_the_agency_had_a_place_is_not_asked_about() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, concurrency=1)
    ahead = asyncio.create_task(fetch(supply, CODES[:1]))
    await settled()
    leaving, staying = (asyncio.create_task(fetch(supply, [code])) for code in CODES[1:3])
    await settled()
    leaving.cancel()
    await settled()
    assert agency.gate is not None
    agency.gate.set()
    await asyncio.gather(ahead, staying)
    assert agency.calls == [texts(CODES[:1]), texts(CODES[2:3])]


async def test_each_request_waits_only_to_its_own_deadline_and_the_call_to_the_latest() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, timeout=60)
    patient = asyncio.create_task(fetch(supply, CODES[1:2]))
    hasty = await fetch(supply, CODES[:1], seconds=0.05)
    assert outcomes(hasty) == [FailureCode.AGENCY_TIMEOUT]
    assert not patient.done()
    assert agency.gate is not None
    agency.gate.set()
    assert outcomes(await patient) == [Outcome.ANSWERED]
    assert len(agency.calls) == 1


async def test_requests_of_one_tick_are_all_told_that_the_agency_was_late_once_their_deadlines_pass() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, timeout=60)
    asked = [fetch(supply, [code], seconds=0.05) for code in CODES[:3]]
    assert [outcomes(answers) for answers in await asyncio.gather(*asked)] == [[FailureCode.AGENCY_TIMEOUT]] * 3
    assert (len(agency.calls), agency.cancelled) == (1, 1)


async def test_a_request_that_only_waited_for_a_place_says_that_the_agency_was_overloaded() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency, concurrency=1)
    ahead = asyncio.create_task(fetch(supply, CODES[:1]))
    await settled()
    assert outcomes(await fetch(supply, CODES[1:2], seconds=0.05)) == [FailureCode.AGENCY_OVERLOADED]
    ahead.cancel()


async def test_closing_ends_the_calls_under_way() -> None:
    agency = MemoryAgency(gate=asyncio.Event())
    supply = supply_of(agency)
    question = asyncio.create_task(fetch(supply, CODES[:1]))
    await settled()
    await supply.close()
    assert agency.cancelled == 1
    await asyncio.gather(question, return_exceptions=True)
