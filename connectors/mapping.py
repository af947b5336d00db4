"""From an agency's row to canonical values: one closure a field, compiled once a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from connectors.amounts import read_decimal, read_integer, read_money
from connectors.contract import RawRow, RecordShape, Row
from connectors.dates import read_date
from connectors.manifest import CodeEntry, CurrencyColumn, DatasetManifest, FieldMapping
from connectors.paths import reader
from connectors.text import NOTHINGS, Unmappable, is_nothing, narrow, nothing_test, read_text
from schema.credit_code import CreditCode, CreditCodeError
from schema.values import Code, Count, DateSpan, Kind, Money, Value

T = TypeVar("T")

Convert = Callable[[object, RawRow], Value]
"""From a value that is not nothing, and its row, to the canonical one. Raises `ValueError` or `ArithmeticError`."""

ReadRow = Callable[[RawRow], tuple[Row, frozenset[str]]]
"""From a row to its mapped fields, and the names of those that could not be mapped (these are None). Never raises."""

BOOLEANS: Final = {
    **dict.fromkeys(("true", "1", "y", "yes", "是", "有"), True),
    **dict.fromkeys(("false", "0", "n", "no", "否", "无"), False),
}


@dataclass(frozen=True, slots=True)
class FieldReader:
    """How one field is read.

    `read` raises `ValueError` or `ArithmeticError` where the value cannot be mapped. `columns` are the agency's columns
    or paths that it needs.
    """

    read: Callable[[RawRow], Value]
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class RowMapper:
    """How the rows of one dataset are read, by canonical field."""

    fields: Mapping[str, FieldReader]

    def columns(self, names: Iterable[str]) -> frozenset[str]:
        """The agency's columns that these canonical fields need."""
        return frozenset[str]().union(*(self.fields[name].columns for name in names))

    def row_reader(self, names: Iterable[str]) -> ReadRow:
        """How the named fields of a row are read."""
        readers = [(name, self.fields[name].read) for name in names]

        def read_row(raw: RawRow) -> tuple[Row, frozenset[str]]:
            row: dict[str, Value] = {}
            unmapped: list[str] = []
            for name, read in readers:
                try:
                    row[name] = read(raw)
                except (ValueError, ArithmeticError):
                    row[name] = None
                    unmapped.append(name)
            return row, frozenset(unmapped)

        return read_row


def compile_mapper(dataset: DatasetManifest, shape: RecordShape, nothings: Iterable[str]) -> RowMapper:
    """The mapper of a dataset that was checked against `shape`; `nothings` are the agency's own words for none."""
    words = NOTHINGS.union(nothings)
    return RowMapper(
        {
            name: compile_field(mapping, shape.fields[name], words, nested=dataset.nested)
            for name, mapping in dataset.fields.items()
        }
    )


def compile_field(mapping: FieldMapping, kind: Kind, nothings: frozenset[str], *, nested: bool) -> FieldReader:
    """The reader of one field.

    Raises `ValueError` or `ArithmeticError` where `const` or `default` is no value of `kind`.
    """
    convert = _CONVERTERS[kind](mapping, nested)
    if mapping.const is not None:
        constant = convert(mapping.const, {})
        return FieldReader(lambda _: constant, frozenset())
    default = None if mapping.default is None else convert(mapping.default, {})
    words = (nothings.union(mapping.none)).difference(mapping.codes or (), BOOLEANS if kind is Kind.BOOLEAN else ())
    nothing = nothing_test(words)
    get = _joined(mapping, nothing, nested=nested) if mapping.join else reader(mapping.path or "", nested=nested)

    def read(row: RawRow) -> Value:
        raw = get(row)
        value = None if nothing(raw) else convert(raw, row)
        return default if value is None else value

    return FieldReader(read, mapping.paths())


