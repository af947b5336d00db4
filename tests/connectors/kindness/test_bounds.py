from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from connectors.contract import FailureCode, SourceAnswer
from connectors.errors import AgencyFailure, NotSent
from connectors.kindness.bounds import LONGEST_PAUSE, Bounds, late
from connectors.kindness.breaker import BreakerState
from connectors.kindness.declared import Treatment
from connectors.kindness.lender import GiveBack, pause
from connectors.kindness.rate import MARGIN
from connectors.kindness.share import Share
from tests.connectors.kindness.virtual_time import in_virtual_time, now, stand_still, wall

ANSWER = SourceAnswer([])
SECOND = 1 + MARGIN
BAD = AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, "status 400", retryable=False)
ILL = AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, "status 500", retryable=True)
DOWN = AgencyFailure(FailureCode.AGENCY_UNAVAILABLE, "no connection", retryable=True)


def throttled(retry_after: float | None = None) -> AgencyFailure:
    return AgencyFailure(
        FailureCode.AGENCY_OVERLOADED, "status 429", retryable=True, throttled=True, retry_after=retry_after
    )


Step = AgencyFailure | float | tuple[float, AgencyFailure]
"""An answer after so many seconds, or a failure, at once or then."""


@dataclass
class System:
    """An agency's system: what it does with each call, in their order, and with all that come after; when they came."""

    script: list[Step] = field(default_factory=list)
    then: Step = 0.0
    came: list[float] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    cancelled: int = 0

    async def answer(self, _: float) -> SourceAnswer:
        self.came.append(now())
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        step = self.script.pop(0) if self.script else self.then
        try:
            seconds, failure = step if isinstance(step, tuple) else (step, None)
            if isinstance(seconds, AgencyFailure):
                raise seconds
            await asyncio.sleep(seconds)
            if failure is not None:
                raise failure
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
        return ANSWER


def declared(**treatment: Any) -> Treatment:
    return Treatment.model_validate({"retries": {"most": 0}, **treatment})


def bounds(share: Share = Share(), **treatment: Any) -> Bounds:  # noqa: B008
    return Bounds("court", declared(**treatment), share, wall)


async def call(one: Bounds, system: System, seconds: float = 100, *, idempotent: bool = True) -> AgencyFailure | None:
    """How a call fared: None where it was answered."""
    try:
        await one.call(system.answer, now() + seconds, idempotent=idempotent)
    except AgencyFailure as error:
        return error
    return None


async def calls(one: Bounds, system: System, number: int, **options: Any) -> list[AgencyFailure | None]:
    return [await call(one, system, **options) for _ in range(number)]


def code(error: AgencyFailure | None) -> FailureCode | None:
    return error.failure if error else None


@in_virtual_time
async def test_no_more_calls_are_under_way_than_the_agency_bears() -> None:
    one, system = bounds(concurrency=3), System(then=1)
    assert await asyncio.gather(*(call(one, system) for _ in range(10))) == [None] * 10
    assert system.most_under_way == 3


@in_virtual_time
async def test_a_call_that_gets_no_place_in_time_is_not_sent() -> None:
    one, system = bounds(concurrency=1), System(then=3)
    first, second = await asyncio.gather(call(one, system), call(one, system, 2))
    assert (first, code(second)) == (None, FailureCode.AGENCY_OVERLOADED)
    assert isinstance(second, NotSent)
    assert (len(system.came), one.counts.refused.places) == (1, 1)


@in_virtual_time
async def test_calls_beyond_the_rate_wait_for_their_turn() -> None:
    one, system = bounds(rate={"second": 2}), System()
    assert await asyncio.gather(*(call(one, system) for _ in range(5))) == [None] * 5
    assert system.came == [0, 0, SECOND, SECOND, 2 * SECOND]


@in_virtual_time
async def test_calls_that_waited_while_their_process_stood_still_leave_at_the_rate_and_not_all_at_once() -> None:
    one, system = bounds(rate={"second": 2}), System()
    asking = [asyncio.create_task(call(one, system)) for _ in range(8)]
    await asyncio.sleep(0.5)
    stand_still(10)
    assert await asyncio.gather(*asking) == [None] * 8
    assert max(sum(0 <= later - earlier < 1 for later in system.came) for earlier in system.came) == 2


