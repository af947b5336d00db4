"""Companies' keys: how a credit code is written when an agency is asked, and found again in what comes back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from connectors.contract import KeyKind
from connectors.text import Unmappable, read_text
from schema.credit_code import CreditCode, CreditCodeError, normalise

_ORGANISATION_CODE: Final = re.compile(r"[0-9A-Z]{9}", re.ASCII)
_OUT_OF_SCOPE: Final = "CODE_OUT_OF_SCOPE"


class Spelling(StrEnum):
    """How an agency writes the code by which it knows a company."""

    UPPER = "upper"
    LOWER = "lower"
    HYPHENATED = "hyphenated"
    ORGANISATION_CODE = "organisationCode"


def spell(code: CreditCode, kind: KeyKind, spelling: Spelling) -> str:
    """The company's key as the agency writes it. `HYPHENATED` is GB 11714's printed form, 12345678-9."""
    organisation = code.organisation_code
    text = organisation if kind is KeyKind.ORGANISATION_CODE else code.text
    match spelling:
        case Spelling.UPPER:
            return text
        case Spelling.LOWER:
            return text.lower()
        case Spelling.HYPHENATED:
            return f"{organisation[:8]}-{organisation[8]}"
        case Spelling.ORGANISATION_CODE:
            return organisation


def normal_key(raw: object) -> str | None:
    """A key of any spelling in the one by which rows are joined, None where there is no text."""
    try:
        return normalise(read_text(raw)) or None
    except Unmappable:
        return None


def is_some_company(key: str) -> bool:
    """Whether a normalised key is that of a company at all, or of a sole trader. Another may be anybody's, mistyped."""
    if _ORGANISATION_CODE.fullmatch(key):
        return True
    try:
        CreditCode.parse(key)
    except CreditCodeError as error:
        return error.code == _OUT_OF_SCOPE
    return True


def by_key(codes: Iterable[CreditCode]) -> Mapping[str, Sequence[CreditCode]]:
    """The asked companies by each key that a row may carry: credit code or organisation code, in whichever column.

    Two credit codes may hold one organisation code: rows with that belong to both.
    """
    found: dict[str, list[CreditCode]] = {}
    for code in codes:
        found.setdefault(code.text, []).append(code)
        found.setdefault(code.organisation_code, []).append(code)
    return found
