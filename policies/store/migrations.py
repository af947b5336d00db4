"""The database's migrations, in order: each a list of statements, run once, all in one transaction.

They run when a store is opened, under a lock, so that instances that start together do not meet. A tool of its own
(Alembic) would bring its environment and commands for what is one list here.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from policies.errors import StoreTooNew

_BINARY: Final = {"sqlite": "BLOB", "postgresql": "BYTEA"}

MIGRATIONS: Final = (
    (
        """CREATE TABLE versions (
            number INTEGER PRIMARY KEY, digest TEXT NOT NULL, published_at TEXT NOT NULL, published_by TEXT NOT NULL,
            why TEXT NOT NULL, restores INTEGER, emergency BOOLEAN NOT NULL
        )""",
        """CREATE TABLE version_files (
            version INTEGER NOT NULL REFERENCES versions, name TEXT NOT NULL, digest TEXT NOT NULL,
            content {binary} NOT NULL, PRIMARY KEY (version, name)
        )""",
        """CREATE TABLE drafts (
            id TEXT PRIMARY KEY, revision INTEGER NOT NULL, base INTEGER NOT NULL, author TEXT NOT NULL, agency TEXT,
            why TEXT NOT NULL, created_at TEXT NOT NULL, restores INTEGER
        )""",
        """CREATE TABLE draft_files (
            draft TEXT NOT NULL REFERENCES drafts, name TEXT NOT NULL, content {binary} NOT NULL,
            PRIMARY KEY (draft, name)
        )""",
        """CREATE TABLE approvals (
            subject TEXT NOT NULL, position INTEGER NOT NULL, approved_by TEXT NOT NULL, agency TEXT,
            digest TEXT NOT NULL, approved_at TEXT NOT NULL, PRIMARY KEY (subject, position)
        )""",
    ),
)

_LOCK: Final = 0x58_51_50_53  # any number that nobody else locks by; these are the letters XQPS


async def migrate(connection: AsyncConnection) -> None:
    """Brings the database up to date, in the connection's transaction. Raises `StoreTooNew`."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        # The lock must be there before anything is read: a transaction that has read cannot wait for it.
        await connection.exec_driver_sql("ROLLBACK")
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    await connection.execute(text("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY)"))
    done = (await connection.execute(text("SELECT coalesce(max(number), 0) FROM migrations"))).scalar_one()
    if done > len(MIGRATIONS):
        raise StoreTooNew(
            f"the policy store was migrated to {done}, and this release knows {len(MIGRATIONS)}; upgrade it"
        )
    for number, statements in enumerate(MIGRATIONS[done:], done + 1):
        for statement in statements:
            await connection.execute(text(statement.format(binary=_BINARY[dialect])))
        await connection.execute(text("INSERT INTO migrations VALUES (:number)"), {"number": number})
