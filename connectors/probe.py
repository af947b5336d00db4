"""Asks a real system for a few companies, and tells all about it: what was sent, what came, what became of it.

For whoever writes a manifest, at a terminal: what is told holds the agency's values, and is for no log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, event

from connectors.choosing import row_choice
from connectors.conformance.trial import Answers, Recorder, Subject, subjects
from connectors.contract import Asker, CompanyKey, RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.errors import AgencyFailure
from connectors.expressions import compile_expression, why_not
from connectors.keys import Asked
from connectors.manifest import FieldMapping, Manifest
from connectors.mapping import compile_field
from connectors.paths import AROUND, ASKED_KEY, MISSING, follow
from connectors.remarks import remarks
from connectors.settings import SupplySettings
from connectors.text import NOTHINGS, Unmappable
from connectors.watch import Exchange
from schema.values import Kind, Value

_WHY: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "no text",
    Kind.INTEGER: "no whole number",
    Kind.DECIMAL: "no number",
    Kind.BOOLEAN: "neither yes nor no: list what it means in codes",
    Kind.DATE: "no date in a usual form: say how it is written in formats, or list it in none",
    Kind.DATE_SPAN: "no date in a usual form: say how it is written in formats, or list it in none",
    Kind.MONEY: "no sum of money: list it in none if it means nothing",
    Kind.COUNT: "no whole number",
    Kind.CODE: "no code",
    Kind.CREDIT_CODE: "no credit code",
}


@dataclass(frozen=True, slots=True)
class FieldSeen:
    """What became of one field of a row.

    `raws` are the agency's values by path (`MISSING`, where the row has no such place); `why` says why the value could
    not be mapped, and is empty where it was.
    """

    name: str
    raws: Mapping[str, object]
    value: Value
    why: str


@dataclass(frozen=True, slots=True)
class RowSeen:
    """A row as it came: whose it is (nobody's that was asked for, where there is none; `anybodys`, where its key is no
    code), whether it counts by `only` and `except`, its fields, and the places in it that no field reads.
    """

    owners: Sequence[CompanyKey]
    anybodys: bool
    counts: bool
    fields: Sequence[FieldSeen]
    unread: Sequence[str]


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of asking for one dataset, how many seconds it took, and what there is to remark on it."""

    dataset: str
    calls: Sequence[tuple[SourceCall, SourceAnswer | AgencyFailure]]
    exchanges: Sequence[Exchange]
    statements: Sequence[tuple[str, object]]
    rows: Sequence[RowSeen]
    answers: Answers
    seconds: float
    remarks: Sequence[str]


async def probe(  # noqa: PLR0913  (what a supply needs, whom and what to ask for)
    manifest: Manifest,
    shapes: Mapping[str, RecordShape],
    settings: SupplySettings,
    codes: Sequence[CompanyKey],
    *,
    records: Collection[str] = (),
    fields: Collection[str] = (),
    asker: Asker,
) -> list[Probed]:
    """What came of asking for each dataset, or for those of the named `records`; for the `fields` that they have of
    those named, or for all. Raises `ConnectionNotConfigured`.
    """
    chosen = [
        subject
        for subject in subjects(manifest, shapes, settings, codes, (), asker)
        if not records or subject.dataset.record in records
    ]
    return [await _probe(subject, frozenset(fields) & subject.dataset.fields.keys()) for subject in chosen]


async def _probe(subject: Subject, fields: frozenset[str]) -> Probed:
    recorder, statements = Recorder(), list[tuple[str, object]]()
    names = fields or frozenset(subject.dataset.fields)
    async with subject.opened(recorder) as supply:
        await subject.wait_for_drops(supply)
        recorder.fetches.clear()
        loop = asyncio.get_running_loop()
        started = loop.time()
        with _looking_at_statements(statements):
            answers = await subject.ask(supply, subject.codes, names)
        seconds = loop.time() - started
    raws = [row for _, answer in recorder.fetches if isinstance(answer, SourceAnswer) for row in answer.rows]
    see = _Seeing(subject, names)
    rows = [see.row(raw) for raw in raws]
    remarked = await remarks(subject.dataset, recorder.exchanges, raws)
    return Probed(subject.id, recorder.fetches, recorder.exchanges, statements, rows, answers, seconds, remarked)


