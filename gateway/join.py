"""Stage six: rows -> per company and answer, the records that may be shown, in order, with how each supplier fared.

A next level's companies come from here: only records that are shown lead on.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from connectors.contract import CompanyRows, Row
from gateway.arguments import Slice
from gateway.authorise import IDENTITY, AuthorisedAnswer, Sight, Supplier
from gateway.cursor import Position, record_digest
from gateway.envelope import Envelope, Envelopes
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
    """What joining needs besides the rows: today's date for publicity periods, the caller's masks, and for the digests
    in cursors a key and the `audience` that they are for, so that no two audiences can compare theirs.
    """

    publicity: Publicity
    today: dt.date
    mask: Mask
    cursor_key: bytes
    audience: str

    def answer(self, authorised: AuthorisedAnswer, slice_: Slice, said: Said) -> AnswerJoiner:
        """Joins one answer, for one company after the other."""
        record = authorised.answer.record
        cursor = any(part.name == "endCursor" for part in authorised.answer.selection.selections)
        return AnswerJoiner(
            joiner=self,
            record=record,
            slice_=slice_,
            suppliers=tuple((one, None if one.withheld else said(one)) for one in authorised.suppliers),
            expiring=tuple(one for one in authorised.suppliers if not one.expired.withheld),
            standing=self.publicity.judge(record, self.today),
            envelopes=Envelopes(authorised),
            cursor=cursor,
        )


@dataclass(frozen=True, slots=True)
class AnswerJoiner:
    """Joins one answer for companies of one class. `expiring` are the suppliers whose records may be shown past their
    publicity period; `cursor` tells whether the place of the last record is asked for.
    """

    joiner: Joiner
    record: RecordType
    slice_: Slice
    suppliers: tuple[tuple[Supplier, Callable[[CreditCode], CompanyRows | None] | None], ...]
    expiring: tuple[Supplier, ...]
    standing: Judge
    envelopes: Envelopes
    cursor: bool

    def join(self, code: CreditCode) -> Joined:
        """The answer for one company."""
        sources = []
        found: list[Record] = []
        for supplier, said in self.suppliers:
            rows = said(code) if said else None
            whole = not rows or not rows.rows or self._collect(supplier, rows, found)
            sources.append(self.envelopes.source(supplier, code, rows, whole=whole))
        page, has_more, end = self._page(found, code) if found else ((), False, None)
        shown = {record.sight for record in page} if self.expiring else ()
        over = tuple(supplier for supplier in self.expiring if supplier.expired in shown)
        envelope = self.envelopes.envelope(tuple(sources), over)
        if not page and not envelope.complete:
            return Joined(envelope, None, None, None)
        return Joined(envelope, page, has_more, end)

    def _collect(self, supplier: Supplier, answer: CompanyRows, found: list[Record]) -> bool:
        """Adds the rows that may be shown; whether all rows could be judged."""
        whole = True
        filters, as_of = self.slice_.filters, answer.as_of
        for index, row in enumerate(answer.rows):
            unreadable = answer.unreadable.get(index, ()) if answer.unreadable else ()
            standing = self.standing(row, unreadable)
            sight = supplier.expired if standing is Standing.OVER else supplier.sight
            passed = standing is not Standing.NOT_YET and not sight.withheld
            judged = _passes(self.record, row, filters) if passed and filters else passed
            if standing is Standing.UNREADABLE or judged is None:
                whole = False
            elif judged:
                found.append(Record(supplier, sight, row, as_of))
        return whole

    def _page(self, found: list[Record], code: CreditCode) -> tuple[Sequence[Record], bool, Position | None]:
        """The page of the records that is asked for, whether there are more, and where its last one stands."""
        first, after = self.slice_.first, self.slice_.after
        if after is None and not self.cursor:
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
        return record_digest(self.joiner.cursor_key, self.joiner.audience, dataset, code.text, str(identity))

    def _date(self, record: Record) -> dt.date | None:
        """The date by which the record is sorted, as the caller sees it."""
        field, decision = self.record.ordered_by, record.sight.ordered_by
        if decision is None or field is None:
            return None
        value = record.row.get(field)
        if decision.effect is Effect.MASKED:
            value = self.joiner.mask(decision.mask or "", f"{self.record.name}.{field}", value)
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
