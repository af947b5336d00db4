"""Stage seven: joined answers -> the response's data, with masks applied.

Writers are made once for each plan; what no writer reads cannot appear. What many companies have in common, an answer's
envelope, is written once in a request, and its bytes are put into each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
import orjson

from gateway.agencies.profile import AgencyProfile, agency_writer
from gateway.stages import cursor
from gateway.stages.authorise import Authorised, AuthorisedAnswer, Sight
from gateway.stages.envelope import Envelope
from gateway.stages.expressions import Expressions, Get
from gateway.stages.join import Joined
from gateway.stages.operation import RECORDS, AnswerSelection, EnterpriseSelection, Link
from gateway.stages.origin import Origin, Record
from gateway.stages.selection import Selection
from gateway.stages.writers import TYPENAME, Writer, keyed_writer, object_writer
from policies.decision import Decision, Effect
from policies.masks import Masks

Agencies = Mapping[str, AgencyProfile]

EnterpriseWriter = Callable[[EnterpriseSelection, str], orjson.Fragment]
"""Gives the company with a code at one place of the operation, written before."""


class Showing(msgspec.Struct, frozen=True):
    """What writing needs of one request besides the records: the caller's masks, and the companies that records lead
    to.
    """

    masks: Masks
    enterprise: EnterpriseWriter


Write = Callable[[Joined, int], object]
"""Writes an answer for the company at a place in the order of all."""

AnswerWriter = Callable[[Showing], Write]
"""Begins to write the answers of one request."""

RecordsWriter = Callable[[Sequence[Record]], object]
RowWriter = Callable[[Get], dict[str, Any]]
RowBinder = Callable[[Showing, Origin], RowWriter]
"""Begins to write the rows of one origin."""


def answer_writers(authorised: Authorised, agencies: Agencies) -> Mapping[AnswerSelection, AnswerWriter]:
    """The writer of each answer of an operation, for one class of caller."""
    return {answer: _answer_writer(cut, agencies) for answer, cut in authorised.answers.items()}


def _answer_writer(authorised: AuthorisedAnswer, agencies: Agencies) -> AnswerWriter:
    """Writes an answer: its envelope, and around that whatever differs between companies."""
    selections = authorised.answer.selection.selections
    write_envelope = envelope_writer(authorised, agencies)
    more = tuple(part.key for part in selections if part.name == "hasMore")
    ends = tuple(part.key for part in selections if part.name == "endCursor")
    records = tuple(
        (part.key, _records_writer(part, authorised, agencies)) for part in selections if part.name in RECORDS
    )

    def begin(showing: Showing) -> Write:
        envelopes: dict[Envelope, dict[str, Any]] = {}
        empty: dict[Envelope, orjson.Fragment] = {}
        lists = tuple((key, write_records(showing)) for key, write_records in records)

        def write(joined: Joined, index: int) -> object:
            envelope, found = joined.envelopes[index], joined.records[index]
            if not found:
                # Answers without records differ by their envelopes alone.
                return empty.get(envelope) or empty.setdefault(envelope, _fragment(without(envelope, found)))
            written = (envelopes.get(envelope) or envelopes.setdefault(envelope, write_envelope(envelope))).copy()
            for key, write_records in lists:
                written[key] = write_records(found)
            for key in more:
                written[key] = joined.more[index]
            for key in ends:
                end = joined.ends[index]
                written[key] = cursor.encode(end) if end else None
            return written

        def without(envelope: Envelope, found: Sequence[Record] | None) -> dict[str, Any]:
            written = write_envelope(envelope)
            if found is not None:
                written.update({key: write_records(found) for key, write_records in lists})
                written.update(dict.fromkeys(more, False))
            return written

        return write

    return begin


def envelope_writer(authorised: AuthorisedAnswer, agencies: Agencies) -> Callable[[Envelope], dict[str, Any]]:
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
    return _fragment([write(entry) for entry in entries])


def _fragment(data: object) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(data))


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


def _records_writer(
    selection: Selection, authorised: AuthorisedAnswer, agencies: Agencies
) -> Callable[[Showing], RecordsWriter]:
    """Writes the selected fields of each record by what the caller sees of it."""
    binder = lru_cache(maxsize=None)(lambda sight: _row_binder(selection, authorised.answer, sight, agencies))
    single = authorised.answer.record.single

    def begin(showing: Showing) -> RecordsWriter:
        writers = _RowWriters(lambda origin: binder(origin.sight)(showing, origin))
        if single:
            return lambda found: next((writers[origin](row.get) for origin, row in found), None)
        return lambda found: [writers[origin](row.get) for origin, row in found]

    return begin


class _RowWriters(dict[Origin, RowWriter]):
    """One request's writers, each made for the first record of its origin."""

    def __init__(self, bind: Callable[[Origin], RowWriter]) -> None:
        super().__init__()
        self._bind = bind

    def __missing__(self, origin: Origin) -> RowWriter:
        write = self[origin] = self._bind(origin)
        return write


def _row_binder(records: Selection, answer: AnswerSelection, sight: Sight, agencies: Agencies) -> RowBinder:
    """Writes one record. What the caller may not see stays null."""
    expressions = Expressions()
    links = {link.keys: link for link in answer.links}
    binders: list[Callable[[Showing, Origin], object]] = []

    def bound(bind: Callable[[Showing, Origin], object]) -> str:
        binders.append(bind)
        return expressions.bound()

    def member(part: Selection) -> str:
        if part.name == TYPENAME:
            return expressions.constant(part.parent)
        if part.name == "source":
            return bound(_source_binder(part.selections, agencies))
        decision, link = sight.decisions.get(part.name), links.get((records.key, part.key))
        if decision is None or decision.effect is Effect.WITHHELD:
            return "None"
        read = expressions.column(part.name)
        if link:
            return f"{bound(_link_binder(link))}({read})" if decision.effect is Effect.CLEAR else "None"
        if decision.effect is Effect.MASKED:
            read = f"{bound(_mask_binder(decision, f'{answer.record.name}.{part.name}'))}({read})"
        return expressions.value(read, answer.record.fields[part.name].kind, part.selections)

    make = expressions.make([(part.key, member(part)) for part in records.selections])
    return lambda showing, origin: make(*(bind(showing, origin) for bind in binders))


def _source_binder(selections: tuple[Selection, ...], agencies: Agencies) -> Callable[[Showing, Origin], object]:
    def getter(selection: Selection) -> Writer:
        if selection.name == "agency":
            write = agency_writer(selection.selections, agencies)
            return lambda origin: write(origin.supplier.dataset.agency)
        return lambda origin: origin.as_of

    write = keyed_writer(selections, getter)
    return lambda _, origin: _fragment(write(origin))


def _link_binder(link: Link) -> Callable[[Showing, Origin], object]:
    def bind(showing: Showing, _origin: Origin) -> Callable[[object], orjson.Fragment | None]:
        enterprise, selection = showing.enterprise, link.enterprise
        return lambda code: enterprise(selection, code) if isinstance(code, str) else None

    return bind


def _mask_binder(decision: Decision, coordinate: str) -> Callable[[Showing, Origin], object]:
    return lambda showing, _: showing.masks(decision.mask or "", coordinate)
