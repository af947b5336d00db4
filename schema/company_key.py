"""By what else than its credit code a company is asked for: a legacy identifier, or a part of its name."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Final

from schema.credit_code import LENGTH, MAX_TEXT, CreditCode, CreditCodeError, normalise
from schema.errors import (
    IdCharacterError,
    IdCheckCharacterError,
    IdIsCreditCodeError,
    IdLengthError,
    NameCharacterError,
    NameLengthError,
)
from schema.legacy_id import DIGITS, is_organisation_code, is_registration_number

NAME_LENGTHS: Final = range(2, 201)
"""How many characters a name that is searched for may have, as it is compared."""

_LENGTHS: Final = {"REGISTRATION_NUMBER": 15, "ORGANISATION_CODE": 9, "TAX_NUMBER": 15}
_DIVISION: Final = 6
_CAPITALS_AND_DIGITS: Final = DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_OPENING, _CLOSING, _DOTS = "([{<〔【〖《〈「『", ")]}>〕】〗》〉」』", "·•‧∙⋅・"
_ALIKE: Final = str.maketrans(dict.fromkeys(_OPENING, "(") | dict.fromkeys(_CLOSING, ")") | dict.fromkeys(_DOTS, "·"))
_PATTERNS: Final = frozenset("%_*?\\^$|")
"""What means any text in the patterns of some database or search engine, and stands in no company's name."""


class LegacyIdKind(StrEnum):
    """An identifier that the credit code replaced."""

    REGISTRATION_NUMBER = "REGISTRATION_NUMBER"
    ORGANISATION_CODE = "ORGANISATION_CODE"
    TAX_NUMBER = "TAX_NUMBER"


class LegacyId(str):
    """A legacy identifier that has been checked: its characters. Made by `LegacyId.parse`."""

    __slots__ = ()

    @classmethod
    def parse(cls, kind: LegacyIdKind, raw: str) -> LegacyId:
        """The identifier that the text means; it is normalised as credit codes are. Raises the subclass of
        `LegacyIdError` that names the mistake.

        A registration number has 15 digits, the last one checked (GS15-2006: ISO 7064 MOD 11,10). An organisation code
        has 9 characters, the last one checked (GB 11714-1997). A tax registration number has 15: the 6 digits of a
        division, and 9 digits or capital letters, usually the organisation code, which is not held against it.
        """
        if len(raw) > MAX_TEXT:
            raise IdLengthError(_LENGTHS[kind], len(raw))
        text = normalise(raw)
        if len(text) == LENGTH and _is_credit_code(text):
            raise IdIsCreditCodeError
        if len(text) != _LENGTHS[kind]:
            raise IdLengthError(_LENGTHS[kind], len(text))
        for position, character in enumerate(text, start=1):
            if character not in _allowed(kind, position):
                raise IdCharacterError(position)
        if not _check_holds(kind, text):
            raise IdCheckCharacterError
        return cls(text)


class SearchName(str):
    """A part of a company's name that has been checked, as it was written. Made by `SearchName.parse`."""

    __slots__ = ()

    @classmethod
    def parse(cls, raw: str) -> SearchName:
        """The name that the text means, trimmed. Raises `NameLengthError` or `NameCharacterError`."""
        text = raw.strip()
        compared = comparable_name(text)
        if len(compared) not in NAME_LENGTHS or len(text) > NAME_LENGTHS.stop:
            raise NameLengthError(NAME_LENGTHS.start, NAME_LENGTHS.stop - 1)
        if not text.isprintable() or not _PATTERNS.isdisjoint(compared):
            raise NameCharacterError
        return cls(text)


def comparable_name(text: str) -> str:
    """A name of a company or a person as names are compared: Unicode NFKC (full width to half width), brackets of any
    form as round ones, dots between names as `·`, no spaces, and no difference between capitals and small letters.
    """
    return "".join(unicodedata.normalize("NFKC", text).translate(_ALIKE).split()).casefold()


def _allowed(kind: LegacyIdKind, position: int) -> frozenset[str]:
    digits = kind is LegacyIdKind.REGISTRATION_NUMBER or (kind is LegacyIdKind.TAX_NUMBER and position <= _DIVISION)
    return DIGITS if digits else _CAPITALS_AND_DIGITS


def _is_credit_code(text: str) -> bool:
    try:
        CreditCode.parse(text)
    except CreditCodeError as error:
        return error.code != CreditCodeError.code
    return True


def _check_holds(kind: LegacyIdKind, text: str) -> bool:
    match kind:
        case LegacyIdKind.REGISTRATION_NUMBER:
            return is_registration_number(text)
        case LegacyIdKind.ORGANISATION_CODE:
            return is_organisation_code(text)
        case LegacyIdKind.TAX_NUMBER:
            return True
