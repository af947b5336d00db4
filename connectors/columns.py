"""Many rows read at once, column by column: what is ordinary in a column takes a few steps for all of its values.

What is not ordinary in a column is read value by value, so that both ways give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import itemgetter
from types import NoneType
from typing import Any, Final, TypeVar

from connectors.contract import RawRow
from connectors.paths import reader
from connectors.text import Nothings, Unmappable, is_no_number, read_text

T = TypeVar("T")

_FEW: Final = 2
"""So many texts are read sooner one by one."""

_TEXTS: Final = frozenset({str, NoneType})
_NUMBERS: Final = frozenset({int, Decimal, NoneType})
_SCALARS: Final = frozenset({str, int, Decimal, bool, NoneType})
"""What means the same as its text. (A date does not: formats are for texts.)"""

ReadAll = Callable[[Sequence[RawRow]], Sequence[object]]
"""From rows to what the agency wrote in one place of each."""


def values_at(path: str, *, nested: bool) -> ReadAll:
    """A function that reads the values at `path` in rows, as `paths.reader` does in one."""
    if not nested or "." not in path:
        return lambda rows: [row.get(path) for row in rows]
    steps = [itemgetter(step) for step in path.split(".")]
    read = reader(path, nested=nested)

    def values(rows: Sequence[RawRow]) -> Sequence[object]:
        found: Sequence[Any] = rows
        try:
            for step in steps:
                found = list(map(step, found))
        except (LookupError, TypeError):
            return list(map(read, rows))
        return found

    return values


def ordinary_texts(raws: Sequence[object], nothings: Nothings) -> Sequence[str | None]:
    """The trimmed text of each value of a column, None where there is nothing.

    Raises `Unmappable` where a value has no text, or does not mean the same as its text.
    """
    kinds = set(map(type, raws))
    if kinds <= _TEXTS and "" in nothings.words:
        texts: Sequence[Any] = ["" if raw is None else raw for raw in raws] if NoneType in kinds else raws
        joined = "".join(texts)
        if joined.isprintable():
            # No other white space is printable.
            return nothings.left_out(list(map(str.strip, texts)) if " " in joined else texts, joined)
    if kinds <= _NUMBERS and not nothings.numbers:
        numbers = [None if raw is None else str(raw) for raw in raws]
        if not is_no_number("".join(filter(None, numbers))):
            return numbers
    if kinds <= _SCALARS:
        return [None if nothings.has(raw) else read_text(raw) for raw in raws]
    raise Unmappable


def converted(
    convert: Callable[[Sequence[str]], Sequence[T]], one: Callable[[str], T], texts: Sequence[str | None]
) -> Sequence[T | None]:
    """What `convert` makes of the texts that are there, None for the others. It raises `ValueError` or
    `ArithmeticError` for what it does not know: that is left to `one`, which raises where it does not either.
    """
    there = [text for text in texts if text is not None]
    if len(there) == len(texts):
        return _converted(convert, one, there)
    values = iter(_converted(convert, one, there))
    return [None if text is None else next(values) for text in texts]


def _converted(
    convert: Callable[[Sequence[str]], Sequence[T]], one: Callable[[str], T], texts: Sequence[str]
) -> Sequence[T]:
    if len(texts) <= _FEW:
        return list(map(one, texts))
    try:
        return convert(texts)
    except (ValueError, ArithmeticError):
        # What is written in another way mostly stands alone.
        half = len(texts) // 2
        return [*_converted(convert, one, texts[:half]), *_converted(convert, one, texts[half:])]
