from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from graphql import build_schema, graphql_sync

from connectors.contract import FailureCode, Outcome
from schema.values import Code
from tests.connectors.support import CODES, Agency, Asked, ask

UPSTREAM = build_schema("""
    type Query { companies(codes: [String!]!, from: String): [Company] company(code: String!): Company state: State }
    type State { updated: String }
    type Company { uscc: String! ratings: [Rating!] page: Page }
    type Page { nodes: [Rating!] }
    type Rating { year: Int! level: String secret: String }
""")
HEAD = """
    agency: environment
    name: {en: Environment, zh: 环境}
    kind: graphql
    connection: {url: "${ADDRESS}/graphql", headers: {Authorization: "Bearer ${SECRET}"}}
    datasets:
      - record: TaxCredit
        batch: 5
        missingMeans: unknown
"""
FIELDS = "        fields: {year: year, grade: level, recordUrl: secret}\n"
LIST = (
    f"{HEAD}        key: ^.uscc\n        query: {{field: companies, argument: codes, within: ratings}}\n"
    f"        asOf: {{path: state.updated}}\n{FIELDS}"
)
ALIASES = f'{HEAD}        query: {{field: company, argument: code, type: "String!", within: page.nodes}}\n{FIELDS}'
KNOWN = {code: index for index, code in enumerate(CODES[:4])}


class Upstream:
    """A real GraphQL service: knows four companies; the third has no ratings."""

    state: Mapping[str, str] = {"updated": "2026-11-01T00:00:00Z"}

    def companies(self, _info: Any, codes: list[str]) -> list[Any]:
        return [self.company(None, code) for code in codes]

    def company(self, _info: Any, code: str) -> Any:
        if code not in KNOWN:
            return None
        ratings = [{"year": 2020 + year, "level": "绿", "secret": "s"} for year in range(KNOWN[code] != 2)] * 2
        ratings = [rating | {"year": 2020 + index} for index, rating in enumerate(ratings)]
        return {"uscc": code.lower(), "ratings": ratings, "page": {"nodes": ratings}}


async def upstream(asked: Asked) -> Any:
    result = graphql_sync(UPSTREAM, asked.body["query"], Upstream(), variable_values=asked.body["variables"])
    return result.formatted


@pytest.mark.parametrize(("manifest", "calls"), [(LIST, 2), (ALIASES, 2)], ids=["list", "aliases"])
async def test_a_batch_is_one_query_joined_by_company(agency: Agency, open_one: Any, manifest: str, calls: int) -> None:
    agency.answer = upstream
    answers = await ask(await open_one(manifest, agency.address), CODES[:7], ["year", "grade"])
    assert len(agency.asked) == calls
    assert agency.asked[0].headers["authorization"] == "Bearer a-secret"
    assert answers[CODES[0]].rows == (
        {"year": 2020, "grade": Code("绿")},
        {"year": 2021, "grade": Code("绿")},
    )
    assert (answers[CODES[2]].outcome, answers[CODES[2]].rows) == (Outcome.ANSWERED, ())
    assert answers[CODES[5]].outcome is Outcome.UNKNOWN_COMPANY


@pytest.mark.parametrize("manifest", [LIST, ALIASES], ids=["list", "aliases"])
async def test_a_field_that_was_not_asked_for_is_not_in_the_query(agency: Agency, open_one: Any, manifest: str) -> None:
    agency.answer = upstream
    await ask(await open_one(manifest, agency.address), CODES[:2], ["year"])
    assert "year" in agency.asked[0].body["query"]
    assert "secret" not in agency.asked[0].body["query"]
    assert "level" not in agency.asked[0].body["query"]
    assert CODES[0] not in agency.asked[0].body["query"]


async def test_what_an_expression_reads_is_in_the_query_and_nothing_else(agency: Agency, open_one: Any) -> None:
    agency.answer = upstream
    manifest = f"""{HEAD}
        key: uscc
        query: {{field: companies, argument: codes}}
        fields:
          year: {{jmespath: "max(ratings[*].year)"}}
          grade: {{jmespath: "ratings[?year == `2021`].level | [0]"}}
          recordUrl: {{jmespath: "ratings[0].secret"}}
"""
    supply = await open_one(manifest, agency.address)
    answer = (await ask(supply, CODES[:1], ["year", "grade"]))[CODES[0]]
    assert (answer.outcome, answer.rows) == (Outcome.ANSWERED, ({"year": 2021, "grade": Code("绿")},))
    assert (await ask(supply, CODES[:1], ["recordUrl"]))[CODES[0]].rows == ({"recordUrl": "s"},)
    first, second = (asked.body["query"] for asked in agency.asked)
    assert "ratings { level year }" in first
    assert "ratings { secret }" in second


async def test_the_agencys_own_date_is_asked_beside_the_rows(agency: Agency, open_one: Any) -> None:
    agency.answer = upstream
    answers = await ask(await open_one(LIST, agency.address), CODES[:1], ["year"])
    as_of = answers[CODES[0]].as_of
    assert as_of is not None
    assert as_of.isoformat() == "2026-11-01T08:00:00+08:00"


