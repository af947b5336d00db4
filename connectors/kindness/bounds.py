"""The bounds of one agency, which all calls to it keep: how many, when, how long, and how often again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from typing import Final

import structlog

from connectors.contract import FailureCode, SourceAnswer
from connectors.errors import AgencyFailure, NotSent
from connectors.kindness.breaker import CircuitBreaker
from connectors.kindness.counts import Counts
from connectors.kindness.days import Days
from connectors.kindness.declared import Treatment
from connectors.kindness.lender import GiveBack, Lender
from connectors.kindness.maintenance import Maintenance
from connectors.kindness.overload import TAKEN, USED_UP, overloaded
from connectors.kindness.pacer import Pacer
from connectors.kindness.places import Places
from connectors.kindness.rate import LATE, DayBudget
from connectors.kindness.retries import RetryBudget, pause_before
from connectors.kindness.schedule import Schedule
from connectors.kindness.share import WHOLE, Share
from connectors.kindness.shared_day import Add, SharedDay

PAUSE: Final = 1.0
"""Seconds for which an agency is not asked that said that it is asked too often, and not when to ask again."""

LONGEST_PAUSE: Final = 300.0
"""The most seconds of a `Retry-After` that are kept to: one that was mistaken must not take the agency away."""

ENOUGH: Final = 0.5
"""The part of its time that a call must have had, for being late to count against the agency: requests have deadlines
of their own, and whoever sets short ones must not have it left alone.
"""

PATIENCE: Final = 5.0
"""Seconds for which a request waits that does not say for how long, unless the gateway's settings say otherwise."""

Send = Callable[[float], Awaitable[SourceAnswer]]
"""Sends a call, which has so many seconds. Raises `AgencyFailure`."""

_log = structlog.get_logger(__name__)


