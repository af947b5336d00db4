"""Masks: pure functions from a value to a vaguer one, by name.

Each says what it preserves, because whatever it preserves it also tells. A mask never gives back what it was given:
`apply_mask` redacts where a mask fails, does not fit the value, or would change nothing.
"""

from __future__ import annotations

import hashlib
import hmac as keyed_hash
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from schema.values import Count, DateSpan, Kind, Money, Value

REDACT: Final = "redact"


@dataclass(frozen=True, slots=True)
class MaskContext:
    """For whom a value is masked: who asks, why, and which field it is. `secret` keys the pseudonyms of `hmac`; each
    `generation` of them has a secret of its own.
    """

    organisation: str
    purpose: str | None
    coordinate: str
    secret: bytes
    generation: int = 1


Masks = Callable[[str, str], Callable[[Value], Value]]
"""(mask, coordinate) -> what makes of a value what one caller may see of it."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A named mask and the kinds of field that it can be put on. `apply` may raise on a value that it does not fit."""

    name: str
    kinds: frozenset[Kind]
    apply: Callable[[Value, MaskContext], Value]


def redact(_value: Value, _context: MaskContext) -> Value:
    """Nothing is left. Preserves nothing, not even whether there was a value."""
    return None


_SEPARATORS: Final = re.compile(r"([、,，;；/])")
_NUMBER: Final = re.compile(r"[+(（]?\d[\d\s()（）+*-]*[A-Za-z]?")
_HIDDEN: Final = "**"
_ENDS: Final = (3, 2)
_SHORTEST_IDENTITY: Final = 8


def partial(value: Value, _context: MaskContext) -> Value:
    """A person's family name or initial (`王**`, `J**`); of a number its ends (`138***78`).

    Each name in a list is masked, whatever stands beside it. Preserves neither length nor order; equal values stay
    equal, but different ones often become equal too. Only text of digits and signs, with a letter at most at its end,
    counts as a number; one shorter than 8 characters keeps nothing.
    """
    text = _text(value)
    if text.isalpha():
        # Neither separators nor digits: one name.
        return _initial(text)
    names = _SEPARATORS.split(text)
    return "".join(name if _SEPARATORS.fullmatch(name) else _hide(name.strip()) for name in names)


def _hide(name: str) -> str:
    if _NUMBER.fullmatch(name):
        head, tail = _ENDS
        return f"{name[:head]}***{name[-tail:]}" if len(name) >= _SHORTEST_IDENTITY else _HIDDEN
    return _initial(name)


def _initial(name: str) -> str:
    return name[0] + _HIDDEN if len(name) > 1 else _HIDDEN


def last4(value: Value, _context: MaskContext) -> Value:
    """The last four characters (`****5678`), of at least 8. Preserves equality for most values; not length or order."""
    text = _text(value)
    return f"****{text[-4:]}" if len(text) >= _SHORTEST_IDENTITY else None


def hmac(value: Value, context: MaskContext) -> Value:
    """A pseudonym: its generation, a full stop, and 128 bits of HMAC-SHA-256 (RFC 2104) in hexadecimal.

    Preserves equality, and only within one organisation, purpose, field and generation: two recipients cannot join
    theirs, and one recipient cannot join those from before and after a rotation. Raises `ValueError` without a secret.
    """
    if not context.secret:
        raise ValueError("the mask `hmac` needs a secret")
    parts = (context.organisation, context.purpose or "", context.coordinate, _text(value))
    message = b"".join(len(part).to_bytes(8) + part for part in (text.encode() for text in parts))
    return f"{context.generation}.{keyed_hash.digest(context.secret, message, hashlib.sha256)[:16].hex()}"


def _ladder(smallest: int) -> tuple[Decimal, ...]:
    return (Decimal(0), *(Decimal(step * smallest).scaleb(decade) for decade in range(16) for step in (1, 2, 5)))


_MONEY_BOUNDS: Final = _ladder(1000)
_COUNT_BOUNDS: Final = _ladder(10)


