"""Values -> JSON values, one writer for each selection, composed once and run for every record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

from gateway.selection import Selection
from schema.values import Kind

TYPENAME: Final = "__typename"

Writer = Callable[[Any], Any]
"""A value that is not None -> what orjson writes."""


def keyed_writer(selections: tuple[Selection, ...], getter: Callable[[Selection], Writer]) -> Writer:
    """Writes an object by its selections, each read by what `getter` makes for it; `__typename` is answered here."""
    constant = constants(selections)
    fields = tuple((part.key, getter(part)) for part in selections if part.name != TYPENAME)

    def write(value: object) -> dict[str, Any]:
        written = constant.copy()
        for key, read in fields:
            written[key] = read(value)
        return written

    return write


def object_writer(selections: tuple[Selection, ...], getters: Mapping[str, Writer]) -> Writer:
    """Writes an object whose fields are read by `getters`, by field name."""
    return keyed_writer(selections, lambda selection: getters[selection.name])


def constants(selections: tuple[Selection, ...]) -> dict[str, Any]:
    """The object as it is before anything is read: its keys in order, and what its `__typename` says."""
    return {part.key: part.parent if part.name == TYPENAME else None for part in selections}


def columns_writer(columns: Mapping[str, str]) -> Callable[[Mapping[str, Any]], Iterable[tuple[str, Any]]]:
    """Reads the named columns as they are, for the response keys: without a step of ours for each."""
    keys, names = tuple(columns), tuple(columns.values())
    return lambda row: zip(keys, map(row.get, names), strict=True)


def value_writer(kind: Kind, selections: tuple[Selection, ...]) -> Writer | None:
    """Writes a record field's value of this kind; None where it is written as it is."""
    if kind in _ATTRIBUTES:
        return _attributes_writer(selections, _ATTRIBUTES[kind])
    if kind is Kind.MONEY:
        return object_writer(selections, _MONEY)
    return decimal_text if kind is Kind.DECIMAL else None


def code_writer(selections: tuple[Selection, ...]) -> Writer:
    """Writes an entry of a code table."""
    return _attributes_writer(selections, _ATTRIBUTES[Kind.CODE])


def _attributes_writer(selections: tuple[Selection, ...], attributes: Mapping[str, str]) -> Writer:
    """Writes an object whose fields are attributes of the value, as they are."""
    constant = constants(selections)
    read = {part.key: attributes[part.name] for part in selections if part.name != TYPENAME}
    if len(read) < 2:  # noqa: PLR2004 - of one attribute, attrgetter gives no tuple
        return object_writer(selections, {name: attrgetter(attribute) for name, attribute in attributes.items()})
    keys, get = tuple(read), attrgetter(*read.values())
    if len(keys) == len(constant):
        return lambda value: dict(zip(keys, get(value), strict=True))
    return lambda value: {**constant, **dict(zip(keys, get(value), strict=True))}


def decimal_text(value: Decimal) -> str:
    """A decimal as a string, never with an exponent."""
    return format(value, "f")


def _optional_decimal(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)


_MONEY: Final[Mapping[str, Writer]] = {
    "amount": lambda money: _optional_decimal(money.amount),
    "from": lambda money: _optional_decimal(money.lower),
    "to": lambda money: _optional_decimal(money.upper),
    "currency": lambda money: money.currency,
}

_ATTRIBUTES: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.DATE_SPAN: {"date": "date", "from": "start", "to": "end"},
    Kind.COUNT: {"value": "value", "from": "lower", "to": "upper"},
    Kind.CODE: {"code": "code", "label": "label"},
}
"""The value's attributes, by field name."""
