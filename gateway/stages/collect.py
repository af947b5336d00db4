"""One supplier's rows of a company -> the records that may be shown, and how the supplier fared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Final

import msgspec

from connectors.contract import CompanyRows, FailureCode, Outcome, Row
from gateway.stages.authorise import Supplier
from gateway.stages.envelope import Envelopes, SourceOutcome
from gateway.stages.origin import Origin, Record
from policies.publicity import Judge, Standing
from schema.catalogue import RecordType
from schema.credit_code import CreditCode

Said = Callable[[Supplier], Callable[[CreditCode], CompanyRows | None]]
"""What a supplier that was asked answered, by company; None where it said nothing of it."""

Filter = Callable[[Row], bool | None]
"""Whether a row passes; None where its date is missing, so that nobody can say."""

Collect = Callable[[int, Sequence[list[Record]]], Sequence[SourceOutcome]]
"""Adds the records that may be shown to those found of the place's companies, of which the number is that of the first;
how their supplier fared, by company.
"""

_NOTHING_SAID: Final = CompanyRows(Outcome.FAILED, failure=FailureCode.AGENCY_BAD_RESPONSE)
"""Asked, and nothing was said of a company: never to be read as there being nothing."""

Origins = Mapping[Standing, Origin]


class Judging(msgspec.Struct, frozen=True):
    """How one request judges the rows of one answer: by their publicity, and by its filters. None where each passes."""

    standing: Judge | None
    passes: Filter | None


class Replies(msgspec.Struct, frozen=True):
    """What a supplier says of a place's companies (`codes`); it was asked about those that are `covered`."""

    codes: Sequence[CreditCode]
    covered: Sequence[bool]
    of: Callable[[CreditCode], CompanyRows | None]


def unasked(supplier: Supplier, covered: Sequence[bool], envelopes: Envelopes) -> Collect:
    """Collects nothing: the supplier was asked about none of the companies."""
    sources = [envelopes.not_asked(supplier, covered=one) for one in covered]
    return lambda first, found: sources[first : first + len(found)]


def collector(
    supplier: Supplier,
    replies: Replies,
    judging: Judging,
    origins: Callable[[dt.datetime | None], Origins],
    envelopes: Envelopes,
) -> Collect:
    """Collects what one supplier has: the rows that pass, of those standings that have an origin. `origins` gives these
    by the date of the supplier's data.
    """
    codes, covered, answer_of, add = replies.codes, replies.covered, replies.of, _adder(judging)
    origins_at: dict[dt.datetime | None, Origins] = {}

    def collect(first: int, found: Sequence[list[Record]]) -> Sequence[SourceOutcome]:
        sources: list[SourceOutcome] = []
        # Most companies of a call fared alike.
        source: SourceOutcome | None = None
        last, last_whole = _NOTHING_SAID, True
        end = first + len(found)
        for code, asked, records in zip(codes[first:end], covered[first:end], found, strict=True):
            if not asked:
                sources.append(envelopes.not_asked(supplier, covered=False))
                continue
            answer, whole = answer_of(code) or _NOTHING_SAID, True
            if answer.rows:
                as_of = answer.as_of
                whole = add(answer, origins_at.get(as_of) or origins_at.setdefault(as_of, origins(as_of)), records)
            if source is None or whole is not last_whole or not _fared_alike(answer, last):
                last, last_whole, source = answer, whole, envelopes.source(supplier, answer, whole=whole)
            sources.append(source)
        return sources

    return collect


def _fared_alike(one: CompanyRows, other: CompanyRows) -> bool:
    """Whether the same is told of how their supplier fared; known at once of answers that share it."""
    return (
        one.outcome is other.outcome
        and one.as_of is other.as_of
        and one.not_older_than is other.not_older_than
        and one.failure is other.failure
        and one.retryable is other.retryable
    )


def _adder(judging: Judging) -> Callable[[CompanyRows, Origins, list[Record]], bool]:
    """Adds a company's records that pass; whether all of its rows could be judged."""
    judge, passes = judging.standing, judging.passes

    def add_all(answer: CompanyRows, shown: Origins, records: list[Record]) -> bool:
        records += zip(repeat(shown[Standing.PUBLISHED]), answer.rows)
        return True

    def add(answer: CompanyRows, shown: Origins, records: list[Record]) -> bool:
        whole, unreadable = True, answer.unreadable
        for index, row in enumerate(answer.rows):
            standing = judge(row, unreadable.get(index, ()) if unreadable else ()) if judge else Standing.PUBLISHED
            origin = shown.get(standing)
            if origin is None:
                whole = whole and standing is not Standing.UNREADABLE
            elif passes is None or (passed := passes(row)):
                records.append((origin, row))
            elif passed is None:
                whole = False
        return whole

    return add if judge or passes else add_all


def row_filter(record: RecordType, bounds: Mapping[str, dt.date]) -> Filter | None:
    """What rows pass that are within the bounds, by argument; None without any."""
    if not bounds:
        return None
    tests = [(*record.filters[argument], bound) for argument, bound in bounds.items()]

    def passes(row: Row) -> bool | None:
        for field, operator, bound in tests:
            value = row.get(field)
            if not isinstance(value, dt.date):
                return None
            if value < bound if operator == ">=" else value > bound:
                return False
        return True

    return passes
