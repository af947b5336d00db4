"""The kind `graphql` against a real subgraph of Apollo Federation, and what it makes of errors about one company."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import strawberry
import uvicorn
from graphql import GraphQLError
from strawberry.asgi import GraphQL
from strawberry.federation import Schema

from connectors.contract import FailureCode, Outcome
from connectors.errors import ManifestInvalid
from connectors.manifest_file import load_manifest
from schema.values import Code
from tests.connectors.support import CODES, SHAPES, Agency, Asked, ask

HEAD = """
    agency: environment
    name: {en: Environment, zh: 环境}
    kind: graphql
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: TaxCredit
        batch: 5
        missingMeans: error
        fields: {year: year, grade: level}
"""
ENTITIES = f"{HEAD}        query: {{entity: Company, key: uscc, within: ratings}}\n"
ALIASES = f'{HEAD}        query: {{field: company, argument: code, type: "String!", within: ratings}}\n'
LIST = f"{HEAD}        key: ^.uscc\n        query: {{field: companies, argument: codes, within: ratings}}\n"
MEANING = "        errors: {unknown: [NOT_FOUND], none: [NOTHING], busy: [THROTTLED]}\n"

FAILING = CODES[3]
"""The company whose ratings the subgraph cannot tell."""


@strawberry.federation.type
class Rating:
    year: int
    level: str


@strawberry.type
class History:
    nodes: list[Rating]


@strawberry.federation.type(keys=["uscc region"])
class Company:
    uscc: str
    region: str = "CN"

    @strawberry.field
    def ratings(self) -> list[Rating] | None:
        if self.uscc == FAILING:
            raise GraphQLError("out of order", extensions={"code": "INTERNAL"})
        return [] if self.uscc == CODES[1] else [Rating(year=2020, level=self.region), Rating(year=2021, level="红")]

    @strawberry.field
    def history(self, first: int, after: int) -> History:
        years = range(2000, 2000 + 3 * int(self.uscc in CODES[:2]))
        return History(nodes=[Rating(year=year, level="绿") for year in years[after : after + first]])

    @classmethod
    def resolve_reference(cls, uscc: str, region: str = "CN") -> Company | None:
        if uscc == CODES[4]:
            raise GraphQLError("no such company", extensions={"code": "NOT_FOUND"})
        return cls(uscc=uscc, region=region) if uscc in CODES[:4] else None


@strawberry.type
class Query:
    @strawberry.field
    def updated(self) -> str:
        return "2026-11-01T08:00:00+08:00"


@pytest.fixture
async def subgraph() -> AsyncIterator[str]:
    app: Any = GraphQL(Schema(query=Query, types=[Company]))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/graphql"
        server.should_exit = True
        await serving


async def test_entities_of_a_subgraph_are_asked_in_one_batch(subgraph: str, open_one: Any) -> None:
    manifest = ENTITIES.replace("key: uscc,", "key: uscc, constants: {region: 浙},") + "        asOf: {path: updated}\n"
    manifest = manifest.replace("missingMeans: error", "missingMeans: unknown") + MEANING
    answers = await ask(await open_one(manifest, subgraph), CODES[:7])
    assert [answers[code].outcome for code in CODES[:7]] == [
        Outcome.ANSWERED,
        Outcome.ANSWERED,
        Outcome.ANSWERED,
        Outcome.FAILED,
        Outcome.UNKNOWN_COMPANY,
        Outcome.UNKNOWN_COMPANY,
        Outcome.UNKNOWN_COMPANY,
    ]
    assert answers[CODES[0]].rows == ({"year": 2020, "grade": Code("浙")}, {"year": 2021, "grade": Code("红")})
    assert answers[CODES[1]].rows == ()
    assert str(answers[CODES[0]].as_of) == "2026-11-01 08:00:00+08:00"


async def test_lists_of_entities_are_read_page_by_page(subgraph: str, open_one: Any) -> None:
    paging = "{field: history, page: after, first: 0, size: first, items: 1, type: Int!}"
    manifest = ENTITIES.replace("within: ratings", f"within: history.nodes, paging: {paging}")
    answers = await ask(await open_one(manifest, subgraph), CODES[:3])
    years = [[row["year"] for row in answers[code].rows] for code in CODES[:3]]
    assert years == [[2000, 2001, 2002], [2000, 2001, 2002], []]
    assert {answers[code].outcome for code in CODES[:3]} == {Outcome.ANSWERED}


async def test_only_the_fields_asked_for_leave_the_subgraph(agency: Agency, open_one: Any) -> None:
    async def answer(_: Asked) -> Any:
        return {"data": {"_entities": [{"ratings": [{"year": 2020}]}]}}

    agency.answer = answer
    manifest = ENTITIES.replace("key: uscc", "key: id.uscc, constants: {id: {region: CN}}")
    answers = await ask(await open_one(manifest, agency.address), CODES[:1], ["year"])
    assert answers[CODES[0]].rows == ({"year": 2020},)
    assert " ".join(agency.asked[0].body["query"].split()) == (
        "query($keys: [_Any!]!) { _entities(representations: $keys) { ... on Company { ratings { year } } } }"
    )
    assert agency.asked[0].body["variables"] == {
        "keys": [{"__typename": "Company", "id": {"region": "CN", "uscc": CODES[0]}}]
    }


def rated(*codes: str) -> list[dict[str, Any]]:
    return [{"uscc": code, "ratings": [{"year": 2020, "level": "A"}]} for code in codes]


def error(path: list[Any] | None, code: str | None = None) -> dict[str, Any]:
    told = {"message": "no", **({} if path is None else {"path": path})}
    return told if code is None else {**told, "extensions": {"code": code}}


ANSWERED, UNKNOWN = (Outcome.ANSWERED, None), (Outcome.UNKNOWN_COMPANY, None)
BAD, BUSY = (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE), (Outcome.FAILED, FailureCode.AGENCY_OVERLOADED)


@pytest.mark.parametrize(
    ("errors", "outcomes"),
    [
        ([], [ANSWERED, ANSWERED]),
        ([error([0])], [BAD, ANSWERED]),
        ([error([0, "ratings", 3, "year"])], [BAD, ANSWERED]),
        ([error([1], "OTHER"), error([0], "NOT_FOUND")], [UNKNOWN, BAD]),
        ([error([0], "NOT_FOUND")], [UNKNOWN, ANSWERED]),
        ([error([1], "NOTHING")], [ANSWERED, ANSWERED]),
        ([error([1], "NOTHING"), error([1, "ratings"], "OTHER")], [ANSWERED, BAD]),
        ([error([1], "THROTTLED")], [BUSY, BUSY]),
        ([error(None, "THROTTLED")], [BUSY, BUSY]),
        ([error(None, "NOT_FOUND")], [BAD, BAD]),
        ([error([])], [BAD, BAD]),
        ([error([7])], [BAD, BAD]),
        ([error([-1])], [BAD, BAD]),
        ([error(["updated"])], [BAD, BAD]),
        (["no"], [BAD, BAD]),
        ({"message": "no"}, [BAD, BAD]),
    ],
)
@pytest.mark.parametrize("way", ["entities", "aliases"])
async def test_an_error_about_one_company_is_that_companys_alone(
    agency: Agency, open_one: Any, errors: Any, outcomes: list[Any], way: str
) -> None:
    """A path begins with the company's place: its number stands for an index, or for an alias."""

    def placed(one: Any) -> Any:
        path = one.get("path") if isinstance(one, dict) else None
        if not path or not isinstance(path[0], int):
            return one
        place = ["_entities", path[0]] if way == "entities" else [f"k{path[0]}"]
        return {**one, "path": [*place, *path[1:]]}

    async def answer(_: Asked) -> Any:
        values = rated(*CODES[:2])
        data = {"_entities": values} if way == "entities" else {"k0": values[0], "k1": values[1]}
        return {"data": data, "errors": [placed(one) for one in errors] if isinstance(errors, list) else errors}

    agency.answer = answer
    manifest = (ENTITIES if way == "entities" else ALIASES) + MEANING
    answers = await ask(await open_one(manifest, agency.address), CODES[:2])
    assert [(answers[code].outcome, answers[code].failure) for code in CODES[:2]] == outcomes
    assert all(not answers[code].rows for code, outcome in zip(CODES[:2], outcomes, strict=True) if outcome != ANSWERED)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("NOT_FOUND", UNKNOWN), ("NOTHING", ANSWERED), ("THROTTLED", BUSY), ("OTHER", BAD), (None, BAD)],
)
@pytest.mark.parametrize("data", [None, {"companies": None}, {"companies": []}])
async def test_an_error_of_a_call_about_one_company_is_about_it(
    agency: Agency, open_one: Any, code: str | None, outcome: Any, data: Any
) -> None:
    async def answer(_: Asked) -> Any:
        return {"data": data, "errors": [error(["companies"], code)]}

    agency.answer = answer
    manifest = LIST.replace("batch: 5", "batch: 1") + MEANING
    rows = (await ask(await open_one(manifest, agency.address), CODES[:1]))[CODES[0]]
    assert (rows.outcome, rows.failure) == outcome


