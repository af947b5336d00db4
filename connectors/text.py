"""How agencies' text is read: trimmed, narrowed, or taken for nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Final

NOTHINGS: Final = frozenset(
    {"", "-", "--", "—", "——", "/", "\\N", "null", "NULL", "None", "N/A", "n/a", "无", "暂无", "空", "未公示"},
)
"""What agencies write where they have nothing, in any column."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MOST_PARTS: Final = 4
"""Of how many characters Unicode composes one at most (UAX #15, section 9.2, "maximum expansion factor")."""


class Unmappable(ValueError):
    """A value that its field cannot hold. Carries no message: it must never tell the value."""


def read_text(raw: object) -> str:
    """The text of a scalar of an agency's row, trimmed and otherwise as it was.

    Raises `Unmappable` for what is no scalar (a list, an object, bytes) and for text that is not Unicode (a lone
    surrogate, as JSON can smuggle in).
    """
    if isinstance(raw, str):
        text = raw.strip()
        # The quick way: no surrogate is printable.
        if text.isprintable():
            return text
    elif isinstance(raw, bool):
        text = "true" if raw else "false"
    elif isinstance(raw, int | float | Decimal | date):
        text = str(raw)
    else:
        raise Unmappable
    if not text.isascii() and _SURROGATE.search(text):
        raise Unmappable
    return text


def narrow(text: str) -> str:
    """Full-width digits, letters and signs as their ASCII ones (Unicode NFKC), trimmed."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text).strip()


def nothing_test(nothings: frozenset[str]) -> Callable[[object], bool]:
    """Whether the agency has no value there: null, or one of these words, however wide it is written."""
    # Narrowing is slow, and most texts are too long to become one of the words: a character that it composes has few
    # parts, and only one space may come to stand at an end (out of a spacing accent).
    longest = _MOST_PARTS * max(map(len, nothings), default=0) + 1

    def is_nothing(raw: object) -> bool:
        if not isinstance(raw, str):
            return raw is None
        text = raw.strip()
        return text in nothings or (len(text) <= longest and not text.isascii() and narrow(text) in nothings)

    return is_nothing


is_nothing: Final = nothing_test(NOTHINGS)
"""Whether the agency has no value there, by the words that count in any column."""
