"""Which coordinates of the policy a dataset supplies, and an agency has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from connectors.contract import Dataset, KeyKind
from connectors.lookups import BY_IDENTIFIER, LEGACY_IDENTIFIERS, SEARCH
from schema.agency import ABOUT_AGENCIES
from schema.questions import BY_LEGACY_ID, MATCH, QUESTIONS, REGISTRATION, VERIFICATION

LEGACY_ID_FIELDS: Final[Mapping[KeyKind, str]] = {
    KeyKind.REGISTRATION_NUMBER: "registrationNumber",
    KeyKind.ORGANISATION_CODE: "organisationCode",
    KeyKind.TAX_NUMBER: "taxNumber",
}
"""The field, among the coordinates of finding companies by legacy identifiers, of each kind of identifier."""

_RECORDS_BY_ID: Final = {record: kind for kind, record in BY_IDENTIFIER.items()}


def supplied_coordinates(dataset: Dataset) -> frozenset[str]:
    """The record type and its fields, and those of the questions that the dataset answers; none of a crosswalk that
    only serves to join.
    """
    if dataset.record == LEGACY_IDENTIFIERS:
        return frozenset()
    if dataset.record == SEARCH:
        # Every company has a division: that in its credit code.
        return _coordinates(MATCH, {"division", *(dataset.fields & QUESTIONS[MATCH].fields.keys())})
    if dataset.record in _RECORDS_BY_ID:
        return _coordinates(BY_LEGACY_ID, [LEGACY_ID_FIELDS[_RECORDS_BY_ID[dataset.record]]])
    own = _coordinates(dataset.record, dataset.fields)
    if dataset.record == REGISTRATION:
        own |= _coordinates(VERIFICATION, dataset.fields & QUESTIONS[VERIFICATION].fields.keys())
    return own


def coordinates_by_agency(datasets: Iterable[Dataset]) -> Mapping[str, frozenset[str]]:
    """The coordinates of each agency: those that its datasets supply, and those of what is told of itself."""
    supplied: defaultdict[str, frozenset[str]] = defaultdict(lambda: OF_AN_AGENCY)
    for dataset in datasets:
        supplied[dataset.agency] |= supplied_coordinates(dataset)
    return dict(supplied)


def own_coordinates(dataset: Dataset) -> frozenset[str]:
    """The coordinates of what the dataset's rows show."""
    return frozenset(one for one in supplied_coordinates(dataset) if one.partition(".")[0] != VERIFICATION)


def _coordinates(record: str, fields: Iterable[str]) -> frozenset[str]:
    return frozenset({record, *(f"{record}.{field}" for field in fields)})


OF_AN_AGENCY: Final = frozenset().union(*(_coordinates(name, told.fields) for name, told in ABOUT_AGENCIES.items()))
"""The coordinates of what is told of any agency itself."""
