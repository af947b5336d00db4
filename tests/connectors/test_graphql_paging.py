"""How the kind `graphql` goes from page to page, against a real schema, and what it says of what it did not read."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import strawberry
from strawberry.federation import Schema

from connectors.contract import CompanyRows, FailureCode, Outcome
from connectors.errors import ManifestInvalid
from connectors.manifest_file import load_manifest
from tests.connectors.support import CODES, SHAPES, Agency, Asked, ask

THERE = {CODES[0]: 5, CODES[1]: 0, CODES[2]: 2, CODES[3]: 9}
"""How many penalties the agency has of each company that it knows."""


@strawberry.type
class Penalty:
    uscc: str
    number: str


@strawberry.type
class Edge:
    node: Penalty


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Connection:
    edges: list[Edge]
    page_info: PageInfo
    total_count: int


@strawberry.type
class Office:
    cases: list[Penalty]


def penalties_of(*codes: str) -> list[Penalty]:
    return [Penalty(uscc=code, number=f"{code[-3:]}-{n}") for code in codes for n in range(THERE.get(code, 0))]


def connection(found: Sequence[Penalty], first: int, after: str | None) -> Connection:
    """A page, as the Relay Cursor Connections Specification has it; cursors mean nothing to others."""
    start = int(base64.b64decode(after)) if after else 0
    end = min(start + min(first, 100), len(found))
    cursor = base64.b64encode(str(end).encode()).decode() if end > start else None
    return Connection(
        edges=[Edge(node=one) for one in found[start:end]],
        page_info=PageInfo(has_next_page=end < len(found), end_cursor=cursor),
        total_count=len(found),
    )


@strawberry.input
class Window:
    offset: int = 0
    limit: int = 2


@strawberry.federation.type(keys=["uscc"])
class Company:
    uscc: str

    @strawberry.field
    def penalties(self, first: int, after: str | None = None) -> Connection:
        return connection(penalties_of(self.uscc), first, after)

    @strawberry.field
    def penalty_list(self, window: Window) -> list[Penalty]:
        return penalties_of(self.uscc)[window.offset :][: window.limit]

    @strawberry.field
    def penalty_count(self) -> int:
        return THERE[self.uscc]

    @strawberry.field
    def offices(self, page: int, size: int) -> list[Office]:
        """Each of one case."""
        return [Office(cases=[one]) for one in penalties_of(self.uscc)[page * size : (page + 1) * size]]

    @classmethod
    def resolve_reference(cls, uscc: str) -> Company | None:
        return cls(uscc=uscc) if uscc in THERE else None


@strawberry.type
class Query:
    @strawberry.field
    def company(self, code: str) -> Company | None:
        return Company(uscc=code) if code in THERE else None

    @strawberry.field
    def companies(self, codes: list[str]) -> list[Company]:
        return [Company(uscc=code) for code in codes if code in THERE]

    @strawberry.field
    def penalties(self, codes: list[str], first: int, after: strawberry.ID | None = None) -> Connection:
        return connection(penalties_of(*sorted(codes)), first, after)


SCHEMA = Schema(query=Query, types=[Company])
HEAD = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: graphql
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        batch: 10
        missingMeans: none
"""
RELAY = "size: first, cursor: after, next: {0}pageInfo.endCursor, more: {0}pageInfo.hasNextPage"
EDGES = "        fields: {documentNumber: node.number, facts: node.uscc}\n"
PLAIN = "        fields: {documentNumber: number, facts: uscc}\n"


def manifest(query: str, paging: str, fields: str = PLAIN, key: str = "") -> str:
    named = f"        key: {key}\n" if key else ""
    return f"{HEAD}{named}        query: {{{query}, paging: {{{paging}}}}}\n{fields}"


