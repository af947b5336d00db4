"""A line: one dataset, open. One call to it, within its agency's bounds, and never with an exception."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

import msgspec
import structlog
from msgspec.structs import replace

from connectors.contract import (
    Answers,
    Asker,
    CompanyKey,
    CompanyRows,
    Dataset,
    FailureCode,
    Meter,
    Outcome,
    Source,
    SourceAnswer,
    SourceCall,
)
from connectors.errors import AgencyFailure, NotSent
from connectors.joining import Joiner
from connectors.keys import Spelling, spelled
from connectors.kindness.bounds import Bounds
from connectors.lifetimes import Lifetimes
from connectors.row_counts import RowCounts
from connectors.second_level import DatasetEntries
from connectors.tracing import CallTracer, traced

_log = structlog.get_logger(__name__)


class Question(msgspec.Struct, frozen=True):
    """What is asked about companies: canonical `columns`, and `filters` that the agency applies itself.

    `deadline` is in seconds of the event loop's clock. There is an `asker` where the line forwards it; the `meter`
    counts the requests that it takes.
    """

    columns: frozenset[str]
    filters: Mapping[str, date]
    deadline: float
    asker: Asker | None = None
    meter: Meter | None = None


class Told(msgspec.Struct, frozen=True):
    """What one call brought for each of its companies.

    `spoilt` tells that any of them may be why the others fared as they did: without it they might have fared better.
    """

    answers: Answers
    spoilt: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One dataset: what it is, where it comes from, and the bounds of its agency, which all its lines share.

    `idempotent` tells whether a call may be made twice, `forwards` whether calls say for whom they are made. `entries`
    tells rows that are kept of this dataset from those that another manifest of the agency made; `rows` counts what
    becomes of them. `tracer` traces the calls, where requests are traced.
    """

    dataset: Dataset
    source: Source
    joiner: Joiner
    bounds: Bounds
    idempotent: bool
    forwards: bool = False
    entries: DatasetEntries | None = None
    rows: RowCounts = field(default_factory=RowCounts)
    tracer: CallTracer | None = None

    @property
    def coalesces(self) -> bool:
        """Whether one call may carry the companies of several requests: the line's one credential asks for them all,
        unless it says for whom it asks.
        """
        return self.dataset.batch > 1 and self.joiner.dataset.coalesce and not self.forwards

    @property
    def may_be_asked_again(self) -> bool:
        """Whether each of several requests that share a call may be asked again, alone, where another spoils it."""
        return self.idempotent and self.bounds.may_share

    async def ask(self, question: Question, codes: Sequence[CompanyKey]) -> Answers:
        """One call for one request: no more companies than a batch."""
        return (await self.call(question, lambda: codes)).answers

    async def call(self, question: Question, wanted: Callable[[], Sequence[CompanyKey]]) -> Told:
        """One call about the companies that are `wanted` once the agency has a place for it: no more than a batch.

        A failure is an entry of each of them.
        """
        began, started = datetime.now(UTC), asyncio.get_running_loop().time()
        codes: Sequence[CompanyKey] = ()

        def send(timeout: float) -> Awaitable[SourceAnswer]:
            nonlocal codes
            codes = wanted()
            asked = self.source.fetch(self._call(question, codes, timeout))
            tracer, dataset = self.tracer, self.dataset
            call = tracer.call(dataset.agency, dataset.id, len(codes), timeout) if tracer else None
            return traced(call, asked) if call else asked

        try:
            answer = await self.bounds.call(send, question.deadline, idempotent=self.idempotent)
            limit = self.joiner.dataset.row_limit
            if len(answer.rows) > limit:
                answer = replace(answer, rows=answer.rows[:limit], truncated=True)
            # Rows that may be kept are dated each time that they are given out, kept or not (`AgencySupply`).
            moment = None if self.dataset.time_to_live else began
            joined = await self.joiner.join(codes, question.columns, answer, moment)
            counts = self.rows
            counts.mapped += joined.mapped
            counts.dropped += joined.dropped
            counts.unreadable += joined.unreadable
            return Told(joined.companies, spoilt=not joined.whole)
        except AgencyFailure as error:
            failure = error
        except Exception as error:  # noqa: BLE001  (a fault of one connector must not take the other agencies' answers along)
            # Only its type: its message may hold values.
            reason = f"fault in the connector: {type(error).__name__}"
            failure = AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, reason, retryable=False)
        codes = codes or wanted()
        self.tell(failure, len(codes), asyncio.get_running_loop().time() - started)
        return Told(dict.fromkeys(codes, failed(failure)), spoilt=_is_spoilt(failure))

    async def close(self) -> None:
        """Closes the connection."""
        await self.source.close()

    def _call(self, question: Question, codes: Sequence[CompanyKey], seconds: float) -> SourceCall:
        columns = self.joiner.columns(question.columns)
        further = partial(self.bounds.further, asyncio.get_running_loop().time() + seconds)
        if question.meter is not None:
            further = partial(_counted, question.meter, further)
        return SourceCall(self._keys(codes), columns, question.filters, seconds, question.asker, further)

    def _keys(self, codes: Sequence[CompanyKey]) -> list[str]:
        """The companies' keys as the agency writes them."""
        dataset = self.joiner.dataset
        spellings = (Spelling.UPPER, Spelling.ORGANISATION_CODE) if dataset.any_spelling else dataset.key.spellings
        return spelled(codes, dataset.key.kind, spellings)

    def tell(self, failure: AgencyFailure, companies: int, seconds: float) -> None:
        """Logs a failure. What was not sent tells nothing new of the agency: why it is not is logged once."""
        _log.log(
            logging.DEBUG if isinstance(failure, NotSent) else logging.WARNING,
            "agency call failed",
            dataset=self.dataset.id,
            failure=failure.failure.value,
            reason=str(failure),
            companies=companies,
            seconds=round(seconds, 3),
        )


async def _counted(meter: Meter, further: Callable[[], Awaitable[None]]) -> None:
    await further()
    await meter.count()


def dated(answers: Answers, lifetimes: Lifetimes, began: datetime) -> Answers:
    """The answers to a question, told to be not older than they may be kept: so nobody sees whether another asked
    before. What is kept no longer when the question `began` is no answer to it, and what the agency says to it, it says
    later: it is from then that they are not older.
    """
    some = began - timedelta(seconds=lifetimes.rows)
    none = some if lifetimes.none == lifetimes.rows else began - timedelta(seconds=lifetimes.none)
    told: dict[CompanyKey, CompanyRows] = {}
    for code, rows in answers.items():
        if rows.outcome is Outcome.FAILED:
            told[code] = rows
        elif rows.outcome is Outcome.STALE:
            told[code] = _not_older(rows, (some if rows.rows else none) - timedelta(seconds=lifetimes.stale))
        else:
            told[code] = _not_older(rows, some if rows.rows else none)
    return told


def _is_spoilt(failure: AgencyFailure) -> bool:
    """Whether a call may have failed because of the companies in it."""
    return not isinstance(failure, NotSent) and failure.failure is not FailureCode.AGENCY_OVERLOADED


def _not_older(rows: CompanyRows, limit: datetime) -> CompanyRows:
    # Not by dataclasses.replace, which takes four times as long: this is done for each company of each answer.
    return CompanyRows(
        rows.outcome, rows.rows, rows.as_of, limit, rows.failure, rows.retryable, rows.unmapped, rows.unreadable
    )


def failed(error: AgencyFailure) -> CompanyRows:
    """What stands for a company about which there is no answer."""
    return CompanyRows(Outcome.FAILED, failure=error.failure, retryable=error.retryable)
