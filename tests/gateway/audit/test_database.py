"""The log and its checkpoints in PostgreSQL, and checkpoints in SQLite."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.audit.database import DatabaseArchive, DatabaseLedger, DatabaseSink
from gateway.audit.evidence import LogPlace, read_log
from gateway.audit.keys import SigningKeys
from gateway.audit.log import AuditLog
from gateway.audit.notary import Books, Notary
from gateway.audit.proof import check_proof, prove
from gateway.audit.verify import Fault, Report, verify
from gateway.errors import AuditSinkError, AuditUnavailableError

ANSWERED = {
    "outcome": "ANSWERED",
    "classes": [
        {
            "bases": [],
            "scope": [],
            "companies": 1,
            "decisions": [{"agency": "tax", "act": "read", "coordinate": "TaxArrears", "rule": "r"}],
        }
    ],
}


@pytest.fixture(scope="module")
def address(make_database: Callable[[str], str]) -> str:
    return make_database("audit_log").replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture
def instance(request: pytest.FixtureRequest) -> str:
    """An instance of the test's own, all in one database."""
    return f"i{abs(hash(request.node.name))}"


def log_in(address: str, chain: str) -> AuditLog:
    return AuditLog(DatabaseSink(address, chain, durable=True))


async def run(address: str, statement: str, **values: Any) -> None:
    engine = create_async_engine(address)
    async with engine.begin() as connection:
        await connection.execute(text(statement), values)
    await engine.dispose()


async def write(address: str, chain: str, *numbers: int) -> None:
    async with log_in(address, chain) as log:
        await asyncio.gather(*(log.append({"n": n}) for n in numbers))


async def certify(address: str, instance: str, key: Any, keys: Any, **changes: Any) -> None:
    books = open_books(address, instance)
    notary = Notary(instance, SigningKeys(key, keys), books, **changes)
    await notary.certify()
    await notary.close()
    await close(books)


def open_books(address: str, instance: str) -> Books:
    return Books(DatabaseArchive(address, instance), DatabaseLedger(address, instance), {})


async def close(books: Books) -> None:
    await books.archive.close()
    await books.ledger.close()


async def verified(address: str, instance: str, keys: Any) -> Report:
    books = open_books(address, instance)
    report = await verify(instance, books, keys)
    await close(books)
    return report


async def test_a_log_in_postgresql_goes_on_verifies_and_proves_its_records(
    address, instance, make_key, key_set
) -> None:
    key = make_key()
    keys = key_set(key)
    await write(address, f"{instance}-1", *range(30))
    await write(address, f"{instance}-2", 1)
    await certify(address, instance, key, keys)
    await write(address, f"{instance}-1", 30, 31)
    report = await verified(address, instance, keys)
    assert report.findings == ()
    assert [(one.chain, one.last, one.certified) for one in report.chains] == [
        (f"{instance}-1", 32, 30),
        (f"{instance}-2", 1, 1),
    ]
    books = open_books(address, instance)
    line = (await books.archive.follow(f"{instance}-1", 6).read())[0]
    assert check_proof(await prove(f"{instance}-1", line, books, keys), keys).instance == instance
    await close(books)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit_records SET line = line || ' ' WHERE chain = :chain AND number = 3", Fault.RECORD_CHANGED),
        ("DELETE FROM audit_records WHERE chain = :chain AND number = 3", Fault.RECORDS_MISSING),
        ("DELETE FROM audit_records WHERE chain = :chain AND number > 3", Fault.LOG_CUT),
        ("DELETE FROM audit_records WHERE chain = :chain", Fault.LOG_CUT),
    ],
)
async def test_a_changed_removed_or_cut_row_is_found(  # noqa: PLR0913, PLR0917 - fixtures
    address, instance, make_key, key_set, faults, statement: str, fault: Fault
) -> None:
    key = make_key()
    await write(address, instance, *range(5))
    await certify(address, instance, key, key_set(key))
    await run(address, statement, chain=instance)
    assert fault in faults(await verified(address, instance, key_set(key)))


