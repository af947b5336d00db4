"""The graph that every peer serves: records lie at the company, without statuses, sources or masks.

The peers neither authorise (but the naive one, see `naive.py`) nor map what agencies supply; ours does both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.contender import Question
from benchmarks.workload import AGENCIES, Agency, Kind

CODE: Final = "creditCode"
GRAPHQL_TYPES: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "String",
    Kind.DATE: "String",
    Kind.YEAR: "Int",
    Kind.NUMBER: "Float",
    Kind.CODE: "String",
    Kind.MONEY: "String",
}
"""Sums are texts: a decimal keeps its digits."""


def query() -> str:
    """All fields of all agencies."""
    records = " ".join(f"{agency.root} {{ {' '.join(field.name for field in agency.fields)} }}" for agency in AGENCIES)
    return f"query ($codes: [String!]!) {{ enterprises(codes: $codes) {{ {CODE} {records} }} }}"


def question() -> Question:
    """How a peer is asked."""
    return Question(f'{{"query":{json.dumps(query())},"variables":{{"codes":[', "]}}")


def expected(codes: Sequence[str]) -> object:
    """What a peer must answer about these companies."""
    return {"data": {"enterprises": [{CODE: code, **_records(code)} for code in codes]}}


def _records(code: str) -> Mapping[str, object]:
    found = {agency.root: [_typed(agency, row) for row in agency.company(code)] for agency in AGENCIES}
    return {agency.root: found[agency.root][0] if agency.single else found[agency.root] for agency in AGENCIES}


def _typed(agency: Agency, row: Mapping[str, str]) -> Mapping[str, object]:
    return {
        field.name: row[field.name] if GRAPHQL_TYPES[field.kind] == "String" else json.loads(row[field.name])
        for field in agency.fields
    }
