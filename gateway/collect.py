"""One supplier's rows of a company -> the records that may be shown, and how the supplier fared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from connectors.contract import CompanyRows, FailureCode, Outcome, Row
from gateway.authorise import Supplier
from gateway.envelope import Envelopes, SourceOutcome
from gateway.origin import Origin, Record
from policies.publicity import Judge, Standing
from schema.catalogue import RecordType
from schema.credit_code import CreditCode

Said = Callable[[Supplier], Callable[[CreditCode], CompanyRows | None]]
"""What a supplier that was asked answered, by company; None where it said nothing of it."""

Filter = Callable[[Row], bool | None]
"""Whether a row passes; None where its date is missing, so that nobody can say."""

Collect = Callable[[CreditCode, list[Record]], SourceOutcome]
"""Adds a company's records that may be shown to those found; how their supplier fared."""

_NOTHING_SAID: Final = CompanyRows(Outcome.FAILED, failure=FailureCode.AGENCY_BAD_RESPONSE)
"""Asked, and nothing was said of a company: never to be read as there being nothing."""


class Judging(msgspec.Struct, frozen=True):
    """How one request judges the rows of one answer: by their publicity, and by its filters, None without any."""

    standing: Judge
    passes: Filter | None


def collector(
    supplier: Supplier,
    said: Said,
    judging: Judging,
    origins: Callable[[dt.datetime | None], Mapping[Standing, Origin]],
    envelopes: Envelopes,
) -> Collect:
    """Collects what one supplier has: the rows that pass, of those standings that have an origin. `origins` gives these
    by the date of the supplier's data.
    """
    coverage, judge, passes = supplier.dataset.coverage, judging.standing, judging.passes
    if supplier.withheld:
        return lambda code, _: envelopes.not_asked(supplier, covered=coverage.may_know(code))
    answer_of = said(supplier)
    origins_at: dict[dt.datetime | None, Mapping[Standing, Origin]] = {}

    def collect(code: CreditCode, found: list[Record]) -> SourceOutcome:
        if coverage.registered and not coverage.may_know(code):
            return envelopes.not_asked(supplier, covered=False)
        answer = answer_of(code) or _NOTHING_SAID
        whole = True
        if answer.rows:
            shown = origins_at.get(answer.as_of) or origins_at.setdefault(answer.as_of, origins(answer.as_of))
            unreadable = answer.unreadable
            for index, row in enumerate(answer.rows):
                standing = judge(row, unreadable.get(index, ()) if unreadable else ())
                origin = shown.get(standing)
                if origin is None:
                    whole = whole and standing is not Standing.UNREADABLE
                elif passes is None or (passed := passes(row)):
                    found.append((origin, row))
                elif passed is None:
                    whole = False
        return envelopes.source(supplier, answer, whole=whole)

    return collect


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
