"""Which of an agency's rows count: what it marks as deleted, or keeps beside the rest, can be left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Final

from connectors.contract import RawRow
from connectors.paths import reader
from connectors.text import Unmappable, narrow, read_text
from connectors.turns import Turn

_TRUTHS: Final = {True: frozenset({"true", "1"}), False: frozenset({"false", "0"})}
"""How systems write them whose other answers, or whose database, have the other way."""

Counts = Callable[[RawRow], bool]
"""Whether a row counts. Raises `Unmappable` where that cannot be told."""


def row_choice(
    only: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]], *, nested: bool
) -> Counts | None:
    """Whether a row has one of the texts at each path of `only`, and none at those of `other`; None where all count.

    The empty text stands for nothing there. What is true is `1` as well, and what is false `0`; 1.0 is 1.
    """
    if not only and not other:
        return None
    tests = [
        (reader(path, nested=nested), frozenset(map(_plain, texts)), wanted)
        for wanted, paths in ((True, only), (False, other))
        for path, texts in paths.items()
    ]
    return lambda row: all(_is_among(read(row), texts) is wanted for read, texts, wanted in tests)


async def choose_rows(
    rows: Mapping[str, Sequence[RawRow]], counts: Counts | None, turn: Turn
) -> tuple[Mapping[str, Sequence[RawRow]], Mapping[str, int]]:
    """The rows of each company that count, and how many it has of which that cannot be told, if any: they do not count.

    Others have their turn on the event loop meanwhile.
    """
    if counts is None:
        return rows, {}
    chosen: dict[str, Sequence[RawRow]] = {}
    unclear: dict[str, int] = {}
    for text, own in rows.items():
        counting: list[RawRow] = []
        for row in own:
            try:
                if counts(row):
                    counting.append(row)
            except Unmappable:
                unclear[text] = unclear.get(text, 0) + 1
        chosen[text] = counting
        if turn.is_over():
            await turn.pass_on()
    return chosen, unclear


def _is_among(raw: object, texts: frozenset[str]) -> bool:
    if isinstance(raw, bool):
        return not _TRUTHS[raw].isdisjoint(texts)
    if isinstance(raw, float | Decimal) and isfinite(raw) and raw == int(raw):
        raw = int(raw)
    return _plain(raw) in texts


def _plain(raw: object) -> str:
    return "" if raw is None else narrow(read_text(raw))
