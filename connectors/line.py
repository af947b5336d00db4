"""A line: one dataset, open. One call to it, within its agency's bounds, and never with an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import msgspec
import structlog

from connectors.contract import (
    Asker,
    CompanyKey,
    CompanyRows,
    Dataset,
    FailureCode,
    Outcome,
    Source,
    SourceAnswer,
    SourceCall,
)
from connectors.errors import AgencyFailure
from connectors.joining import Joiner
from connectors.keys import Spelling, spell

_log = structlog.get_logger(__name__)

Answers = Mapping[CompanyKey, CompanyRows]
"""What a dataset said of each company asked for."""


class Question(msgspec.Struct, frozen=True):
    """What is asked about companies: canonical `columns`, and `filters` that the agency applies itself.

    `deadline` is in seconds of the event loop's clock. There is an `asker` where the line forwards it.
    """

    columns: frozenset[str]
    filters: Mapping[str, date]
    deadline: float
    asker: Asker | None = None


class Told(msgspec.Struct, frozen=True):
    """What one call brought for each of its companies.

    `spoilt` tells that any of them may be why the others fared as they did: without it they might have fared better.
    """

    answers: Answers
    spoilt: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One dataset: what it is, where it comes from, and the bounds of its agency.

    `timeout` is in seconds, for one call. `calls` has a place for each call that the agency bears at once
    (`concurrency`); all lines of the agency share it. `forwards` tells whether calls say for whom they are made.
    """

    dataset: Dataset
    source: Source
    joiner: Joiner
    timeout: float
    concurrency: int
    calls: asyncio.Semaphore
    forwards: bool = False

    @property
    def coalesces(self) -> bool:
        """Whether one call may carry the companies of several requests: the line's one credential asks for them all,
        unless it says for whom it asks.
        """
        return self.dataset.batch > 1 and self.joiner.dataset.coalesce and not self.forwards

    async def ask(self, question: Question, codes: Sequence[CompanyKey]) -> Answers:
        """One call for one request: no more companies than a batch."""
        return (await self.call(question, lambda: codes)).answers

    async def call(self, question: Question, wanted: Callable[[], Sequence[CompanyKey]]) -> Told:
        """One call about the companies that are `wanted` once the agency has a place for it: no more than a batch.

        A failure is an entry of each of them.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        codes: Sequence[CompanyKey] = ()
        try:
            await self._place(question.deadline)
            try:
                codes = wanted()
                answer = await self._bounded(question, codes)
            finally:
                self.calls.release()
            joined = await self.joiner.join(codes, question.columns, answer)
            # Rows that may be kept are dated each time that they are given out, kept or not (`AgencySupply`).
            kept = self.dataset.time_to_live > 0
            return Told(joined.companies if kept else dated(joined.companies, 0), spoilt=not joined.whole)
        except AgencyFailure as error:
            failure = error
        except Exception as error:  # noqa: BLE001  (a fault of one connector must not take the other agencies' answers along)
            # Only its type: its message may hold values.
            reason = f"fault in the connector: {type(error).__name__}"
            failure = AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, reason, retryable=False)
        codes = codes or wanted()
        self.tell(failure, len(codes), loop.time() - started)
        # An agency that has too much to do has it of whatever it is asked.
        spoilt = failure.failure is not FailureCode.AGENCY_OVERLOADED
        return Told(dict.fromkeys(codes, failed(failure)), spoilt=spoilt)

    async def close(self) -> None:
        """Closes the connection."""
        await self.source.close()

    async def _place(self, deadline: float) -> None:
        """Waits for a place at the agency; waiting counts against the deadline. Raises `AgencyFailure`."""
        if not self.calls.locked():
            await self.calls.acquire()
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self.calls.acquire()
        except TimeoutError:
            raise AgencyFailure(
                FailureCode.AGENCY_OVERLOADED, "all places for calls to the agency were taken", retryable=True
            ) from None

    async def _bounded(self, question: Question, codes: Sequence[CompanyKey]) -> SourceAnswer:
        timeout = min(self.timeout, question.deadline - asyncio.get_running_loop().time())
        if timeout > 0:
            columns = self.joiner.columns(question.columns)
            call = SourceCall(self._keys(codes), columns, question.filters, timeout, question.asker)
            try:
                async with asyncio.timeout(timeout):
                    return await self.source.fetch(call)
            except TimeoutError:
                pass
        raise late(timeout)

    def _keys(self, codes: Sequence[CompanyKey]) -> list[str]:
        """The companies' keys as the agency writes them, each spelling once."""
        dataset = self.joiner.dataset
        spellings = (Spelling.UPPER, Spelling.ORGANISATION_CODE) if dataset.any_spelling else dataset.key.spellings
        keys = (spell(code, dataset.key.kind, spelling) for code in codes for spelling in spellings)
        return list(dict.fromkeys(keys))

    def tell(self, failure: AgencyFailure, companies: int, seconds: float) -> None:
        """Logs a failure."""
        _log.warning(
            "agency call failed",
            dataset=self.dataset.id,
            failure=failure.failure.value,
            reason=str(failure),
            companies=companies,
            seconds=round(seconds, 3),
        )


def dated(answers: Answers, time_to_live: float) -> Answers:
    """The answers, told to be not older than the time to live, in seconds."""
    limit = datetime.now(UTC) - timedelta(seconds=time_to_live)
    return {code: rows if rows.outcome is Outcome.FAILED else _not_older(rows, limit) for code, rows in answers.items()}


def _not_older(rows: CompanyRows, limit: datetime) -> CompanyRows:
    # Not by dataclasses.replace, which takes four times as long: this is done for each company of each answer.
    return CompanyRows(
        rows.outcome, rows.rows, rows.as_of, limit, rows.failure, rows.retryable, rows.unmapped, rows.unreadable
    )


def failed(error: AgencyFailure) -> CompanyRows:
    """What stands for a company about which there is no answer."""
    return CompanyRows(Outcome.FAILED, failure=error.failure, retryable=error.retryable)


def late(seconds: float) -> AgencyFailure:
    """The failure of a call that had `seconds`, and no answer by then."""
    return AgencyFailure(FailureCode.AGENCY_TIMEOUT, f"no answer within {max(seconds, 0):.1f} s", retryable=True)
