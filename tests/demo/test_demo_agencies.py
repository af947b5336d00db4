"""Each agency, asked in its own way, as its own users ask it."""

from __future__ import annotations

import ast
import asyncio
import csv
import io
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx
import pytest

from gateway.demo.supervisor import Nation

AGENCIES: Final = Path(__file__).parents[2] / "gateway" / "demo" / "agencies"
OURS: Final = ("gateway", "connectors", "policies", "schema")


@pytest.fixture
async def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, timeout=5)


async def post_court(client: httpx.AsyncClient, nation: Nation, codes: list[str]) -> httpx.Response:
    async with client:
        return await client.post(nation.agencies["court"] + "/api/sxbzxr/cx", json={"tyshxydm": codes})


async def ask_tax(client: httpx.AsyncClient, nation: Nation, organisation_code: str) -> dict[str, object]:
    key = f"{organisation_code[:8]}-{organisation_code[8:]}"
    async with client:
        answer = await client.get(nation.agencies["tax"] + "/sjjk/qs", params={"nsrdm": key})
    assert answer.status_code == 200
    return dict(answer.json()["head"])


async def ask_environment(client: httpx.AsyncClient, nation: Nation, query: str, codes: list[str]) -> httpx.Response:
    async with client:
        return await client.post(nation.agencies["environment"], json={"query": query, "variables": {"codes": codes}})


def test_agencies_know_nothing_of_xinqiao() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in AGENCIES.glob("*.py")]
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = {node.module for node in imports if node.module and node.module.partition(".")[0] in OURS}

    assert ours <= {"gateway.demo.agencies", "gateway.demo.agencies.http"}


async def test_the_codes_are_some_hundreds_about_which_something_is_known(nation: Nation) -> None:
    path = nation.agencies["registry"].removeprefix("sqlite:///")
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    registered = {code.upper() for (code,) in database.execute("SELECT uniscid FROM e_baseinfo")}
    database.close()

    assert 300 <= len(nation.codes) == len(set(nation.codes)) <= 500
    assert set(nation.codes) - registered == {nation.showcase["rural_collective"]}
    assert set(nation.showcase.values()) - set(nation.codes) == {nation.showcase["nobody"]}


async def test_the_court_finds_cases_however_their_codes_were_typed(nation: Nation, client: httpx.AsyncClient) -> None:
    keys = ("lower_case", "full_width", "organisation_code", "clean")
    answer = await post_court(client, nation, [nation.showcase[key] for key in keys])

    found = {case["tyshxydm"] for case in answer.json()["data"]["lb"]}
    assert nation.showcase["lower_case"].lower() in found
    assert nation.showcase["organisation_code"][8:17] in found
    assert len(found) == 3


async def test_the_court_takes_200_codes_and_refuses_201(nation: Nation, client: httpx.AsyncClient) -> None:
    async with client:
        url = nation.agencies["court"] + "/api/sxbzxr/cx"
        taken = await client.post(url, json={"tyshxydm": [*nation.codes[:200]]})
        refused = await client.post(url, json={"tyshxydm": [*nation.codes[:201]]})

    assert (taken.status_code, taken.json()["code"]) == (200, "0000")
    assert (refused.status_code, refused.json()["code"]) == (400, "E0413")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"tyshxydm": "91"}', b'{"tyshxydm": [1]}'])
async def test_the_court_says_that_a_request_is_malformed(
    nation: Nation, client: httpx.AsyncClient, body: bytes
) -> None:
    async with client:
        answer = await client.post(nation.agencies["court"] + "/api/sxbzxr/cx", content=body)

    assert (answer.status_code, answer.json()["code"]) == (400, "E0400")


@pytest.mark.parametrize(
    ("role", "code"),
    [("everything", "0"), ("unknown_to_tax", "1404"), ("tax_in_migration", "9500"), ("nobody", "1404")],
)
async def test_the_tax_bureau_answers_200_whatever_its_own_code_says(
    nation: Nation, client: httpx.AsyncClient, role: str, code: str
) -> None:
    assert (await ask_tax(client, nation, nation.showcase[role][8:17]))["rtnCode"] == code


async def test_the_tax_bureau_knows_nothing_but_organisation_codes(nation: Nation, client: httpx.AsyncClient) -> None:
    assert (await ask_tax(client, nation, nation.showcase["everything"]))["rtnCode"] == "9001"


async def test_zhejiang_takes_a_repeated_parameter_and_narrows_by_date(
    nation: Nation, client: httpx.AsyncClient
) -> None:
    url = nation.agencies["zhejiang-penalties"] + "/openapi/v2/penalties"
    codes = [nation.showcase["everything"], nation.showcase["over_age"]]
    async with client:
        every = (await client.get(url, params={"creditCode": codes})).json()
        late = (await client.get(url, params={"creditCode": codes, "penaltyDateFrom": "2026-01-01"})).json()
        refused = await client.get(url, params={"creditCode": [*nation.codes[:51]]})

    assert (every["total"], late["total"]) == (3, 2)
    assert (refused.status_code, refused.json()["error"]) == (400, "CODE_COUNT")