def bucket(value: Value, _context: MaskContext) -> Value:
    """The fixed bucket that holds the number: bounds 1, 2, 5, 10, 20, 50 ... times the smallest.

    Below the smallest (1,000 units of money, 10 things) all values are one bucket, zero included; negative numbers
    mirror positive ones. Preserves order between buckets, and size within a factor of 2.5.
    """
    if isinstance(value, Money) and value.amount is not None:
        lower, upper = _bounds(value.amount, _MONEY_BOUNDS)
        return Money(None, value.currency, lower, upper)
    if isinstance(value, Count) and value.value is not None:
        lower, upper = _bounds(Decimal(value.value), _COUNT_BOUNDS)
        return Count(None, None if lower is None else int(lower), None if upper is None else int(upper))
    raise TypeError("only an exact sum or number can be put into a bucket")


def _bounds(number: Decimal, ladder: tuple[Decimal, ...]) -> tuple[Decimal | None, Decimal | None]:
    """The bucket `lower <= number < upper`; None beyond the ladder. Raises `decimal.InvalidOperation` for NaN."""
    if number >= 0:
        above = bisect_right(ladder, number)
        return ladder[above - 1], ladder[above] if above < len(ladder) else None
    # A bound belongs to the bucket above it on this side too, so for a negative number to the one nearer to zero.
    beyond = bisect_left(ladder, -number)
    return -ladder[beyond] if beyond < len(ladder) else None, -ladder[beyond - 1]


def year(value: Value, _context: MaskContext) -> Value:
    """The year of the date, as the span from 1 January to 31 December. Preserves order between years."""
    if not isinstance(value, DateSpan) or value.date is None:
        raise TypeError("only an exact date can be cut to its year")
    return DateSpan(None, date(value.date.year, 1, 1), date(value.date.year, 12, 31))


_DISTRICT: Final = re.compile(
    r"(?:[^\d\W]{1,8}?(?:省|自治区|特别行政区))?"
    r"(?:[^\d\W]{1,10}?(?:市|自治州|地区|盟))?"
    r"(?:[^\d\W]{1,10}?(?:新区|区|县|旗|市))?"
)


def district(value: Value, _context: MaskContext) -> Value:
    """An address cut to province, city and district (`浙江省杭州市西湖区`). An address without any of the three is
    redacted. Preserves equality of places, not order or length.
    """
    match = _DISTRICT.match(_text(value).strip())
    return match.group() or None if match else None


def _text(value: Value) -> str:
    """The value as text, surrounding blanks removed. Raises `TypeError` for another kind."""
    if not isinstance(value, str):
        raise TypeError("this mask is for text")
    return value.strip()


_TEXT: Final = frozenset({Kind.TEXT})

MASKS: Final[Mapping[str, Mask]] = {
    mask.name: mask
    for mask in (
        Mask(REDACT, frozenset(Kind), redact),
        Mask("partial", _TEXT, partial),
        Mask("last4", _TEXT, last4),
        Mask("hmac", _TEXT, hmac),
        Mask("bucket", frozenset({Kind.MONEY, Kind.COUNT}), bucket),
        Mask("year", frozenset({Kind.DATE_SPAN}), year),
        Mask("district", _TEXT, district),
    )
}
"""Every mask by name."""


def apply_mask(name: str, value: Value, context: MaskContext) -> Value:
    """The masked value. None where there was none, and where the mask is unknown, raises or hides nothing."""
    return masking(name, context)(value)


def masking(name: str, context: MaskContext) -> Callable[[Value], Value]:
    """`apply_mask` for many values of one field."""
    apply = MASKS.get(name, MASKS[REDACT]).apply

    def masked(value: Value) -> Value:
        if value is None:
            return None
        try:
            vaguer = apply(value, context)
        except Exception:  # noqa: BLE001  # whatever goes wrong in a mask, the caller gets less, never more
            return None
        return None if vaguer == value else vaguer

    return masked


def narrower(first: str, second: str) -> str:
    """A mask that shows no more than either of the two. Only `redact` shows less than another; of two others that
    differ neither does, and `redact` stands for them.
    """
    return first if first == second else REDACT


def widest(masks: Collection[str]) -> str:
    """The mask of a caller to whom each of these is granted (at least one). Where two of them are incomparable it is
    `redact`.
    """
    showing = set(masks) - {REDACT}
    return showing.pop() if len(showing) == 1 else REDACT
