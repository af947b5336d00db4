"""Which column may fill which field, and of which record type the rows may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.contract import RecordShape
from connectors.drafting.evidence import Evidence
from connectors.drafting.likeness import likeness
from connectors.duplicates import RECORD_ID
from schema.values import Kind

ENOUGH = 0.55
"""How like a column has to be to a field."""

_COMMON = frozenset({RECORD_ID, "recordUrl", "objection", "publishedFrom", "publishedUntil"})
"""The fields that every record type has: they do not tell one from another."""

Words = Mapping[str, Mapping[str, str]]
"""The fields' descriptions in Chinese, by record type and field."""


@dataclass(frozen=True, slots=True)
class Match:
    """The columns (or paths) that fill the fields of a record type, and how well they do."""

    record: str
    columns: Mapping[str, str]
    score: float


def match(evidence: Mapping[str, Evidence], shape: RecordShape, words: Mapping[str, str]) -> Match:
    """The fields of the record type, each with the column likest to it; no column twice."""
    pairs = sorted(
        (
            (_fit(column, found, name, kind, words.get(name, "")), name, column)
            for name, kind in shape.fields.items()
            for column, found in evidence.items()
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    chosen: dict[str, str] = {}
    score = 0.0
    for fit, name, column in pairs:
        if fit >= ENOUGH and name not in chosen and column not in chosen.values():
            chosen[name] = column
            score += 0 if name in _COMMON else fit
    return Match(shape.name, chosen, score)


def best_matches(evidence: Mapping[str, Evidence], shapes: Mapping[str, RecordShape], words: Words) -> list[Match]:
    """A match for each record type, the best first."""
    found = [match(evidence, shape, words.get(shape.name, {})) for shape in shapes.values()]
    return sorted(found, key=lambda one: (-one.score, len(shapes[one.record].fields), one.record))


def _fit(column: str, evidence: Evidence, name: str, kind: Kind, chinese: str) -> float:
    if kind not in evidence.kinds:
        return 0.0
    if name == RECORD_ID and evidence.different < evidence.values:
        return 0.0  # rows of one id count as one record
    fit = likeness(column, name, chinese)
    if kind is Kind.TEXT and Kind.DATE in evidence.kinds and evidence.values:
        return fit * 0.5  # a date is seldom meant to be a text
    if kind is Kind.CODE and not evidence.few and evidence.values:
        return fit * 0.8
    return fit
