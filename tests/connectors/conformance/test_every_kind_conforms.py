"""Each kind that ships, and one of another package, goes through the conformance suite."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from connectors.conformance import Result, Verdict
from connectors.kinds import kinds
from tests.connectors import test_graphql_paging as graphql_pages
from tests.connectors.soap_support import BATCH as SOAP_BATCH
from tests.connectors.soap_support import WSDL, answered, body_of, http, penalty
from tests.connectors.support import CODES, Agency, Asked
from tests.connectors.test_graphql_kind import upstream
from tests.connectors.test_kinds import PIGEON as PIGEON_MODULE

REST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}/v1", headers: {X-Key: "${SECRET}"}}
    datasets:
      - record: Penalty
"""
REST_FIELDS = "        fields: {recordId: id, documentNumber: wsh, decidedOn: day, amount: {path: je, unit: 万元}}\n"
REST_BATCH = f"""{REST}
        key: code
        batch: 10
        missingMeans: none
        filters: {{decidedFrom: since}}
        request:
          path: /search
          keys: {{in: query, name: codes, style: comma}}
          paging: {{page: page, size: size, items: 2, total: total}}
        response: {{rows: data.list}}
{REST_FIELDS}"""
REST_SINGLE = f"""{REST}
        request: {{path: "/companies/{{key}}"}}
        response: {{rows: data.list, unknown: {{status: [404]}}}}
{REST_FIELDS}"""
GRAPHQL = """
    agency: environment
    name: {en: Environment, zh: 环境}
    kind: graphql
    connection: {url: "${ADDRESS}/graphql"}
    datasets:
      - record: TaxCredit
        key: ^.uscc
        batch: 5
        missingMeans: unknown
        query: {field: companies, argument: codes, within: ratings}
        fields: {year: year, grade: level, recordUrl: secret}
"""
SQL = """
    agency: registry
    name: {en: Registry, zh: 登记}
    kind: sql
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        table: t_penalty
        key: {path: code, spellings: [upper, lower]}
        batch: 20
        missingMeans: none
        filters: {decidedFrom: decided, decidedTo: decided}
        fields: {recordId: id, documentNumber: number, decidedOn: decided, facts: facts}
"""
FILE = """
    agency: customs
    name: {en: Customs, zh: 海关}
    kind: file
    connection: {path: "${ADDRESS}"}
    timeout: 20
    datasets:
      - record: Penalty
        file: penalties_*.csv
        encoding: gb18030
        marker: .ok
        key: code
        batch: 100
        missingMeans: none
        fields: {recordId: id, documentNumber: number, decidedOn: decided, facts: facts}
"""
MEMORY = f"""
    agency: classroom
    name: {{en: Classroom, zh: 教室}}
    kind: memory
    datasets:
      - record: Penalty
        key: code
        missingMeans: none
        rows:
          - {{code: {CODES[0]}, id: a, number: 一, facts: x}}
          - {{code: {CODES[0]}, id: b, number: 二, facts: y}}
          - {{code: {CODES[1].lower()}, id: c, number: 三, facts: z}}
        fields: {{recordId: id, documentNumber: number, facts: facts}}
"""
PIGEON = """
    agency: loft
    name: {en: Loft, zh: 鸽舍}
    kind: pigeon
    connection: {loft: "${ADDRESS}"}
    datasets:
      - record: Penalty
        key: code
        batch: 10
        missingMeans: none
        bird: Homer
        fields: {recordId: code, facts: letter}
"""

ROWS = [
    {"code": CODES[0], "id": "1", "wsh": "浙罚1", "day": "2026-01-05", "je": "1.5"},
    {"code": CODES[0], "id": "2", "wsh": "浙罚2", "day": "2026-03-05", "je": "2"},
    {"code": CODES[0], "id": "3", "wsh": "浙罚3", "day": "2026-05-05", "je": "暂无"},
    {"code": CODES[1].lower(), "id": "4", "wsh": "浙罚4", "day": "2026-02-05", "je": "3"},
]
"""Of three companies, one of which has none."""

ANSWERS = {
    "answers",
    "unknown-gives-nothing",
    "order-does-not-matter",
    "columns-stand-alone",
}
"""What can be seen of every system."""

