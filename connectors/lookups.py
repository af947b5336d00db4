"""The record types that serve finding companies, and that no caller reads: crosswalks and searches.

A manifest supplies them as it does canonical ones. A crosswalk tells the legacy identifiers of a company whose credit
code is known, or the credit code of a company of which a legacy identifier is known: one record type for each
direction. A search tells the companies that have a text in their name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.contract import KeyKind, RecordShape
from schema.values import Kind

LEGACY_IDENTIFIERS: Final = "LegacyIdentifiers"
"""By credit code: the identifiers by which older systems know the company. Its fields are those of `IDENTIFIERS`."""

IDENTIFIERS: Final[Mapping[KeyKind, str]] = {
    KeyKind.REGISTRATION_NUMBER: "registrationNumber",
    KeyKind.TAX_NUMBER: "taxNumber",
}
"""The field of each identifier that cannot be derived from a credit code."""

BY_IDENTIFIER: Final[Mapping[KeyKind, str]] = {
    KeyKind.REGISTRATION_NUMBER: "CompanyByRegistrationNumber",
    KeyKind.ORGANISATION_CODE: "CompanyByOrganisationCode",
    KeyKind.TAX_NUMBER: "CompanyByTaxNumber",
}
"""By an identifier: the credit code of the company that has it."""

SEARCH: Final = "CompanySearch"
"""By a part of a name: the companies that have it, with their names as they are, and their divisions (GB/T 2260)."""

CREDIT_CODE: Final = "creditCode"

LOOKUPS: Final[Mapping[str, RecordShape]] = {
    shape.name: shape
    for shape in (
        RecordShape(LEGACY_IDENTIFIERS, single=False, fields=dict.fromkeys(IDENTIFIERS.values(), Kind.TEXT)),
        *(RecordShape(name, single=False, fields={CREDIT_CODE: Kind.CREDIT_CODE}) for name in BY_IDENTIFIER.values()),
        RecordShape(
            SEARCH,
            single=False,
            fields={CREDIT_CODE: Kind.CREDIT_CODE, "name": Kind.TEXT, "division": Kind.TEXT},
        ),
    )
}
"""Their shapes, by name."""

_CODES: Final = frozenset({KeyKind.CREDIT_CODE, KeyKind.ORGANISATION_CODE})
_COMPANY_KEYS: Final = frozenset(KeyKind) - {KeyKind.NAME}


def key_kinds(record: str) -> frozenset[KeyKind]:
    """What a dataset of this record type may be keyed by."""
    if record == LEGACY_IDENTIFIERS:
        return _CODES
    if record == SEARCH:
        return frozenset({KeyKind.NAME})
    return next((frozenset({kind}) for kind, name in BY_IDENTIFIER.items() if name == record), _COMPANY_KEYS)
