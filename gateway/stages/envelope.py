"""What an answer tells beside its records: how whole it is, how each supplier fared, and what is not clear.

Most companies of a request get the same, so it is made once and shared: by identity, so that it is written once too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from connectors.contract import CompanyRows, FailureCode, Outcome
from gateway.stages.authorise import Access, AuthorisedAnswer, Supplier, access


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


ASKED: Final = frozenset(SourceStatus) - {SourceStatus.WITHHELD, SourceStatus.NOT_ASKED}
"""The statuses of suppliers that were asked."""


class SourceOutcome(msgspec.Struct, frozen=True, eq=False):
    """How one supplier fared; dates carry an offset."""

    agency: str
    dataset: str
    status: SourceStatus
    as_of: dt.datetime | None = None
    not_older_than: dt.datetime | None = None
    failure: FailureCode | None = None
    retryable: bool = False


class Envelope(msgspec.Struct, frozen=True, eq=False):
    """What one answer tells beside its records."""

    status: AnswerStatus
    sources: tuple[SourceOutcome, ...]
    access: tuple[Access, ...]

    @property
    def complete(self) -> bool:
        """Whether no records mean that there are none."""
        return self.status is AnswerStatus.COMPLETE


class Envelopes(msgspec.Struct, frozen=True):
    """The envelopes of one answer selection in one request, for one class of caller."""

    authorised: AuthorisedAnswer
    _sources: dict[Hashable, SourceOutcome]
    _envelopes: dict[Hashable, Envelope]

    def source(self, supplier: Supplier, rows: CompanyRows, *, whole: bool) -> SourceOutcome:
        """How a supplier that was asked fared for a company. `whole` tells whether all rows could be judged."""
        key = (supplier, rows.outcome, rows.failure, rows.retryable, rows.as_of, rows.not_older_than, whole)
        found = self._sources.get(key)
        if found is None:
            answered = rows.outcome is Outcome.ANSWERED
            status = SourceStatus.INCOMPLETE if answered and not whole else SourceStatus(rows.outcome.value)
            found = self._sources[key] = _source(supplier, status, rows)
        return found

    def not_asked(self, supplier: Supplier, *, covered: bool) -> SourceOutcome:
        """A supplier that was not asked about a company: nothing was to be had of it, or it is not `covered`."""
        key = (supplier, covered)
        status = SourceStatus.WITHHELD if covered else SourceStatus.NOT_ASKED
        return self._sources.get(key) or self._sources.setdefault(key, _source(supplier, status))

    def envelope(self, sources: tuple[SourceOutcome, ...], expired: tuple[Supplier, ...] = ()) -> Envelope:
        """The envelope of an answer with these sources. Of the suppliers `expired` it shows records that are past their
        publicity period.
        """
        key = (sources, expired)
        found = self._envelopes.get(key)
        if found is None:
            told = self.authorised.access
            if expired:
                told = (*told, *_expired_access(self.authorised, expired))
            found = self._envelopes[key] = Envelope(_status(sources), sources, told)
        return found


def _source(supplier: Supplier, status: SourceStatus, rows: CompanyRows | None = None) -> SourceOutcome:
    agency, dataset = supplier.dataset.agency, supplier.dataset.id
    if rows is None:
        return SourceOutcome(agency, dataset, status)
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


def _expired_access(authorised: AuthorisedAnswer, suppliers: Iterable[Supplier]) -> Iterator[Access]:
    """What is not clear of records past their publicity period."""
    for supplier in suppliers:
        yield from access(authorised.answer.record, supplier.dataset.agency, supplier.expired)
