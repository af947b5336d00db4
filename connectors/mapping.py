"""From an agency's rows to canonical values: by closures, composed once a dataset, for one row or for many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.amounts import UNIT_WORDS
from connectors.choosing import Counts, row_choice
from connectors.columns import ReadAll, ordinary_texts, values_at
from connectors.contract import RawRow, RecordShape, Row
from connectors.converters import BOOLEANS, converter
from connectors.expressions import compile_expression
from connectors.manifest import DatasetManifest, FieldMapping
from connectors.paths import ASKED_KEY, reader
from connectors.text import NOTHINGS, Nothings, read_text
from connectors.turns import Turn
from schema.values import Kind, Value

FEW_ROWS: Final = 5
"""So many rows are read sooner one by one."""

MANY_ROWS: Final = 512
"""How many rows are worked on between two looks at the clock. In the worst case, where nothing in a column is ordinary,
that takes some 3 ms; in more of them there is little to be gained.
"""

ROWS_OF_EXPRESSIONS: Final = 8
"""The same for fields with an expression, each value of which may take some 20 ms."""

_UNREADABLE: Final = (ValueError, ArithmeticError)


class Column(NamedTuple):
    """A field's values, and the indexes of the rows whose value could not be mapped (these are None)."""

    values: Sequence[Value]
    unreadable: Sequence[int] = ()


ReadValue = Callable[[RawRow], Value]
"""From a row to the value of one field. Raises `ValueError` or `ArithmeticError` where it cannot be mapped."""

ReadColumn = Callable[[Sequence[RawRow]], Column]
"""From rows to the values of one field. Never raises."""


class Mapped(NamedTuple):
    """Rows mapped, and the fields that could not be mapped, by the index of their row."""

    rows: list[Row]
    unreadable: dict[int, frozenset[str]]

    def cannot(self, index: int, name: str) -> None:
        """Notes that a row's field could not be mapped."""
        self.unreadable[index] = self.unreadable.get(index, frozenset()) | {name}


class Origin(NamedTuple):
    """Where a field's values come from: in a row, and in many rows at once where that is another way; and how many rows
    are read at once.
    """

    read: Callable[[RawRow], object]
    read_all: ReadAll | None = None
    at_once: int = MANY_ROWS


@dataclass(frozen=True, slots=True)
class FieldReader:
    """How one field is read.

    `read_column` gives for many rows what `read` gives for each; it gets no more than `at_once`. `columns` are the
    agency's columns or paths that it needs.
    """

    read: ReadValue
    read_column: ReadColumn
    columns: frozenset[str]
    at_once: int = MANY_ROWS


@dataclass(frozen=True, slots=True)
class RowMapper:
    """How the rows of one dataset are read, by canonical field; the keys of their companies; and which rows count,
    where not all do.
    """

    fields: Mapping[str, FieldReader]
    keys: ReadAll
    counts: Counts | None = None

    def columns(self, names: Iterable[str]) -> frozenset[str]:
        """The agency's columns that these canonical fields need."""
        return frozenset[str]().union(*(self.fields[name].columns for name in names))

    async def read(self, raws: Sequence[RawRow], names: Iterable[str], turn: Turn) -> Mapped:
        """The named fields of the rows; what cannot be mapped is None. Never raises.

        Others have their turn on the event loop between any two columns of so many rows as are read at once.
        """
        mapped = Mapped([], {})
        if len(raws) <= FEW_ROWS:
            _read_rows(raws, [(name, self.fields[name].read) for name in names], mapped)
            return mapped
        readers = [(name, self.fields[name]) for name in names]
        for start in range(0, len(raws), MANY_ROWS):
            await _read_columns(raws[start : start + MANY_ROWS], readers, mapped, turn)
        return mapped

    async def read_field(self, raws: Sequence[RawRow], name: str, turn: Turn) -> list[Value]:
        """One field of the rows, as `read` gives it."""
        values: list[Value] = []
        field = self.fields[name]
        for start in range(0, len(raws), field.at_once):
            values += field.read_column(raws[start : start + field.at_once]).values
            if turn.is_over():
                await turn.pass_on()
        return values


def compile_mapper(dataset: DatasetManifest, shape: RecordShape, nothings: Iterable[str]) -> RowMapper:
    """The mapper of a dataset that was checked against `shape`; `nothings` are the agency's own words for none."""
    words = NOTHINGS.union(nothings)
    fields = {
        name: compile_field(mapping, shape.fields[name], words, nested=dataset.nested)
        for name, mapping in dataset.fields.items()
    }
    path = dataset.key.path
    keys = values_at(ASKED_KEY, nested=False) if path is None else values_at(path, nested=dataset.nested)
    return RowMapper(fields, keys, row_choice(dataset.only, dataset.other, nested=dataset.nested))


