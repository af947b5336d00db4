"""From an agency's value to a canonical one, by kind of field: one at a time, or the texts of a column at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar

from connectors.amounts import read_decimal, read_decimals, read_integer, read_integers, read_money, read_sums
from connectors.columns import converted, ordinary_texts, values_at
from connectors.contract import RawRow
from connectors.dates import read_date, read_dates
from connectors.manifest import CodeEntry, CurrencyColumn, FieldMapping
from connectors.paths import reader
from connectors.text import NO_VALUE, Unmappable, narrow, read_text
from schema.credit_code import CreditCode, CreditCodeError
from schema.values import Code, Count, DateSpan, Kind, Value

T = TypeVar("T")
K = TypeVar("K")

Convert = Callable[[object, RawRow], Value]
"""From a value that is not nothing, and its row, to the canonical one. Raises `ValueError` or `ArithmeticError`."""

BOOLEANS: Final = {
    **dict.fromkeys(("true", "1", "y", "yes", "是", "有"), True),
    **dict.fromkeys(("false", "0", "n", "no", "否", "无"), False),
}

Texts = Sequence[str | None]
"""A column's texts, trimmed; None where there is nothing."""

ConvertTexts = Callable[[Texts, Sequence[RawRow]], Sequence[Value]]
"""From a column's texts, and their rows, to the canonical values, as `Convert` would; None stays None.

Raises `ValueError` or `ArithmeticError` where one of them has to be read by itself.
"""


class Converter(NamedTuple):
    """How values of one field are converted: one, or many texts at once."""

    one: Convert
    many: ConvertTexts


def converter(mapping: FieldMapping, kind: Kind, *, nested: bool) -> Converter:
    """How the values of a field of this kind are converted."""
    return _CONVERTERS[kind](mapping, nested)


def _text(mapping: FieldMapping, _nested: bool) -> Converter:  # noqa: FBT001  (the converters' common signature)
    if mapping.codes is None:
        return Converter(lambda raw, _: read_text(raw), lambda texts, _: texts)
    return _table({code: str(text) for code, text in mapping.codes.items()})


def _code(mapping: FieldMapping, nested: bool) -> Converter:  # noqa: FBT001
    table = None if mapping.codes is None else {code: _entry(entry) for code, entry in mapping.codes.items()}

    def read(raw: object) -> Code:
        return Code(narrow(read_text(raw))) if table is None else _look_up(table, raw)

    if mapping.label is None:
        return Converter(lambda raw, _: read(raw), lambda texts, _: _each(read, texts))
    label = reader(mapping.label, nested=nested)
    labels = values_at(mapping.label, nested=nested)

    def labelled(raw: object, said: object) -> Code:
        code = read(raw)
        return code if NO_VALUE.has(said) else Code(code.code, read_text(said))

    def many(texts: Texts, rows: Sequence[RawRow]) -> Sequence[Value]:
        pairs = zip(texts, ordinary_texts(labels(rows), NO_VALUE), strict=True)
        return _each(lambda pair: labelled(*pair), [None if pair[0] is None else pair for pair in pairs])

    return Converter(lambda raw, row: labelled(raw, label(row)), many)


def _entry(entry: CodeEntry | str | bool) -> Code:  # noqa: FBT001  (a value out of the manifest, no flag)
    return Code(entry.code, entry.label) if isinstance(entry, CodeEntry) else Code(str(entry))


def _boolean(mapping: FieldMapping, _nested: bool) -> Converter:  # noqa: FBT001
    if mapping.codes is not None:
        return _table({code: bool(value) for code, value in mapping.codes.items()})

    def read(raw: object) -> bool:
        return _look_up(BOOLEANS, read_text(raw).lower())

    return Converter(lambda raw, _: read(raw), lambda texts, _: _each(read, texts))


def _integer(_mapping: FieldMapping, _nested: bool) -> Converter:  # noqa: FBT001
    return _alone(read_integer, read_integers)


def _count(_mapping: FieldMapping, _nested: bool) -> Converter:  # noqa: FBT001
    return _alone(lambda raw: Count(read_integer(raw)), lambda texts: list(map(Count, read_integers(texts))))