async def test_no_second_process_writes_a_chain_until_the_first_has_let_go(address, instance) -> None:
    async with log_in(address, instance):
        with pytest.raises(AuditUnavailableError):
            await log_in(address, instance).__aenter__()
        async with log_in(address, f"{instance}-2"):
            pass
    await write(address, instance, 1)


async def test_a_lost_connection_closes_the_door_until_there_is_one_again(address, instance) -> None:
    async with log_in(address, instance) as log:
        await log.append({"n": 1})
        await run(
            address,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
            "current_database()",
        )
        with pytest.raises(AuditUnavailableError):
            await log.append({"n": 2})
        await log.append({"n": 3})
    archive = DatabaseArchive(address, instance)
    lines = await archive.follow(instance).read()
    assert [line.partition(b'"n":')[2] for line in lines] == [b"1}", b"3}"]
    await archive.close()


async def test_a_database_that_cannot_be_reached_or_is_of_another_kind_keeps_no_log(tmp_path: Path) -> None:
    with pytest.raises(AuditUnavailableError):
        await log_in("postgresql+asyncpg://nobody:secret@127.0.0.1:9/none", "x").__aenter__()
    with pytest.raises(AuditSinkError) as caught:
        log_in(f"sqlite+aiosqlite:///{tmp_path}/secret.db", "x")
    assert "secret" not in str(caught.value)


async def test_records_past_their_time_are_deleted_and_the_rest_verifies(address, instance, make_key, key_set) -> None:
    key = make_key()
    keys = key_set(key)
    await write(address, instance, *range(5))
    await run(
        address,
        "UPDATE audit_records SET written_at = written_at - interval '40 days' WHERE chain = :chain AND number < 4",
        chain=instance,
    )
    await certify(address, instance, key, keys, keep=dt.timedelta(days=30))
    report = await verified(address, instance, keys)
    assert report.findings == ()
    assert [(one.first, one.last) for one in report.chains] == [(4, 5)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_database_anchors_the_checkpoints_of_several_instances(
    address, instance, installation, tmp_path: Path, kind: str
) -> None:
    where = address if kind == "postgresql" else f"sqlite+aiosqlite:///{tmp_path / 'anchor.db'}"
    others = DatabaseLedger(where, f"{instance}-other")
    await others.append(1, "another's")
    await others.close()
    anchor = DatabaseLedger(where, instance)
    assert await anchor.last() is None
    for n in range(3):
        await installation.write(n)
        books = Books(installation.books().archive, installation.books().ledger, {"database": anchor})
        notary = Notary("test", SigningKeys(installation.key, installation.keys), books)
        await notary.certify()
        await notary.close()
    report = await verify("test", books, installation.keys)
    assert (report.findings, report.anchored) == ((), {"database": 3})
    assert len(await anchor.all(2)) == 2
    await anchor.close()


async def test_what_was_asked_is_read_from_the_database_as_far_back_as_the_moment_and_one_further(
    address, instance
) -> None:
    now = dt.datetime.now(dt.UTC)
    async with log_in(address, instance) as log:
        for minutes in (50, 40, 10, 5):
            at = now - dt.timedelta(minutes=minutes)
            await log.append({"at": at, "roles": [], "organisation": "o", "purpose": None, **ANSWERED})
            when = "UPDATE audit_records SET written_at = :at WHERE chain = :chain AND number = :number"
            await run(address, when, at=at, chain=instance, number=log.number)
    since = now - dt.timedelta(minutes=20)
    place = LogPlace(Path("none"), instance, SecretStr(address))
    evidence = await asyncio.to_thread(read_log, place, since)
    assert ([shape.requests for shape in evidence.shapes], evidence.begins, evidence.unread) == ([2], since, 0)