@pytest.mark.parametrize("as_form", [True, False])
async def test_guangdong_takes_a_form_or_json_and_gives_pages(
    nation: Nation, client: httpx.AsyncClient, *, as_form: bool
) -> None:
    url = nation.agencies["guangdong-penalties"] + "/xzcf/cx"
    numbers: list[str] = []
    async with client:
        for page in (1, 2, 3):
            asked = {"xydm": nation.showcase["many_penalties"], "dqy": page, "mys": 100}
            answer = await (client.post(url, data=asked) if as_form else client.post(url, json=asked))
            result = answer.json()["result"]
            numbers += [row["lsh"] for row in result["rows"]]

    assert result["zts"] == len(numbers) == len(set(numbers)) == 230


async def test_guangdong_says_no_inside_a_200(nation: Nation, client: httpx.AsyncClient) -> None:
    url = nation.agencies["guangdong-penalties"] + "/xzcf/cx"
    async with client:
        many = await client.post(url, data={"xydm": ",".join(nation.codes[:101])})
        page = await client.post(url, data={"xydm": nation.codes[0], "dqy": "0"})

    assert [(answer.status_code, answer.json()["status"]) for answer in (many, page)] == [(200, 11), (200, 12)]


async def test_environment_is_a_graphql_server(nation: Nation, client: httpx.AsyncClient) -> None:
    query = "query ($codes: [String!]!) { enterprises(codes: $codes) { uscc evaluations { colour bureau { name } } } }"
    answer = await ask_environment(client, nation, query, [nation.showcase["everything"], nation.showcase["nobody"]])

    (enterprise,) = answer.json()["data"]["enterprises"]
    assert enterprise["uscc"] == nation.showcase["everything"]
    assert enterprise["evaluations"][0].keys() == {"colour", "bureau"}


@pytest.mark.parametrize("query", ["{", "{ enterprises }", "{ nothing }"])
async def test_environment_refuses_what_is_not_a_query_of_its_schema(
    nation: Nation, client: httpx.AsyncClient, query: str
) -> None:
    answer = await ask_environment(client, nation, query, [])

    assert answer.status_code == 400
    assert answer.json()["errors"]


async def test_environment_answers_with_an_error_for_more_than_100_codes(
    nation: Nation, client: httpx.AsyncClient
) -> None:
    query = "query ($codes: [String!]!) { enterprises(codes: $codes) { uscc } }"
    answer = await ask_environment(client, nation, query, [*nation.codes[:101]])

    assert "100" in answer.json()["errors"][0]["message"]


async def test_customs_hand_out_a_file_in_gb18030(nation: Nation) -> None:
    drop = Path(nation.agencies["customs"])
    content = await asyncio.to_thread((drop / "customs_enterprises.csv").read_bytes)
    rows = list(csv.DictReader(io.StringIO(content.decode("gb18030"), newline="")))

    assert nation.showcase["everything"] in {row["统一社会信用代码"] for row in rows}
    assert content.endswith(b"\r\n")
    assert [path.name for path in await asyncio.to_thread(lambda: [*drop.iterdir()])] == ["customs_enterprises.csv"]


def test_the_registry_is_a_sqlite_file_whose_views_know_credit_codes(nation: Nation) -> None:
    path = nation.agencies["registry"].removeprefix("sqlite:///")
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    holders = database.execute("SELECT inv FROM v_inv WHERE uniscid = ?", [nation.showcase["everything"]]).fetchall()
    plan = database.execute("EXPLAIN QUERY PLAN SELECT inv FROM v_inv WHERE uniscid IN ('a', 'b')").fetchall()
    database.close()

    assert len(holders) == 3
    assert all("SCAN" not in step[3] for step in plan)


async def test_access_logs_tell_what_was_asked(nation: Nation, client: httpx.AsyncClient) -> None:
    code = nation.showcase["holder"]
    log_address = urljoin(nation.agencies["environment"], "/requests")
    async with client:
        before = (await client.get(log_address)).json()["counts"].get("/graphql", 0)
        query = "query ($k: [String!]!) { enterprises(codes: $k) { uscc evaluations { score } } }"
        await client.post(nation.agencies["environment"], json={"query": query, "variables": {"k": [code]}})
        log = (await client.get(log_address)).json()

    assert log["counts"]["/graphql"] == before + 1
    assert log["last"][-1] == {
        "path": "/graphql",
        "keys": [code],
        "fields": ["enterprises", "uscc", "evaluations", "score"],
    }