ALIAS = 'field: company, argument: code, type: "String!"'
LIST = "field: companies, argument: codes"
WITHIN = "within: penalties.edges.node"
NESTED = f"field: penalties, items: 2, {RELAY.format('penalties.')}"
WAYS = {
    "alias": manifest(f"{ALIAS}, {WITHIN}", NESTED),
    "alias-rows": manifest(f"{ALIAS}, rows: penalties.edges.node", NESTED),
    "alias-edges": manifest(f"{ALIAS}, within: penalties.edges", NESTED, EDGES),
    "list": manifest(f"{LIST}, {WITHIN}", NESTED, key="^.uscc"),
    "entities": manifest(f"entity: Company, key: uscc, {WITHIN}", NESTED),
    "top": manifest(
        "field: penalties, argument: codes, rows: edges.node",
        f"items: 2, type: ID, {RELAY.format('')}",
        key="uscc",
    ),
    "offset": manifest(
        f"{ALIAS}, within: penaltyList",
        "field: penaltyList, offset: window.offset, size: window.limit, items: 2",
    ),
    "offset-total": manifest(
        f"{LIST}, within: penaltyList",
        "field: penaltyList, offset: window.offset, size: window.limit, items: 2, total: penaltyCount",
        key="^.uscc",
    ),
    "page-of-outer": manifest(
        f"{ALIAS}, rows: offices, within: cases",
        'field: offices, page: page, first: 0, size: size, items: 2, type: "Int!", total: penaltyCount',
    ),
}
"""The manifests, each with pages of two."""


async def court(asked: Asked) -> Any:
    result = await SCHEMA.execute(asked.body["query"], variable_values=asked.body["variables"])
    return {"data": result.data, **({"errors": [one.formatted for one in result.errors]} if result.errors else {})}


def numbers(rows: CompanyRows) -> list[Any]:
    return [row["documentNumber"] for row in rows.rows]


@pytest.mark.parametrize("way", WAYS)
async def test_all_pages_of_all_companies_are_read(agency: Agency, open_one: Any, way: str) -> None:
    agency.answer = court
    found = await ask(await open_one(WAYS[way], agency.address), CODES[:5], ["documentNumber"])
    for code, rows in found.items():
        unknown = code == CODES[4] and way not in {"list", "top", "offset-total"}
        assert rows.outcome is (Outcome.UNKNOWN_COMPANY if unknown else Outcome.ANSWERED), code
        assert numbers(rows) == [one.number for one in penalties_of(str(code))]


@pytest.mark.parametrize(("way", "requests"), [("alias", [5, 2, 2, 1, 1]), ("list", [1, 2, 2, 1, 1])])
async def test_only_companies_with_more_pages_are_asked_again(
    agency: Agency, open_one: Any, way: str, requests: list[int]
) -> None:
    agency.answer = court
    await ask(await open_one(WAYS[way], agency.address), CODES[:5], ["documentNumber"])
    assert [asked.body["query"].count("(code") for asked in agency.asked] == requests
    first, second = (asked.body for asked in agency.asked[:2])
    assert "after" not in first["query"]
    # What came out of an answer goes in by a variable.
    assert second["variables"]["k0_page"] == base64.b64encode(b"2").decode()
    assert second["variables"]["k0_page"] not in second["query"]
    assert set(second["variables"]) == {"k0", "k0_page", "k3", "k3_page"}


@pytest.mark.parametrize("way", WAYS)
async def test_what_lies_beyond_the_last_page_that_may_be_read_is_told(agency: Agency, open_one: Any, way: str) -> None:
    agency.answer = court
    text = WAYS[way].replace("items: 2", "items: 2, pages: 2")
    found = (await ask(await open_one(text, agency.address), [CODES[3]], ["documentNumber"]))[CODES[3]]
    assert (found.outcome, found.failure, len(found.rows)) == (Outcome.INCOMPLETE, FailureCode.LIMIT, 4)
    assert len(agency.asked) == 2


async def test_pages_end_with_the_rows_that_may_be_taken(agency: Agency, open_one: Any) -> None:
    agency.answer = court
    text = WAYS["alias"].replace("batch: 10", "batch: 10\n        rowLimit: 3")
    found = (await ask(await open_one(text, agency.address), [CODES[3]], ["documentNumber"]))[CODES[3]]
    assert (found.outcome, found.failure, len(found.rows)) == (Outcome.INCOMPLETE, FailureCode.LIMIT, 3)
    assert len(agency.asked) == 2


