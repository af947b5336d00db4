"""Rows that do not count are left out whatever the kind of system; where it projects, their columns are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Outcome
from tests.connectors.support import CODES, Agency, Asked, ask

CHOICE = 'only: {zt: "1"}\n        except: {sc: ["1", ""]}'
HEAD = """
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: {kind}
    connection: {connection}
    datasets:
      - record: Penalty
        key: code
        missingMeans: error
        {choice}
        fields: {{facts: f}}
        {how}
"""
ROWS = [
    {"code": CODES[0], "f": "kept", "zt": "1", "sc": "0"},
    {"code": CODES[0], "f": "deleted", "zt": "1", "sc": "1"},
    {"code": CODES[0], "f": "unclear", "zt": "1", "sc": None},
    {"code": CODES[0], "f": "draft", "zt": "2", "sc": "0"},
    {"code": CODES[1], "f": "deleted", "zt": "1", "sc": "1"},
]


def manifest(kind: str, connection: str, how: str) -> str:
    return HEAD.format(kind=kind, connection=connection, how=how, choice=CHOICE)


async def expect(supply: Any) -> None:
    answers = await ask(supply, CODES[:3])
    assert answers[CODES[0]].rows == ({"facts": "kept"},)
    assert [answers[code].outcome for code in CODES[:3]] == [Outcome.ANSWERED, Outcome.ANSWERED, Outcome.FAILED]


async def test_in_a_database(sql_database: Any, open_one: Any) -> None:
    address, run = sql_database
    await run("DROP TABLE IF EXISTS t_choice", "CREATE TABLE t_choice (code VARCHAR(18), f TEXT, zt CHAR(2), sc TEXT)")
    await run("INSERT INTO t_choice VALUES (:code, :f, :zt, :sc)", rows=ROWS)
    await expect(await open_one(manifest("sql", '{url: "${ADDRESS}"}', "table: t_choice"), address))


@pytest.mark.usefixtures("indexed_here")
async def test_in_a_drop(tmp_path: Path, open_one: Any) -> None:
    lines = [",".join(str(value or "") for value in row.values()) for row in [dict.fromkeys(ROWS[0]), *ROWS]]
    lines[0] = ",".join(ROWS[0])
    (tmp_path / "drop.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    await expect(await open_one(manifest("file", '{path: "${ADDRESS}"}', "file: drop.csv"), str(tmp_path)))


@pytest.mark.parametrize("kind", ["rest", "graphql"])
async def test_at_a_service(agency: Agency, open_one: Any, kind: str) -> None:
    async def answer(asked: Asked) -> Any:
        if kind == "graphql":
            assert "{ code f sc zt }" in asked.body["query"]
        return {"data": {"rows": ROWS}}

    agency.answer = answer
    how = {
        "rest": "request: {path: /p, keys: {in: query, name: c, style: comma}}\n        response: {rows: data.rows}",
        "graphql": 'query: {field: rows, argument: c, type: "[String]"}',
    }[kind]
    await expect(await open_one(manifest(kind, '{url: "${ADDRESS}"}', f"batch: 5\n        {how}"), agency.address))


@pytest.mark.parametrize(
    ("marks", "raw", "counts"),
    [
        ('except: {sc: "1"}', True, False),
        ('except: {sc: "1"}', False, True),
        ('except: {sc: "true"}', True, False),
        ('except: {sc: "1"}', 1.0, False),
        ('except: {sc: "1"}', 1, False),
        ('except: {sc: "1"}', 1.5, True),
        ('only: {sc: ["0"]}', False, True),
        ('only: {sc: ["0"]}', "0.0", False),
    ],
)
async def test_truths_and_numbers_are_told_however_they_are_written(
    agency: Agency, open_one: Any, marks: str, raw: Any, *, counts: bool
) -> None:
    async def answer(_: Asked) -> Any:
        return [{"code": CODES[0], "f": "x", "sc": raw}]

    agency.answer = answer
    how = "batch: 5\n        request: {path: /p, keys: {in: query, name: c, style: comma}}"
    text = manifest("rest", '{url: "${ADDRESS}"}', how).replace(CHOICE, marks)
    answers = await ask(await open_one(text, agency.address), CODES[:1])
    assert [row["facts"] for row in answers[CODES[0]].rows] == (["x"] if counts else [])
