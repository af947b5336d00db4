"""Numbers in Chinese numerals, everyday ones and those of documents: 二十一, 壹万贰仟."""

from __future__ import annotations

from typing import Final

from connectors.text import Unmappable

NUMERALS: Final = "零〇○一壹二贰貳两兩三叁參四肆五伍六陆陸七柒八捌九玖十拾廿卅百佰千仟万萬亿億"

_BY_DIGIT: Final = ("零〇○", "一壹", "二贰貳两兩", "三叁參", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖")
DIGITS: Final = {character: digit for digit, characters in enumerate(_BY_DIGIT) for character in characters}
_TENS: Final = {"廿": 20, "卅": 30}
_SMALL: Final = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_LARGE: Final = {"万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}
_HIGHEST: Final = 10_000
"""More than any of `_SMALL`: no unit was read yet."""


def read_chinese(text: str) -> int:
    """The whole number.

    Raises `Unmappable` for what is none, is not written as one (一二三, 十百), or leaves out what everyday speech does
    (二百五 is 250, and no 205).
    """
    total = section = 0
    digit: int | None = None
    zero = False
    unit = _HIGHEST
    for character in text:
        if character in DIGITS:
            if digit:
                raise Unmappable
            digit = DIGITS[character]
            zero = zero or not digit
        elif character in _TENS and unit > _SMALL["十"] and not digit:
            section, digit, zero, unit = section + _TENS[character], None, False, _SMALL["十"]
        elif character in _SMALL and unit > _SMALL[character]:
            section, digit, zero, unit = section + (digit or 1) * _SMALL[character], None, False, _SMALL[character]
        elif character in _LARGE and text[0] != character:
            section, large = section + _ones(digit, unit, zero=zero), _LARGE[character]
            # Before 亿 stands all that was read: 一万亿 is ten thousand of them.
            total = (total + section) * large if large > _LARGE["万"] else total + section * large
            section, digit, zero, unit = 0, None, False, _HIGHEST + 1
        else:
            raise Unmappable
    if not text:
        raise Unmappable
    return total + section + _ones(digit, unit, zero=zero)


def _ones(digit: int | None, unit: int, *, zero: bool) -> int:
    """The last digit, after the unit that was read last."""
    if digit and unit not in {_HIGHEST, _SMALL["十"]} and not zero:
        raise Unmappable
    return digit or 0
