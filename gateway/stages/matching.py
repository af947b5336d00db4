"""How near what an agency found is to what was asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec
import orjson

from connectors.company_rows import values
from connectors.lookups import CREDIT_CODE
from gateway.agencies.profile import AgencyProfile, agency_writer
from gateway.stages.lookup import Looked
from gateway.stages.selection import Selection
from gateway.stages.writers import Writer, keyed_writer
from schema.company_key import comparable_name
from schema.credit_code import CreditCode


class Grade(StrEnum):
    """The grades in the public contract's words, the nearest first."""

    EXACT = "EXACT"
    NORMALISED = "NORMALISED"
    PREFIX = "PREFIX"
    PARTIAL = "PARTIAL"
    OTHER = "OTHER"


_RANKS: Final = {grade: rank for rank, grade in enumerate((*Grade, None))}


class Match(msgspec.Struct, frozen=True):
    """A company that an agency found, with the grade of each attribute (None: not asked for, or not for this caller)
    and the date of the agency's data.
    """

    code: CreditCode
    name: Grade | None
    division: Grade | None
    agency: str
    as_of: dt.datetime | None


def matches(looked: Looked) -> tuple[Match, ...]:
    """The companies that were found, the nearest first, then by credit code; each once, as it is nearest."""
    best: dict[CreditCode, Match] = {}
    for match in sorted(_found(looked), key=_nearness):
        best.setdefault(match.code, match)
    return tuple(best.values())[: looked.lookup.first]


def _nearness(match: Match) -> tuple[int, int, str, str]:
    return _RANKS[match.name], _RANKS[match.division], match.code, match.agency


def _found(looked: Looked) -> Iterator[Match]:
    lookup = looked.lookup
    for finder in looked.finders:
        answer = looked.said.get(finder.dataset.id)
        columns = sorted(finder.columns)
        for row in values(answer, columns) if answer else ():
            told = dict(zip(columns, row, strict=True))
            if not isinstance(found := told[CREDIT_CODE], str):
                continue
            code = CreditCode.parse(found)
            name, division = told.get("name"), told.get("division")
            yield Match(
                code,
                name_grade(lookup.key, name) if isinstance(name, str) else None,
                division_grade(lookup.division, division if isinstance(division, str) else code.division)
                if lookup.division is not None and finder.shows("division")
                else None,
                finder.dataset.agency,
                answer.as_of if answer else None,
            )


def name_grade(asked: str, name: str) -> Grade:
    """How near a registered name is to the one asked for."""
    if asked == name:
        return Grade.EXACT
    wanted, found = comparable_name(asked), comparable_name(name)
    if wanted == found:
        return Grade.NORMALISED
    if found.startswith(wanted):
        return Grade.PREFIX
    return Grade.PARTIAL if wanted in found else Grade.OTHER


def division_grade(asked: str, division: str) -> Grade:
    """Whether a division is the one asked for, or lies in it."""
    if asked == division:
        return Grade.EXACT
    return Grade.PREFIX if division.startswith(asked) else Grade.OTHER


def match_writer(
    selections: tuple[Selection, ...], agencies: Mapping[str, AgencyProfile]
) -> Callable[[Match, Mapping[str, orjson.Fragment]], dict[str, Any]]:
    """Writes a match, with its company, written before, by response key."""

    def reader(part: Selection) -> Writer:
        if part.name == "source":
            return _source_writer(part.selections, agencies)
        # The company's place is kept for it.
        return _GRADES.get(part.name, lambda _: None)

    write_own = keyed_writer(selections, reader)
    return lambda match, companies: write_own(match) | companies


def _source_writer(selections: tuple[Selection, ...], agencies: Mapping[str, AgencyProfile]) -> Writer:
    def reader(part: Selection) -> Writer:
        if part.name == "agency":
            write = agency_writer(part.selections, agencies)
            return lambda match: write(match.agency)
        return lambda match: match.as_of

    return keyed_writer(selections, reader)


_GRADES: Final[Mapping[str, Writer]] = {"name": lambda match: match.name, "division": lambda match: match.division}
