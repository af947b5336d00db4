"""Numbers and sums of money as agencies write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from connectors.chinese_numbers import NUMERALS, read_chinese
from connectors.text import Unmappable, narrow, read_text
from schema.values import Money

UNITS: Final = {
    "分": Decimal("0.01"),
    "角": Decimal("0.1"),
    "元": Decimal(1),
    "千元": Decimal(1_000),
    "万元": Decimal(10_000),
    "百万元": Decimal(1_000_000),
    "亿元": Decimal(100_000_000),
}
"""What one of each unit is in the currency's main unit."""

LARGEST_INTEGER: Final = 2**31 - 1
"""GraphQL's Int holds no more (GraphQL specification, section 3.5.1)."""

_LARGEST_EXPONENT: Final = 30
_PLAIN: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,12})?")
"""Numbers that need nothing but `Decimal`."""
_GROUPED: Final = re.compile(r"[-+]? ?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,4}(?:,[0-9]{4})+)(?:\.[0-9]*)?")
_MOST_DIGITS: Final = 28
"""Numbers of no more digits are within the bounds, wherever their point is."""
_DIGITS_AND_POINTS: Final = re.compile(r"[0-9.]*")
_LONGEST_SUM: Final = 100
"""Characters of a sum in words. Beyond, the patterns below would take long to tell that it is none."""
_CURRENCIES: Final = {
    **dict.fromkeys(("人民币", "RMB"), "CNY"),
    **dict.fromkeys(("港元", "港币"), "HKD"),
    "美元": "USD",
    "欧元": "EUR",
    "日元": "JPY",
    "英镑": "GBP",
    **{code: code for code in ("CNY", "USD", "HKD", "EUR", "JPY", "GBP", "AUD", "CAD", "CHF", "SGD", "KRW", "MOP")},
}
"""How a currency is written beside its sum."""
_CURRENCY: Final = "|".join(_CURRENCIES)
_MONEY: Final = re.compile(
    rf"(?P<before>{_CURRENCY})?[¥￥:： ]*(?P<number>[-+0-9.,eE ]*)(?P<unit>亿元?|百万元?|万元?|千元?|元|角|分)?[整正]?"
    rf"(?P<after>{_CURRENCY})?[整正]?",
    re.ASCII,
)
_IN_NUMERALS: Final = re.compile(
    rf"(?P<before>{_CURRENCY})?[:： ]*(?:(?P<whole>[{NUMERALS}]+)[元圆圓])?零?(?:(?P<tenths>[{NUMERALS}])角)?零?"
    rf"(?:(?P<cents>[{NUMERALS}])分)?[整正]?",
)
_WRITTEN_UNITS: Final = {
    **UNITS,
    "千": UNITS["千元"],
    "万": UNITS["万元"],
    "百万": UNITS["百万元"],
    "亿": UNITS["亿元"],
}
UNIT_WORDS: Final = frozenset(_WRITTEN_UNITS).union(_CURRENCIES)
"""What is part of a sum without being one."""

_COUNTED: Final = ("年度", "年", "人", "名", "户", "家", "件", "个", "次", "项", "%")
"""What is counted, where it is written after a number."""


def read_decimal(raw: object) -> Decimal:
    """The number, exact; separators of thousands (or of 万), and what is counted after it, are understood.

    Raises `Unmappable`, also where a comma stands elsewhere: there it may be what others write a point for.
    """
    if isinstance(raw, bool):
        raise Unmappable
    text = read_text(raw)
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    text = narrow(text)
    text = text.removesuffix(next(filter(text.endswith, _COUNTED), "")).strip()
    if "," in text:
        if not _GROUPED.fullmatch(text):
            raise Unmappable
        text = text.replace(",", "")
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
    text = narrow(read_text(raw))
    if len(text) > _LONGEST_SUM:
        raise Unmappable
    match = _MONEY.fullmatch(text)
    if match is None:
        return _read_numerals(text, currency)
    currency = _CURRENCIES.get(match["before"] or match["after"] or "", currency)
    return Money(read_decimal(match["number"]) * _WRITTEN_UNITS[match["unit"] or unit], currency)


def _read_numerals(text: str, currency: str) -> Money:
    """A sum as documents write it: 人民币壹万贰仟元伍角整."""
    match = _IN_NUMERALS.fullmatch(text)
    if match is None or not (match["whole"] or match["tenths"] or match["cents"]):
        raise Unmappable
    parts = ((match["whole"], "元"), (match["tenths"], "角"), (match["cents"], "分"))
    amount = sum((read_chinese(written) * UNITS[unit] for written, unit in parts if written), Decimal(0))
    return Money(amount, _CURRENCIES.get(match["before"] or "", currency))


def read_sums(texts: Sequence[str], unit: str, currency: str) -> list[Money]:
    """The sums of trimmed texts that have nothing but digits and a point, as `read_money` reads them.

    Raises `Unmappable` or `ArithmeticError` where one is written in another way.
    """
    numbers, one = read_decimals(texts), UNITS[unit]
    return [Money(number, currency) for number in (numbers if one == 1 else [number * one for number in numbers])]
