"""Companies' keys: how a credit code is written when an agency is asked, and found again in what comes back."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
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
    text = organisation if kind is KeyKind.ORGANISATION_CODE else code
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


class Asked:
    """The companies of a call by each key that a row may carry: credit code or organisation code, in whichever column.

    Two credit codes may hold one organisation code: rows with that belong to both.
    """

    def __init__(self, codes: Sequence[CreditCode]) -> None:
        """`codes` have no duplicates."""
        self._codes = codes
        self.by_text: Final[Mapping[str, CreditCode]] = {code: code for code in codes}

    def owners(self, raw: object) -> Sequence[CreditCode] | None:
        """Whose rows have this key: nobody's here where it is that of another company, None where it may be
        anybody's, mistyped or missing.
        """
        key = normal_key(raw)
        if key is None:
            return None
        code = self.by_text.get(key)
        if code is not None:
            return (code,)
        owners = self._by_organisation.get(key, ())
        return owners if owners or is_some_company(key) else None

    @cached_property
    def _by_organisation(self) -> Mapping[str, Sequence[CreditCode]]:
        found: defaultdict[str, list[CreditCode]] = defaultdict(list)
        for code in self._codes:
            found[code.organisation_code].append(code)
        return found
