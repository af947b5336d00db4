"""Coalescing: what concurrent requests ask of a dataset leaves as one call for each tick of the event loop.

Nobody gains or loses by the company that a call keeps. Each request gets the companies that it asked for, waits no
longer than its own deadline, and takes its companies out of the call when it leaves. Where a call failed, or came back
incomplete as a whole, each request that shared it is asked once more, alone: then it gets what it would have got alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from connectors.contract import CompanyRows, FailureCode
from connectors.errors import AgencyFailure
from connectors.line import Answers, Line, Question, Told, failed, late
from schema.credit_code import CreditCode

RETRIES: Final = 100
"""The most repeated calls to a dataset that stops answering."""

EARNED: Final = 2
"""How many more repeated calls each whole answer allows. Where one request spoils the call of n, the n - 1 others are
answered when asked alone: that pays for the next n as long as there are two of them or more.
"""

_Kind = tuple[frozenset[str], frozenset[tuple[str, date]], frozenset[CreditCode]]
"""What may share a call: the columns, the filters and, in a repeated call, the companies."""

_ANYBODY: Final[frozenset[CreditCode]] = frozenset()


@dataclass(eq=False, slots=True)
class _Call:
    """One call: how many requests want each company, and what it `carried` when it left for the agency."""

    line: Line
    question: Question
    wanted: dict[CreditCode, int] = field(default_factory=dict)
    carried: tuple[CreditCode, ...] = ()
    task: asyncio.Task[Told] = field(init=False)

    def start(self) -> asyncio.Task[Told]:
        self.task = asyncio.create_task(self._run(), name="coalesced call")
        return self.task

    async def _run(self) -> Told:
        # A task begins in the loop's next round: until then requests add their companies and later deadlines.
        return await self.line.call(self.question, self._leave_for_agency)

    def _leave_for_agency(self) -> Sequence[CreditCode]:
        self.carried = tuple(self.wanted)
        return self.carried

    def drop(self, codes: Sequence[CreditCode]) -> None:
        """A request no longer waits for these. What nobody waits for is not asked, or no longer."""
        for code in codes:
            left = self.wanted[code] - 1
            if left:
                self.wanted[code] = left
            else:
                del self.wanted[code]
        if not self.wanted:
            self.task.cancel()


@dataclass(eq=False, slots=True)
class _Batch:
    """The calls of one tick that are alike: the newest, which may have room, and which of them asks about a company."""

    newest: _Call | None = None
    calls: dict[CreditCode, _Call] = field(default_factory=dict)


_Share = dict[_Call, list[CreditCode]]
"""A request's part in calls."""


class Coalescer:
    """The calls to one line. Whoever made it closes it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._batches: dict[_Kind, _Batch] = {}
        self._tasks: set[asyncio.Task[Told]] = set()
        self._retries = RETRIES

    async def ask(self, question: Question, codes: Sequence[CreditCode]) -> Answers:
        """The answers about these companies: no more of them than a call may carry, none twice."""
        if question.deadline <= asyncio.get_running_loop().time():
            return dict.fromkeys(codes, failed(late(0)))
        filters = frozenset(question.filters.items())
        kind = (question.columns, filters, _ANYBODY)
        answers, spoilt = await self._ask(kind, question, codes)
        if not spoilt or not self._may_repeat(question):
            return answers
        alone = (question.columns, filters, frozenset(codes))
        if alone not in self._batches:
            self._retries -= 1
        return (await self._ask(alone, question, codes))[0]

    async def close(self) -> None:
        """Ends every call."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _may_repeat(self, question: Question) -> bool:
        return self._retries > 0 and question.deadline > asyncio.get_running_loop().time()

    async def _ask(self, kind: _Kind, question: Question, codes: Sequence[CreditCode]) -> tuple[Answers, bool]:
        """The answers, and whether companies of other requests may have spoilt them."""
        left = question.deadline - asyncio.get_running_loop().time()
        share = self._board(kind, question, codes)
        try:
            await asyncio.wait([call.task for call in share], timeout=left)
            return self._taken(share, len(codes), left)
        finally:
            for call, own in share.items():
                call.drop(own)

    def _board(self, kind: _Kind, question: Question, codes: Sequence[CreditCode]) -> _Share:
        """Adds the companies to the calls of this tick."""
        batch = self._batches.get(kind)
        if batch is None:
            batch = self._batches[kind] = _Batch()
            asyncio.get_running_loop().call_soon(self._batches.pop, kind)
        share: _Share = {}
        for code in codes:
            call = batch.calls.get(code)
            if call is None:
                call = batch.calls[code] = self._with_room(batch, question)
            call.wanted[code] = call.wanted.get(code, 0) + 1
            share.setdefault(call, []).append(code)
        for call in share:
            if call.question.deadline < question.deadline:
                call.question = question
        return share

    def _with_room(self, batch: _Batch, question: Question) -> _Call:
        call = batch.newest
        if call is None or len(call.wanted) >= self._line.dataset.batch:
            call = batch.newest = _Call(self._line, question)
            task = call.start()
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        return call

    def _ended(self, task: asyncio.Task[Told]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is None and not task.result().spoilt:
            self._retries = min(self._retries + EARNED, RETRIES)

    def _taken(self, share: _Share, companies: int, seconds: float) -> tuple[Answers, bool]:
        """What the calls brought for their shares, and whether what others asked may have spoilt it."""
        answers: dict[CreditCode, CompanyRows] = {}
        spoilt = False
        for call, own in share.items():
            if call.task.done():
                told = call.task.result()
                answers.update((code, told.answers[code]) for code in own)
                spoilt = spoilt or (told.spoilt and (len(share) > 1 or len(call.carried) > companies))
            else:
                failure = FailureCode.AGENCY_TIMEOUT if call.carried else FailureCode.AGENCY_OVERLOADED
                error = AgencyFailure(failure, "the request's deadline came first", retryable=True)
                self._line.tell(error, len(own), seconds)
                answers |= dict.fromkeys(own, failed(error))
        return answers, spoilt