@in_virtual_time
async def test_a_call_whose_turn_would_come_too_late_is_not_sent_and_costs_nothing() -> None:
    one, system = bounds(rate={"second": 1}), System()
    first, second, third = await asyncio.gather(call(one, system), call(one, system, 0.5), call(one, system))
    assert (first, code(second), third) == (None, FailureCode.AGENCY_OVERLOADED, None)
    assert system.came == [0, SECOND]
    assert one.counts.refused.rate == 1


@in_virtual_time
async def test_the_days_calls_are_no_more_than_declared_until_midnight() -> None:
    one, system = bounds(rate={"day": 3}), System()
    assert [code(error) for error in await calls(one, system, 5)] == [None] * 3 + [FailureCode.AGENCY_OVERLOADED] * 2
    await asyncio.sleep(24 * 3600)
    assert await calls(one, system, 3) == [None] * 3
    assert (len(system.came), one.counts.refused.day) == (6, 2)


@in_virtual_time
async def test_calls_that_waited_for_the_shared_count_of_the_day_leave_at_the_rate_all_the_same() -> None:
    counted = 0

    async def add(_day: str, number: int, _known: int, _seconds: float) -> int:
        nonlocal counted
        counted += number
        await asyncio.sleep(0.1)
        return counted

    one, system = Bounds("court", declared(rate={"second": 1, "day": 100}), clock=wall, add=add), System()
    assert await asyncio.gather(*(call(one, system) for _ in range(4))) == [None] * 4
    assert [later - earlier for earlier, later in pairwise(system.came)] == [pytest.approx(SECOND)] * 3


@pytest.mark.parametrize("shared", [True, False])
@in_virtual_time
async def test_a_call_that_does_not_leave_costs_neither_its_turn_nor_one_of_the_days(*, shared: bool) -> None:
    async def add(_day: str, number: int, _known: int, _seconds: float) -> int:
        counts.append(number)
        await asyncio.sleep(0.1)
        return sum(counts)

    counts: list[int] = []
    treatment = declared(rate={"second": 1, "day": 3}, breaker={"failures": 1})
    one, system = Bounds("court", treatment, clock=wall, add=add if shared else None), System()
    assert await call(one, system) is None
    leaving = asyncio.create_task(call(one, system))
    await asyncio.sleep(0.3)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert [code(error) for error in await calls(one, system, 3)] == [None, None, FailureCode.AGENCY_OVERLOADED]
    assert [later - earlier for earlier, later in pairwise(system.came)] == [pytest.approx(SECOND)] * 2


@in_virtual_time
async def test_each_process_sends_its_share() -> None:
    system = System()
    every = [bounds(Share(number, 3), rate={"second": 100, "day": 10}) for number in (1, 2, 3)]
    for one in every:
        await calls(one, system, 10)
    assert len(system.came) == 10
    system = System()
    await calls(bounds(Share(1, 3), rate={"second": 6}), system, 3)
    assert [moment - system.came[0] for moment in system.came] == [0, 0, SECOND]


@in_virtual_time
async def test_further_requests_of_a_call_keep_to_the_rate_too() -> None:
    one, came = bounds(rate={"second": 2}), []

    async def three_pages(timeout: float) -> SourceAnswer:  # noqa: ASYNC109
        deadline = now() + timeout
        for page in range(3):
            if page:
                await one.further(deadline)
            came.append(now())
        return ANSWER

    await one.call(three_pages, now() + 10, idempotent=True)
    await one.call(three_pages, now() + 10, idempotent=True)
    assert came == [0, 0, SECOND, SECOND, 2 * SECOND, 2 * SECOND]


@in_virtual_time
async def test_under_maintenance_nothing_is_sent() -> None:
    one, system = bounds(maintenance=[{"from": "00:10", "to": "00:20"}], retries={"most": 2}), System()
    assert await call(one, system) is None
    await asyncio.sleep(600)
    refused = await call(one, system)
    assert isinstance(refused, NotSent)
    assert (code(refused), now()) == (FailureCode.AGENCY_UNAVAILABLE, 600)
    await asyncio.sleep(600)
    assert await call(one, system) is None
    assert (len(system.came), one.counts.refused.maintenance) == (2, 1)


