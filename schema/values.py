"""The values that records hold: frozen, plain, and known to every package.

An agency's text becomes one of these in a connector's mapping; a mask turns one into a vaguer one; the shape
stage writes it out. `Kind` names the type of a field; `PYTHON_TYPES` says which value a field of that kind holds.

They are msgspec's structs: equal by type and content as frozen dataclasses are, and made in a tenth of the time. None
can be part of a cycle, so that the garbage collector need not look at them, nor at rows of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Kind(StrEnum):
    """The type of a record's field, independent of how any agency writes it."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_SPAN = "dateSpan"
    MONEY = "money"
    COUNT = "count"
    CODE = "code"
    CREDIT_CODE = "creditCode"


MASKED_KINDS: Final[Mapping[str, frozenset[Kind]]] = {
    "redact": frozenset(Kind),
    "partial": frozenset({Kind.TEXT}),
    "last4": frozenset({Kind.TEXT}),
    "hmac": frozenset({Kind.TEXT}),
    "district": frozenset({Kind.TEXT}),
    "bucket": frozenset({Kind.MONEY, Kind.COUNT}),
    "year": frozenset({Kind.DATE_SPAN}),
}
"""The masks that there are, and the kinds of field that each makes sense for."""


class Money(Struct, frozen=True, gc=False):
    """A sum in one currency (ISO 4217), exact (`amount`) or bucketed (`lower` <= sum < `upper`; None is unbounded)."""

    amount: Decimal | None
    currency: str = "CNY"
    lower: Decimal | None = None
    upper: Decimal | None = None


class DateSpan(Struct, frozen=True, gc=False):
    """A date, exact (`date`) or cut to a period (`start` and `end`, both inclusive)."""

    date: dt.date | None
    start: dt.date | None = None
    end: dt.date | None = None


class Count(Struct, frozen=True, gc=False):
    """A number of things, exact (`value`) or bucketed (`lower` <= number < `upper`; None is unbounded)."""

    value: int | None
    lower: int | None = None
    upper: int | None = None


class Code(Struct, frozen=True, gc=False):
    """An entry of an agency's code table, with its label where the table is known."""

    code: str
    label: str | None = None


Value = str | int | Decimal | bool | dt.date | DateSpan | Money | Count | Code | None

PYTHON_TYPES: Final[dict[Kind, type]] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.DECIMAL: Decimal,
    Kind.BOOLEAN: bool,
    Kind.DATE: dt.date,
    Kind.DATE_SPAN: DateSpan,
    Kind.MONEY: Money,
    Kind.COUNT: Count,
    Kind.CODE: Code,
    Kind.CREDIT_CODE: str,
}
