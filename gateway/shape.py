"""Stage seven: joined answers -> the response's data, with masks applied.

Writers are composed once for each plan; what no writer reads cannot appear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway import cursor
from gateway.agencies import AgencyProfile, agency_writer
from gateway.authorise import Authorised, AuthorisedAnswer, Sight
from gateway.join import Joined, Mask, Record, linked
from gateway.operation import RECORDS, AnswerSelection, EnterpriseSelection, Link
from gateway.selection import Selection
from gateway.writers import Writer, keyed_writer, object_writer, value_writer
from policies.decision import Effect
from schema.credit_code import CreditCode

Agencies = Mapping[str, AgencyProfile]

EnterpriseWriter = Callable[[EnterpriseSelection, CreditCode], dict[str, Any]]
"""Writes one company at one place of the operation."""


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer about to be written, with the request's masks and its writer of companies."""

    joined: Joined
    mask: Mask
    enterprise: EnterpriseWriter


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """A record about to be written, with the request's masks and its writer of companies."""

    record: Record
    mask: Mask
    enterprise: EnterpriseWriter


AnswerWriter = Callable[[ShownAnswer], dict[str, Any]]
RecordReader = Callable[[ShownRecord], Any]


def answer_writers(authorised: Authorised, agencies: Agencies) -> Mapping[AnswerSelection, AnswerWriter]:
    """The writer of each answer of an operation, for one class of caller."""
    return {answer: _answer_writer(cut, agencies) for answer, cut in authorised.answers.items()}


def _answer_writer(authorised: AuthorisedAnswer, agencies: Agencies) -> AnswerWriter:
    getters = {
        "status": lambda shown: shown.joined.status,
        "hasMore": lambda shown: shown.joined.has_more,
        "endCursor": _end_cursor,
    }
    lists = {"sources": _source_writer, "access": _access_writer}

    def getter(selection: Selection) -> Writer:
        if selection.name in RECORDS:
            return _records_reader(selection, authorised, agencies)
        if selection.name in lists:
            write = lists[selection.name](selection.selections, agencies)
            name = selection.name
            return lambda shown: [write(entry) for entry in getattr(shown.joined, name)]
        return getters[selection.name]

    return keyed_writer(authorised.answer.selection.selections, getter)


def _end_cursor(shown: ShownAnswer) -> str | None:
    records = shown.joined.records
    return cursor.encode(records[-1].position) if records else None


def _source_writer(selections: tuple[Selection, ...], agencies: Agencies) -> Writer:
    def getter(selection: Selection) -> Writer:
        if selection.name == "agency":
            write = agency_writer(selection.selections, agencies)
            return lambda source: write(source.agency)
        if selection.name == "failure":
            failure = object_writer(selection.selections, _FAILURE)
            return lambda source: failure(source) if source.failure else None
        return _SOURCE[selection.name]

    return keyed_writer(selections, getter)


_FAILURE: Final[Mapping[str, Writer]] = {
    "code": lambda source: source.failure,
    "retryable": lambda source: source.retryable,
}

_SOURCE: Final[Mapping[str, Writer]] = {
    "status": lambda source: source.status,
    "asOf": lambda source: source.as_of,
    "notOlderThan": lambda source: source.not_older_than,
}


def _access_writer(selections: tuple[Selection, ...], agencies: Agencies) -> Writer:
    def getter(selection: Selection) -> Writer:
        if selection.name == "agency":
            write = agency_writer(selection.selections, agencies)
            return lambda access: write(access.agency)
        return _ACCESS[selection.name]

    return keyed_writer(selections, getter)


_ACCESS: Final[Mapping[str, Writer]] = {
    "coordinate": lambda access: access.coordinate,
    "decision": lambda access: access.decision.effect,
    "mask": lambda access: access.decision.mask,
    "reason": lambda access: access.decision.reason,
}


def _records_reader(selection: Selection, authorised: AuthorisedAnswer, agencies: Agencies) -> Writer:
    """Writes the selected fields of each record by what the caller sees of it."""
    writers = {
        sight: _record_writer(selection, authorised.answer, sight, agencies)
        for supplier in authorised.suppliers
        for sight in (supplier.sight, supplier.expired)
    }

    def write(shown: ShownAnswer) -> list[dict[str, Any]] | None:
        if shown.joined.records is None:
            return None
        return [
            writers[record.sight](ShownRecord(record, shown.mask, shown.enterprise)) for record in shown.joined.records
        ]

    if not authorised.answer.record.single:
        return write

    def write_first(shown: ShownAnswer) -> dict[str, Any] | None:
        records = write(shown)
        return records[0] if records else None

    return write_first


def _record_writer(records: Selection, answer: AnswerSelection, sight: Sight, agencies: Agencies) -> RecordReader:
    links = {link.keys: link for link in answer.links}

    def reader(selection: Selection) -> RecordReader:
        if selection.name == "source":
            return _record_source_reader(selection.selections, agencies)
        link = links.get((records.key, selection.key))
        return _link_reader(link) if link else _field_reader(selection, answer, sight)

    return keyed_writer(records.selections, reader)


def _record_source_reader(selections: tuple[Selection, ...], agencies: Agencies) -> RecordReader:
    def getter(selection: Selection) -> Writer:
        if selection.name == "agency":
            write = agency_writer(selection.selections, agencies)
            return lambda record: write(record.supplier.dataset.agency)
        return lambda record: record.as_of

    write = keyed_writer(selections, getter)
    return lambda shown: write(shown.record)


def _link_reader(link: Link) -> RecordReader:
    def read(shown: ShownRecord) -> dict[str, Any] | None:
        code = linked(shown.record, link.field)
        return shown.enterprise(link.enterprise, code) if code else None

    return read


def _field_reader(selection: Selection, answer: AnswerSelection, sight: Sight) -> RecordReader:
    name = selection.name
    decision = sight.decisions.get(name)
    if decision is None or decision.effect is Effect.WITHHELD:
        return lambda _: None
    write = value_writer(answer.record.fields[name].kind, selection.selections)
    if decision.effect is Effect.MASKED:
        mask, coordinate = decision.mask or "", f"{answer.record.name}.{name}"

        def read_masked(shown: ShownRecord) -> object:
            value = shown.mask(mask, coordinate, shown.record.row.get(name))
            return None if value is None else write(value)

        return read_masked

    def read_clear(shown: ShownRecord) -> object:
        value = shown.record.row.get(name)
        return None if value is None else write(value)

    return read_clear