BATCHES = {"batch-equals-singles", "full-batch"}
OF_HTTP = {
    *("silence", "slow-drip", "reset", "reset-midway", "broken-off", "no-http", "endless-head", "oversized"),
    *("half-an-answer", "empty-answer", "wrong-encoding", "maintenance-page"),
    *("internal-error", "unavailable", "too-many-requests", "refused", "redirected"),
    *("asked-later", "left-alone", "tried-by-one"),
}
OF_SERVERS = {"silence", "slow-drip", "reset", "another-protocol", "refused"}
OF_DROPS = {
    *("drop-half-written", "drop-empty", "drop-wrong-encoding", "drop-written-over", "drop-replaced-by-half"),
    *("drop-gone", "drop-unmarked"),
}


def once(manifest: str) -> str:
    """The manifest without retries, which take seconds where an agency misbehaves, and are the same for every kind."""
    return manifest.replace("    datasets:", "    retries: {most: 0}\n    datasets:")


def passed(verdicts: Mapping[str, Verdict]) -> set[str]:
    """The cases that passed; none may have failed."""
    assert [verdict for verdict in verdicts.values() if verdict.result is Result.FAIL] == []
    return {name for name, verdict in verdicts.items() if verdict.result is Result.PASS}


async def court(asked: Asked) -> Any:
    query = dict(asked.query)
    codes = query["codes"].split(",") if "codes" in query else [asked.path.rpartition("/")[2]]
    if "codes" not in query and codes[0] not in CODES[:3]:
        return 404, {}
    found = [row for row in ROWS if row["code"].upper() in codes and row["day"] >= query.get("since", "")]
    size = int(query.get("size", 100))
    start = (int(query.get("page", 1)) - 1) * size
    return {"total": len(found), "data": {"list": found[start : start + size]}}


async def test_rest_in_batches_of_pages_with_a_filter(agency: Agency, conforming: Any) -> None:
    agency.answer = court
    assert passed(await conforming(REST_BATCH, agency.address)) == ANSWERS | BATCHES | OF_HTTP | {"filters-narrow"}


async def test_rest_one_company_a_call(agency: Agency, conforming: Any) -> None:
    agency.answer = court
    assert passed(await conforming(once(REST_SINGLE), agency.address)) == ANSWERS | OF_HTTP


async def test_rest_after_a_login_and_with_answers_that_come_later(agency: Agency, conforming: Any) -> None:
    async def answer(asked: Asked) -> Any:
        if asked.path == "/login":
            return {"token": "t"}
        if asked.path.startswith("/v1/jobs/"):
            return {"data": {"list": [row for row in ROWS if asked.path.endswith(row["code"].upper())]}}
        location = f"Location: /v1/jobs/{asked.path.rpartition('/')[2]}\r\n"
        return f"HTTP/1.1 202 X\r\n{location}Content-Length: 0\r\n\r\n".encode()

    agency.answer = answer
    auth = 'auth: {scheme: login, url: "${ADDRESS}/login", parameters: {key: "${SECRET}"}, token: token}'
    manifest = REST_SINGLE.replace('headers: {X-Key: "${SECRET}"}', auth)
    manifest = manifest.replace("unknown: {status: [404]}", "pending: {status: [202], every: 0.1}")
    assert passed(await conforming(once(manifest), agency.address)) == ANSWERS | OF_HTTP


async def test_rest_by_the_other_client(agency: Agency, conforming: Any) -> None:
    agency.answer = court
    manifest = REST_BATCH.replace("X-Key:", "x-key:").replace("connection: {", "connection: {lane: httpx, ")
    assert passed(await conforming(once(manifest), agency.address)) >= OF_HTTP


async def soap_penalties(asked: Asked) -> bytes:
    wanted = [element.text for element in body_of(asked).iter() if element.tag == "code"]
    rows = [penalty(code, number) for code in CODES[:2] if code in wanted for number in (1, 2)]
    return http(answered("".join(rows)))


