"""Stage seven: joined answers -> the response's data, with masks applied.

Writers are composed once for each plan; what no writer reads cannot appear. What many companies have in common, an
answer's envelope, is written once in a request, and its bytes are put into each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from gateway import cursor
from gateway.agencies import AgencyProfile, agency_writer
from gateway.authorise import Authorised, AuthorisedAnswer, Sight, Supplier
from gateway.envelope import Envelope
from gateway.join import Joined, Mask, Record, linked
from gateway.operation import RECORDS, AnswerSelection, EnterpriseSelection, Link
from gateway.selection import Selection
from gateway.writers import TYPENAME, Writer, columns_writer, constants, keyed_writer, object_writer, value_writer
from policies.decision import Effect
from schema.credit_code import CreditCode

Agencies = Mapping[str, AgencyProfile]

EnterpriseWriter = Callable[[EnterpriseSelection, CreditCode], orjson.Fragment]
"""Gives one company at one place of the operation, written before."""


@dataclass(frozen=True, slots=True)
class Showing:
    """What writing needs of one request besides the records: the caller's masks, the companies that records lead to,
    and the `envelopes` that it has written.
    """

    mask: Mask
    enterprise: EnterpriseWriter
    envelopes: dict[Envelope, dict[str, Any]] = field(default_factory=dict)


AnswerWriter = Callable[[Joined, Showing], dict[str, Any]]
AnswerReader = Callable[[Joined, Showing], Any]
RecordReader = Callable[[Record, Showing], Any]


def answer_writers(authorised: Authorised, agencies: Agencies) -> Mapping[AnswerSelection, AnswerWriter]:
    """The writer of each answer of an operation, for one class of caller."""
    return {answer: _answer_writer(cut, agencies) for answer, cut in authorised.answers.items()}


def _answer_writer(authorised: AuthorisedAnswer, agencies: Agencies) -> AnswerWriter:
    """Writes an answer: its envelope, and around that whatever differs between companies."""
    selections = authorised.answer.selection.selections
    write_envelope = _envelope_writer(authorised, agencies)
    readers = tuple(
        (part.key, _records_reader(part, authorised, agencies) if part.name in RECORDS else _READERS[part.name])
        for part in selections
        if part.name in RECORDS or part.name in _READERS
    )

    def write(joined: Joined, showing: Showing) -> dict[str, Any]:
        envelope = showing.envelopes.get(joined.envelope)
        if envelope is None:
            envelope = showing.envelopes[joined.envelope] = write_envelope(joined.envelope)
        if joined.records is None:
            return envelope
        written = envelope.copy()
        for key, read in readers:
            written[key] = read(joined, showing)
        return written

    return write


_READERS: Final[Mapping[str, AnswerReader]] = {
    "hasMore": lambda joined, _: joined.has_more,
    "endCursor": lambda joined, _: cursor.encode(joined.end) if joined.end else None,
}


def _envelope_writer(authorised: AuthorisedAnswer, agencies: Agencies) -> Callable[[Envelope], dict[str, Any]]:
    """Writes an answer without its records, which are null."""

    def reader(selection: Selection) -> Writer:
        if selection.name == "status":
            return lambda envelope: envelope.status
        if selection.name == "sources":
            write_source = _source_writer(selection.selections, agencies)
            return lambda envelope: _written_list(write_source, envelope.sources)
        if selection.name == "access":
            write = _access_writer(selection.selections, agencies)
            usual = _written_list(write, authorised.access)
            return lambda envelope: (
                usual if envelope.access is authorised.access else _written_list(write, envelope.access)
            )
        return lambda _: None

    return keyed_writer(authorised.answer.selection.selections, reader)


def _written_list(write: Writer, entries: Iterable[object]) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps([write(entry) for entry in entries]))


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


def _records_reader(selection: Selection, authorised: AuthorisedAnswer, agencies: Agencies) -> AnswerReader:
    """Writes the selected fields of each record by what the caller sees of it."""
    writers = {
        sight: _record_writer(selection, authorised.answer, supplier, sight, agencies)
        for supplier in authorised.suppliers
        for sight in (supplier.sight, supplier.expired)
    }

    def write(joined: Joined, showing: Showing) -> list[dict[str, Any]]:
        return [writers[record.sight](record, showing) for record in joined.records or ()]

    def write_first(joined: Joined, showing: Showing) -> dict[str, Any] | None:
        return next(iter(write(joined, showing)), None)

    return write_first if authorised.answer.record.single else write


def _record_writer(
    records: Selection, answer: AnswerSelection, supplier: Supplier, sight: Sight, agencies: Agencies
) -> RecordReader:
    """Writes one record: columns as they are, columns in another form, and what takes more than the row. What the
    caller may not see stays null.
    """
    constant = constants(records.selections)
    links = {link.keys: link for link in answer.links}
    columns: dict[str, str] = {}
    converted: list[tuple[str, str, Writer]] = []
    others: list[tuple[str, RecordReader]] = []
    for part in records.selections:
        link, decision = links.get((records.key, part.key)), sight.decisions.get(part.name)
        if part.name == "source":
            others.append((part.key, _record_source_reader(part.selections, supplier, agencies)))
        elif link:
            others.append((part.key, _link_reader(link)))
        elif part.name != TYPENAME and decision and decision.effect is not Effect.WITHHELD:
            write = value_writer(answer.record.fields[part.name].kind, part.selections)
            if decision.effect is Effect.MASKED:
                coordinate = f"{answer.record.name}.{part.name}"
                others.append((part.key, _masked_reader(decision.mask or "", coordinate, part.name, write)))
            elif write:
                converted.append((part.key, part.name, write))
            else:
                columns[part.key] = part.name
    return _composed(constant, columns, converted, others)


def _composed(
    constant: Mapping[str, Any],
    columns: Mapping[str, str],
    converted: Iterable[tuple[str, str, Writer]],
    others: Iterable[tuple[str, RecordReader]],
) -> RecordReader:
    made, read_columns = dict(constant), columns_writer(columns)
    converted, others = tuple(converted), tuple(others)

    def write_record(record: Record, showing: Showing) -> dict[str, Any]:
        row, written = record.row, made.copy()
        written.update(read_columns(row))
        for key, name, write in converted:
            value = row.get(name)
            if value is not None:
                written[key] = write(value)
        for key, read in others:
            written[key] = read(record, showing)
        return written

    return write_record


def _record_source_reader(selections: tuple[Selection, ...], supplier: Supplier, agencies: Agencies) -> RecordReader:
    def getter(selection: Selection) -> Writer:
        if selection.name == "agency":
            agency = agency_writer(selection.selections, agencies)(supplier.dataset.agency)
            return lambda _: agency
        return lambda record: record.as_of

    write = keyed_writer(selections, getter)
    return lambda record, _: write(record)


def _link_reader(link: Link) -> RecordReader:
    def read(record: Record, showing: Showing) -> orjson.Fragment | None:
        code = linked(record, link.field)
        return showing.enterprise(link.enterprise, code) if code else None

    return read


def _masked_reader(mask: str, coordinate: str, name: str, write: Writer | None) -> RecordReader:
    def read(record: Record, showing: Showing) -> object:
        value = showing.mask(mask, coordinate, record.row.get(name))
        return value if value is None or write is None else write(value)

    return read
