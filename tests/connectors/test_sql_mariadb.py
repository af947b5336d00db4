"""What is MariaDB's and MySQL's own: character sets, dates that are none, sessions."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from connectors.contract import FailureCode, Outcome
from tests.connectors.support import CODES, ask

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: sql
    connection: {url: "${ADDRESS}"}
    timeout: 5
    datasets:
      - record: Penalty
        table: t_own
        key: code
        missingMeans: none
        fields: {documentNumber: number, decidedOn: {path: decided, none: ["0000-00-00"]}}
"""


@pytest.fixture
async def own(mariadb: Any) -> Any:
    """The address of a database of the test's own, and a connection to it that may write."""
    engine = create_async_engine(f"{mariadb.address}/mysql".replace("mysql:", "mysql+asyncmy:"))
    address = str(make_url(f"{mariadb.address}/own"))
    async with engine.connect() as connection:
        await connection.execute(text("SET sql_mode = ''"))
        await connection.execute(text("DROP DATABASE IF EXISTS own"))
        await connection.execute(text("CREATE DATABASE own CHARACTER SET gbk"))
        await connection.execute(text("USE own"))
        await connection.execute(text("CREATE TABLE t_own (code CHAR(20), number VARCHAR(20), decided DATE)"))
        await connection.execute(
            text(f"INSERT INTO t_own VALUES ('{CODES[0]}', '粤罚〔2024〕', '0000-00-00')")  # noqa: S608
        )
        await connection.commit()
        yield address, connection
    await engine.dispose()


@pytest.mark.parametrize("charset", ["", "?charset=utf8mb4", "?charset=gbk", "?charset=gb2312"])
async def test_texts_kept_as_gbk_arrive_in_any_character_set_of_the_conversation(
    own: Any, open_one: Any, charset: str
) -> None:
    answer = (await ask(await open_one(MANIFEST, own[0] + charset), CODES[:1]))[CODES[0]]
    assert answer.rows == ({"documentNumber": "粤罚〔2024〕", "decidedOn": None},)
    assert answer.outcome is Outcome.ANSWERED


async def test_a_character_outside_of_gbk_arrives_too(own: Any, open_one: Any) -> None:
    address, connection = own
    await connection.execute(text("ALTER TABLE t_own MODIFY number VARCHAR(20) CHARACTER SET utf8mb4"))
    await connection.execute(text("UPDATE t_own SET number = '𠮷野', decided = '2024-05-05'"))
    await connection.commit()
    answer = (await ask(await open_one(MANIFEST, address), CODES[:1]))[CODES[0]]
    assert answer.rows == ({"documentNumber": "𠮷野", "decidedOn": date(2024, 5, 5)},)


async def test_a_session_that_the_server_ends_is_opened_anew(own: Any, open_one: Any) -> None:
    address, connection = own
    supply = await open_one(MANIFEST, address)
    await ask(supply, CODES[:1])
    others = "SELECT id FROM information_schema.processlist WHERE db = 'own' AND id <> connection_id()"
    killed = (await connection.execute(text(others))).scalars().all()
    assert killed
    for session in killed:
        await connection.execute(text(f"KILL {session}"))
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED


async def test_a_call_that_nobody_waits_for_leaves_its_place_to_others(own: Any, open_one: Any) -> None:
    address, connection = own
    await connection.execute(text("RENAME TABLE t_own TO t_real"))
    await connection.execute(text("CREATE VIEW t_own AS SELECT code, SLEEP(1.5) AS number, decided FROM t_real"))
    supply = await open_one(MANIFEST.replace("timeout: 5", "timeout: 5\n    concurrency: 1"), address)
    late = await ask(supply, CODES[:1], seconds=0.3)
    assert late[CODES[0]].failure is FailureCode.AGENCY_TIMEOUT
    await connection.execute(text("DROP VIEW t_own"))
    await connection.execute(text("RENAME TABLE t_real TO t_own"))
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED


async def test_the_server_s_warnings_which_quote_values_are_not_logged(
    own: Any, open_one: Any, caplog: pytest.LogCaptureFixture
) -> None:
    address, connection = own
    await connection.execute(text("CREATE VIEW v AS SELECT code, number + 0 AS number, decided FROM t_own"))
    with caplog.at_level(logging.DEBUG):
        answer = (await ask(await open_one(MANIFEST.replace("t_own", "v"), address), CODES[:1]))[CODES[0]]
    assert answer.rows[0]["documentNumber"] == "0.0"
    assert "粤罚" not in caplog.text


async def test_every_session_has_the_agency_s_time_limit(own: Any, open_one: Any) -> None:
    supply = await open_one(MANIFEST.replace("timeout: 5", "timeout: 2.0004"), own[0])
    async with supply._lines["court/Penalty"].source._database._engine.connect() as connection:
        assert float(await connection.scalar(text("SELECT @@max_statement_time"))) == 2.001
