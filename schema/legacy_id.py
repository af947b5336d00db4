"""The identifiers that the credit code replaced, by which older systems still know companies."""

from __future__ import annotations

from typing import Final

from stdnum.iso7064 import mod_11_10

DIGITS: Final = frozenset("0123456789")

_ORGANISATION_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORGANISATION_BASE: Final = 35
_ORGANISATION_CHECKS: Final = "0123456789X"


def organisation_check_character(body: str) -> str:
    """The check character for the first 8 characters of an organisation code (GB 11714-1997, modulus 11).

    `body` holds digits and capital letters only. Their weights (3, 7, 9, 10, 5, 8, 4, 2) are the powers of 2, which 35
    is modulo 11: they are one number to that base. It has no digit Z, whose value is 35, and so 2 again.
    """
    return _ORGANISATION_CHECKS[-2 * int(body.replace("Z", "2"), _ORGANISATION_BASE) % 11]


def is_organisation_code(text: str) -> bool:
    """Whether this is an organisation code: 9 characters without a hyphen, the last one being right (GB 11714-1997)."""
    return (
        len(text) == 9  # noqa: PLR2004 - the length of the code
        and all(character in _ORGANISATION_ALPHABET for character in text[:8])
        and organisation_check_character(text[:8]) == text[8]
    )


def is_registration_number(text: str) -> bool:
    """Whether this is a business registration number: 15 digits, the last one being right.

    Source: GS15-2006 of the State Administration for Industry and Commerce, which checks by ISO 7064 MOD 11,10.
    """
    return len(text) == 15 and DIGITS.issuperset(text) and mod_11_10.is_valid(text)  # noqa: PLR2004 - the length
