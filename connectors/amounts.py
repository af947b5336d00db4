"""Numbers and sums of money as agencies write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from connectors.text import Unmappable, narrow, read_text
from schema.values import Money

UNITS: Final = {"分": Decimal("0.01"), "元": Decimal(1), "万元": Decimal(10_000), "亿元": Decimal(100_000_000)}
"""What one of each unit is in the currency's main unit."""

LARGEST_INTEGER: Final = 2**31 - 1
"""GraphQL's Int holds no more (GraphQL specification, section 3.5.1)."""

_LARGEST_EXPONENT: Final = 30
_PLAIN: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,12})?")
"""Numbers that need nothing but `Decimal`."""
_MOST_DIGITS: Final = 28
"""Numbers of no more digits are within the bounds, wherever their point is."""
_DIGITS_AND_POINTS: Final = re.compile(r"[0-9.]*")
_MONEY: Final = re.compile(
    r"[¥￥]?(?P<number>[-+0-9.,eE ]*)(?P<unit>亿元?|万元?|元|分)?(?P<currency>人民币|美元|港元|港币|欧元|日元)?",
    re.ASCII,
)
_WRITTEN_UNITS: Final = {**UNITS, "万": UNITS["万元"], "亿": UNITS["亿元"]}
_WRITTEN_CURRENCIES: Final = {
    "人民币": "CNY",
    "美元": "USD",
    "港元": "HKD",
    "港币": "HKD",
    "欧元": "EUR",
    "日元": "JPY",
}


def read_decimal(raw: object) -> Decimal:
    """The number, exact; thousands separators and a percent sign are understood. Raises `Unmappable`."""
    if isinstance(raw, bool):
        raise Unmappable
    text = read_text(raw)
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    text = narrow(text).replace(",", "").removesuffix("%").strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Unmappable from None
    if not number.is_finite() or abs(number.adjusted()) > _LARGEST_EXPONENT or "_" in text:
        raise Unmappable
    return number


def read_decimals(texts: Sequence[str]) -> list[Decimal]:
    """The numbers of trimmed texts that have nothing but digits and a point, as `read_decimal` reads them.

    Raises `Unmappable` or `ArithmeticError` where one is written in another way.
    """
    if max(map(len, texts)) > _MOST_DIGITS or not _DIGITS_AND_POINTS.fullmatch("".join(texts)):
        raise Unmappable
    return list(map(Decimal, texts))


def read_integers(texts: Sequence[str]) -> list[int]:
    """The whole numbers of trimmed texts that have nothing but a few digits, as `read_integer` reads them.

    Raises `Unmappable` where one is written in another way.
    """
    joined = "".join(texts)
    if not (joined.isascii() and joined.isdigit() and max(map(len, texts)) < len(str(LARGEST_INTEGER))):
        raise Unmappable
    return list(map(int, texts))


def read_integer(raw: object) -> int:
    """The whole number, of at most 32 bits. Raises `Unmappable`."""
    if isinstance(raw, str) and len(raw) < len(str(LARGEST_INTEGER)) and raw.isascii() and raw.isdigit():
        return int(raw)
    number = read_decimal(raw)
    whole = int(number)
    if number != whole or abs(whole) > LARGEST_INTEGER:
        raise Unmappable
    return whole


def read_money(raw: object, unit: str = "元", currency: str = "CNY") -> Money:
    """The sum in the currency's main unit; a unit or currency written in the value itself (`500万美元`) wins.

    Raises `Unmappable`.
    """
    if not isinstance(raw, str):
        return Money(read_decimal(raw) * UNITS[unit], currency)
    if _PLAIN.fullmatch(raw):
        return Money(Decimal(raw) * UNITS[unit], currency)
    match = _MONEY.fullmatch(narrow(read_text(raw)))
    if match is None:
        raise Unmappable
    currency = _WRITTEN_CURRENCIES.get(match["currency"] or "", currency)
    return Money(read_decimal(match["number"]) * _WRITTEN_UNITS[match["unit"] or unit], currency)


def read_sums(texts: Sequence[str], unit: str, currency: str) -> list[Money]:
    """The sums of trimmed texts that have nothing but digits and a point, as `read_money` reads them.

    Raises `Unmappable` or `ArithmeticError` where one is written in another way.
    """
    numbers, one = read_decimals(texts), UNITS[unit]
    return [Money(number, currency) for number in (numbers if one == 1 else [number * one for number in numbers])]