@in_virtual_time
async def test_a_call_that_waited_into_the_maintenance_is_not_sent() -> None:
    one, system = bounds(maintenance=[{"from": "00:01", "to": "00:20"}], concurrency=1, timeout=100), System(then=61)
    first, second = await asyncio.gather(call(one, system), call(one, system))
    assert (first, code(second), len(system.came)) == (None, FailureCode.AGENCY_UNAVAILABLE, 1)


@in_virtual_time
async def test_a_call_that_failed_is_repeated_where_it_may_be() -> None:
    one = bounds(retries={"most": 2})
    for failure in (ILL, DOWN):
        system = System([failure, failure])
        assert await call(one, system) is None
        pauses = [later - earlier for earlier, later in pairwise(system.came)]
        assert 0.05 <= pauses[0] <= 0.1 <= pauses[1] <= 0.2
    assert (one.counts.calls, one.counts.retries, one.counts.failures) == (6, 4, 4)


@in_virtual_time
async def test_a_late_call_is_repeated_if_there_is_time() -> None:
    one, system = bounds(retries={"most": 1}, timeout=2), System([60])
    assert await call(one, system) is None
    assert (len(system.came), system.cancelled, one.counts.timeouts) == (2, 1, 1)


@pytest.mark.parametrize(
    ("failure", "options"),
    [
        (ILL, {"idempotent": False}),
        (BAD, {}),
        (AgencyFailure(FailureCode.LIMIT, "too large", retryable=False), {}),
        (ILL, {"seconds": 0.05}),
        (throttled(20), {"seconds": 10}),
    ],
)
@in_virtual_time
async def test_a_call_that_may_not_be_repeated_or_not_in_time_is_not(
    failure: AgencyFailure, options: dict[str, Any]
) -> None:
    one, system = bounds(retries={"most": 2}), System([failure])
    assert await call(one, system, **options) is failure
    assert len(system.came) == 1


@pytest.mark.parametrize("processes", [1, 3, 30])
@in_virtual_time
async def test_the_repetitions_that_are_saved_up_are_no_more_where_there_are_more_processes(processes: int) -> None:
    system = System(then=ILL)
    treatment = {"retries": {"most": 1, "percent": 0.1}, "breaker": {"failures": 100}}
    for number in range(1, processes + 1):
        one = bounds(Share(number, processes), **treatment)
        await calls(one, system, 20)
    assert 0 <= len(system.came) - 20 * processes <= 10


@in_virtual_time
async def test_repetitions_are_a_part_of_all_calls() -> None:
    one = bounds(retries={"most": 2, "percent": 10}, breaker={"failures": 100})
    answered, failing = System(), System(then=ILL)
    await calls(one, failing, 20)
    assert one.counts.retries == 11  # what was saved up, and what these calls earned
    await calls(one, answered, 50)
    await calls(one, failing, 20)
    assert one.counts.retries == 11 + 7
    await calls(one, answered, 1000)
    await calls(one, failing, 20)
    assert one.counts.retries == 11 + 7 + 11


@in_virtual_time
async def test_an_agency_is_asked_again_when_it_said_and_meanwhile_by_nobody() -> None:
    one, system = bounds(retries={"most": 1}), System([throttled(7)])
    first = asyncio.create_task(call(one, system))
    await asyncio.sleep(1)
    patient, hasty = await asyncio.gather(call(one, system), call(one, system, 3))
    assert (await first, patient, code(hasty)) == (None, None, FailureCode.AGENCY_OVERLOADED)
    assert system.came == [0, 7, 7.125]
    assert one.counts.refused.pause == 1


@in_virtual_time
async def test_calls_that_waited_for_the_end_of_a_pause_do_not_leave_all_at_once() -> None:
    one, system = bounds(concurrency=4), System([throttled(7)], then=0.1)
    await call(one, system)
    assert await asyncio.gather(*(call(one, system) for _ in range(6))) == [None] * 6
    assert system.came == pytest.approx([0, 7, 7.1, 7.2, 7.25, 7.5, 7.75])


