"""Stage six: rows -> per company and answer, the records that may be shown, in order, with how each supplier fared.

A next level's companies come from here: only records that are shown lead on.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.contract import CompanyRows, FailureCode, Outcome, Row
from gateway.arguments import Slice
from gateway.authorise import IDENTITY, Access, AuthorisedAnswer, Sight, Supplier, access
from gateway.cursor import Position, record_digest
from policies.decision import Effect
from policies.publicity import Publicity, Standing
from schema.catalogue import RecordType
from schema.credit_code import CreditCode
from schema.values import Value


class AnswerStatus(StrEnum):
    """How whole an answer is, in the public contract's words."""

    COMPLETE = "COMPLETE"
    PARTIAL = "PARTIAL"
    UNAVAILABLE = "UNAVAILABLE"
    WITHHELD = "WITHHELD"


class SourceStatus(StrEnum):
    """How one supplier fared, in the public contract's words."""

    ANSWERED = "ANSWERED"
    UNKNOWN_COMPANY = "UNKNOWN_COMPANY"
    INCOMPLETE = "INCOMPLETE"
    STALE = "STALE"
    FAILED = "FAILED"
    WITHHELD = "WITHHELD"
    NOT_ASKED = "NOT_ASKED"


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """How one supplier fared for one company; dates carry an offset."""

    agency: str
    dataset: str
    status: SourceStatus
    as_of: dt.datetime | None = None
    not_older_than: dt.datetime | None = None
    failure: FailureCode | None = None
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A row that is shown, with where it came from, what the caller sees of it and where it stands in the list."""

    supplier: Supplier
    sight: Sight
    row: Row
    as_of: dt.datetime | None
    position: Position


@dataclass(frozen=True, slots=True)
class Joined:
    """One answer for one company. `records` is None where nothing may be read from there being none."""

    status: AnswerStatus
    sources: tuple[SourceOutcome, ...]
    access: tuple[Access, ...]
    records: tuple[Record, ...] | None
    has_more: bool | None


Said = Callable[[Supplier, CreditCode], CompanyRows | None]
"""What a supplier answered about a company; None where it was not asked."""

Mask = Callable[[str, str, Value], Value]
"""(mask, coordinate, value) -> the value as this caller may see it."""


@dataclass(frozen=True, slots=True)
class Joiner:
    """What joining needs besides the rows: today's date for publicity periods, the caller's masks, and for the digests
    in cursors a key and the `audience` that they are for, so that no two audiences can compare theirs.
    """

    publicity: Publicity
    today: dt.date
    mask: Mask
    cursor_key: bytes
    audience: str

    def join(
        self,
        authorised: AuthorisedAnswer,
        slice_: Slice,
        code: CreditCode,
        said: Said,
    ) -> Joined:
        """The answer for one company."""
        sources: list[SourceOutcome] = []
        found: list[Record] = []
        for supplier in authorised.suppliers:
            rows = None if supplier.withheld else said(supplier, code)
            records, whole = (
                self._records(authorised.answer.record, supplier, code, rows, slice_) if rows else ([], True)
            )
            found.extend(records)
            sources.append(_source(supplier, code, rows, whole=whole))
        status = _status(sources)
        found.sort(key=lambda record: record.position.key())
        after = slice_.after.key() if slice_.after else None
        rest = [record for record in found if after is None or record.position.key() > after]
        page = tuple(rest[: slice_.first])
        if not page and status is not AnswerStatus.COMPLETE:
            return Joined(status, tuple(sources), authorised.access, None, None)
        told = (*authorised.access, *_expired_access(authorised, page))
        return Joined(status, tuple(sources), told, page, len(rest) > len(page))

    def _records(
        self, record: RecordType, supplier: Supplier, code: CreditCode, answer: CompanyRows, slice_: Slice
    ) -> tuple[list[Record], bool]:
        """The rows that may be shown, and whether all rows could be judged."""
        records: list[Record] = []
        seen: Counter[str] = Counter()
        whole = True
        for index, row in enumerate(answer.rows):
            standing = self.publicity.standing(record, row, self.today, answer.unreadable.get(index, ()))
            sight = supplier.expired if standing is Standing.OVER else supplier.sight
            passed = standing is not Standing.NOT_YET and not sight.withheld and _passes(record, row, slice_.filters)
            if standing is Standing.UNREADABLE or passed is None:
                whole = False
            elif passed:
                digest = self._digest(supplier, code, row, seen)
                position = Position(self._date(record, sight, row), supplier.dataset.agency, digest)
                records.append(Record(supplier, sight, row, answer.as_of, position))
        return records, whole

    def _digest(self, supplier: Supplier, code: CreditCode, row: Row, seen: Counter[str]) -> str:
        """What tells the record from the company's others: its id, or its content and how often that was `seen`."""
        identity = row.get(IDENTITY)
        if identity is None:
            content = repr(sorted(row.items()))
            seen[content] += 1
            identity = f"{content}\0{seen[content]}"
        return record_digest(self.cursor_key, self.audience, supplier.dataset.id, code.text, str(identity))

    def _date(self, record: RecordType, sight: Sight, row: Row) -> dt.date | None:
        """The date by which the record is sorted, as the caller sees it."""
        if sight.ordered_by is None or record.ordered_by is None:
            return None
        value = row.get(record.ordered_by)
        if sight.ordered_by.effect is Effect.MASKED:
            value = self.mask(sight.ordered_by.mask or "", f"{record.name}.{record.ordered_by}", value)
        return value if isinstance(value, dt.date) else None


