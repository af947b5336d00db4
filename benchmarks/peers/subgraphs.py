"""The agencies as subgraphs of a federation, for peers that join subgraphs.

The registry has the root field, and gives the key by which the others find a company: a federation's gateway calls it
first and then the five others at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from benchmarks.peers.graph import CODE, GRAPHQL_TYPES
from benchmarks.upstream import Answer
from benchmarks.workload import AGENCIES, Agency

PATH: Final = "/subgraphs"
_LINK: Final = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])\n'
_ROOT: Final = "type Query { enterprises(codes: [String!]!): [Enterprise!]! }\n"


def sdl(agency: Agency) -> str:
    """The agency's schema, with the federation's directives."""
    fields = "\n".join(f"  {field.name}: {GRAPHQL_TYPES[field.kind]}" for field in agency.fields)
    records = agency.record if agency.single else f"[{agency.record}!]"
    return (
        f"{_LINK}{_ROOT if agency is AGENCIES[0] else ''}"
        f'type Enterprise @key(fields: "{CODE}") {{\n  {CODE}: String!\n  {agency.root}: {records}\n}}\n'
        f"type {agency.record} {{\n{fields}\n}}\n"
    )


def answers() -> Iterator[Answer]:
    """What the subgraphs answer. They check no query: each always answers with all that it has."""
    for agency in AGENCIES:
        root = "enterprises" if agency is AGENCIES[0] else "_entities"
        yield Answer(f"{PATH}/{agency.id}", f'{{"data":{{"{root}":[', _company(agency), "]}}")


def _company(agency: Agency) -> str:
    quoted = {field.name: GRAPHQL_TYPES[field.kind] == "String" for field in agency.fields}
    rows = [
        "{"
        + ",".join(f'"{name}":' + (f'"{template}"' if quoted[name] else template) for name, template in row.items())
        + "}"
        for row in agency.salted()
    ]
    records = rows[0] if agency.single else f"[{','.join(rows)}]"
    return f'{{"__typename":"Enterprise",{json.dumps(CODE)}:"<code>","{agency.root}":{records}}}'