@in_virtual_time
async def test_a_pause_that_begins_while_calls_wait_for_their_turns_leaves_them_at_the_rate() -> None:
    one, system = bounds(rate={"second": 1}), System([(0.5, throttled(9))])
    await asyncio.gather(*(call(one, system) for _ in range(4)))
    assert system.came == pytest.approx([0, 9.5, 9.5 + SECOND, 9.5 + 2 * SECOND])


@in_virtual_time
async def test_an_agency_that_only_says_too_often_is_left_alone_for_a_second() -> None:
    one, system = bounds(), System([throttled()])
    assert [code(error) for error in await calls(one, system, 2)] == [FailureCode.AGENCY_OVERLOADED, None]
    assert system.came == [0, 1]


@in_virtual_time
async def test_an_agency_that_wants_to_be_left_alone_for_ever_is_not() -> None:
    one, system = bounds(), System([throttled(1e9)])
    await call(one, system)
    assert await call(one, system, 1e9) is None
    assert system.came == [0, LONGEST_PAUSE]


@in_virtual_time
async def test_a_pause_that_begins_while_a_call_waits_for_its_turn_holds_for_it_too() -> None:
    one, system = bounds(rate={"second": 1}), System([(0.5, throttled(9))])
    await asyncio.gather(call(one, system), call(one, system))
    assert system.came == [0, 9.5]


@pytest.mark.parametrize(
    "failure", [ILL, DOWN, 60.0, AgencyFailure(FailureCode.AGENCY_OVERLOADED, "status 503", retryable=True)]
)
@in_virtual_time
async def test_an_agency_that_keeps_failing_is_left_alone_until_a_call_is_answered(
    failure: AgencyFailure | float,
) -> None:
    one, system = bounds(breaker={"failures": 3, "seconds": 5}), System([failure] * 4)
    await calls(one, system, 3)
    refused = await call(one, system)
    assert isinstance(refused, NotSent)
    assert (code(refused), one.breaker.state(now())) == (FailureCode.AGENCY_UNAVAILABLE, BreakerState.OPEN)
    await asyncio.sleep(5)
    assert not isinstance(await call(one, system), NotSent)
    assert isinstance(await call(one, system), NotSent)
    await asyncio.sleep(5)
    assert await calls(one, system, 2) == [None, None]
    assert (len(system.came), one.counts.refused.breaker, one.breaker.state(now())) == (6, 2, BreakerState.CLOSED)


@pytest.mark.parametrize("failure", [BAD, throttled(0), AgencyFailure(FailureCode.LIMIT, "too large", retryable=False)])
@in_virtual_time
async def test_an_agency_that_answers_though_not_as_it_should_is_asked_on(failure: AgencyFailure) -> None:
    one, system = bounds(breaker={"failures": 3}), System(then=failure)
    assert await calls(one, system, 20) == [failure] * 20


@in_virtual_time
async def test_impatient_callers_do_not_get_an_agency_left_alone() -> None:
    one, system = bounds(breaker={"failures": 3}, timeout=5), System(then=3)
    assert [code(error) for error in await calls(one, system, 20, seconds=2.4)] == [FailureCode.AGENCY_TIMEOUT] * 20
    assert await call(one, system) is None
    assert [code(error) for error in await calls(one, system, 3, seconds=2.6)] == [FailureCode.AGENCY_TIMEOUT] * 3
    assert isinstance(await call(one, system), NotSent)


@in_virtual_time
async def test_an_agency_that_is_given_longer_than_requests_wait_is_left_alone_where_it_is_silent() -> None:
    one, system = bounds(breaker={"failures": 3}, timeout=60), System(then=1000)
    assert [code(error) for error in await calls(one, system, 20, seconds=2.4)] == [FailureCode.AGENCY_TIMEOUT] * 20
    assert [code(error) for error in await calls(one, system, 3, seconds=5)] == [FailureCode.AGENCY_TIMEOUT] * 3
    assert isinstance(await call(one, system, 5), NotSent)


