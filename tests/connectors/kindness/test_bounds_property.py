"""Whatever is asked of an agency, by whomever, and whoever goes away: it gets no more than it bears."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import FailureCode, SourceAnswer
from connectors.errors import AgencyFailure, NotSent
from connectors.kindness.bounds import Bounds
from connectors.kindness.declared import Treatment
from tests.connectors.kindness.virtual_time import VirtualLoop, now, wall

DAY = 24 * 3600.0
PATIENT = 1e6
"""Seconds of a call whose turn comes in any case."""

ROUNDING = 1e-5
"""Seconds by which two sums of the same times may differ."""


@dataclass(frozen=True)
class Caller:
    """Asks after so many seconds, waits for so many more, and may go away; how its call fares at the agency."""

    after: float
    seconds: float
    leaves_after: float | None
    takes: float
    failure: AgencyFailure | None
    further: bool
    idempotent: bool


@dataclass
class System:
    """When calls and their further requests came, and how many were under way."""

    came: list[float] = field(default_factory=list)
    pauses: list[tuple[float, float]] = field(default_factory=list)
    under_way: int = 0
    most: int = 0

    async def answer(self, one: Bounds, caller: Caller, timeout: float) -> SourceAnswer:  # noqa: ASYNC109
        ends = now() + timeout
        self.came.append(now())
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(caller.takes)
            if caller.further:
                await one.further(ends)
                self.came.append(now())
            if caller.failure is not None:
                wanted = caller.failure.retry_after or float(caller.failure.throttled)
                self.pauses.append((now(), now() + wanted))
                raise caller.failure
        finally:
            self.under_way -= 1
        return SourceAnswer([])


def failure(**named: Any) -> AgencyFailure:
    return AgencyFailure(FailureCode.AGENCY_OVERLOADED, "no", retryable=True, **named)


callers = st.builds(
    Caller,
    after=st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.0, 1.7, 30.0, 61.5]),
    seconds=st.sampled_from([0.05, 1.0, 3.0, PATIENT, PATIENT]),
    leaves_after=st.sampled_from([None, None, None, 0.0, 0.2, 1.1, 5.0]),
    takes=st.sampled_from([0.0, 0.0, 0.1, 0.5, 2.0]),
    failure=st.sampled_from([None, None, None, failure(), failure(throttled=True), failure(retry_after=4.0)]),
    further=st.booleans(),
    idempotent=st.booleans(),
)
treatments = st.builds(
    lambda second, minute, day, concurrency, most, hedge: Treatment.model_validate(
        {
            "timeout": 50,
            "concurrency": concurrency,
            "rate": {"second": second, "minute": minute, "day": day} if second or minute or day else None,
            "retries": {"most": most},
            "breaker": {"failures": 100},
            "hedgeAfter": hedge,
        }
    ),
    second=st.none() | st.integers(1, 4),
    minute=st.none() | st.integers(1, 12),
    day=st.none() | st.integers(1, 15),
    concurrency=st.integers(1, 4),
    most=st.integers(0, 2),
    hedge=st.none() | st.just(0.4),
)
many = st.lists(callers, min_size=1, max_size=25)
delays = st.sampled_from([None, 0.0, 0.1, 0.7])


class Counting:
    """A store that counts days, and takes its time."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._counts: dict[str, int] = {}

    async def add(self, day: str, number: int, _known: int, _seconds: float) -> int:
        self._counts[day] = self._counts.get(day, 0) + number
        total = self._counts[day]
        await asyncio.sleep(self._delay)
        return total


async def ask(one: Bounds, system: System, caller: Caller) -> AgencyFailure | None:
    await asyncio.sleep(caller.after)
    try:
        async with asyncio.timeout(caller.leaves_after):
            deadline = now() + caller.seconds
            await one.call(partial(system.answer, one, caller), deadline, idempotent=caller.idempotent)
    except AgencyFailure as error:
        return error
    except TimeoutError:
        pass
    return None


def most_in(seconds: float, moments: list[float]) -> int:
    return max(
        (sum(start <= moment < start + seconds - ROUNDING for moment in moments) for start in moments), default=0
    )


def most_in_a_day(moments: list[float]) -> int:
    days = [moment // DAY for moment in moments]
    return max(map(days.count, days), default=0)


def run(treatment: Treatment, asked: list[Caller], delay: float | None, later: Treatment | None = None) -> System:
    """What the system saw of these callers; `later` is how it is to be treated from the second second on."""
    system = System()

    async def all_of_them() -> None:
        one = Bounds("court", treatment, clock=wall, add=None if delay is None else Counting(delay).add)
        asking = [asyncio.create_task(ask(one, system, caller)) for caller in asked]
        if later is not None:
            await asyncio.sleep(2)
            one.change(later, "system")
        fared = await asyncio.gather(*asking)
        for caller, error in zip(asked, fared, strict=True):
            # Its further request has the time of a call, and may fail for that.
            patient = caller.seconds == PATIENT and caller.failure is None and not caller.further
            if patient and not (treatment.rate and treatment.rate.day) and later is None:
                assert not isinstance(error, NotSent)
        assert system.under_way == 0
        # Every place was given back: so many calls are under way at once again.
        await asyncio.sleep(DAY)
        patient = Caller(0, PATIENT, None, 1000, None, further=False, idempotent=False)
        again = [asyncio.create_task(ask(one, System(), patient)) for _ in range(2)]
        await asyncio.gather(*again)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(all_of_them())
    return system


def check(system: System, treatment: Treatment) -> None:
    rate = treatment.rate
    assert system.most <= treatment.concurrency
    for began, until in system.pauses:
        assert not any(began < moment < until - ROUNDING for moment in system.came)
    if rate is not None:
        for seconds, calls in ((1, rate.second), (60, rate.minute)):
            assert calls is None or most_in(seconds, system.came) <= calls
        assert rate.day is None or most_in_a_day(system.came) <= rate.day


@given(treatments, many, delays)
@settings(max_examples=300, deadline=None)
def test_an_agency_gets_no_more_than_it_bears_and_everybody_has_a_turn(
    treatment: Treatment, asked: list[Caller], delay: float | None
) -> None:
    check(run(treatment, asked, delay), treatment)


@given(treatments, treatments, many, delays)
@settings(max_examples=200, deadline=None)
def test_a_change_never_lets_more_through_than_the_wider_of_both(
    treatment: Treatment, later: Treatment, asked: list[Caller], delay: float | None
) -> None:
    system = run(treatment, asked, delay, later)
    wider = max(treatment.concurrency, later.concurrency)
    assert system.most <= wider
    if treatment.rate is None or later.rate is None:
        return
    for seconds, name in ((1, "second"), (60, "minute")):
        bounds = [getattr(rate, name) for rate in (treatment.rate, later.rate)]
        if None not in bounds:
            assert most_in(seconds, system.came) <= max(bounds)
    if treatment.rate.day and later.rate.day:
        assert most_in_a_day(system.came) <= max(treatment.rate.day, later.rate.day)