class Bounds:
    """What one process may ask of an agency; every call to it goes through here."""

    def __init__(  # noqa: PLR0913, PLR0917  (what a process knows, and a manifest does not)
        self,
        agency: str,
        treatment: Treatment,
        share: Share = WHOLE,
        clock: Callable[[], float] = time.time,
        add: Add | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """What the agency bears is divided by this process's `share`, but for the day's calls where a store counts them
        (`add`). `clock` gives the seconds of the Unix epoch, `patience` those for which requests wait that
        do not say for how long.
        """
        self.agency = agency
        self.counts = Counts()
        self.breaker = CircuitBreaker(agency, treatment.breaker)
        self._treatment = treatment
        self._system: object = None
        self._share = share
        self._clock = clock
        self._patience = patience
        self._maintenance = Maintenance(treatment.maintenance, treatment.zone)
        self._places = Places(share.places(treatment.concurrency))
        self._lenders: Sequence[Lender] = ()
        self._pacer: Pacer | None = None
        self._schedule = Schedule(treatment.rate, share, treatment.concurrency)
        self._budget = RetryBudget(treatment.retries, share)
        self._days = Days(treatment, share, clock(), add)
        self._day_is_spent = False

    def change(
        self, treatment: Treatment, system: object, lenders: Sequence[Lender] = (), pacer: Pacer | None = None
    ) -> None:
        """The agency is to be treated so from now on, and what it was asked counts as before. How it fared does, unless
        it has another `system` from now on: that tells nothing of it. Beside a place of this process, a call needs one
        from each of the `lenders`, and beside its turn in this process one from the `pacer`, where there is any.
        """
        before, self._treatment = self._treatment, treatment
        if self._system is not None and system != self._system:
            self.breaker.forget()
            self._schedule.resume(asyncio.get_running_loop().time())
        self._system = system
        self.breaker.change(treatment.breaker)
        self._budget.change(treatment.retries, self._share)
        self._maintenance = Maintenance(treatment.maintenance, treatment.zone)
        self._places.change(self._share.places(treatment.concurrency))
        self._lenders = lenders
        self._pacer = pacer
        if (before.rate, before.concurrency) != (treatment.rate, treatment.concurrency):
            self._schedule.change(treatment.rate, self._share, treatment.concurrency)
        if (before.rate, before.zone) != (treatment.rate, treatment.zone):
            self._days.change(treatment, self._clock())

    @property
    def day(self) -> DayBudget | None:
        """What this process has of the day's calls by itself, where they are bounded."""
        return self._days.own

    @property
    def concurrency(self) -> int:
        """The most calls of this process at once."""
        return self._places.most

    @property
    def is_under_maintenance(self) -> bool:
        """Whether the agency is not asked now, for it is being maintained."""
        return self._maintenance.is_under_way(self._clock())

    async def call(self, send: Send, deadline: float, *, idempotent: bool) -> SourceAnswer:
        """Sends a call within all bounds; one that is idempotent is repeated, and hedged, where it may help and the
        budget allows.

        `deadline` is in seconds of the event loop's clock. Raises `AgencyFailure`.
        """
        self._budget.earn()
        once = self._hedged if idempotent and self._treatment.hedge_after is not None else self._once
        repetition = 0
        while True:
            try:
                return await once(send, deadline)
            except AgencyFailure as error:
                pause = pause_before(repetition)
                more = idempotent and repetition < self._treatment.retries.most
                if not (more and self._may_repeat(error, pause, deadline)):
                    raise
            repetition += 1
            self.counts.retries += 1
            await asyncio.sleep(pause)

    async def further(self, deadline: float) -> None:
        """Waits until another request of a call that was sent may leave. Raises `NotSent`."""
        if self._is_scheduled():
            await self._admit(deadline)

    @property
    def may_share(self) -> bool:
        """Whether requests may share a call, and be asked again, each alone, where that was in vain."""
        return self._treatment.retries.most > 0 and self._budget.left >= 1

    def owe_repetition(self) -> None:
        """Takes a call that requests shared in vain out of the budget, also where that has none left: it is owed."""
        self._budget.left -= 1
        self.counts.retries += 1

    def _may_repeat(self, error: AgencyFailure, pause: float, deadline: float) -> bool:
        """Whether a call that failed is sent again after the pause; then it is taken out of the budget."""
        if not error.retryable or isinstance(error, NotSent):
            return False
        now = asyncio.get_running_loop().time()
        in_time = max(now + pause, self._schedule.paused_until) < deadline
        return in_time and not self.breaker.refuses(now) and self._budget.take()

    async def _once(self, send: Send, deadline: float) -> SourceAnswer:
        """Sends the call within the bounds, and learns from how it fares."""
        loop = asyncio.get_running_loop()
        self._check_open()
        waits = not self._places.take()
        if waits:
            await self._wait_for_place(deadline)
        give_back: GiveBack = _nothing
        try:
            if self._lenders:
                give_back, waits = await self._borrow(deadline), True
            if self._is_scheduled():
                await self._admit(deadline, self._check_open)
            elif waits:
                self._check_open()
            started = loop.time()
            timeout = min(self._treatment.timeout, deadline - started)
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
                self.counts.latencies.add(loop.time() - started)
                self.breaker.succeeded(probe=probe)
                return answer
            self._learn(failure, timeout, probe=probe)
            raise failure
        finally:
            give_back()
            self._places.give_back()

    async def _hedged(self, send: Send, deadline: float) -> SourceAnswer:
        """The answer of the call, or of a second one where the first takes long."""
        tasks = {asyncio.create_task(self._once(send, deadline), name="call")}
        try:
            await asyncio.wait(tasks, timeout=self._treatment.hedge_after)
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
        at_once = self._schedule.next(now) <= now and self._pacer is None and not self._places.are_taken
        return at_once and not self.breaker.refuses(now) and self._budget.take()

    def _is_scheduled(self) -> bool:
        return self._treatment.rate is not None or self._is_paused()

    def _is_paused(self) -> bool:
        return self._schedule.paused_until > asyncio.get_running_loop().time()

    def _check_open(self) -> None:
        """Raises `NotSent` where the agency is not to be asked at all now."""
        if self._maintenance.is_under_way(self._clock()):
            self.counts.refused.maintenance += 1
            raise NotSent(FailureCode.AGENCY_UNAVAILABLE, "not asked: it is under maintenance")
        if not self.breaker.is_closed and self.breaker.refuses(asyncio.get_running_loop().time()):
            self.counts.refused.breaker += 1
            raise NotSent(FailureCode.AGENCY_UNAVAILABLE, "not asked: it keeps failing")

    async def _wait_for_place(self, deadline: float) -> None:
        """Waits for a place at the agency; waiting counts against the deadline. Raises `NotSent`."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.wait()
        except TimeoutError:
            self.counts.refused.places += 1
            raise overloaded(TAKEN) from None

    async def _borrow(self, deadline: float) -> GiveBack:
        """Takes a place from each of the lenders; waiting counts against the deadline. Raises `NotSent`."""
        while True:
            lenders = self._lenders
            with ExitStack() as lent:
                try:
                    for lender in lenders:
                        lent.callback(await lender.lend(deadline))
                except NotSent:
                    self.counts.refused.places += 1
                    raise
                if lenders is self._lenders:
                    return lent.pop_all().close

    async def _admit(self, deadline: float, check: Callable[[], None] | None = None) -> None:
        """Waits until a call may leave by the agency's rate, and what it asked for; whatever keeps it from leaving
        costs the day nothing. `check` raises where it may not after all. Raises `NotSent`.
        """
        taken_at = self._clock()
        taken_from = await self._take_of_day(taken_at)
        try:
            # Only now, and not before that waited for the store: what waited together would leave together.
            await self._wait_for_turn(deadline)
            if check is not None:
                check()
        except BaseException:
            if taken_from is not None:
                taken_from.give_back(taken_at)
            raise

    async def _wait_for_turn(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            moment = self._schedule.reserve(now)
            try:
                self._check_turn(moment, deadline)
                if moment > now:
                    await asyncio.sleep(moment - now)
                    if loop.time() > moment + LATE:
                        continue
                if self._pacer is not None:
                    await self._wait_for_pacer(self._pacer, deadline)
            except BaseException:
                self._schedule.give_back(moment)
                raise
            if self._schedule.paused_until <= moment:
                return

    async def _wait_for_pacer(self, pacer: Pacer, deadline: float) -> None:
        try:
            await pacer.wait(deadline)
        except NotSent:
            self.counts.refused.rate += 1
            raise

    def _check_turn(self, moment: float, deadline: float) -> None:
        """Raises `NotSent` where a call would leave too late at this moment."""
        if moment < deadline:
            return
        if self._is_paused():
            self.counts.refused.pause += 1
            raise overloaded("the agency wants not to be asked now")
        self.counts.refused.rate += 1
        raise overloaded(USED_UP)

    async def _take_of_day(self, now: float) -> SharedDay | DayBudget | None:
        """Takes a call out of the day's, where these are bounded. Raises `NotSent`."""
        if self._days.own is None:
            return None
        taken_from = await self._days.take(now)
        spent = taken_from is None
        if spent != self._day_is_spent:
            self._day_is_spent = spent
            if spent:
                _log.warning("the day's calls are used up", agency=self.agency)
        if spent:
            self.counts.refused.day += 1
            raise overloaded("the day's calls are used up")
        return taken_from

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
        if is_late and not self._is_enough(timeout):
            self.breaker.undecided(probe=probe)
        elif failure.retryable and not failure.throttled:
            self.breaker.failed(now, probe=probe)
        else:
            # It answered, though not as it should: that is no outage.
            self.breaker.succeeded(probe=probe)

    def _is_enough(self, seconds: float) -> bool:
        """Whether a call that had so many seconds had its time: by what is declared, or else by what requests have, and
        the agency has mostly taken when it answered.
        """
        if seconds >= ENOUGH * self._treatment.timeout:
            return True
        usual = self.counts.latencies.within(0.5)
        return seconds >= ENOUGH * self._patience and (usual is None or usual <= seconds)

    def _pause(self, failure: AgencyFailure, now: float) -> None:
        """Leaves the agency alone for as long as it wants to be."""
        wanted = failure.retry_after if failure.retry_after is not None else PAUSE if failure.throttled else 0
        if wanted > 0:
            if not self._is_paused():
                _log.warning("agency wants not to be asked", agency=self.agency, seconds=wanted)
            until = now + min(wanted, LONGEST_PAUSE)
            self._schedule.paused_until = max(self._schedule.paused_until, until)


def _nothing() -> None:
    """Nothing was lent."""


def late(seconds: float) -> AgencyFailure:
    """The failure of a call that had `seconds`, and no answer by then."""
    return AgencyFailure(FailureCode.AGENCY_TIMEOUT, f"no answer within {max(seconds, 0):.1f} s", retryable=True)