@pytest.mark.parametrize("fetched", [False, True], ids=["copy", "fetched"])
async def test_soap(
    agency: Agency,
    conforming: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fetched: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr("connectors.soap_operation.RETRY_SECONDS", 0.1)
    shutil.copytree(WSDL, tmp_path, dirs_exist_ok=True)
    manifest = SOAP_BATCH.replace("filters: {decidedFrom: period.from}", "")
    if fetched:
        manifest = manifest.replace("wsdl: penalties.wsdl", "wsdl: {fetch: /penalties.wsdl}")
    agency.read = ET.fromstring

    async def answer(asked: Asked) -> bytes:
        if asked.method == "GET":
            return http((tmp_path / asked.path.removeprefix("/services/")).read_bytes())
        return await soap_penalties(asked)

    agency.answer = answer
    found = await conforming(manifest, agency.address)
    assert passed(found) == ANSWERS | BATCHES | OF_HTTP


async def test_graphql(agency: Agency, conforming: Any) -> None:
    agency.answer = upstream
    assert passed(await conforming(once(GRAPHQL), agency.address)) == ANSWERS | BATCHES | OF_HTTP | {"no-more-leaves"}


@pytest.mark.parametrize("way", ["alias", "list", "entities"])
async def test_graphql_page_by_page(agency: Agency, conforming: Any, way: str) -> None:
    agency.answer = graphql_pages.court
    found = await conforming(once(graphql_pages.WAYS[way]), agency.address, CODES[1:5])
    assert passed(found) == ANSWERS | BATCHES | OF_HTTP | {"no-more-leaves"}


async def test_sql(sql_database: Any, conforming: Any) -> None:
    address, run = sql_database
    await run("CREATE TABLE t_penalty (code CHAR(20), id TEXT, number TEXT, decided DATE, facts TEXT)")
    for row in ROWS:
        await run(
            f"INSERT INTO t_penalty VALUES ('{row['code']}', '{row['id']}', '{row['wsh']}', '{row['day']}', 'x')"  # noqa: S608
        )
    expected = ANSWERS | BATCHES | {"no-more-leaves", "filters-narrow"}
    if not address.startswith("sqlite"):
        expected |= OF_SERVERS
    assert passed(await conforming(SQL, address)) == expected


@pytest.mark.parametrize("sql_database", ["postgresql"], indirect=True)
async def test_a_column_of_json_that_an_expression_reaches_into(sql_database: Any, conforming: Any) -> None:
    address, run = sql_database
    await run("CREATE TABLE t_penalty (code TEXT, id TEXT, number TEXT, decided DATE, facts JSON)")
    for row in ROWS:
        await run(
            f"""INSERT INTO t_penalty VALUES ('{row["code"]}', '{row["id"]}', 'n', '{row["day"]}', '{{"a": {{"b": 1}}}}')"""  # noqa: S608, E501
        )
    manifest = SQL.replace("facts: facts", "amount: {jmespath: facts.a.b}")
    assert "no-more-leaves" in passed(await conforming(manifest, address))


async def test_file(tmp_path: Path, conforming: Any) -> None:
    drops = tmp_path / "drops"
    drops.mkdir()
    lines = [f"{row['code']},{row['id']},{row['wsh']},{row['day']},事实\n" for row in ROWS]
    (drops / "penalties_1.csv").write_bytes(("code,id,number,decided,facts\n" + "".join(lines)).encode("gb18030"))
    (drops / "penalties_1.csv.ok").touch()
    assert passed(await conforming(FILE, str(drops))) == ANSWERS | BATCHES | OF_DROPS


@pytest.mark.usefixtures("indexed_here")
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ("{count: 2}", {"drop-part-missing"}),
        ('{marker: "p%Y%m%d.done"}', {"drop-unmarked"}),
    ],
)
async def test_drops_of_several_files(tmp_path: Path, conforming: Any, parts: str, expected: set[str]) -> None:
    drops = tmp_path / "drops"
    drops.mkdir()
    for part in (1, 2):
        lines = [f"{row['code']},{row['id']},{row['wsh']},{row['day']},事实\n" for row in ROWS[part - 1 :: 2]]
        content = ("code,id,number,decided,facts\n" + "".join(lines)).encode("gb18030")
        (drops / f"penalties_20261101_{part}.csv").write_bytes(content)
    (drops / "p20261101.done").touch()
    manifest = FILE.replace("penalties_*.csv", "penalties_%Y%m%d_*.csv").replace("marker: .ok", f"parts: {parts}")
    found = passed(await conforming(manifest, str(drops)))
    assert found == ANSWERS | BATCHES | (OF_DROPS - {"drop-unmarked", "drop-part-missing"}) | expected


async def test_memory(conforming: Any) -> None:
    assert passed(await conforming(MEMORY, "")) == ANSWERS | BATCHES


async def test_a_kind_of_another_package(conforming: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    about = tmp_path / "pigeon-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[xinqiao.kinds]\npigeon = pigeon_conforming:KIND\n")
    known = "".join(f"{code} " for code in CODES[:3])
    module = PIGEON_MODULE.replace("for key in call.keys]", f"for key in call.keys if key in {known!r}]")
    (tmp_path / "pigeon_conforming.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))
    kinds.cache_clear()
    try:
        assert passed(await conforming(PIGEON, "the tower")) == ANSWERS | BATCHES
    finally:
        kinds.cache_clear()
