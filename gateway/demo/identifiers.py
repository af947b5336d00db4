"""Identifiers of the invented nation: lawful where they must join, impossible where they would name a person."""

from __future__ import annotations

from random import Random
from typing import Final

from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_10

from schema.legacy_id import organisation_check_character

ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""The characters of a credit code (GB 32100-2015): no I, O, S, V or Z."""

_ORGANISATION_PREFIX: Final = "XQ"
"""Organisation codes are digits, or start with M in the series given out since 2015: none with XQ is a company's."""


def organisation_code(draw: Random) -> str:
    """A 9-character organisation code with its check character (GB 11714-1997)."""
    body = _ORGANISATION_PREFIX + "".join(draw.choices(ALPHABET, k=6))
    return body + organisation_check_character(body)


def credit_code(authority: str, category: str, division: str, organisation: str) -> str:
    """An 18-character credit code with its check character (GB 32100-2015)."""
    body = authority + category + division + organisation
    return body + str(uscc.calc_check_digit(body))


def registration_number(division: str, serial: int) -> str:
    """A 15-digit business registration number: division, serial, check digit (ISO 7064 MOD 11,10)."""
    body = f"{division}{serial:08d}"
    return body + str(mod_11_10.calc_check_digit(body))


def identity_number(draw: Random) -> str:
    """An 18-character identity number that no person can have: division 999999, born on 30 February."""
    return f"999999{draw.randint(1950, 1999)}0230{draw.randint(0, 9999):04d}"


def telephone(draw: Random, area: str) -> str:
    """A telephone number that no one can have: in China no subscriber's number starts with 0."""
    return f"{area}-0{draw.randint(0, 9_999_999):07d}"