@contextmanager
def _looking_at_statements(seen: list[tuple[str, object]]) -> Iterator[None]:
    """Notes the statements that databases are asked by, with their parameters."""

    def note(_connection: object, _cursor: object, statement: str, parameters: object, context: Any, _: bool) -> None:  # noqa: ANN401, FBT001  (SQLAlchemy's signature)
        if context.compiled is not None:  # those of the driver's own are not
            seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", note)


class _Seeing:
    """How the rows of a subject are looked at, for the fields of these names."""

    def __init__(self, subject: Subject, names: Collection[str]) -> None:
        self._subject = subject
        self._names = sorted(names)
        self._asked = Asked(subject.codes, subject.dataset.key.kind)

    def row(self, raw: RawRow) -> RowSeen:
        """A row, and what becomes of it."""
        dataset = self._subject.dataset
        key = ASKED_KEY if dataset.key.path is None else dataset.key.path
        owners = self._asked.owners(None if (found := self._at(raw, key)) is MISSING else found)
        read = dataset.chosen_by.union(*(mapping.paths(nested=True) for mapping in dataset.fields.values()))
        read |= {key} | {path for path in (dataset.as_of.column if dataset.as_of else None,) if path}
        unread = [path for path in dict.fromkeys(_leaves(raw)) if not _is_read(path, read)]
        fields = [self._field(raw, name) for name in self._names]
        return RowSeen(owners or (), owners is None, self._does_count(raw), fields, unread)

    def _does_count(self, raw: RawRow) -> bool:
        dataset = self._subject.dataset
        counts = row_choice(dataset.only, dataset.other, nested=dataset.nested)
        try:
            return counts is None or counts(raw)
        except Unmappable:
            return False

    def _field(self, raw: RawRow, name: str) -> FieldSeen:
        dataset = self._subject.dataset
        mapping, kind = dataset.fields[name], self._subject.shape.fields[name]
        raws = self._raws(raw, mapping)
        reader = compile_field(mapping, kind, NOTHINGS.union(self._subject.manifest.none), nested=dataset.nested)
        try:
            return FieldSeen(name, raws, reader.read(raw), "")
        except (ValueError, ArithmeticError):
            return FieldSeen(name, raws, None, _why(mapping, kind, raws, raw))

    def _raws(self, raw: RawRow, mapping: FieldMapping) -> Mapping[str, object]:
        """What the agency wrote; of an expression, what it made of that, or else what it was to be made of."""
        if mapping.jmespath is None:
            return {path: self._at(raw, path) for path in sorted(mapping.paths(nested=self._subject.dataset.nested))}
        expression = compile_expression(mapping.jmespath)
        other = {column: raw.get(column, MISSING) for column in sorted(expression.columns)}
        try:
            made = expression.read(raw)
        except (ValueError, ArithmeticError):
            return other
        return {mapping.jmespath: made, **(other if made is None else {})}

    def _at(self, raw: RawRow, path: str) -> object:
        return follow(raw, path) if self._subject.dataset.nested else raw.get(path, MISSING)


def _why(mapping: FieldMapping, kind: Kind, raws: Mapping[str, object], raw: RawRow) -> str:
    if mapping.jmespath is not None:
        why = why_not(compile_expression(mapping.jmespath), raw)
        if why:
            return why
    if any(isinstance(raw, list | dict) for raw in raws.values()):
        way = "path name a place" if mapping.jmespath is None else "expression choose something"
        return f"an object or a list: let the {way} in it"
    if mapping.codes is not None:
        return "not in codes"
    if mapping.formats:
        return f"no date as {' or '.join(mapping.formats)}"
    return _WHY[kind]


def _leaves(value: object, path: str = "") -> Iterator[str]:
    """The dotted paths of what a row holds; what stands around it is not listed."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in {AROUND, ASKED_KEY}:
                yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        yield from _leaves(value[0], f"{path}.0")
    else:
        yield path


def _is_read(leaf: str, read: Collection[str]) -> bool:
    # Of expressions it is only known which names lead to what they read.
    named = ".".join(step for step in leaf.split(".") if not step.isdecimal())
    return any(place == path or place.startswith(f"{path}.") for path in read for place in {leaf, named})
