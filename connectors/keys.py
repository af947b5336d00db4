"""Companies' keys: how a credit code is written when an agency is asked, and found again in what comes back."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Final

from connectors.contract import CompanyKey, KeyKind
from connectors.text import Unmappable, read_text
from schema.company_key import LegacyId, LegacyIdKind, SearchName
from schema.credit_code import CreditCode, CreditCodeError, normalise
from schema.errors import LegacyIdError

_ORGANISATION_CODE: Final = re.compile(r"[0-9A-Z]{9}", re.ASCII)
_AROUND: Final = "='\"`\t\r\n \u200b\u200e\u200f\ufeff"
"""No code has these characters: ="9133" and '9133 of workbooks, `9133 of payment services, and what cannot be seen."""

_OUT_OF_SCOPE: Final = "CODE_OUT_OF_SCOPE"


class Spelling(StrEnum):
    """How an agency writes the code by which it knows a company."""

    UPPER = "upper"
    LOWER = "lower"
    HYPHENATED = "hyphenated"
    ORGANISATION_CODE = "organisationCode"


def spelled(keys: Sequence[CompanyKey], kind: KeyKind, spellings: Sequence[Spelling]) -> list[str]:
    """The companies' keys, none of them twice, as the agency writes them, each spelling once. `HYPHENATED` is GB
    11714's printed form, 12345678-9.

    A registration or tax number has no other form than in small letters, and a name that is searched for has none.
    """
    if kind is not KeyKind.ORGANISATION_CODE and tuple(spellings) == (Spelling.UPPER,):
        return list(keys)
    return list(dict.fromkeys(_spelled(key, kind, spelling) for key in keys for spelling in spellings))


def _spelled(key: CompanyKey, kind: KeyKind, spelling: Spelling) -> str:
    if isinstance(key, SearchName):
        return key
    organisation = key.organisation_code if isinstance(key, CreditCode) else key
    text = organisation if kind is KeyKind.ORGANISATION_CODE else key
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
    """A key of any spelling in the one by which rows are joined, None where there is no text.

    What programs put around a number, so that others do not take it for one, is no part of it.
    """
    try:
        return normalise(read_text(raw).strip(_AROUND)) or None
    except Unmappable:
        return None


LEGACY_KINDS: Final[Mapping[KeyKind, LegacyIdKind]] = {
    KeyKind.REGISTRATION_NUMBER: LegacyIdKind.REGISTRATION_NUMBER,
    KeyKind.ORGANISATION_CODE: LegacyIdKind.ORGANISATION_CODE,
    KeyKind.TAX_NUMBER: LegacyIdKind.TAX_NUMBER,
}
"""The keys that are legacy identifiers."""


def key_lengths(kind: KeyKind) -> tuple[int, ...]:
    """How long a normalised key is; where datasets are keyed by credit codes, organisation codes are as good."""
    return (15,) if kind in {KeyKind.REGISTRATION_NUMBER, KeyKind.TAX_NUMBER} else (9, 18)


def is_some_company(key: str, kind: KeyKind = KeyKind.CREDIT_CODE) -> bool:
    """Whether a normalised key is that of a company at all, or of a sole trader. Another may be anybody's, mistyped.

    Where datasets are keyed by credit codes, an organisation code is as good, and the other way round.
    """
    if kind in {KeyKind.REGISTRATION_NUMBER, KeyKind.TAX_NUMBER}:
        return _is_legacy_id(key, LEGACY_KINDS[kind])
    if _ORGANISATION_CODE.fullmatch(key):
        return True
    try:
        CreditCode.parse(key)
    except CreditCodeError as error:
        return error.code == _OUT_OF_SCOPE
    return True


def _is_legacy_id(key: str, kind: LegacyIdKind) -> bool:
    try:
        LegacyId.parse(kind, key)
    except LegacyIdError:
        return False
    return True


class Asked:
    """The companies of a call by each key that a row may carry: credit code or organisation code, in whichever column;
    or the one other identifier that the dataset knows companies by. What a search found is all of the name's.

    Two credit codes may hold one organisation code: rows with that belong to both.
    """

    def __init__(self, keys: Sequence[CompanyKey], kind: KeyKind = KeyKind.CREDIT_CODE) -> None:
        """`keys` have no duplicates; `kind` is what the dataset knows companies by."""
        self._keys = keys
        self._kind = kind
        self.by_text: Final[Mapping[str, CompanyKey]] = {key: key for key in keys}

    def owners(self, raw: object) -> Sequence[CompanyKey] | None:
        """Whose rows have this key: nobody's here where it is that of another company, None where it may be
        anybody's, mistyped or missing.
        """
        if self._kind is KeyKind.NAME:
            return self._keys
        key = normal_key(raw)
        if key is None:
            return None
        found = self.by_text.get(key)
        if found is not None:
            return (found,)
        owners = self._by_organisation.get(key, ())
        return owners if owners or is_some_company(key, self._kind) else None

    @cached_property
    def _by_organisation(self) -> Mapping[str, Sequence[CompanyKey]]:
        found: defaultdict[str, list[CompanyKey]] = defaultdict(list)
        for key in self._keys:
            if isinstance(key, CreditCode):
                found[key.organisation_code].append(key)
        return found