def _joined(mapping: FieldMapping, nothing: Callable[[object], bool], *, nested: bool) -> Callable[[RawRow], object]:
    readers = [reader(path, nested=nested) for path in mapping.join]

    def get(row: RawRow) -> object:
        parts = [get(row) for get in readers]
        return mapping.with_.join(read_text(part) for part in parts if not nothing(part))

    return get


def _text(mapping: FieldMapping, _nested: bool) -> Convert:  # noqa: FBT001  (the converters' common signature)
    if mapping.codes is None:
        return lambda raw, _: read_text(raw)
    texts = {code: str(text) for code, text in mapping.codes.items()}
    return lambda raw, _: _look_up(texts, raw)


def _code(mapping: FieldMapping, nested: bool) -> Convert:  # noqa: FBT001
    label = reader(mapping.label, nested=nested) if mapping.label else None
    table = None if mapping.codes is None else {code: _entry(entry) for code, entry in mapping.codes.items()}

    def convert(raw: object, row: RawRow) -> Value:
        code = Code(narrow(read_text(raw))) if table is None else _look_up(table, raw)
        if label is None or is_nothing(said := label(row)):
            return code
        return Code(code.code, read_text(said))

    return convert


def _entry(entry: CodeEntry | str | bool) -> Code:  # noqa: FBT001  (a value out of the manifest, no flag)
    return Code(entry.code, entry.label) if isinstance(entry, CodeEntry) else Code(str(entry))


def _boolean(mapping: FieldMapping, _nested: bool) -> Convert:  # noqa: FBT001
    words = BOOLEANS if mapping.codes is None else {code: bool(value) for code, value in mapping.codes.items()}
    fold = str.lower if mapping.codes is None else str
    return lambda raw, _: _look_up(words, fold(read_text(raw)))


def _money(mapping: FieldMapping, nested: bool) -> Convert:  # noqa: FBT001
    unit = mapping.unit or "元"
    if not isinstance(mapping.currency, CurrencyColumn):
        currency = mapping.currency or "CNY"
        return lambda raw, _: read_money(raw, unit, currency)
    codes = mapping.currency.codes
    said = reader(mapping.currency.path, nested=nested)

    def convert(raw: object, row: RawRow) -> Money:
        currency = said(row)
        if is_nothing(currency):
            return read_money(raw, unit)
        text = narrow(read_text(currency))
        return read_money(raw, unit, _look_up(codes, text) if codes else _iso_currency(text))

    return convert


def _iso_currency(text: str) -> str:
    """An ISO 4217 code by its form: three capital letters."""
    if len(text) == len("CNY") and text.isascii() and text.isalpha() and text.isupper():
        return text
    raise Unmappable


def _date(mapping: FieldMapping, _nested: bool) -> Convert:  # noqa: FBT001
    none = mapping.no_dates()
    return lambda raw, _: read_date(raw, mapping.formats, none)


def _date_span(mapping: FieldMapping, _nested: bool) -> Convert:  # noqa: FBT001
    none = mapping.no_dates()

    def convert(raw: object, _row: RawRow) -> DateSpan | None:
        day = read_date(raw, mapping.formats, none)
        return None if day is None else DateSpan(day)

    return convert


def _credit_code(raw: object, _row: RawRow) -> str:
    try:
        return CreditCode.parse(read_text(raw)).text
    except CreditCodeError:
        raise Unmappable from None


def _look_up(table: Mapping[str, T], raw: object) -> T:
    text = read_text(raw)
    if text not in table:
        text = narrow(text)
    if text not in table:
        raise Unmappable
    return table[text]


_CONVERTERS: Final[Mapping[Kind, Callable[[FieldMapping, bool], Convert]]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: lambda *_: lambda raw, _row: read_integer(raw),
    Kind.DECIMAL: lambda *_: lambda raw, _row: read_decimal(raw),
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.DATE_SPAN: _date_span,
    Kind.MONEY: _money,
    Kind.COUNT: lambda *_: lambda raw, _row: Count(read_integer(raw)),
    Kind.CODE: _code,
    Kind.CREDIT_CODE: lambda *_: _credit_code,
}