@in_virtual_time
async def test_an_agency_that_answers_though_later_than_requests_wait_is_not_left_alone_for_it() -> None:
    one, system = bounds(breaker={"failures": 3}, timeout=60), System(then=9)
    assert await calls(one, system, 3) == [None] * 3
    assert [code(error) for error in await calls(one, system, 10, seconds=5)] == [FailureCode.AGENCY_TIMEOUT] * 10
    assert await call(one, system) is None


@in_virtual_time
async def test_clients_that_go_away_tell_nothing_of_an_agency() -> None:
    one, system = bounds(breaker={"failures": 1}, timeout=60), System([1000] * 5)
    for _ in range(5):
        with suppress(TimeoutError):
            async with asyncio.timeout(50):
                await one.call(system.answer, now() + 100, idempotent=True)
    assert await call(one, system) is None


@in_virtual_time
async def test_a_cancelled_call_that_tried_lets_another_try() -> None:
    one, system = bounds(breaker={"failures": 1, "seconds": 5}), System([ILL, 60])
    await call(one, system)
    await asyncio.sleep(5)
    trying = asyncio.create_task(call(one, system))
    await asyncio.sleep(1)
    assert isinstance(await call(one, system), NotSent)
    trying.cancel()
    with suppress(asyncio.CancelledError):
        await trying
    assert await call(one, system) is None


@in_virtual_time
async def test_calls_that_wait_when_the_breaker_opens_are_not_sent() -> None:
    one, system = bounds(breaker={"failures": 1}, concurrency=1), System(then=60)
    fared = await asyncio.gather(*(call(one, system) for _ in range(4)))
    assert [code(error) for error in fared] == [FailureCode.AGENCY_TIMEOUT] + [FailureCode.AGENCY_UNAVAILABLE] * 3
    assert len(system.came) == 1


@in_virtual_time
async def test_a_slow_call_is_hedged_and_the_first_answer_counts() -> None:
    one, system = bounds(hedgeAfter=0.5), System([4, 1])
    assert await call(one, system) is None
    assert (system.came, now(), system.cancelled) == ([0, 0.5], 1.5, 1)
    assert (one.counts.calls, one.counts.hedges) == (2, 1)


@in_virtual_time
async def test_a_hedge_that_fails_leaves_the_call_to_answer() -> None:
    one, system = bounds(hedgeAfter=0.5), System([4, ILL])
    assert await call(one, system) is None
    assert now() == 4


@in_virtual_time
async def test_where_both_fail_the_call_has_failed() -> None:
    one, system = bounds(hedgeAfter=0.5, timeout=2), System([60, ILL])
    assert code(await call(one, system)) is FailureCode.AGENCY_TIMEOUT
    assert (len(system.came), system.under_way) == (2, 0)


NOT_HEDGED: dict[str, Callable[[], dict[str, Any]]] = {
    "which is quick": lambda: {"hedgeAfter": 2},
    "where it is not declared": dict,
    "beyond the places": lambda: {"concurrency": 1},
    "beyond the rate": lambda: {"rate": {"second": 1}, "hedgeAfter": 0.2},
    "beyond the budget": lambda: {"retries": {"percent": 0}},
}


@pytest.mark.parametrize("why", NOT_HEDGED)
@in_virtual_time
async def test_no_call_is_hedged(why: str) -> None:
    declared = NOT_HEDGED[why]()
    hedging = {} if why == "where it is not declared" else {"hedgeAfter": 0.5}
    one, system = bounds(**{**hedging, **declared}), System(then=1.5)
    assert await call(one, system) is None
    assert len(system.came) == 1


@in_virtual_time
async def test_what_must_not_be_sent_twice_is_not_hedged() -> None:
    one, system = bounds(hedgeAfter=0.5), System([4])
    assert await call(one, system, idempotent=False) is None
    assert system.came == [0]


