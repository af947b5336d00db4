"""Stage six: rows -> per company and answer, the records that may be shown, in order, with how each supplier fared.

A next level's companies come from here: only records that are shown lead on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Final

from connectors.contract import CompanyRows, FailureCode, Outcome, Row
from gateway.arguments import Slice
from gateway.authorise import Authorised, AuthorisedAnswer, Supplier
from gateway.cursor import Position
from gateway.envelope import Envelope, Envelopes, SourceOutcome
from gateway.operation import AnswerSelection
from gateway.order import Order
from gateway.origin import Origin, Record
from policies.masks import Masks
from policies.publicity import Judge, Publicity, Standing
from schema.catalogue import RecordType
from schema.credit_code import CreditCode


@dataclass(frozen=True, slots=True)
class Joined:
    """One answer for the companies of a place, column by column, in their order.

    `records` has None where nothing may be read from there being none. `more` tells whether there are others, `ends`
    where the last of them stands, if the cursor was asked for.
    """

    envelopes: list[Envelope] = field(default_factory=list)
    records: list[Sequence[Record] | None] = field(default_factory=list)
    more: list[bool] = field(default_factory=list)
    ends: list[Position | None] = field(default_factory=list)


Said = Callable[[Supplier], Callable[[CreditCode], CompanyRows | None]]
"""What a supplier answered, by company; None where it was not asked, or said nothing of it."""

Filter = Callable[[Row], bool | None]
"""Whether a row is among those asked for; None where nobody can say."""

Collect = Callable[[CreditCode, list[Record]], SourceOutcome]
"""Adds a company's records that may be shown to those found; how their supplier fared."""


@dataclass(frozen=True, slots=True)
class Joiner:
    """What one request needs to join: today's date for publicity periods, the caller's masks, and for the digests
    in cursors a key and the `audience` that they are for, so that no two audiences can compare theirs.
    """

    today: dt.date
    masks: Masks
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
    """Joins one answer of one request, for companies of one class, one after the other, into `joined`."""

    __slots__ = ("_collect", "_envelopes", "_expiring", "_order", "_placed", "_slice", "joined")

    def __init__(self, joining: Joining, joiner: Joiner, slice_: Slice, said: Said) -> None:
        authorised = joining.authorised
        record, judge = authorised.answer.record, joining.judge(joiner.today)
        passes = partial(_passes, record, slice_.filters) if slice_.filters else None
        self.joined = Joined()
        self._slice = slice_
        self._placed = joining.cursor or slice_.after is not None
        self._expiring = joining.expiring
        self._order = Order(record, joiner.masks, joiner.cursor_key, joiner.audience)
        self._envelopes = Envelopes(authorised)
        self._collect = tuple(
            _collector(supplier, said, judge, passes, self._envelopes) for supplier in authorised.suppliers
        )

    def join(self, code: CreditCode) -> None:
        """Adds the answer for one company."""
        found: list[Record] = []
        sources = tuple([collect(code, found) for collect in self._collect])
        page, more, end = self._page(found, code) if found else (found, False, None)
        over: tuple[Supplier, ...] = ()
        if self._expiring:
            shown = {origin.sight for origin, _ in page}
            over = tuple(supplier for supplier in self._expiring if supplier.expired in shown)
        envelope = self._envelopes.envelope(sources, over)
        joined = self.joined
        joined.envelopes.append(envelope)
        joined.records.append(page if page or envelope.complete else None)
        joined.more.append(more)
        joined.ends.append(end)

    def _page(self, found: list[Record], code: CreditCode) -> tuple[Sequence[Record], bool, Position | None]:
        """The page of the records that is asked for, whether there are more, and where its last one stands."""
        first, after = self._slice.first, self._slice.after
        if not self._placed:
            ordered = self._order.ordered(found, code)
            return ordered[:first], len(ordered) > first, None
        placed = self._order.placed(found, code)
        if after is not None:
            placed = [one for one in placed if one[0].key() > after.key()]
        page = placed[:first]
        return [record for _, record in page], len(placed) > first, page[-1][0] if page else None


def _collector(supplier: Supplier, said: Said, judge: Judge, passes: Filter | None, envelopes: Envelopes) -> Collect:
    """Collects what one supplier has of the companies."""
    coverage = supplier.dataset.coverage
    if supplier.withheld:
        return lambda code, _: envelopes.not_asked(supplier, covered=coverage.may_know(code))
    answer_of = said(supplier)
    origins: dict[dt.datetime | None, Mapping[Standing, Origin]] = {}

    def collect(code: CreditCode, found: list[Record]) -> SourceOutcome:
        if coverage.registered and not coverage.may_know(code):
            return envelopes.not_asked(supplier, covered=False)
        answer = answer_of(code) or _NOTHING_SAID
        whole = True
        if answer.rows:
            shown = origins.get(answer.as_of) or origins.setdefault(answer.as_of, _origins(supplier, answer.as_of))
            whole = _collect(answer, shown, judge, passes, found)
        return envelopes.source(supplier, answer, whole=whole)

    return collect


_NOTHING_SAID: Final = CompanyRows(Outcome.FAILED, failure=FailureCode.AGENCY_BAD_RESPONSE)
"""Asked, and nothing was said of this company: never to be read as there being nothing."""


def _origins(supplier: Supplier, as_of: dt.datetime | None) -> Mapping[Standing, Origin]:
    """The origin of records by their standing; of those that are not shown there is none."""
    current = {Standing.PUBLISHED: Origin(supplier, supplier.sight, as_of)}
    return (
        current if supplier.expired.withheld else {**current, Standing.OVER: Origin(supplier, supplier.expired, as_of)}
    )


def _collect(
    answer: CompanyRows, shown: Mapping[Standing, Origin], judge: Judge, passes: Filter | None, found: list[Record]
) -> bool:
    """Adds the rows that may be shown; whether all rows could be judged."""
    whole, unreadable = True, answer.unreadable
    for index, row in enumerate(answer.rows):
        standing = judge(row, unreadable.get(index, ()) if unreadable else ())
        origin = shown.get(standing)
        if origin is None:
            whole = whole and standing is not Standing.UNREADABLE
            continue
        passed = passes is None or passes(row)
        if passed:
            found.append((origin, row))
        elif passed is None:
            whole = False
    return whole


def _passes(record: RecordType, filters: Mapping[str, dt.date], row: Row) -> bool | None:
    """Whether a row passes every filter; None where its date is missing, so that nobody can say."""
    for argument, bound in filters.items():
        field, operator = record.filters[argument]
        value = row.get(field)
        if not isinstance(value, dt.date):
            return None
        if value < bound if operator == ">=" else value > bound:
            return False
    return True
