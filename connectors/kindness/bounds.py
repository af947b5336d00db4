"""The bounds of one agency, which all calls to it keep: how many, when, how long, and how often again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from connectors.contract import FailureCode, SourceAnswer
from connectors.errors import AgencyFailure, NotSent
from connectors.kindness.breaker import CircuitBreaker
from connectors.kindness.counts import Counts
from connectors.kindness.declared import Treatment
from connectors.kindness.maintenance import Maintenance
from connectors.kindness.rate import DayBudget, next_moment, paces
from connectors.kindness.retries import RetryBudget, pause_before
from connectors.kindness.share import WHOLE, Share
from connectors.kindness.shared_day import Add, SharedDay

PAUSE: Final = 1.0
"""Seconds for which an agency is not asked that said that it is asked too often, and not when to ask again."""

LONGEST_PAUSE: Final = 300.0
"""The most seconds of a `Retry-After` that are kept to: one that was mistaken must not take the agency away."""

ENOUGH: Final = 0.5
"""The part of the agency's timeout that a call must have had, for being late to count against the agency: requests
have deadlines of their own, and whoever sets short ones must not have it left alone.
"""

Send = Callable[[float], Awaitable[SourceAnswer]]
"""Sends a call, which has so many seconds. Raises `AgencyFailure`."""

_log = structlog.get_logger(__name__)


class Bounds:
    """What one process may ask of an agency; every call to it goes through here."""

    def __init__(
        self,
        agency: str,
        treatment: Treatment,
        share: Share = WHOLE,
        clock: Callable[[], float] = time.time,
        add: Add | None = None,
    ) -> None:
        """`treatment.concurrency` is this process's own; the rest is divided by its `share`, but for the day's calls
        where there is a store that counts them (`add`). `clock` gives the seconds of the Unix epoch.
        """
        self.agency = agency
        self.timeout = treatment.timeout
        self.concurrency = treatment.concurrency
        self.counts = Counts()
        self.breaker = CircuitBreaker(agency, treatment.breaker)
        rate = treatment.rate
        self._clock = clock
        self._places = asyncio.Semaphore(treatment.concurrency)
        self._maintenance = Maintenance(treatment.maintenance, treatment.zone) if treatment.maintenance else None
        self._paces = paces(rate, share) if rate else ()
        self.day = DayBudget(share.of(rate.day), treatment.zone, clock()) if rate and rate.day else None
        self._shared_day = (
            SharedDay(rate.day, treatment.zone, self.day, add) if rate and rate.day and self.day and add else None
        )
        self._day_is_spent = False
        self.is_metered = rate is not None
        self._paused_until = float("-inf")
        self._repetitions = treatment.retries.most
        self._budget = RetryBudget(treatment.retries, share)
        self._hedge_after = treatment.hedge_after

    @property
    def is_under_maintenance(self) -> bool:
        """Whether the agency is not asked now, for it is being maintained."""
        return self._maintenance is not None and self._maintenance.is_under_way(self._clock())

    async def call(self, send: Send, deadline: float, *, idempotent: bool) -> SourceAnswer:
        """Sends a call within all bounds; one that is idempotent is repeated, and hedged, where it may help and the
        budget allows.

        `deadline` is in seconds of the event loop's clock. Raises `AgencyFailure`.
        """
        self._budget.earn()
        once = self._hedged if idempotent and self._hedge_after is not None else self._once
        repetition = 0
        while True:
            try:
                return await once(send, deadline)
            except AgencyFailure as error:
                pause = pause_before(repetition)
                if not (idempotent and repetition < self._repetitions and self._may_repeat(error, pause, deadline)):
                    raise
            repetition += 1
            self.counts.retries += 1
            await asyncio.sleep(pause)

    async def further(self, deadline: float) -> None:
        """Waits until another request of a call that was sent may leave. Raises `NotSent`."""
        if self.is_metered:
            await self._admit(deadline)

    def _may_repeat(self, error: AgencyFailure, pause: float, deadline: float) -> bool:
        """Whether a call that failed is sent again after the pause; then it is taken out of the budget."""
        if not error.retryable or isinstance(error, NotSent):
            return False
        now = asyncio.get_running_loop().time()
        in_time = max(now + pause, self._paused_until) < deadline
        return in_time and not self.breaker.refuses(now) and self._budget.take()

    async def _once(self, send: Send, deadline: float) -> SourceAnswer:
        """Sends the call within the bounds, and learns from how it fares."""
        loop = asyncio.get_running_loop()
        self._check_open()
        waits = self._places.locked()
        if waits:
            await self._wait_for_place(deadline)
        else:
            await self._places.acquire()
        try:
            if self.is_metered or self._paused_until > loop.time():
                waits = True
                await self._admit(deadline)
            if waits:
                self._check_open()
            started = loop.time()
            timeout = min(self.timeout, deadline - started)
            if timeout <= 0:
                raise NotSent(FailureCode.AGENCY_TIMEOUT, "the deadline came before the call was sent")
            self.counts.calls += 1
            probe = self.breaker.begin()
            try:
                async with asyncio.timeout(timeout):
                    answer = await send(timeout)
            except TimeoutError:
                failure = late(timeout)
            except AgencyFailure as error:
                failure = error
            except BaseException:
                self.breaker.undecided(probe=probe)
                raise
            else:
                self.counts.answered(loop.time() - started)
                self.breaker.succeeded(probe=probe)
                return answer
            self._learn(failure, timeout, probe=probe)
            raise failure
        finally:
            self._places.release()

    async def _hedged(self, send: Send, deadline: float) -> SourceAnswer:
        """The answer of the call, or of a second one where the first takes long."""
        tasks = {asyncio.create_task(self._once(send, deadline), name="call")}
        try:
            await asyncio.wait(tasks, timeout=self._hedge_after)
            if not any(task.done() for task in tasks) and self._may_hedge():
                self.counts.hedges += 1
                tasks.add(asyncio.create_task(self._once(send, deadline), name="hedging call"))
            under_way = tasks
            while True:
                ended, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                answered = [task for task in ended if task.exception() is None]
                if answered or not under_way:
                    return (answered or list(ended))[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _may_hedge(self) -> bool:
        """Whether a second call would leave at once; then it is taken out of the budget."""
        now = asyncio.get_running_loop().time()
        at_once = next_moment(self._paces, max(now, self._paused_until)) <= now
        return at_once and not self._places.locked() and not self.breaker.refuses(now) and self._budget.take()

    def _is_paused(self) -> bool:
        return self._paused_until > asyncio.get_running_loop().time()

    def _check_open(self) -> None:
        """Raises `NotSent` where the agency is not to be asked at all now."""
        if self._maintenance is not None and self._maintenance.is_under_way(self._clock()):
            self.counts.refused.maintenance += 1
            raise NotSent(FailureCode.AGENCY_UNAVAILABLE, "not asked: it is under maintenance")
        if not self.breaker.is_closed and self.breaker.refuses(asyncio.get_running_loop().time()):
            self.counts.refused.breaker += 1
            raise NotSent(FailureCode.AGENCY_UNAVAILABLE, "not asked: it keeps failing")

    async def _wait_for_place(self, deadline: float) -> None:
        """Waits for a place at the agency; waiting counts against the deadline. Raises `NotSent`."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        except TimeoutError:
            self.counts.refused.places += 1
            raise _overloaded("all places for calls to the agency were taken") from None

    async def _admit(self, deadline: float) -> None:
        """Waits until a call may leave by the agency's rate, and what it asked for. Raises `NotSent`."""
        loop = asyncio.get_running_loop()
        moment = next_moment(self._paces, max(loop.time(), self._paused_until))
        if moment >= deadline:
            if self._is_paused():
                self.counts.refused.pause += 1
                raise _overloaded("the agency wants not to be asked now")
            self.counts.refused.rate += 1
            raise _overloaded("the agency's rate is used up")
        await self._take_of_day()
        for pace in self._paces:
            pace.take(moment)
        while (now := loop.time()) < (moment := max(moment, self._paused_until)):
            if moment >= deadline:
                self.counts.refused.pause += 1
                raise _overloaded("the agency wants not to be asked now")
            await asyncio.sleep(moment - now)

    async def _take_of_day(self) -> None:
        if self.day is None:
            return
        now = self._clock()
        spent = not (await self._shared_day.take(now) if self._shared_day else self.day.take(now))
        if spent != self._day_is_spent:
            self._day_is_spent = spent
            if spent:
                _log.warning("the day's calls are used up", agency=self.agency)
        if spent:
            self.counts.refused.day += 1
            raise _overloaded("the day's calls are used up")

    def _learn(self, failure: AgencyFailure, timeout: float, *, probe: bool) -> None:
        """Keeps what a failure tells of the agency."""
        if isinstance(failure, NotSent):
            self.breaker.undecided(probe=probe)
            return
        now = asyncio.get_running_loop().time()
        self.counts.failures += 1
        is_late = failure.failure is FailureCode.AGENCY_TIMEOUT
        self.counts.timeouts += is_late
        self._pause(failure, now)
        if is_late and timeout < ENOUGH * self.timeout:
            self.breaker.undecided(probe=probe)
        elif failure.retryable and not failure.throttled:
            self.breaker.failed(now, probe=probe)
        else:
            # It answered, though not as it should: that is no outage.
            self.breaker.succeeded(probe=probe)

    def _pause(self, failure: AgencyFailure, now: float) -> None:
        """Leaves the agency alone for as long as it wants to be."""
        wanted = failure.retry_after if failure.retry_after is not None else PAUSE if failure.throttled else 0
        if wanted > 0:
            if not self._is_paused():
                _log.warning("agency wants not to be asked", agency=self.agency, seconds=wanted)
            self._paused_until = max(self._paused_until, now + min(wanted, LONGEST_PAUSE))


def _overloaded(reason: str) -> NotSent:
    return NotSent(FailureCode.AGENCY_OVERLOADED, reason)


def late(seconds: float) -> AgencyFailure:
    """The failure of a call that had `seconds`, and no answer by then."""
    return AgencyFailure(FailureCode.AGENCY_TIMEOUT, f"no answer within {max(seconds, 0):.1f} s", retryable=True)