def _decimal(mapping: FieldMapping, _nested: bool) -> Converter:  # noqa: FBT001
    scale = mapping.scale
    if scale is None:
        return _alone(read_decimal, read_decimals)

    def scaled(raw: object) -> Decimal:
        number = read_decimal(raw)
        return number if isinstance(raw, str) and "%" in narrow(raw) else number * scale

    return _alone(scaled, lambda texts: [number * scale for number in read_decimals(texts)])


def _money(mapping: FieldMapping, nested: bool) -> Converter:  # noqa: FBT001
    unit = mapping.unit or "元"
    if not isinstance(mapping.currency, CurrencyColumn):
        currency = mapping.currency or "CNY"
        return _alone(lambda raw: read_money(raw, unit, currency), lambda texts: read_sums(texts, unit, currency))
    codes = mapping.currency.codes
    said = reader(mapping.currency.path, nested=nested)
    all_said = values_at(mapping.currency.path, nested=nested)

    def currency_of(raw: object) -> str:
        if NO_VALUE.has(raw):
            return "CNY"
        text = narrow(read_text(raw))
        return _look_up(codes, text) if codes else _iso_currency(text)

    def many(texts: Texts, rows: Sequence[RawRow]) -> Sequence[Value]:
        words = zip(texts, ordinary_texts(all_said(rows), NO_VALUE), strict=True)
        # Where there is no sum, it does not matter whether its currency can be read.
        currencies = _each(currency_of, [None if text is None else word or "" for text, word in words])
        return [
            None if text is None or currency is None else read_money(text, unit, currency)
            for text, currency in zip(texts, currencies, strict=True)
        ]

    return Converter(lambda raw, row: read_money(raw, unit, currency_of(said(row))), many)


def _iso_currency(text: str) -> str:
    """An ISO 4217 code by its form: three capital letters."""
    if len(text) == len("CNY") and text.isascii() and text.isalpha() and text.isupper():
        return text
    raise Unmappable


def _date(mapping: FieldMapping, _nested: bool) -> Converter:  # noqa: FBT001
    formats, none = mapping.formats, mapping.no_dates()
    return _alone(lambda raw: read_date(raw, formats, none), lambda texts: read_dates(texts, formats, none))


def _date_span(mapping: FieldMapping, nested: bool) -> Converter:  # noqa: FBT001
    one, many = _date(mapping, nested)
    return Converter(
        lambda raw, row: _span(one(raw, row)), lambda texts, rows: [_span(day) for day in many(texts, rows)]
    )


def _span(day: Any) -> DateSpan | None:  # noqa: ANN401  (a date, as far as types can tell a value)
    return None if day is None else DateSpan(day)


def _credit_code(_mapping: FieldMapping, _nested: bool) -> Converter:  # noqa: FBT001
    return Converter(lambda raw, _: _read_credit_code(raw), lambda texts, _: _each(_read_credit_code, texts))


def _read_credit_code(raw: object) -> str:
    try:
        return str(CreditCode.parse(read_text(raw)))
    except CreditCodeError:
        raise Unmappable from None


def _alone(one: Callable[[object], Value], many: Callable[[Sequence[str]], Sequence[Value]]) -> Converter:
    """A converter of values that mean the same whatever their row."""
    return Converter(lambda raw, _: one(raw), lambda texts, _: converted(many, one, texts))


def _table(table: Mapping[str, str | bool]) -> Converter:
    return Converter(
        lambda raw, _: _look_up(table, raw), lambda texts, _: _each(lambda text: _look_up(table, text), texts)
    )


def _look_up(table: Mapping[str, T], raw: object) -> T:
    text = read_text(raw)
    if text not in table:
        text = narrow(text)
    if text not in table:
        raise Unmappable
    return table[text]


def _each(read: Callable[[K], T], values: Sequence[K | None]) -> Sequence[T | None]:
    """What is read of each value, None of None; of equal ones once: a column of codes has few."""
    made = {value: None if value is None else read(value) for value in set(values)}
    return list(map(made.__getitem__, values))


_CONVERTERS: Final[Mapping[Kind, Callable[[FieldMapping, bool], Converter]]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.DATE_SPAN: _date_span,
    Kind.MONEY: _money,
    Kind.COUNT: _count,
    Kind.CODE: _code,
    Kind.CREDIT_CODE: _credit_code,
}