@pytest.mark.parametrize("way", ["offset", "offset-total"])
async def test_a_server_that_gives_fewer_than_it_is_asked_for_loses_nothing_where_it_says_how_many_there_are(
    agency: Agency, open_one: Any, way: str
) -> None:
    async def capped(asked: Asked) -> Any:
        asked.body["query"] = asked.body["query"].replace("limit: 4", "limit: 2")
        return await court(asked)

    agency.answer = capped
    text = WAYS[way].replace("items: 2", "items: 4")
    found = (await ask(await open_one(text, agency.address), [CODES[3]], ["documentNumber"]))[CODES[3]]
    assert (found.outcome, len(found.rows)) == (Outcome.ANSWERED, 9 if way == "offset-total" else 2)


def page(numbers: Sequence[int | None], info: Any) -> Any:
    nodes = [None if number is None else {"number": str(number)} for number in numbers]
    return {"penalties": {"edges": [{"node": node} for node in nodes], "pageInfo": info}}


def info(cursor: Any, *, more: Any = True) -> dict[str, Any]:
    return {"endCursor": cursor, "hasNextPage": more}


LAST = info("z", more=False)
ANSWERED, BAD = (Outcome.ANSWERED, None), (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)


async def of_two(
    agency: Agency, open_one: Any, text: str, answer: Callable[[str, Any], Any], errors: Any = None
) -> list[Any]:
    """What becomes of two companies: of the first, what `answer` gives for its alias and cursor; the second has one
    page.
    """

    async def reply(asked: Asked) -> Any:
        variables = asked.body["variables"]
        data = {
            alias: answer(alias, variables.get(f"{alias}_page")) if alias == "k0" else page([1], LAST)
            for alias in variables
            if not alias.endswith("_page")
        }
        failing = errors if errors and len(agency.asked) > 1 else []
        return {"data": data, "errors": failing} if failing else {"data": data}

    agency.answer = reply
    found = await ask(await open_one(text, agency.address), CODES[:2], ["documentNumber"])
    return [(found[code].outcome, found[code].failure) for code in CODES[:2]]


@pytest.mark.parametrize(
    ("pages", "expected", "requests"),
    [
        ({None: page([1], info("a")), "a": page([2], LAST)}, ANSWERED, 2),
        # Relay's cursors mean nothing: this one is like any other where the answer says that there is more.
        ({None: page([1], info("0")), "0": page([2], LAST)}, ANSWERED, 2),
        ({None: page([1], info('"}) {x')), '"}) {x': page([2], LAST)}, ANSWERED, 2),
        ({None: page([], info("a")), "a": page([2], LAST)}, ANSWERED, 2),
        ({None: page([1], info(None, more=False))}, ANSWERED, 1),
        ({None: page([1], info(None))}, BAD, 1),
        ({None: page([1], info(""))}, BAD, 1),
        ({None: page([1], info({"a": 1}))}, BAD, 1),
        ({None: page([1], info("a", more=None))}, BAD, 1),
        ({None: page([1], None)}, BAD, 1),
        ({None: page([1], info("a")), "a": page([1], info("a"))}, BAD, 2),
        ({None: page([1], info("a")), "a": page([2], info("b")), "b": page([3], info("a"))}, BAD, 3),
        ({None: page([1], info("a")), "a": None}, BAD, 2),
        ({None: page([1], info("a")), "a": {"penalties": None}}, BAD, 2),
        ({None: page([1], info("a")), "a": {"penalties": {"edges": None, "pageInfo": LAST}}}, BAD, 2),
    ],
)
@pytest.mark.parametrize("way", ["alias", "alias-rows", "alias-edges"])
async def test_odd_cursors_fail_their_company_alone(  # noqa: PLR0913, PLR0917
    agency: Agency, open_one: Any, pages: Any, expected: Any, requests: int, way: str
) -> None:
    found = await of_two(agency, open_one, WAYS[way], lambda _, cursor: pages[cursor])
    assert found == [expected, ANSWERED]
    assert len(agency.asked) == requests


