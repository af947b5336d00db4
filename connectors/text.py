"""How agencies' text is read: trimmed, narrowed, or taken for nothing."""

from __future__ import annotations

import unicodedata
from datetime import date
from decimal import Decimal
from typing import Final

NOTHINGS: Final = frozenset(
    {"", "-", "--", "—", "——", "/", "\\N", "null", "NULL", "None", "N/A", "n/a", "无", "暂无", "空", "未公示"},
)
"""What agencies write where they have nothing, in any column."""


class Unmappable(ValueError):
    """A value that its field cannot hold. Carries no message: it must never tell the value."""


def read_text(raw: object) -> str:
    """The text of a scalar of an agency's row, trimmed and otherwise as it was.

    Raises `Unmappable` for what is no scalar (a list, an object, bytes) and for text that is not Unicode (a lone
    surrogate, as JSON can smuggle in).
    """
    match raw:
        case str():
            text = raw.strip()
        case bool():
            text = "true" if raw else "false"
        case int() | float() | Decimal() | date():
            text = str(raw)
        case _:
            raise Unmappable
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Unmappable from None
    return text


def narrow(text: str) -> str:
    """Full-width digits, letters and signs as their ASCII ones (Unicode NFKC), trimmed."""
    if text.isascii():
        return text
    return (text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)).strip()


def is_nothing(raw: object, nothings: frozenset[str] = NOTHINGS) -> bool:
    """Whether the agency has no value there."""
    if not isinstance(raw, str):
        return raw is None
    text = raw.strip()
    return text in nothings or (not text.isascii() and narrow(text) in nothings)
