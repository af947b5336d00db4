"""What the public contract tells of an agency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import orjson

from gateway.stages.selection import Selection
from gateway.stages.writers import Writer, object_writer


@dataclass(frozen=True, slots=True)
class AgencyProfile:
    """An agency: its id, its names, and the record types that it supplies, sorted."""

    id: str
    name: str
    name_zh: str | None
    records: tuple[str, ...]


GETTERS: Final[Mapping[str, Writer]] = {
    "id": lambda agency: agency.id,
    "name": lambda agency: agency.name,
    "nameZh": lambda agency: agency.name_zh,
    "records": lambda agency: list(agency.records),
}


def told_of(agencies: Mapping[str, AgencyProfile], unreleased: frozenset[str]) -> Mapping[str, AgencyProfile]:
    """The agencies as they are told of where these record types are not: nobody learns that they are there."""
    if not unreleased:
        return agencies
    return {
        id_: replace(agency, records=tuple(name for name in agency.records if name not in unreleased))
        for id_, agency in agencies.items()
    }


def agency_writer(selections: tuple[Selection, ...], agencies: Mapping[str, AgencyProfile]) -> Writer:
    """Writes the agency with an id, in JSON, once."""
    write = object_writer(selections, GETTERS)
    return lru_cache(maxsize=None)(lambda id_: orjson.Fragment(orjson.dumps(write(agencies[id_]))))