@pytest.mark.parametrize("way", ["alias", "alias-rows"])
async def test_a_node_that_is_null_is_no_record_and_is_counted(agency: Agency, open_one: Any, way: str) -> None:
    pages = {None: page([1, None], info("a")), "a": page([2], LAST)}
    found = await of_two(agency, open_one, WAYS[way], lambda _, cursor: pages[cursor])
    assert found == [(Outcome.INCOMPLETE, None), (Outcome.INCOMPLETE, None)]
    pages = {None: page([1], info("a")), "a": page([None], LAST)}
    assert await of_two(agency, open_one, WAYS[way], lambda _, cursor: pages[cursor]) == [BAD, ANSWERED]


@pytest.mark.parametrize("edges", [[{}], [{"node": {}}], [[]], ["x"], "x", {"node": "x"}, [{"node": [1]}]])
async def test_edges_without_nodes_are_a_failure(agency: Agency, open_one: Any, edges: Any) -> None:
    odd = {"penalties": {"edges": edges, "pageInfo": LAST}}
    assert await of_two(agency, open_one, WAYS["alias"], lambda _alias, _cursor: odd) == [BAD, ANSWERED]


async def test_where_a_null_means_none_it_has_no_pages_and_ends_none(agency: Agency, open_one: Any) -> None:
    text = WAYS["alias"].replace(WITHIN, f"{WITHIN}, optional: true")
    assert await of_two(agency, open_one, text, lambda _alias, _cursor: {"penalties": None}) == [ANSWERED, ANSWERED]
    pages = {None: page([1], info("a")), "a": {"penalties": None}}
    assert await of_two(agency, open_one, text, lambda _, cursor: pages[cursor]) == [BAD, ANSWERED]


@pytest.mark.parametrize(
    ("code", "expected"), [("GONE", BAD), ("NOTHING", ANSWERED), ("OTHER", BAD), ("BUSY", "overloaded")]
)
async def test_an_error_on_a_later_page_is_about_its_company(
    agency: Agency, open_one: Any, code: str, expected: Any
) -> None:
    text = WAYS["alias"] + "        errors: {unknown: [GONE], none: [NOTHING], busy: [BUSY]}\n"
    errors = [{"message": "no", "path": ["k0", "penalties"], "extensions": {"code": code}}]
    found = await of_two(agency, open_one, text, lambda _alias, _cursor: page([1], info("a")), errors)
    busy = (Outcome.FAILED, FailureCode.AGENCY_OVERLOADED)
    assert found == ([busy, busy] if expected == "overloaded" else [expected, ANSWERED])


async def test_a_company_that_a_list_no_longer_has_when_it_is_asked_again_has_failed(
    agency: Agency, open_one: Any
) -> None:
    async def answer(asked: Asked) -> Any:
        first = "keys" in asked.body["variables"]
        companies = [{"uscc": code, **page([1], info("a"))} for code in CODES[:2]]
        return {"data": {"companies": companies} if first else {"k0": [], "k1": [companies[1] | page([2], LAST)]}}

    agency.answer = answer
    found = await ask(await open_one(WAYS["list"], agency.address), CODES[:2], ["documentNumber"])
    assert [(found[code].outcome, found[code].failure) for code in CODES[:2]] == [BAD, ANSWERED]
    assert len(found[CODES[1]].rows) == 2


@pytest.mark.parametrize("spelt", [str.lower, lambda code: code[8:17], lambda code: f" {code}"])
async def test_a_company_is_asked_again_by_the_key_that_it_was_asked_by(
    agency: Agency, open_one: Any, spelt: Callable[[str], str]
) -> None:
    """Where the answer's key leads to none of these, there is more than can be asked for: that is told."""

    async def answer(asked: Asked) -> Any:
        again = "k0" in asked.body["variables"]
        company = {"uscc": spelt(CODES[0]), **(page([2], LAST) if again else page([1], info("a")))}
        return {"data": {"k0" if again else "companies": [company]}}

    agency.answer = answer
    found = (await ask(await open_one(WAYS["list"], agency.address), CODES[:2], ["documentNumber"]))[CODES[0]]
    organisation = len(spelt(CODES[0])) == 9
    assert found.outcome is (Outcome.INCOMPLETE if organisation else Outcome.ANSWERED)
    assert len(agency.asked) == (1 if organisation else 2)
    if not organisation:
        assert agency.asked[1].body["variables"]["k0"] == [CODES[0]]


