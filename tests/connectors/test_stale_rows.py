"""What is kept of companies without rows, and what stands in for an agency that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.contract import CompanyRows, FailureCode, Outcome, SourceAnswer
from connectors.errors import AgencyFailure
from connectors.manifest import DatasetManifest
from connectors.supply import AgencySupply
from tests.connectors.kindness.virtual_time import in_virtual_time, wall
from tests.connectors.memory import BOTH, MemoryAgency, answered, fetch, supply_of
from tests.connectors.redis_server import RedisServer
from tests.connectors.support import CODES, Agency, Asked, ask

DOWN = AgencyFailure(FailureCode.AGENCY_UNAVAILABLE, "no connection", retryable=True)
REFUSED = AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, "status 403", retryable=False)
KEPT = {"timeToLive": 60, "staleIfError": 600}


@dataclass
class Court:
    """Has rows of the first company, none of the second, and does not know the third; may fail."""

    failure: AgencyFailure | None = None
    hangs: bool = False
    asked: list[list[str]] = field(default_factory=list)

    async def answer(self, keys: Sequence[str]) -> SourceAnswer:
        self.asked.append(list(keys))
        if self.failure:
            raise self.failure
        if self.hangs:
            await asyncio.Event().wait()
        unknown = frozenset(keys) & {str(CODES[2])}
        return SourceAnswer(answered([key for key in keys if key == CODES[0]]).rows, unknown=unknown)


def opened(court: Court, **options: Any) -> AgencySupply:
    return supply_of(MemoryAgency(court.answer), clock=wall, **{**KEPT, **options})


async def later(supply: AgencySupply, seconds: float, columns: frozenset[str] = BOTH) -> list[CompanyRows]:
    """What is said of the three companies after so long."""
    await asyncio.sleep(seconds)
    return list((await fetch(supply, CODES[:3], columns, seconds=20)).values())


def outcomes(told: Sequence[CompanyRows]) -> list[Outcome]:
    return [rows.outcome for rows in told]


HEALTHY = [Outcome.ANSWERED, Outcome.ANSWERED, Outcome.UNKNOWN_COMPANY]


@pytest.mark.parametrize(
    ("negative", "asked"),
    [
        (None, [CODES[:3], CODES[:3]]),
        (10, [CODES[:3], CODES[1:3], CODES[:3]]),
        (0, [CODES[:3], CODES[1:3], CODES[1:3], CODES[:3]]),
        (200, [CODES[:3], CODES[:1]]),
    ],
)
@in_virtual_time
async def test_companies_without_rows_are_kept_for_a_time_of_their_own(
    negative: float | None, asked: list[Sequence[str]]
) -> None:
    court = Court()
    supply = opened(court, negativeTimeToLive=negative, staleIfError=0)
    for seconds in (0, 5, 20, 50):
        assert outcomes(await later(supply, seconds)) == HEALTHY
    assert court.asked == [list(codes) for codes in asked]


@in_virtual_time
async def test_what_is_told_of_its_age_is_as_long_ago_as_it_may_be_kept() -> None:
    supply = opened(Court(), negativeTimeToLive=10)
    ages = [datetime.now(UTC) - (rows.not_older_than or datetime.now(UTC)) for rows in await later(supply, 0)]
    assert [round(age.total_seconds()) for age in ages] == [60, 10, 10]


@in_virtual_time
async def test_where_the_agency_fails_kept_rows_stand_in_for_as_long_as_declared() -> None:
    court = Court()
    supply = opened(court)
    fresh = await later(supply, 0)
    court.failure = DOWN
    assert outcomes(await later(supply, 59)) == HEALTHY
    stale = await later(supply, 600)
    assert outcomes(stale) == [Outcome.STALE] * 3
    assert [rows.rows for rows in stale] == [rows.rows for rows in fresh]
    assert {(rows.failure, rows.retryable) for rows in stale} == {(FailureCode.AGENCY_UNAVAILABLE, True)}
    ages = [datetime.now(UTC) - (rows.not_older_than or datetime.now(UTC)) for rows in stale]
    assert all(abs(age - timedelta(seconds=660)) < timedelta(seconds=5) for age in ages)
    assert outcomes(await later(supply, 2)) == [Outcome.FAILED] * 3


@in_virtual_time
async def test_an_agency_that_answers_again_is_fresh_again() -> None:
    court = Court()
    supply = opened(court)
    await later(supply, 0)
    court.failure = DOWN
    assert outcomes(await later(supply, 100)) == [Outcome.STALE] * 3
    court.failure = None
    assert outcomes(await later(supply, 0)) == HEALTHY


@in_virtual_time
async def test_a_failure_that_will_not_pass_by_itself_is_told() -> None:
    court = Court()
    supply = opened(court)
    await later(supply, 0)
    court.failure = REFUSED
    assert outcomes(await later(supply, 100)) == [Outcome.FAILED] * 3


@pytest.mark.parametrize("treatment", [{"maintenance": [{"from": "00:01", "to": "00:10"}]}, {"rate": {"day": 1}}])
@in_virtual_time
async def test_kept_rows_stand_in_for_an_agency_that_is_not_asked(treatment: dict[str, Any]) -> None:
    court = Court()
    supply = opened(court, treatment=treatment)
    await later(supply, 0)
    assert outcomes(await later(supply, 100)) == [Outcome.STALE] * 3
    assert len(court.asked) == 1


@in_virtual_time
async def test_kept_rows_stand_in_for_an_agency_that_hangs() -> None:
    court = Court()
    supply = opened(court)
    await later(supply, 0)
    court.hangs = True
    assert {rows.failure for rows in await later(supply, 100)} == {FailureCode.AGENCY_TIMEOUT}
    assert outcomes(await later(supply, 0)) == [Outcome.STALE] * 3


@in_virtual_time
async def test_rows_stand_in_only_with_all_the_columns_asked_for_and_no_others() -> None:
    court = Court()
    supply = opened(court)
    await later(supply, 0, frozenset({"facts"}))
    court.failure = DOWN
    assert outcomes(await later(supply, 100)) == [Outcome.FAILED] * 3
    stale = await later(supply, 0, frozenset({"facts"}))
    assert (outcomes(stale), set(stale[0].rows[0])) == ([Outcome.STALE] * 3, {"facts"})
    supply = opened(Court(), treatment={"maintenance": [{"from": "00:04", "to": "00:10"}]})
    await later(supply, 0)
    assert set((await later(supply, 150, frozenset({"facts"})))[0].rows[0]) == {"facts"}


@in_virtual_time
async def test_what_another_partition_was_told_stands_in_for_nobody_else() -> None:
    court = Court()
    supply = opened(court)
    await later(supply, 0)
    court.failure = DOWN
    other = await fetch(supply, CODES[:1], partition="tax")
    assert outcomes(list(other.values())) == [Outcome.FAILED]


@in_virtual_time
async def test_where_nothing_is_declared_nothing_stands_in() -> None:
    court = Court()
    supply = opened(court, staleIfError=0)
    await later(supply, 0)
    court.failure = DOWN
    assert outcomes(await later(supply, 61)) == [Outcome.FAILED] * 3


@pytest.mark.parametrize("option", [{"staleIfError": 5}, {"negativeTimeToLive": 5}])
def test_what_is_not_kept_cannot_be_kept_longer(option: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="need timeToLive"):
        DatasetManifest.model_validate({"record": "Penalty", "fields": {"facts": "f"}, **option})


MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    retries: {most: 0}
    datasets:
      - record: Penalty
        timeToLive: 0.2
        staleIfError: 600
        request: {path: "/companies/{key}"}
        fields: {documentNumber: number}
"""


async def test_rows_that_another_process_was_told_stand_in_too(
    agency: Agency, open_one: Any, redis: RedisServer
) -> None:
    replies: list[Any] = [[{"number": "1"}]]

    async def answer(_: Asked) -> Any:
        return replies.pop() if replies else (500, {})

    agency.answer = answer
    one, other = [await open_one(MANIFEST, agency.address, second_level=redis.level()) for _ in range(2)]
    assert (await ask(one, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED
    await redis.holds(1)
    async with asyncio.timeout(10):
        while (told := (await ask(other, CODES[:1]))[CODES[0]]).outcome is Outcome.ANSWERED:  # noqa: ASYNC110  # until its time is over
            await asyncio.sleep(0.05)
    assert (told.outcome, told.rows, told.failure) == (
        Outcome.STALE,
        ({"documentNumber": "1"},),
        FailureCode.AGENCY_BAD_RESPONSE,
    )