@in_virtual_time
async def test_a_cancelled_call_takes_its_hedge_along() -> None:
    one, system = bounds(hedgeAfter=0.5), System([60, 60])
    asking = asyncio.create_task(call(one, system))
    await asyncio.sleep(1)
    assert system.under_way == 2
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert (system.under_way, system.cancelled) == (0, 2)


@in_virtual_time
async def test_latencies_are_counted_in_classes() -> None:
    one = bounds()
    assert one.counts.latencies.within(0.5) is None
    await calls(one, System(then=0.02), 9)
    await calls(one, System([3]), 1)
    assert tuple(map(one.counts.latencies.within, (0.5, 0.9, 0.99))) == (0.025, 0.025, 5)
    assert one.counts.latencies.seconds == pytest.approx(3.18)


@in_virtual_time
async def test_what_was_sent_of_the_day_stays_sent_when_its_bound_changes() -> None:
    one, system = bounds(rate={"day": 5}), System()
    await calls(one, system, 3)
    one.change(declared(rate={"day": 6, "second": 1000}), "system")
    assert [code(error) for error in await calls(one, system, 4)] == [None] * 3 + [FailureCode.AGENCY_OVERLOADED]
    one.change(declared(rate={"day": 2}), "system")
    assert code(await call(one, system)) is FailureCode.AGENCY_OVERLOADED
    one.change(declared(rate={"day": 2}, zone="Asia/Tokyo"), "system")
    assert code(await call(one, system)) is FailureCode.AGENCY_OVERLOADED
    await asyncio.sleep(24 * 3600)
    assert await calls(one, system, 2) == [None] * 2


@in_virtual_time
async def test_what_was_sent_within_the_second_counts_when_the_rate_changes() -> None:
    one, system = bounds(rate={"second": 2}), System()
    await calls(one, system, 2)
    one.change(declared(rate={"second": 3, "minute": 5}), "system")
    assert await asyncio.gather(*(call(one, system) for _ in range(5))) == [None] * 5
    assert system.came == [0, 0, 0, SECOND, SECOND, 59 + SECOND, 59 + SECOND]


@in_virtual_time
async def test_a_breaker_that_is_open_and_a_pause_stay_when_a_bound_changes_and_go_with_another_system() -> None:
    for failure, refusal in ((ILL, FailureCode.AGENCY_UNAVAILABLE), (throttled(30), FailureCode.AGENCY_OVERLOADED)):
        one, system = bounds(breaker={"failures": 2, "seconds": 60}), System([failure] * 2)
        one.change(declared(breaker={"failures": 2, "seconds": 60}), "system")
        await calls(one, system, 2)
        one.change(
            declared(breaker={"failures": 4, "seconds": 50}, rate={"second": 9}, concurrency=2, timeout=1), "system"
        )
        assert code(await call(one, system, 10)) is refusal
        one.change(declared(), "another system")
        assert await call(one, system, 10) is None


@in_virtual_time
async def test_another_system_is_asked_at_once_at_the_rate_whatever_was_to_wait_for_the_one_before() -> None:
    one, system = bounds(rate={"second": 1}), System([throttled(200)])
    one.change(declared(rate={"second": 1}), "system")
    await call(one, system)
    assert code(await call(one, system, 10)) is FailureCode.AGENCY_OVERLOADED
    one.change(declared(rate={"second": 1}), "another system")
    assert await asyncio.gather(*(call(one, system, 10) for _ in range(3))) == [None] * 3
    assert system.came[1:] == [0, SECOND, 2 * SECOND]


@in_virtual_time
async def test_calls_under_way_count_when_the_agency_bears_fewer_or_more() -> None:
    one, system = bounds(timeout=100, concurrency=4), System(then=10)
    first = [asyncio.create_task(call(one, system)) for _ in range(8)]
    await asyncio.sleep(1)
    one.change(declared(timeout=100, concurrency=2), "system")
    await asyncio.sleep(10)
    assert (system.under_way, one.concurrency) == (2, 2)
    one.change(declared(timeout=100, concurrency=3), "system")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert system.under_way == 3
    assert await asyncio.gather(*first) == [None] * 8