async def test_an_error_beside_what_was_asked_is_about_no_company(agency: Agency, open_one: Any) -> None:
    async def answer(_: Asked) -> Any:
        return {"data": {"k0": None}, "errors": [error(["updated"], "NOT_FOUND")]}

    agency.answer = answer
    rows = (await ask(await open_one(ALIASES + MEANING, agency.address), CODES[:1]))[CODES[0]]
    assert (rows.outcome, rows.failure) == BAD


@pytest.mark.parametrize("entities", [None, {}, [], rated(CODES[0]), rated(*CODES[:3])])
async def test_entities_that_cannot_be_told_apart_are_no_answer(agency: Agency, open_one: Any, entities: Any) -> None:
    async def answer(_: Asked) -> Any:
        return {"data": {"_entities": entities}}

    agency.answer = answer
    answers = await ask(await open_one(ENTITIES, agency.address), CODES[:2])
    assert {(rows.outcome, rows.failure) for rows in answers.values()} == {BAD}


@pytest.mark.parametrize(
    ("query", "mistake"),
    [
        ("{entity: C, key: c, field: d, argument: e}", "exactly one"),
        ("{within: a}", "exactly one"),
        ("{entity: C}", "goes with"),
        ("{field: c}", "goes with"),
        ("{entity: C, key: c, argument: e}", "goes with"),
        ('{entity: C, key: c, type: "ID!"}', "type"),
        ('{field: c, argument: d, constants: {"e f": 1}}', "no name"),
        ("{field: c, argument: d, constants: {e: {enum: a b}}}", "no name"),
        ("{field: c, argument: d, constants: {e: [{f: {1: 2}}]}}", "no name"),
        ("{field: c, argument: d..e}", "argument"),
        ("{field: c, argument: d, within: e.f, arguments: {g: {h: 1}}}", "not on the way"),
        ("{field: c, argument: d}, filters: {decidedFrom: a b}", "no argument"),
        ("{entity: C, key: c d}", "key"),
        ("{entity: C, key: c}, filters: {decidedFrom: d}", "no filters|no arguments"),
        ("{field: c, argument: d}, errors: {none: [A]}", "which company"),
    ],
)
def test_what_cannot_be_asked_is_a_mistake_in_the_manifest(tmp_path: Path, query: str, mistake: str) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(
        dedent(f"{HEAD}        key: k\n        query: {query}\n").replace("}, ", "}\n    "), encoding="utf-8"
    )
    with pytest.raises(ManifestInvalid, match=mistake):
        load_manifest(file, SHAPES)