@pytest.mark.parametrize("more", [True, False])
@pytest.mark.parametrize("way", ["alias", "list"])
async def test_several_lists_of_one_company_are_incomplete_where_one_has_more(
    agency: Agency, open_one: Any, way: str, *, more: bool
) -> None:
    branches = [{"uscc": CODES[0], **page([1], LAST)}, {"uscc": CODES[0], **page([2], info("a", more=more))}]

    async def answer(_: Asked) -> Any:
        return {"data": {"companies": branches} if way == "list" else {"k0": {"branches": branches}, "k1": None}}

    agency.answer = answer
    text = WAYS[way]
    if way == "alias":
        text = text.replace(WITHIN, f"rows: branches, {WITHIN}").replace(
            "field: penalties", "field: branches.penalties"
        )
    found = (await ask(await open_one(text, agency.address), CODES[:2], ["documentNumber"]))[CODES[0]]
    assert (found.outcome, len(found.rows)) == (Outcome.INCOMPLETE if more else Outcome.ANSWERED, 2)
    assert len(agency.asked) == 1


async def test_a_server_that_ignores_the_offset_is_not_asked_for_ever(agency: Agency, open_one: Any) -> None:
    async def answer(asked: Asked) -> Any:
        rows = [{"number": "1"}, {"number": "2"}]
        return {"data": {name: {"penaltyList": rows} for name in asked.body["variables"] if "_" not in name}}

    agency.answer = answer
    found = (await ask(await open_one(WAYS["offset"], agency.address), CODES[:1], ["documentNumber"]))[CODES[0]]
    assert (found.outcome, found.failure) == BAD
    assert len(agency.asked) == 2


async def test_each_page_counts_as_a_call_of_the_day(agency: Agency, open_one: Any) -> None:
    agency.answer = court
    text = WAYS["alias"].replace("kind: graphql", "kind: graphql\n    rate: {day: 1000000000}")
    supply = await open_one(text, agency.address)
    await ask(supply, CODES[:1], ["documentNumber"])
    left = supply.agencies["court"].day.left
    await ask(supply, [CODES[3]], ["documentNumber"])
    assert left - supply.agencies["court"].day.left == 5


@pytest.mark.parametrize(
    ("query", "mistake"),
    [
        (f"{ALIAS}, {WITHIN}, paging: {{field: fines, offset: o}}", "not on the way"),
        (f"{ALIAS}, {WITHIN}, more: a, paging: {{field: penalties, offset: o}}", "stands in paging"),
        ("entity: C, key: c, within: a, paging: {offset: o}", "entities take no arguments"),
        (f"{ALIAS}, paging: {{offset: o, total: t}}", "nothing stands beside"),
        (f"{ALIAS}, {WITHIN}, paging: {{field: penalties}}", "exactly one of page, offset and cursor"),
        (f"{ALIAS}, {WITHIN}, paging: {{field: penalties, cursor: c}}", "goes with cursor"),
        (f"{ALIAS}, {WITHIN}, paging: {{field: penalties, offset: o-p}}", "no name"),
        (f"{ALIAS}, {WITHIN}, paging: {{field: penalties, offset: o, total: t.#text}}", "no name"),
        (f"{ALIAS}, {WITHIN}, paging: {{field: penalties, offset: o, type: 'a b'}}", "type"),
        (f"{ALIAS}, {WITHIN}, paging: {{field: penalties, link: l}}", "link"),
        (f"{LIST}, {WITHIN}, paging: {{field: penalties, offset: o}}}}\n        key: {{path: uscc", "around them"),
    ],
)
def test_pages_that_cannot_be_asked_for_are_a_mistake_in_the_manifest(tmp_path: Path, query: str, mistake: str) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(dedent(f"{HEAD}        query: {{{query}}}\n{PLAIN}"), encoding="utf-8")
    with pytest.raises(ManifestInvalid, match=mistake):
        load_manifest(file, SHAPES)
