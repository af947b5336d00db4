"""How agencies' text is read: trimmed, narrowed, or taken for nothing."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Final

NOTHINGS: Final = frozenset(
    {"", "-", "--", "—", "——", "/", "\\N", "null", "NULL", "None", "N/A", "n/a", "无", "暂无", "空", "未公示"},
)
"""What agencies write where they have nothing, in any column."""

_NO_NUMBERS: Final = frozenset({"nan", "inf", "-inf", "NaN", "Infinity", "-Infinity"})
"""How numbers are written that are none."""

_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_IDEOGRAPHS: Final = range(0x4E00, 0xA000)
"""CJK Unified Ideographs: each of them is itself in every normalised form, whatever stands around it."""

_MOST_PARTS: Final = 4
"""Of how many characters Unicode composes one at most (UAX #15, section 9.2, "maximum expansion factor")."""


class Unmappable(ValueError):
    """A value that its field cannot hold. Carries no message: it must never tell the value."""


def beginning_in(content: bytes, codec: str) -> str | None:
    """The text that a content begins with in the encoding of a codec, where it may end within a character; None where
    it is not in that.
    """
    try:
        return codecs.getincrementaldecoder(codec)().decode(content)
    except UnicodeError:
        return None


def read_text(raw: object) -> str:
    """The text of a scalar of an agency's row, trimmed and otherwise as it was.

    Raises `Unmappable` for what is no scalar (a list, an object, bytes), for a number that is none (NaN, infinity), and
    for text that is not Unicode (a lone surrogate, as JSON can smuggle in).
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
        if is_no_number(text):
            raise Unmappable
    else:
        raise Unmappable
    if not text.isascii() and _SURROGATE.search(text):
        raise Unmappable
    return text


def is_no_number(text: str) -> bool:
    """Whether a number in this text, written as Python does, is none: NaN, whatever it carries, or infinity."""
    return "n" in text or "N" in text


def is_narrow(text: str) -> bool:
    """Whether narrowing changes no part of the text: any part of a normalised text is normalised (UAX #15, on
    concatenation).
    """
    return text.isascii() or unicodedata.is_normalized("NFKC", text)


def narrow(text: str) -> str:
    """Full-width digits, letters and signs as their ASCII ones (Unicode NFKC), trimmed."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text).strip()


class Nothings:
    """The words by which an agency says that it has no value."""

    __slots__ = ("_longest", "_other", "numbers", "words")

    def __init__(self, words: frozenset[str]) -> None:
        self.words = words
        self.numbers = frozenset(word.lower() for word in words if _NUMBER.fullmatch(word) or word in _NO_NUMBERS)
        # Narrowing is slow, and most texts cannot become one of the words. They are too long: a character that it
        # composes has few parts, and only one space may come to stand at an end (out of a spacing accent). Or they
        # have an ideograph that no word has.
        self._longest = _MOST_PARTS * max(map(len, words), default=0) + 1
        own = sorted(code for code in map(ord, set("".join(words))) if code in _IDEOGRAPHS)
        gaps = pairwise((_IDEOGRAPHS.start - 1, *own, _IDEOGRAPHS.stop))
        others = "".join(f"{chr(before + 1)}-{chr(after - 1)}" for before, after in gaps if after - before > 1)
        self._other = re.compile(f"[{others}]").search

    def has(self, raw: object) -> bool:
        """Whether the agency has no value there: null, or one of the words, however wide it is written,
        or as a number.
        """
        if not isinstance(raw, str):
            return raw is None or (bool(self.numbers) and str(raw).lower() in self.numbers)
        text = raw.strip()
        return text in self.words or (
            len(text) <= self._longest and not text.isascii() and not self._other(text) and narrow(text) in self.words
        )

    def left_out(self, texts: Sequence[str], joined: str) -> Sequence[str | None]:
        """These trimmed texts, with None for those that are one of the words. `joined` is all of them in one."""
        if not joined.isascii() and self._wide_among(texts):
            return [None if self.has(text) else text for text in texts]
        words = self.words
        return texts if words.isdisjoint(texts) else [None if text in words else text for text in texts]

    def _wide_among(self, texts: Sequence[str]) -> bool:
        """Whether one of the texts is a word that is written wide."""
        longest, words, other = self._longest, self.words, self._other
        short = [text for text in texts if len(text) <= longest]
        if is_narrow("\n".join(short)):
            return False
        return any(narrow(text) in words for text in short if not other(text) and text not in words)


NO_VALUE: Final = Nothings(NOTHINGS)
"""The words that count in any column."""