@pytest.mark.parametrize(
    "reply",
    [
        {"errors": [{"message": "no"}]},
        {"data": {"companies": []}, "errors": [{"message": "no"}]},
        {"data": {"companies": []}, "errors": [{"message": "no", "path": ["companies", 0]}]},
        {"data": None},
        {"data": {"companies": None}},
        {"data": {}},
        {"data": {"companies": [{"uscc": CODES[0], "ratings": [{"code": -1, "message": "no"}]}]}},
        [],
    ],
)
async def test_an_answer_with_errors_is_a_failure_even_beside_data(agency: Agency, open_one: Any, reply: Any) -> None:
    async def answer(_: Asked) -> Any:
        return reply

    agency.answer = answer
    answers = await ask(await open_one(LIST, agency.address), CODES[:2], ["year"])
    assert {answer.failure for answer in answers.values()} == {FailureCode.AGENCY_BAD_RESPONSE}


FIRST, SECOND = CODES[:2]
RATED = {"uscc": FIRST, "ratings": [{"year": 2020}]}
ANSWERED, UNKNOWN = (Outcome.ANSWERED, None), (Outcome.UNKNOWN_COMPANY, None)
BAD = (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
INCOMPLETE = (Outcome.INCOMPLETE, None)
OPTIONAL = (
    LIST.replace("within: ratings}", "within: ratings, optional: true}"),
    ALIASES.replace("nodes}", "nodes, optional: true}"),
)


async def told(agency: Agency, open_one: Any, manifest: str, data: Any) -> list[Any]:
    """What is made of this data, of each of two companies."""

    async def answer(_: Asked) -> Any:
        return {"data": data}

    agency.answer = answer
    answers = await ask(await open_one(manifest, agency.address), CODES[:2], ["year"])
    return [(answers[code].outcome, answers[code].failure) for code in CODES[:2]]


@pytest.mark.parametrize(
    ("companies", "strict", "optional"),
    [
        ([RATED, {"uscc": SECOND, "ratings": None}], [ANSWERED, BAD], [ANSWERED, ANSWERED]),
        ([RATED, {"uscc": SECOND, "ratings": [None]}], [ANSWERED, BAD], [ANSWERED, ANSWERED]),
        ([RATED, {"uscc": SECOND, "ratings": []}], [ANSWERED, ANSWERED], [ANSWERED, ANSWERED]),
        ([RATED, None], [ANSWERED, UNKNOWN], [ANSWERED, UNKNOWN]),
        ([RATED, None, None], [INCOMPLETE, INCOMPLETE], [INCOMPLETE, INCOMPLETE]),
        ([{"uscc": FIRST, "ratings": [{"year": 1}, None]}, None], [INCOMPLETE, INCOMPLETE], [INCOMPLETE, INCOMPLETE]),
        ([{"uscc": None, "ratings": None}, RATED], [INCOMPLETE, INCOMPLETE], [ANSWERED, UNKNOWN]),
        ([{"ratings": None}], [INCOMPLETE, INCOMPLETE], [UNKNOWN, UNKNOWN]),
        ([RATED, {"uscc": SECOND}], [BAD, BAD], [BAD, BAD]),
        ([RATED, {"uscc": SECOND, "ratings": [{"year": 1}, {}]}], [BAD, BAD], [BAD, BAD]),
        ([RATED, {"uscc": SECOND, "ratings": "db down"}], [BAD, BAD], [BAD, BAD]),
    ],
)
async def test_a_null_in_a_lists_place_is_no_empty_list_unless_the_manifest_says_so(
    agency: Agency, open_one: Any, companies: Any, strict: Any, optional: Any
) -> None:
    assert await told(agency, open_one, LIST, {"companies": companies}) == strict
    assert await told(agency, open_one, OPTIONAL[0], {"companies": companies}) == optional


@pytest.mark.parametrize(
    ("page", "strict", "optional"),
    [
        ({"nodes": None}, BAD, ANSWERED),
        ({"nodes": [None]}, BAD, ANSWERED),
        (None, BAD, ANSWERED),
        ({"nodes": [{"year": 2020}, None]}, INCOMPLETE, INCOMPLETE),
        ({"nodes": [{"year": 2020}, {"level": "A"}]}, BAD, BAD),
        ({}, BAD, BAD),
    ],
)
async def test_what_is_null_of_one_company_fails_that_company_alone(
    agency: Agency, open_one: Any, page: Any, strict: Any, optional: Any
) -> None:
    data = {"k0": {"page": {"nodes": []}}, "k1": {"page": page}}
    for listed in ("within", "rows"):
        for expected, manifest in ((strict, ALIASES), (optional, OPTIONAL[1])):
            found = await told(agency, open_one, manifest.replace("within", listed), data)
            assert found == [INCOMPLETE if expected is INCOMPLETE else ANSWERED, expected]


async def test_a_field_without_the_fields_that_were_asked_of_it_is_no_null(agency: Agency, open_one: Any) -> None:
    manifest = ALIASES.replace("year: year", "year: period.year")
    data = {"k0": {"page": {"nodes": [{"period": "db down"}]}}, "k1": {"page": {"nodes": []}}}
    assert BAD in await told(agency, open_one, manifest, data)
    data["k0"] = {"page": {"nodes": [{"period": None}]}}
    assert await told(agency, open_one, manifest, data) == [ANSWERED, ANSWERED]


LARGE = build_schema("""
    type Query {
      penalties(where: Where!, limit: Int, order: Order): [Penalty!]!
      firms(codes: [String!]!): [Firm]
    }
    input Where { uscc: In! live: Boolean text: String decided: Since tags: [String] }
    input In { _in: [String!]! }
    input Since { _gte: String }
    enum Order { NEWEST OLDEST }
    type Penalty { uscc: String! facts: String }
    type Firm { uscc: String! penalties(first: Int = 1): Page }
    type Page { nodes: [Penalty] pageInfo: Info }
    type Info { hasNextPage: Boolean }
""")
WHERE = f"""{HEAD.replace("TaxCredit", "Penalty").replace("missingMeans: unknown", "missingMeans: none")}
        key: uscc
        query:
          field: penalties
          argument: where.uscc._in
          constants: {{limit: 50, order: {{enum: NEWEST}}, where: {{live: true, text: '引"号', tags: [a, null]}}}}
        filters: {{decidedFrom: {{name: where.decided._gte, type: String}}}}
        fields: {{facts: facts}}
"""
PAGED = f"""{HEAD.replace("TaxCredit", "Penalty").replace("missingMeans: unknown", "missingMeans: none")}
        key: ^.uscc
        query:
          field: firms
          argument: codes
          within: penalties.nodes
          arguments: {{penalties: {{first: 1}}}}
          more: penalties.pageInfo.hasNextPage
        fields: {{facts: facts}}
"""


class Penalties:
    """A service that keeps all to be asked with: two penalties of each company, and says what it was given."""

    def penalties(self, _info: Any, **given: Any) -> list[Any]:
        return [
            {"uscc": code, "facts": json.dumps(given, ensure_ascii=False)} for code in given["where"]["uscc"]["_in"]
        ]

    def firms(self, _info: Any, codes: list[str]) -> list[Any]:
        return [{"uscc": code, "penalties": self._page(code)} for code in codes]

    def _page(self, code: str) -> Any:
        def page(_info: Any, first: int) -> Any:
            nodes = [{"uscc": code, "facts": str(number)} for number in range(2)][:first]
            return {"nodes": nodes, "pageInfo": {"hasNextPage": len(nodes) < 2}}

        return page


async def large(asked: Asked) -> Any:
    found = graphql_sync(LARGE, asked.body["query"], Penalties(), variable_values=asked.body["variables"])
    return found.formatted


async def test_keys_constants_and_filters_go_into_an_input_object(agency: Agency, open_one: Any) -> None:
    agency.answer = large
    supply = await open_one(WHERE, agency.address)
    answer = (await ask(supply, CODES[:2], ["facts"], filters={"decidedFrom": date(2026, 1, 2)}))[FIRST]
    where = {
        "live": True, "text": '引"号', "tags": ["a", None],
        "uscc": {"_in": list(CODES[:2])}, "decided": {"_gte": "2026-01-02"},
    }  # fmt: skip
    assert answer.outcome is Outcome.ANSWERED
    assert json.loads(answer.rows[0]["facts"]) == {"limit": 50, "order": "NEWEST", "where": where}
    assert FIRST not in agency.asked[0].body["query"]


async def test_a_list_of_which_there_is_more_is_not_whole(agency: Agency, open_one: Any) -> None:
    agency.answer = large
    short = (await ask(await open_one(PAGED, agency.address), CODES[:2], ["facts"]))[FIRST]
    assert (short.outcome, short.failure, len(short.rows)) == (Outcome.INCOMPLETE, FailureCode.LIMIT, 1)
    whole = (await ask(await open_one(PAGED.replace("first: 1", "first: 9"), agency.address), CODES[:2], ["facts"]))[
        FIRST
    ]
    assert (whole.outcome, len(whole.rows)) == (Outcome.ANSWERED, 2)


@pytest.mark.parametrize("info", [{"hasNextPage": "no"}, {}, "none"])
async def test_what_tells_neither_that_there_is_more_nor_that_there_is_not_is_a_failure(
    agency: Agency, open_one: Any, info: Any
) -> None:
    manifest = ALIASES.replace("within: page.nodes", "rows: page.nodes, more: page.info.hasNextPage")
    data = {f"k{index}": {"page": {"nodes": [], "info": {"hasNextPage": False}}} for index in range(2)}
    assert await told(agency, open_one, manifest, data) == [ANSWERED, ANSWERED]
    data["k1"]["page"]["info"] = info
    assert await told(agency, open_one, manifest, data) == [ANSWERED, BAD]
