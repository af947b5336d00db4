"""Stage six: rows -> per company and answer, the records that may be shown, in order, with how each supplier fared.

A next level's companies come from here: only records that are shown lead on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

import msgspec

from gateway.stages.arguments import Slice
from gateway.stages.authorise import Authorised, AuthorisedAnswer, Supplier
from gateway.stages.collect import Collect, Judging, Replies, Said, collector, row_filter, unasked
from gateway.stages.cursor import Digests, Position
from gateway.stages.envelope import Envelope, Envelopes
from gateway.stages.fetch import Place
from gateway.stages.operation import AnswerSelection
from gateway.stages.order import date_reader, ordered, placed
from gateway.stages.origin import Origin, Record
from policies.masks import Masks
from policies.publicity import Judge, Publicity, Standing
from schema.catalogue import RecordType
from schema.credit_code import CreditCode

AT_ONCE: Final = 32
"""How many companies are joined between two looks at the clock."""


class Joined(msgspec.Struct, frozen=True):
    """One answer for the companies of a place, column by column, in their order.

    `records` has None where nothing may be read from there being none. `more` tells whether there are others, `ends`
    where the last of them stands, if the cursor was asked for.
    """

    envelopes: list[Envelope]
    records: list[Sequence[Record] | None]
    more: list[bool]
    ends: list[Position | None]


class Joiner(msgspec.Struct, frozen=True):
    """What one request needs to join: today's date for publicity periods, the caller's masks, and the digests in
    cursors.
    """

    today: dt.date
    masks: Masks
    digests: Digests


@dataclass(frozen=True, slots=True)
class Joining:
    """What joining one answer needs of the plan. `expiring` are the suppliers whose records may be shown past their
    publicity period, `cursor` tells whether the place of the last record is asked for, and `judge` gives the judge of
    publicity of a day, for rows of these columns.
    """

    authorised: AuthorisedAnswer
    expiring: tuple[Supplier, ...]
    cursor: bool
    judge: Callable[[dt.date, frozenset[str]], Judge | None]


def joinings(authorised: Authorised, publicity: Publicity) -> Mapping[AnswerSelection, Joining]:
    """How each answer of an operation is joined, for one class of caller."""
    return {answer: _joining(cut, publicity) for answer, cut in authorised.answers.items()}


def _joining(authorised: AuthorisedAnswer, publicity: Publicity) -> Joining:
    expiring = tuple(supplier for supplier in authorised.suppliers if not supplier.expired.withheld)
    cursor = any(part.name == "endCursor" for part in authorised.answer.selection.selections)
    # The last day's judges are kept, and those before them, for requests that began before midnight.
    judge = lru_cache(maxsize=2 * len(authorised.suppliers))(partial(publicity.judge, authorised.answer.supplied_as))
    return Joining(authorised, expiring, cursor, judge)


class AnswerJoiner:
    """Joins one answer of one request, for companies of one class, into `joined`."""

    __slots__ = (
        "_collectors",
        "_digests",
        "_envelopes",
        "_expiring",
        "_place",
        "_placed",
        "_single",
        "_slice",
        "joined",
    )

    def __init__(self, joining: Joining, joiner: Joiner, place: Place, slice_: Slice, said: Said) -> None:
        self.joined = Joined([], [], [], [])
        self._place = place
        self._slice = slice_
        self._single = joining.authorised.answer.record.single
        self._placed = joining.cursor or slice_.after is not None
        self._digests = joiner.digests
        self._expiring = joining.expiring
        self._envelopes = Envelopes(joining.authorised, {}, {})
        passes = row_filter(joining.authorised.answer.record, slice_.filters)

        def collects(supplier: Supplier) -> Collect:
            covered = place.covered(supplier.dataset.coverage)
            if supplier.withheld or True not in covered:
                return unasked(supplier, covered, self._envelopes)
            judging = Judging(joining.judge(joiner.today, supplier.dataset.fields), passes)
            origins = partial(_origins, joining.authorised.answer.record, supplier, joiner)
            return collector(supplier, Replies(place.codes, covered, said(supplier)), judging, origins, self._envelopes)

        self._collectors = list(map(collects, joining.authorised.suppliers))

    def join(self) -> Iterator[None]:
        """Adds the answers for all companies, in their order: those of several with each step."""
        for first in range(0, len(self._place.codes), AT_ONCE):
            self._join(first)
            yield

    def _join(self, first: int) -> None:
        expiring, unplaced = self._expiring, not self._placed
        envelope_of, joined = self._envelopes.envelope, self.joined
        codes = self._place.codes[first : first + AT_ONCE]
        founds: list[list[Record]] = [[] for _ in codes]
        fared = list(zip(*[collect(first, founds) for collect in self._collectors], strict=True)) or [()] * len(codes)
        for code, found, sources in zip(codes, founds, fared, strict=True):
            page, more, end = (found, False, None) if unplaced and len(found) <= 1 else self._page(found, code)
            envelope = envelope_of(sources, _over(page, expiring) if expiring else ())
            joined.envelopes.append(envelope)
            joined.records.append(page if page or envelope.complete else None)
            joined.more.append(more)
            joined.ends.append(end)

    def _page(self, found: list[Record], code: CreditCode) -> tuple[Sequence[Record], bool, Position | None]:
        """The page of the records that is asked for, whether there are more, and where its last one stands."""
        first, after = self._slice.first, self._slice.after
        if self._single:
            # The records come by the precedence of their suppliers.
            first_of = found[0][0].supplier
            return ordered([one for one in found if one[0].supplier is first_of], code, self._digests)[:1], False, None
        if not self._placed:
            records = ordered(found, code, self._digests)
            return records[:first], len(records) > first, None
        places = placed(found, code, self._digests)
        if after is not None:
            places = [one for one in places if one[0].key() > after.key()]
        page = places[:first]
        return [record for _, record in page], len(places) > first, page[-1][0] if page else None


def _over(page: Iterable[Record], expiring: Iterable[Supplier]) -> tuple[Supplier, ...]:
    """The suppliers of records on the page that are past their publicity period."""
    shown = {origin.sight for origin, _ in page}
    return tuple(supplier for supplier in expiring if supplier.expired in shown)


def _origins(
    record: RecordType, supplier: Supplier, joiner: Joiner, as_of: dt.datetime | None
) -> Mapping[Standing, Origin]:
    """Where the supplier's records come from, by their standing; of those that are not shown there is nothing."""
    sights = {Standing.PUBLISHED: supplier.sight}
    if not supplier.expired.withheld:
        sights[Standing.OVER] = supplier.expired
    return {
        standing: Origin(supplier, sight, as_of, date_reader(record, sight, joiner.masks))
        for standing, sight in sights.items()
    }
