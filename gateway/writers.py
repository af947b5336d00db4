"""Values -> JSON values, one writer for each selection, composed once and run for every record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from gateway.selection import Selection
from schema.values import Kind, Value

Writer = Callable[[Any], Any]
"""A value that is not None -> what orjson writes."""


def keyed_writer(selections: tuple[Selection, ...], getter: Callable[[Selection], Writer]) -> Writer:
    """Writes an object by its selections, each read by what `getter` makes for it; `__typename` is answered here."""
    fields = tuple(
        (selection.key, _typename(selection.parent) if selection.name == "__typename" else getter(selection))
        for selection in selections
    )
    return lambda value: {key: read(value) for key, read in fields}


def object_writer(selections: tuple[Selection, ...], getters: Mapping[str, Writer]) -> Writer:
    """Writes an object whose fields are read by `getters`, by field name."""
    return keyed_writer(selections, lambda selection: getters[selection.name])


def value_writer(kind: Kind, selections: tuple[Selection, ...]) -> Writer:
    """Writes a record field's value of this kind."""
    if kind in _OBJECTS:
        return object_writer(selections, _OBJECTS[kind])
    return decimal_text if kind is Kind.DECIMAL else _as_is


def decimal_text(value: Decimal) -> str:
    """A decimal as a string, never with an exponent."""
    return format(value, "f")


def _as_is(value: Value) -> Value:
    return value


def _typename(name: str) -> Writer:
    return lambda _: name


def _optional_decimal(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)


_OBJECTS: Final[Mapping[Kind, Mapping[str, Writer]]] = {
    Kind.MONEY: {
        "amount": lambda money: _optional_decimal(money.amount),
        "from": lambda money: _optional_decimal(money.lower),
        "to": lambda money: _optional_decimal(money.upper),
        "currency": lambda money: money.currency,
    },
    Kind.DATE_SPAN: {
        "date": lambda span: span.date,
        "from": lambda span: span.start,
        "to": lambda span: span.end,
    },
    Kind.COUNT: {
        "value": lambda number: number.value,
        "from": lambda number: number.lower,
        "to": lambda number: number.upper,
    },
    Kind.CODE: {
        "code": lambda code: code.code,
        "label": lambda code: code.label,
    },
}
