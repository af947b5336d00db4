"""Coalescing: what concurrent requests ask of a dataset in two rounds of the event loop leaves as one call. In the
first go on the requests that are here, in the second those that the loop has read meanwhile.

Nobody gains or loses by the company that a call keeps. Each request gets the companies that it asked for, waits no
longer than its own deadline (give or take `TOLERANCE`), and takes its companies out of the call when it leaves. Where
a call failed, or came back incomplete as a whole, each request that shared it is asked once more, alone: then it gets
what it would have got alone. Of the agency's budget for repeated calls that takes one: the call that was in vain, for
the others are those that would have been made without it. Where calls may not be made twice, or nothing is left of the
budget, only requests for the same companies share one, none of which can spoil it for another.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import chain
from typing import Final

from connectors.contract import Answers, CompanyKey, CompanyRows, FailureCode
from connectors.errors import AgencyFailure
from connectors.kindness.bounds import late
from connectors.line import Line, Question, Told, failed

TOLERANCE: Final = 0.01
"""By how many seconds a request may outwait its deadline. A call ends at the latest deadline of its requests: those of
the same moment are mostly so close that none but the call needs a timer.
"""

_Kind = tuple[frozenset[str], frozenset[tuple[str, date]], frozenset[CompanyKey]]
"""What may share a call: the columns, the filters and, where others may not be added, the companies."""

_ANYBODY: Final[frozenset[CompanyKey]] = frozenset()


@dataclass(eq=False, slots=True)
class _Call:
    """One call: what each of its riders wants, whether it is `open` to more, for how many companies it has `room` yet,
    what it `carried` when it left for the agency, and whether it was `in_vain`: some that shared it are asked again.
    """

    line: Line
    question: Question
    room: int
    open: bool = True
    riders: dict[_Rider, Sequence[CompanyKey]] = field(default_factory=dict)
    carried: tuple[CompanyKey, ...] = ()
    in_vain: bool = False
    task: asyncio.Task[Told] = field(init=False)

    def start(self) -> asyncio.Task[Told]:
        self.task = asyncio.create_task(self._run(), name="coalesced call")
        return self.task

    async def _run(self) -> Told:
        # A task begins in the loop's next round. In that one, too, requests add their companies and later deadlines.
        await asyncio.sleep(0)
        self.open = False
        if not self.riders:
            return Told({})
        for rider in self.riders:
            rider.watch(self.question.deadline)
        return await self.line.call(self.question, self._leave_for_agency)

    def _leave_for_agency(self) -> Sequence[CompanyKey]:
        self.carried = tuple(dict.fromkeys(chain.from_iterable(self.riders.values())))
        return self.carried

    def was_in_vain(self) -> None:
        """Takes it out of the budget for repeated calls, once for all that shared it."""
        if not self.in_vain:
            self.in_vain = True
            self.line.bounds.owe_repetition()

    def drop(self, rider: _Rider) -> None:
        """A request no longer waits. What nobody waits for is not asked, or no longer."""
        self.riders.pop(rider, None)
        if not self.riders and not self.open:
            self.task.cancel()


@dataclass(eq=False, slots=True)
class _Rider:
    """One request: what it asks, when it `began`, what to do once it needs to wait no longer (`arrive`), its `share` in
    calls, and how many of these it still waits for. `context` is its own: what happens to it when calls end is of this
    request, and not of the one that began the call.
    """

    question: Question
    codes: Sequence[CompanyKey]
    answers: asyncio.Future[Answers]
    began: float
    arrive: Callable[[_Rider], None]
    share: defaultdict[_Call, list[CompanyKey]] = field(default_factory=lambda: defaultdict(list))
    awaited: int = 0
    repeated: bool = False
    timer: asyncio.TimerHandle | None = None
    context: Context = field(default_factory=copy_context)

    def watch(self, end: float) -> None:
        """Sets the timer, unless its deadline and the `end` of its call are as good as one."""
        deadline = self.question.deadline
        if self.timer is None and deadline + TOLERANCE < end:
            self.timer = asyncio.get_running_loop().call_at(deadline, self.arrive, self, context=self.context)

    def settle(self, answers: Answers) -> None:
        """These are its answers."""
        self.answers.remove_done_callback(self.gone)
        self.gone()
        self.answers.set_result(answers)

    def gone(self, _: object = None) -> None:
        """It waits no more."""
        if self.timer is not None:
            self.timer.cancel()
        self.leave()

    def leave(self) -> None:
        """Gets off all calls."""
        for call in self.share:
            call.drop(self)
        self.share.clear()


@dataclass(eq=False, slots=True)
class _Batch:
    """Calls of two rounds that are alike: the newest, which may have room, and which of them asks about a company."""

    newest: _Call | None = None
    calls: dict[CompanyKey, _Call] = field(default_factory=dict)


class Coalescer:
    """The calls to one line. Whoever made it closes it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._batches: dict[_Kind, _Batch] = {}
        self._tasks: set[asyncio.Task[Told]] = set()

    def ask(self, question: Question, codes: Sequence[CompanyKey]) -> asyncio.Future[Answers]:
        """The answers about these companies: no more of them than a call may carry, none twice.

        Whoever cancels the future takes them out of the call.
        """
        loop = asyncio.get_running_loop()
        answers: asyncio.Future[Answers] = loop.create_future()
        now = loop.time()
        if question.deadline <= now:
            answers.set_result(dict.fromkeys(codes, failed(late(0))))
            return answers
        rider = _Rider(question, codes, answers, now, self._arrive)
        answers.add_done_callback(rider.gone)
        self._board(rider, _ANYBODY if self._line.may_be_asked_again else frozenset(codes))
        return answers

    async def close(self) -> None:
        """Ends every call."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _board(self, rider: _Rider, company: frozenset[CompanyKey]) -> None:
        """Adds the request's companies to the calls that are open to it."""
        question = rider.question
        kind = (question.columns, frozenset(question.filters.items()), company)
        batch = self._batches.get(kind)
        if batch is None:
            batch = self._batches[kind] = _Batch()
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._batches.pop, kind)
        share, codes = rider.share, rider.codes
        asked = batch.calls
        if not asked.keys().isdisjoint(codes):
            for code in codes:
                if code in asked:
                    share[asked[code]].append(code)
            codes = [code for code in codes if code not in asked]
        while codes:
            call = self._with_room(batch, question)
            own, codes = codes[: call.room], codes[call.room :]
            call.room -= len(own)
            asked.update(dict.fromkeys(own, call))
            share[call] += own
        rider.awaited = len(share)
        for call, own in share.items():
            call.riders[rider] = own
            if call.question.deadline < question.deadline:
                call.question = question

    def _with_room(self, batch: _Batch, question: Question) -> _Call:
        call = batch.newest
        if call is None or not call.room:
            call = batch.newest = _Call(self._line, question, self._line.dataset.batch)
            task = call.start()
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, call))
        return call

    def _ended(self, call: _Call, task: asyncio.Task[Told]) -> None:
        self._tasks.discard(task)
        riders = tuple(call.riders)
        if task.cancelled():
            for rider in riders:
                rider.answers.cancel()
            return
        for rider in riders:
            rider.awaited -= 1
            if not rider.awaited:
                rider.context.run(self._arrive, rider)

    def _arrive(self, rider: _Rider) -> None:
        """All calls of the request have ended, or its time is up."""
        if rider.answers.done():
            return
        answers, spoilt = self._taken(rider)
        if spoilt and not rider.repeated and rider.question.deadline > asyncio.get_running_loop().time():
            for call in spoilt:
                call.was_in_vain()
            rider.repeated = True
            rider.leave()
            self._board(rider, frozenset(rider.codes))
        else:
            rider.settle(answers)

    def _taken(self, rider: _Rider) -> tuple[Answers, list[_Call]]:
        """What the calls brought for the request, and those that companies of other requests may have spoilt."""
        answers: dict[CompanyKey, CompanyRows] = {}
        spoilt: list[_Call] = []
        share = rider.share
        for call, own in share.items():
            if call.task.done():
                told = call.task.result()
                answers.update(zip(own, map(told.answers.__getitem__, own), strict=True))
                if told.spoilt and (len(share) > 1 or len(call.carried) > len(rider.codes)):
                    spoilt.append(call)
            else:
                failure = FailureCode.AGENCY_TIMEOUT if call.carried else FailureCode.AGENCY_OVERLOADED
                error = AgencyFailure(failure, "the request's deadline came first", retryable=True)
                self._line.tell(error, len(own), rider.question.deadline - rider.began)
                answers |= dict.fromkeys(own, failed(error))
        return {code: answers[code] for code in rider.codes}, spoilt
