"""What only databases do: migrations, notification, damage seen, and failures told without addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from policies.errors import StoreTooNew, StoreUnavailable, VersionDamaged
from policies.store.contract import Store
from policies.store.model import Version, new_version
from policies.store.open import open_store
from policies.store.tables import METADATA

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)

Opened = Callable[..., Awaitable[Store]]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_address"))


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(address)
    async with engine.begin() as connection:
        yield connection
    await engine.dispose()


def version(number: int) -> Version:
    files = {"trees.yaml": b"", "rules/tax.yaml": f"# {number}".encode()}
    return new_version(number, files, published_at=AT, by="al", why="x")


async def test_migrations_make_the_tables_that_the_code_speaks_of(database: str, open_at: Opened) -> None:
    await open_at(database)

    def columns(connection: Connection) -> dict[str, set[str]]:
        found = inspect(connection)
        return {table: {column["name"] for column in found.get_columns(table)} for table in found.get_table_names()}

    async with connected(database) as connection:
        made = await connection.run_sync(columns)
    assert made.pop("migrations") == {"number"}
    assert made == {table.name: {column.name for column in table.columns} for table in METADATA.tables.values()}


async def test_instances_that_start_together_migrate_once(database: str, open_at: Opened) -> None:
    stores = await asyncio.gather(*(open_at(database) for _ in range(4)))
    await stores[0].publish(version(1), 0)
    assert await stores[3].latest() == version(1)
    assert await (await open_at(database)).latest() == version(1)


async def test_a_database_of_a_newer_release_is_refused(database: str, open_at: Opened) -> None:
    await open_at(database)
    async with connected(database) as connection:
        await connection.execute(text("INSERT INTO migrations VALUES (99)"))
    with pytest.raises(StoreTooNew, match="migrated to 99"):
        await open_at(database)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE version_files SET content = {blob}", "rules/tax.yaml was changed"),
        ("UPDATE versions SET published_at = 'then'", "its rows cannot be read"),
        ("DELETE FROM version_files WHERE name = 'trees.yaml'", "its record holds another digest"),
        ("UPDATE versions SET published_by = 'bo'", "version.yaml does not say"),
    ],
)
async def test_a_changed_version_in_a_database_is_refused(
    database: str, open_at: Opened, damage: str, named: str
) -> None:
    store = await open_at(database)
    await store.publish(version(1), 0)
    async with connected(database) as connection:
        blob = "'opened'::bytea" if database.startswith("postgresql") else "x'00'"
        await connection.exec_driver_sql(damage.format(blob=blob))
    with pytest.raises(VersionDamaged, match="version 1 is not what was published") as caught:
        await store.latest()
    assert named in str(caught.value)


async def test_postgresql_notifies_other_instances(postgres_address: str, open_at: Opened) -> None:
    publisher = await open_at(postgres_address)
    follower = await open_at(postgres_address, poll=3_600)
    async with asyncio.timeout(60), aclosing(follower.changes()) as changes:
        assert await anext(changes) == 0
        for number in (1, 2):
            await publisher.publish(version(number), number - 1)
            assert await anext(changes) == number


async def test_a_lost_connection_ends_the_changes_and_new_ones_catch_up(postgres_address: str, open_at: Opened) -> None:
    publisher = await open_at(postgres_address)
    follower = await open_at(postgres_address)
    end = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    async with asyncio.timeout(60):
        async with aclosing(follower.changes()) as changes:
            assert await anext(changes) == 0
            async with connected(postgres_address) as connection:
                assert (await connection.execute(end)).scalars().all() == [True]
            await publisher.publish(version(1), 0)
            # Polling is the backstop: the number comes although nobody listens any more.
            assert await anext(changes) == 1
        async with aclosing(follower.changes()) as changes:
            assert await anext(changes) == 1


async def test_a_failed_publish_changes_nothing(database: str, open_at: Opened) -> None:
    store = await open_at(database)
    await store.publish(version(1), 0)
    async with connected(database) as connection:
        await connection.execute(text("DROP TABLE approvals"))
    broken = new_version(2, version(2).files, published_at=AT, by="al", why="x")
    async with connected(database) as connection:
        await connection.execute(text("ALTER TABLE version_files RENAME TO elsewhere"))
    with pytest.raises(StoreUnavailable):
        await store.publish(broken, 1)
    assert await store.latest_number() == 1


async def test_an_unreachable_database_is_told_without_its_address(unused_tcp_port: int) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        await open_store(f"postgresql+asyncpg://me:secret@127.0.0.1:{unused_tcp_port}/x")
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreUnavailable, match="cannot be in `mysql`"):
        await open_store("mysql://me:secret@127.0.0.1/x")
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await open_store("://")


async def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = await open_store(tmp_path / "file" / "store")
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        await store.publish(version(1), 0)