def _passes(record: RecordType, row: Row, filters: Mapping[str, dt.date]) -> bool | None:
    """Whether a row passes every filter; None where its date is missing, so that nobody can say."""
    for argument, bound in filters.items():
        field, operator = record.filters[argument]
        value = row.get(field)
        if not isinstance(value, dt.date):
            return None
        if value < bound if operator == ">=" else value > bound:
            return False
    return True


def _source(supplier: Supplier, code: CreditCode, rows: CompanyRows | None, *, whole: bool) -> SourceOutcome:
    agency, dataset = supplier.dataset.agency, supplier.dataset.id
    if not supplier.dataset.coverage.may_know(code):
        return SourceOutcome(agency, dataset, SourceStatus.NOT_ASKED)
    if supplier.withheld:
        return SourceOutcome(agency, dataset, SourceStatus.WITHHELD)
    if rows is None:
        # Asked, and nothing was said of this company: never to be read as there being nothing.
        rows = CompanyRows(Outcome.FAILED, failure=FailureCode.AGENCY_BAD_RESPONSE)
    status = SourceStatus(rows.outcome.value)
    if rows.outcome is Outcome.ANSWERED and not whole:
        status = SourceStatus.INCOMPLETE
    return SourceOutcome(agency, dataset, status, rows.as_of, rows.not_older_than, rows.failure, rows.retryable)


def _status(sources: Iterable[SourceOutcome]) -> AnswerStatus:
    covering = {source.status for source in sources} - {SourceStatus.NOT_ASKED}
    if covering == {SourceStatus.WITHHELD}:
        return AnswerStatus.WITHHELD
    if covering == {SourceStatus.ANSWERED}:
        return AnswerStatus.COMPLETE
    if covering <= {SourceStatus.FAILED, SourceStatus.WITHHELD}:
        return AnswerStatus.UNAVAILABLE
    return AnswerStatus.PARTIAL


def _expired_access(authorised: AuthorisedAnswer, page: Iterable[Record]) -> Iterator[Access]:
    """What is not clear of the records on the page that are past their publicity period."""
    shown = {record.sight for record in page}
    for supplier in authorised.suppliers:
        if supplier.expired in shown:
            yield from access(authorised.answer.record, supplier.dataset.agency, supplier.expired)


def linked(record: Record, field: str) -> CreditCode | None:
    """The company that a shown record leads to, None where it leads to none or the caller may not follow."""
    decision = record.sight.decisions.get(field)
    value = record.row.get(field)
    if decision is None or decision.effect is not Effect.CLEAR or not isinstance(value, str):
        return None
    return CreditCode.parse(value)