class Lending:
    """A lender of one place, which is given back to it."""

    def __init__(self, *, lent: bool = False) -> None:
        self.lent = lent
        self.asked = 0

    async def lend(self, deadline: float) -> GiveBack:
        self.asked += 1
        while self.lent:
            await pause(0.01, deadline)
        self.lent = True
        return self.give_back

    def give_back(self) -> None:
        self.lent = False


@in_virtual_time
async def test_a_call_needs_a_place_of_each_lender_and_gives_all_back_however_it_fares() -> None:
    one, system, lenders = bounds(concurrency=1), System([BAD, ILL, 200.0]), [Lending(), Lending()]
    one.change(declared(concurrency=1), "system", lenders)
    assert [code(error) for error in await calls(one, system, 3)] == [BAD.failure, ILL.failure, late(0).failure]
    assert [(lender.asked, lender.lent) for lender in lenders] == [(3, False)] * 2
    lenders[1].lent = True
    refused = await call(one, system, 1)
    assert isinstance(refused, NotSent)
    assert (lenders[0].lent, len(system.came), one.counts.refused.places) == (False, 3, 1)


@in_virtual_time
async def test_a_call_that_waits_for_a_place_when_the_manifest_changes_gets_one_as_that_says() -> None:
    one, system, before, after = bounds(concurrency=1), System(), Lending(lent=True), Lending(lent=True)
    one.change(declared(concurrency=1), "system", [before])
    asking = asyncio.create_task(call(one, system))
    await asyncio.sleep(1)
    one.change(declared(concurrency=1), "system", [after])
    before.give_back()
    await asyncio.sleep(1)
    assert (before.lent, len(system.came)) == (False, 0)
    after.give_back()
    assert (await asking, len(system.came)) == (None, 1)


@in_virtual_time
async def test_where_the_one_place_is_lent_there_are_no_hedging_calls() -> None:
    one, system = bounds(concurrency=1), System(then=3)
    one.change(declared(concurrency=1, hedgeAfter=1), "system", [Lending()])
    assert await calls(one, system, 2) == [None, None]
    assert (len(system.came), one.counts.hedges) == (2, 0)


@in_virtual_time
async def test_a_call_is_not_sent_to_an_agency_that_is_left_alone_by_the_time_a_place_is_lent() -> None:
    one, system, lender = bounds(concurrency=2), System([(1.0, ILL)]), Lending(lent=True)
    failing = asyncio.create_task(call(one, system))
    await asyncio.sleep(0.5)
    one.change(declared(concurrency=2, breaker={"failures": 1, "seconds": 60}), "system", [lender])
    waiting = asyncio.create_task(call(one, system))
    await failing
    lender.give_back()
    assert code(await waiting) is FailureCode.AGENCY_UNAVAILABLE
    assert (len(system.came), lender.lent) == (1, False)


class Beats:
    """A pacer whose next turn comes after so many seconds, until it has none left."""

    def __init__(self, *seconds: float) -> None:
        self._left = list(seconds)

    async def wait(self, _: float) -> None:
        if not self._left:
            raise NotSent(FailureCode.AGENCY_OVERLOADED, "no turn")
        await asyncio.sleep(self._left.pop(0))


@in_virtual_time
async def test_a_call_and_each_page_of_it_wait_for_the_pacer_as_well() -> None:
    one, system = bounds(rate={"second": 5}), System()
    one.change(declared(rate={"second": 5}), "system", (), Beats(3, 4))
    assert await call(one, system) is None
    assert system.came == [3]
    await one.further(100)
    assert now() == 7
    assert isinstance(await call(one, system), NotSent)
    assert (len(system.came), one.counts.refused.rate) == (1, 1)


@in_virtual_time
async def test_a_pause_that_begins_while_a_call_waits_for_the_pacer_is_kept_to() -> None:
    one, system = bounds(rate={"second": 5}), System([throttled(30.0)])
    one.change(declared(rate={"second": 5}), "system", (), Beats(1, 3, 0))
    first, second = await asyncio.gather(call(one, system), call(one, system))
    assert (code(first), second) == (FailureCode.AGENCY_OVERLOADED, None)
    assert system.came[0] == 1
    assert system.came[1] >= 31
