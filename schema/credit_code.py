"""The Unified Social Credit Code (GB 32100-2015): the key by which everything about a company is joined.

python-stdnum knows these codes too, but it refuses lawful ones whose first character is a letter, knows nothing of
authorities and categories, and takes five times as long for a check character; the tests hold ours to its.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from schema.divisions import is_known_division
from schema.errors import (
    CodeAuthorityError,
    CodeCategoryError,
    CodeCharacterError,
    CodeCheckCharacterError,
    CodeIsOrganisationCodeError,
    CodeIsRegistrationNumberError,
    CodeLengthError,
    CodeOrganisationError,
    CodeOutOfScopeError,
    CreditCodeError,
)
from schema.legacy_id import DIGITS, is_organisation_code, is_registration_number, organisation_check_character

__all__ = ["LENGTH", "MAX_TEXT", "CreditCode", "CreditCodeError", "normalise"]

LENGTH: Final = 18
MAX_TEXT: Final = 64
"""The most characters of a text that is read as a credit code at all."""

CATEGORIES: Final[Mapping[str, str]] = {
    "1": "1239",
    "2": "19",
    "3": "123459",
    "4": "19",
    "5": "1239",
    "6": "129",
    "7": "129",
    "8": "19",
    "9": "123",
    "A": "19",
    "N": "1239",
    "Y": "1",
}
"""The entity categories that each registering authority assigns (GB 32100-2015, table 1, and its amendments)."""

_REGISTRATIONS: Final = frozenset(
    authority + category for authority, categories in CATEGORIES.items() for category in categories
)
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_AS_DIGITS: Final = bytes.maketrans(_ALPHABET.encode(), b"0123456789abcdefghijklmnopqrstu")
"""Each character as the digit of its value in a number to any base above 30."""

_BASE: Final = 34
_WRITTEN: Final = re.compile(f"[{_ALPHABET}]{{2}}[0-9]{{6}}[{_ALPHABET}]{{10}}")
_DIVISION: Final = range(3, 9)
_SOLE_TRADER: Final = "92"
_PILOT_SERIES: Final = "M000"

_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_LOWER_AND_SEPARATORS: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", " -")


def normalise(raw: str) -> str:
    """Full width to half width, lower case to upper, spaces and hyphens out; nothing else is changed."""
    return raw.translate(_FULL_WIDTH).translate(_LOWER_AND_SEPARATORS)


class CreditCode(str):
    """A credit code that has been checked: its 18 characters. Made by `CreditCode.parse`.

    A text itself, since nearly everything is looked up by credit code: nothing is quicker to hash and to compare.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, raw: str) -> CreditCode:
        """The credit code that the text means. Raises the subclass of `CreditCodeError` that names the mistake.

        A wrong check character is a mistake, save in the pilot series (organisation codes that start with M000): Fujian
        issued these before the standard came into force, and some, 91350100M0001TGQXM for one, carry another check
        character and are lawful. In that series a wrong check character is only flagged (`check_digit_valid`); the
        check of the organisation code inside still guards against typing mistakes.
        """
        if len(raw) > MAX_TEXT:
            raise CodeLengthError(len(raw))
        text = raw
        if not _WRITTEN.fullmatch(raw):
            text = normalise(raw)
            _check_length(text)
            _check_characters(text)
        code = cls(text)
        _check_registration(code)
        _check_organisation_code(code)
        _check_check_character(code)
        # Last, so that a mistyped code is called mistyped, whatever it happens to start with.
        if text.startswith(_SOLE_TRADER):
            raise CodeOutOfScopeError
        return code

    @property
    def authority(self) -> str:
        """The registering authority: character 1."""
        return self[0]

    @property
    def category(self) -> str:
        """The entity category within the authority: character 2."""
        return self[1]

    @property
    def division(self) -> str:
        """The division of the original registration (GB/T 2260): characters 3 to 8."""
        return self[2:8]

    @property
    def organisation_code(self) -> str:
        """The organisation code (GB 11714): characters 9 to 17."""
        return self[8:17]

    @property
    def check_digit_valid(self) -> bool:
        """Whether the check character is the standard's. False only in the pilot series."""
        return self[17] == _check_character(self)

    @property
    def division_known(self) -> bool:
        """Whether the division is in the public table. Lawful codes of development zones are not."""
        return is_known_division(self.division)


def _check_length(text: str) -> None:
    if is_organisation_code(text):
        raise CodeIsOrganisationCodeError
    if is_registration_number(text):
        raise CodeIsRegistrationNumberError
    if len(text) != LENGTH:
        raise CodeLengthError(len(text))


def _check_characters(text: str) -> None:
    for position, character in enumerate(text, start=1):
        if position in _DIVISION and character not in DIGITS:
            raise CodeCharacterError(position, character, "a digit")
        if character not in _ALPHABET:
            raise CodeCharacterError(position, character, "a digit or a capital letter other than I, O, S, V and Z")


def _check_registration(code: CreditCode) -> None:
    if code[:2] in _REGISTRATIONS:
        return
    if code.authority not in CATEGORIES:
        raise CodeAuthorityError(code.authority, ", ".join(CATEGORIES))
    raise CodeCategoryError(code.authority, code.category, ", ".join(CATEGORIES[code.authority]))


def _check_organisation_code(code: CreditCode) -> None:
    expected = organisation_check_character(code[8:16])
    if code[16] != expected:
        raise CodeOrganisationError(expected, code[16])


def _check_check_character(code: CreditCode) -> None:
    expected = _check_character(code)
    if code[17] != expected and not code.organisation_code.startswith(_PILOT_SERIES):
        raise CodeCheckCharacterError(expected, code[17])


def _check_character(text: str) -> str:
    """The check character that the first 17 characters call for (GB 32100-2015, modulus 31).

    The characters' weights are the powers of 3, which 34 is modulo 31: backwards they are one number to that base.
    """
    return _ALPHABET[-int(text.encode().translate(_AS_DIGITS)[LENGTH - 2 :: -1], _BASE) % 31]
