"""An agency in any kind of trouble: what it would have said is marked, the others' data stand, nobody waits long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.connectors.support import CODES
from tests.faults import agency as faulty
from tests.faults.agency import Agency, Behaviour, agency
from tests.faults.installation import Gateway, defaults, penalties, serving
from tests.waiting import until

ASKED, OTHERS = [str(code) for code in CODES[:20]], [str(code) for code in CODES[20:]]
PLENTY = 20_000
"""Milliseconds that a request is given: ten times what the agency is."""

FAILED = "FAILED"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def court() -> AsyncIterator[Agency]:
    async with agency() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inspectors() -> AsyncIterator[Agency]:
    async with agency() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    tmp_path_factory: pytest.TempPathFactory, court: Agency, inspectors: Agency
) -> AsyncIterator[Gateway]:
    suppliers = [defaults("court", court.url), penalties("zhejiang-penalties", inspectors.url)]
    async with serving(tmp_path_factory.mktemp("faults"), suppliers) as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def well_again(gateway: Gateway, inspectors: Agency) -> AsyncIterator[None]:
    """After each test the agency behaves, and the gateway finds out."""
    yield
    inspectors.behaviour = faulty.behave

    async def answers() -> bool:
        return {one["status"] for one in (await gateway.ask(ASKED)).of("penalties")} == {"COMPLETE"}

    await until(answers)


@pytest.mark.parametrize(
    ("behaviour", "code", "retryable"),
    [
        (faulty.freeze, "AGENCY_TIMEOUT", True),
        (faulty.drip, "AGENCY_TIMEOUT", True),
        (faulty.reset, "AGENCY_UNAVAILABLE", True),
        (faulty.hang_up_half_way, "AGENCY_BAD_RESPONSE", True),
        (faulty.speak_no_http, "AGENCY_BAD_RESPONSE", True),
        (faulty.send_garbage, "AGENCY_BAD_RESPONSE", False),
        (faulty.send_200_megabytes, "LIMIT", False),
        (faulty.be_busy, "AGENCY_OVERLOADED", True),
        (faulty.fail, "AGENCY_BAD_RESPONSE", True),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_what_it_would_have_said_is_missing_and_says_why(
    gateway: Gateway, inspectors: Agency, behaviour: Behaviour, code: str, *, retryable: bool
) -> None:
    inspectors.behaviour = behaviour
    answer = await gateway.ask(ASKED, PLENTY)
    assert 1_000 * answer.seconds < PLENTY
    for one in answer.of("penalties"):
        assert (one["status"], one["records"]) == ("UNAVAILABLE", None)
        (source,) = one["sources"]
        assert (source["status"], source["failure"]) == (FAILED, {"code": code, "retryable": retryable})
    assert [one["status"] for one in answer.of("judgmentDefaults")] == ["COMPLETE"] * len(ASKED)
    assert [len(one["records"]) for one in answer.of("judgmentDefaults")] == [1] * len(ASKED)
    (error,) = answer.json["errors"]
    assert error["extensions"]["code"] == code
    assert error["extensions"]["companies"] == len(ASKED)


async def test_it_is_given_up_when_the_caller_s_own_time_is_over(gateway: Gateway, inspectors: Agency) -> None:
    inspectors.behaviour = faulty.freeze
    patient = asyncio.create_task(gateway.ask(OTHERS, PLENTY))
    answer = await gateway.ask(ASKED, milliseconds=500)
    assert not patient.done()
    assert {one["sources"][0]["failure"]["code"] for one in answer.of("penalties")} == {"AGENCY_TIMEOUT"}
    assert {one["status"] for one in answer.of("judgmentDefaults")} == {"COMPLETE"}
    await patient


async def test_what_it_says_of_others_is_nobodys_here(gateway: Gateway, inspectors: Agency) -> None:
    inspectors.behaviour = faulty.answer_for_others
    answer = await gateway.ask(ASKED)
    assert {one["records"] is None for one in answer.of("penalties")} == {True}
    assert {one["sources"][0]["status"] for one in answer.of("penalties")} == {FAILED}


async def test_rows_that_come_again_are_one_record(gateway: Gateway, inspectors: Agency) -> None:
    inspectors.behaviour = faulty.repeat_rows
    answer = await gateway.ask(ASKED)
    assert [len(one["records"]) for one in answer.of("penalties")] == [1] * len(ASKED)


async def test_companies_that_it_forgets_are_not_companies_without_records(
    gateway: Gateway, inspectors: Agency
) -> None:
    inspectors.behaviour = faulty.forget_half
    answers = (await gateway.ask(ASKED)).of("penalties")
    assert [one["status"] for one in answers[::2]] == ["COMPLETE"] * 10
    assert [(one["status"], one["records"]) for one in answers[1::2]] == [("UNAVAILABLE", None)] * 10


async def test_one_that_is_gone_is_unavailable_and_found_again_when_it_is_back(
    gateway: Gateway, inspectors: Agency
) -> None:
    await inspectors.stop()
    answer = await gateway.ask(ASKED, PLENTY)
    assert 1_000 * answer.seconds < PLENTY
    assert {one["sources"][0]["failure"]["code"] for one in answer.of("penalties")} == {"AGENCY_UNAVAILABLE"}
    assert {one["status"] for one in answer.of("judgmentDefaults")} == {"COMPLETE"}
    await inspectors.start()