def compile_field(mapping: FieldMapping, kind: Kind, nothings: frozenset[str], *, nested: bool) -> FieldReader:
    """The reader of one field.

    Raises `ValueError` or `ArithmeticError` where `const` or `default` is no value of `kind`.
    """
    columns = mapping.paths(nested=nested)
    convert, convert_texts = converter(mapping, kind, nested=nested)
    if mapping.const is not None:
        constant = convert(mapping.const, {})
        return FieldReader(lambda _: constant, lambda rows: Column([constant] * len(rows)), frozenset())
    default = None if mapping.default is None else convert(mapping.default, {})
    words = Nothings(
        (nothings.union(mapping.none)).difference(mapping.codes or (), BOOLEANS if kind is Kind.BOOLEAN else ())
    )
    # Of a sum, a unit that means nothing where it stands alone stays beside its number.
    parts = Nothings(words.words - UNIT_WORDS) if kind is Kind.MONEY and mapping.join else words
    get, get_all, at_once = _origin(mapping, parts, nested=nested)

    def read(row: RawRow) -> Value:
        raw = get(row)
        value = None if words.has(raw) else convert(raw, row)
        return default if value is None else value

    def read_each(rows: Sequence[RawRow]) -> Column:
        values: list[Value] = []
        unreadable: list[int] = []
        for index, row in enumerate(rows):
            try:
                values.append(read(row))
            except _UNREADABLE:
                values.append(None)
                unreadable.append(index)
        return Column(values, unreadable)

    if get_all is None:
        return FieldReader(read, read_each, columns, at_once)

    def read_column(rows: Sequence[RawRow]) -> Column:
        if len(rows) <= FEW_ROWS:
            return read_each(rows)
        try:
            values = convert_texts(ordinary_texts(get_all(rows), words), rows)
        except _UNREADABLE:
            return _halved(read_column, rows)
        return Column(values if default is None else [default if value is None else value for value in values])

    return FieldReader(read, read_column, columns)


def _origin(mapping: FieldMapping, nothings: Nothings, *, nested: bool) -> Origin:
    """Where the values of a field come from that is no constant."""
    if mapping.path is not None:
        return Origin(reader(mapping.path, nested=nested), values_at(mapping.path, nested=nested))
    if mapping.jmespath is None:
        return Origin(_several(mapping, nothings, nested=nested))
    expression = compile_expression(mapping.jmespath)
    if expression.path is None:
        return Origin(expression.read, at_once=ROWS_OF_EXPRESSIONS)
    return Origin(expression.read, values_at(expression.path, nested=True))


def _halved(read: ReadColumn, rows: Sequence[RawRow]) -> Column:
    """What is read of either half: most of what is not ordinary stands alone."""
    half = len(rows) // 2
    first, second = read(rows[:half]), read(rows[half:])
    return Column([*first.values, *second.values], [*first.unreadable, *(half + index for index in second.unreadable)])


def _read_rows(raws: Sequence[RawRow], readers: Iterable[tuple[str, ReadValue]], mapped: Mapped) -> None:
    """Adds rows to the mapped ones, value by value."""
    for index, raw in enumerate(raws):
        row: dict[str, Value] = {}
        for name, read in readers:
            try:
                row[name] = read(raw)
            except _UNREADABLE:
                row[name] = None
                mapped.cannot(index, name)
        mapped.rows.append(row)


async def _read_columns(
    raws: Sequence[RawRow], readers: Iterable[tuple[str, FieldReader]], mapped: Mapped, turn: Turn
) -> None:
    """Adds rows to the mapped ones, column by column."""
    rows: list[dict[str, Value]] = [{} for _ in raws]
    for name, field in readers:
        for start in range(0, len(raws), field.at_once):
            part = slice(start, start + field.at_once)
            values, unreadable = field.read_column(raws[part])
            for row, value in zip(rows[part], values, strict=True):
                row[name] = value
            for index in unreadable:
                mapped.cannot(len(mapped.rows) + start + index, name)
            if turn.is_over():
                await turn.pass_on()
    mapped.rows.extend(rows)


def _several(mapping: FieldMapping, nothings: Nothings, *, nested: bool) -> Callable[[RawRow], object]:
    """What several paths lead to: joined, or the first that is there."""
    readers = [reader(path, nested=nested) for path in mapping.join or mapping.first]
    if mapping.first:
        return lambda row: next((part for get in readers if not nothings.has(part := get(row))), None)

    def get(row: RawRow) -> object:
        parts = [get(row) for get in readers]
        return mapping.with_.join(read_text(part) for part in parts if not nothings.has(part))

    return get
