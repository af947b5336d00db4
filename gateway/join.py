"""Stage six: rows -> per company and answer, the records that may be shown, in order, with how each supplier fared.

A next level's companies come from here: only records that are shown lead on.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import itemgetter
from typing import NamedTuple

from connectors.contract import CompanyRows, Row
from gateway.arguments import Slice
from gateway.authorise import IDENTITY, Authorised, AuthorisedAnswer, Sight, Supplier
from gateway.cursor import Position, record_digest
from gateway.envelope import Envelope, Envelopes
from gateway.operation import AnswerSelection
from policies.decision import Effect
from policies.publicity import Judge, Publicity, Standing
from schema.catalogue import RecordType
from schema.credit_code import CreditCode
from schema.values import Value


class Record(NamedTuple):
    """A row that is shown, with where it came from and what the caller sees of it.

    A tuple, as `Joined` is: there is one for every row, and a frozen dataclass takes three times as long to make.
    """

    supplier: Supplier
    sight: Sight
    row: Row
    as_of: dt.datetime | None


class Joined(NamedTuple):
    """One answer for one company. `records` is None where nothing may be read from there being none. `end` is where the
    last of them stands, if the cursor was asked for.
    """

    envelope: Envelope
    records: Sequence[Record] | None
    has_more: bool | None
    end: Position | None


Said = Callable[[Supplier], Callable[[CreditCode], CompanyRows | None]]
"""What a supplier answered, by company; None where it was not asked, or said nothing of it."""

Mask = Callable[[str, str, Value], Value]
"""(mask, coordinate, value) -> the value as this caller may see it."""


@dataclass(frozen=True, slots=True)
class Joiner:
    """What one request needs to join: today's date for publicity periods, the caller's masks, and for the digests
    in cursors a key and the `audience` that they are for, so that no two audiences can compare theirs.
    """

    today: dt.date
    mask: Mask
    cursor_key: bytes
    audience: str


@dataclass(frozen=True, slots=True)
class Joining:
    """What joining one answer needs of the plan. `expiring` are the suppliers whose records may be shown past their
    publicity period, `cursor` tells whether the place of the last record is asked for, and `judge` gives the judge of
    publicity of a day.
    """

    authorised: AuthorisedAnswer
    expiring: tuple[Supplier, ...]
    cursor: bool
    judge: Callable[[dt.date], Judge]


def joinings(authorised: Authorised, publicity: Publicity) -> Mapping[AnswerSelection, Joining]:
    """How each answer of an operation is joined, for one class of caller."""
    return {answer: _joining(cut, publicity) for answer, cut in authorised.answers.items()}


def _joining(authorised: AuthorisedAnswer, publicity: Publicity) -> Joining:
    expiring = tuple(supplier for supplier in authorised.suppliers if not supplier.expired.withheld)
    cursor = any(part.name == "endCursor" for part in authorised.answer.selection.selections)
    # The last day's judge is kept, and the one before it, for requests that began before midnight.
    judge = lru_cache(maxsize=2)(partial(publicity.judge, authorised.answer.record))
    return Joining(authorised, expiring, cursor, judge)


class AnswerJoiner:
    """Joins one answer of one request, for companies of one class."""

    __slots__ = ("_envelopes", "_joiner", "_joining", "_record", "_slice", "_standing", "_suppliers")

    def __init__(self, joining: Joining, joiner: Joiner, slice_: Slice, said: Said) -> None:
        authorised = joining.authorised
        self._joining = joining
        self._joiner = joiner
        self._slice = slice_
        self._record = authorised.answer.record
        self._suppliers = [(one, None if one.sight.withheld else said(one)) for one in authorised.suppliers]
        self._standing = joining.judge(joiner.today)
        self._envelopes = Envelopes(authorised)

    def join(self, code: CreditCode) -> Joined:
        """The answer for one company."""
        sources = []
        found: list[Record] = []
        for supplier, said in self._suppliers:
            rows = said(code) if said else None
            whole = not rows or not rows.rows or self._collect(supplier, rows, found)
            sources.append(self._envelopes.source(supplier, code, rows, whole=whole))
        page, has_more, end = self._page(found, code) if found else ((), False, None)
        shown = {record.sight for record in page} if self._joining.expiring else ()
        over = tuple(supplier for supplier in self._joining.expiring if supplier.expired in shown)
        envelope = self._envelopes.envelope(tuple(sources), over)
        if not page and not envelope.complete:
            return Joined(envelope, None, None, None)
        return Joined(envelope, page, has_more, end)

    def _collect(self, supplier: Supplier, answer: CompanyRows, found: list[Record]) -> bool:
        """Adds the rows that may be shown; whether all rows could be judged."""
        whole = True
        filters, as_of = self._slice.filters, answer.as_of
        for index, row in enumerate(answer.rows):
            unreadable = answer.unreadable.get(index, ()) if answer.unreadable else ()
            standing = self._standing(row, unreadable)
            sight = supplier.expired if standing is Standing.OVER else supplier.sight
            passed = standing is not Standing.NOT_YET and not sight.withheld
            judged = _passes(self._record, row, filters) if passed and filters else passed
            if standing is Standing.UNREADABLE or judged is None:
                whole = False
            elif judged:
                found.append(Record(supplier, sight, row, as_of))
        return whole

    def _page(self, found: list[Record], code: CreditCode) -> tuple[Sequence[Record], bool, Position | None]:
        """The page of the records that is asked for, whether there are more, and where its last one stands."""
        first, after = self._slice.first, self._slice.after
        if after is None and not self._joining.cursor:
            ordered = self._ordered(found, code)
            return ordered[:first], len(ordered) > first, None
        placed = self._placed(found, code)
        if after is not None:
            placed = [one for one in placed if one[0].key() > after.key()]
        page = placed[:first]
        return [record for _, record in page], len(placed) > first, page[-1][0] if page else None

    def _ordered(self, found: list[Record], code: CreditCode) -> list[Record]:
        """The records in order; their digests are made only where dates and agencies leave it open."""
        if len(found) == 1:
            return found
        dates = [(self._date(record), record.supplier.dataset.agency) for record in found]
        if len(set(dates)) < len(dates):
            return [record for _, record in self._placed(found, code)]
        keys = [Position(date, agency, "").key() for date, agency in dates]
        return [record for _, record in sorted(zip(keys, found, strict=True), key=itemgetter(0))]

    def _placed(self, found: list[Record], code: CreditCode) -> list[tuple[Position, Record]]:
        """The records in order, each with its place."""
        seen: Counter[tuple[str, str]] = Counter()
        placed = []
        for record in found:
            digest = self._digest(record, code, seen)
            placed.append((Position(self._date(record), record.supplier.dataset.agency, digest), record))
        return sorted(placed, key=lambda one: one[0].key())

    def _digest(self, record: Record, code: CreditCode, seen: Counter[tuple[str, str]]) -> str:
        """What tells the record from the company's others: its id, or its content and how often that was `seen`."""
        dataset, identity = record.supplier.dataset.id, record.row.get(IDENTITY)
        if identity is None:
            content = repr(sorted(record.row.items()))
            seen[dataset, content] += 1
            identity = f"{content}\0{seen[dataset, content]}"
        return record_digest(self._joiner.cursor_key, self._joiner.audience, dataset, code.text, str(identity))

    def _date(self, record: Record) -> dt.date | None:
        """The date by which the record is sorted, as the caller sees it."""
        field, decision = self._record.ordered_by, record.sight.ordered_by
        if decision is None or field is None:
            return None
        value = record.row.get(field)
        if decision.effect is Effect.MASKED:
            value = self._joiner.mask(decision.mask or "", f"{self._record.name}.{field}", value)
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


def linked(record: Record, field: str) -> CreditCode | None:
    """The company that a shown record leads to, None where it leads to none or the caller may not follow."""
    decision = record.sight.decisions.get(field)
    value = record.row.get(field)
    if decision is None or decision.effect is not Effect.CLEAR or not isinstance(value, str):
        return None
    return CreditCode.parse(value)
