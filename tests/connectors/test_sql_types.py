"""Values of types that a driver gives in its own way: they are read as the database writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.contract import Outcome
from schema.values import Code, Money
from tests.connectors.support import CODES, ask

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: sql
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        table: t_penalty
        key: code
        missingMeans: none
        except: {deleted: "1"}
        fields:
          recordId: id
          documentNumber: {jmespath: 'parse_json(detail)."文书"[?kind == `1`].no | [0]'}
          amount: {jmespath: "sum(parse_json(detail).fines[*].amount)"}
          kind: {path: rate}
"""
DETAIL = '{"文书": [{"kind": 1, "no": "甲"}], "fines": [{"amount": 12345678901234567.89}, {"amount": 0.01}]}'
ROWS = [
    {"code": CODES[0], "id": "0b8f2d9e-8b0a-4a55-9d3b-0c7a1f6f0001", "rate": 0.1, "detail": DETAIL},
    {"code": CODES[0], "id": "0b8f2d9e-8b0a-4a55-9d3b-0c7a1f6f0002", "rate": 0.25, "detail": None},
]
INSERT = "INSERT INTO t_penalty VALUES (:code, {id}, :rate, {detail}, {deleted})"
TABLES = {
    "postgresql": (
        "(code TEXT, id UUID, rate REAL, detail {json}, deleted BOOLEAN)",
        "CAST(CAST(:id AS TEXT) AS UUID)",
    ),
    "mariadb": ("(code VARCHAR(20), id UUID, rate FLOAT, detail {json}, deleted BIT(1))", ":id"),
    "sqlite": ("(code TEXT, id TEXT, rate REAL, detail {json}, deleted INTEGER)", ":id"),
}


@pytest.mark.parametrize(
    ("sql_database", "json"),
    [("postgresql", "JSON"), ("postgresql", "JSONB"), ("postgresql", "TEXT"), ("mariadb", "JSON"), ("sqlite", "TEXT")],
    indirect=["sql_database"],
)
async def test_json_is_reached_into_and_numbers_are_exact(sql_database: Any, json: str, open_one: Any) -> None:
    address, run = sql_database
    name = address.partition("+")[0].replace("mysql", "mariadb")
    columns, id_ = TABLES[name]
    detail = f"CAST(CAST(:detail AS TEXT) AS {json})" if name == "postgresql" else ":detail"
    await run(f"CREATE TABLE t_penalty {columns.format(json=json)}")
    statement = INSERT.replace("{id}", id_).replace("{detail}", detail)
    yes, no = ("true", "false") if name == "postgresql" else ("1", "0")
    await run(statement.replace("{deleted}", no), rows=ROWS)
    await run(statement.replace("{deleted}", yes), rows=[{**ROWS[0], "id": ROWS[0]["id"].replace("0b", "ff")}])
    manifest = MANIFEST.replace('"1"', f'"{yes}"')
    supply = await open_one(manifest, address.replace("+asyncpg", "").replace("+asyncmy", "").replace("+aiosqlite", ""))

    answer = (await ask(supply, CODES[:1]))[CODES[0]]

    assert (answer.outcome, answer.unmapped) == (Outcome.ANSWERED, 0)
    assert [(row["documentNumber"], row["amount"], row["kind"]) for row in answer.rows] == [
        ("甲", Money(Decimal("12345678901234567.90")), Code("0.1")),
        (None, None, Code("0.25")),
    ]
    assert [row["recordId"] for row in answer.rows] == [row["id"] for row in ROWS]
