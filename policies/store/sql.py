"""The store in a database: SQLite, or PostgreSQL for several machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from asyncpg.exceptions import InterfaceError, PostgresError  # type: ignore[import-untyped]
from sqlalchemy import ColumnElement, Table, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from policies.errors import (
    DraftChanged,
    DraftUnknown,
    StoreUnavailable,
    VersionConflict,
    VersionDamaged,
    VersionUnknown,
)
from policies.store.contract import Store
from policies.store.migrations import migrate
from policies.store.model import Approval, Draft, Version, check_names, checked, sha256
from policies.store.polling import follow, latest_of
from policies.store.tables import APPROVALS, DRAFT_FILES, DRAFTS, VERSION_FILES, VERSIONS

CLOSING: Final = 3.0
"""Seconds that leaving the database may take."""

CHANNEL: Final = "xinqiao_policy"
"""Where PostgreSQL notifies of a version, by its number."""


class SqlStore(Store):
    """A store in a database. `poll` is how often it looks for changes, beside being notified by PostgreSQL; `deadline`
    is how long one step may take. Both are in seconds.
    """

    def __init__(self, engine: AsyncEngine, poll: float = 0.25, deadline: float = 10) -> None:
        self._engine = engine
        self._poll = poll
        self._deadline = deadline

    async def migrate(self) -> None:
        """Creates the tables, or brings them up to date. Raises `StoreTooNew`."""
        async with self._transaction() as connection:
            await migrate(connection)

    async def latest_number(self) -> int:
        """The number of the latest version, 0 where there is none."""
        async with self._transaction() as connection:
            return await _latest(connection)

    async def latest(self) -> Version:
        """The latest version. Raises `StoreEmpty`."""
        return await latest_of(self)

    async def version(self, number: int) -> Version:
        """The version of this number. Raises `VersionUnknown`, `VersionDamaged`."""
        async with self._transaction() as connection:
            # Numbers beyond what the column holds would be an error of the driver.
            row = (
                await connection.execute(select(VERSIONS).where(VERSIONS.c.number == min(number, 2**31 - 1)))
            ).first()
            if row is None:
                raise VersionUnknown(f"there is no version {number}; the latest is {await _latest(connection)}")
            files = await _rows(connection, VERSION_FILES, VERSION_FILES.c.version == row.number)
            try:
                version = Version(
                    row.number,
                    row.digest,
                    {file.name: bytes(file.content) for file in files},
                    datetime.fromisoformat(row.published_at),
                    row.published_by,
                    row.why,
                    await _approvals(connection, _subject(row.number)),
                    row.restores,
                    row.emergency,
                )
            except (TypeError, ValueError) as error:
                raise VersionDamaged(f"version {number} is not what was published: its rows cannot be read") from error
        return checked(version, {file.name: file.digest for file in files})

    async def versions(self) -> tuple[Version, ...]:
        """Every version, newest first."""
        return tuple([await self.version(number) for number in range(await self.latest_number(), 0, -1)])

    async def drafts(self) -> tuple[Draft, ...]:
        """Every draft, the oldest first."""
        async with self._transaction() as connection:
            ids = (await connection.execute(select(DRAFTS.c.id))).scalars().all()
            drafts = [draft for draft_id in ids if (draft := await _draft(connection, draft_id))]
        return tuple(sorted(drafts, key=lambda draft: (draft.created_at, draft.id)))

    async def draft(self, draft_id: str) -> Draft:
        """The draft of this id. Raises `DraftUnknown`."""
        async with self._transaction() as connection:
            draft = await _draft(connection, draft_id)
        if draft is None:
            raise _unknown(draft_id)
        return draft

    async def save_draft(self, draft: Draft) -> Draft:
        """Saves a draft as its next revision. Raises `DraftChanged`, `FileNameInvalid`."""
        check_names(draft.files)
        saved = replace(draft, revision=draft.revision + 1)
        try:
            async with self._transaction() as connection:
                if await _save(connection, saved):
                    return saved
        except IntegrityError as error:
            raise _changed(draft) from error
        raise _changed(draft)

    async def discard(self, draft_id: str) -> None:
        """Removes a draft. Raises `DraftUnknown`."""
        async with self._transaction() as connection:
            await _clear(connection, draft_id)
            removed = await connection.execute(delete(DRAFTS).where(DRAFTS.c.id == draft_id))
        if not removed.rowcount:
            raise _unknown(draft_id)

    async def publish(self, version: Version, expected: int) -> None:
        """Inserts the version, in one transaction: no two can insert one number. Raises `VersionConflict`,
        `FileNameInvalid`.
        """
        check_names(version.files)
        conflict = VersionConflict(
            f"version {version.number} cannot follow the latest any more; read the latest, and try again"
        )
        if version.number != expected + 1:
            raise conflict
        try:
            async with self._transaction() as connection:
                # Inserted first, and looked at afterwards: whoever comes second waits here, and fails on the key.
                await _insert(connection, version)
                before = await connection.execute(select(func.count()).where(VERSIONS.c.number == expected))
                if expected and not before.scalar_one():
                    raise conflict
                if self._engine.dialect.name == "postgresql":
                    notify = text("SELECT pg_notify(:channel, :number)")
                    await connection.execute(notify, {"channel": CHANNEL, "number": str(version.number)})
        except IntegrityError as error:
            raise conflict from error

    async def changes(self) -> AsyncGenerator[int, None]:
        """The latest number, then each new one: PostgreSQL notifies, and `poll` is the backstop; SQLite is polled."""
        async with self._listening() as woken:

            async def wait() -> None:
                try:
                    async with asyncio.timeout(self._poll):
                        await woken.wait()
                except TimeoutError:
                    return
                woken.clear()

            async with aclosing(follow(self.latest_number, wait)) as numbers:
                async for number in numbers:
                    yield number

    async def close(self) -> None:
        """Closes every connection; one over which the database is silent is dropped."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING):
                await self._engine.dispose()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at its end. Raises `StoreUnavailable`, which quotes no address or password."""
        try:
            async with asyncio.timeout(self._deadline), self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except TimeoutError as error:
            raise StoreUnavailable(f"the policy store did not answer within {self._deadline:g} s") from error
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(f"the policy store cannot be used: {type(error).__name__}") from error

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set when PostgreSQL notifies; never, on SQLite."""
        woken = asyncio.Event()
        if self._engine.dialect.name != "postgresql":
            yield woken
            return
        async with self._connection() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection

            def wake(*_: object) -> None:
                woken.set()

            try:
                await raw.add_listener(CHANNEL, wake)
            except (PostgresError, InterfaceError) as error:
                raise StoreUnavailable(f"the policy store cannot be used: {type(error).__name__}") from error
            yield woken

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection that is thrown away at the end, not kept for others: it listens."""
        connection = self._engine.connect()
        try:
            async with asyncio.timeout(self._deadline):
                await connection.start()
        except (SQLAlchemyError, OSError) as error:  # the deadline's end is an OSError too
            raise StoreUnavailable(f"the policy store cannot be used: {type(error).__name__}") from error
        try:
            yield connection
        finally:
            await connection.invalidate()
            await connection.close()


async def _latest(connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.max(VERSIONS.c.number)))).scalar_one() or 0


async def _rows(connection: AsyncConnection, table: Table, where: ColumnElement[bool]) -> list[Any]:
    return list((await connection.execute(select(table).where(where).order_by(*table.primary_key))).all())


async def _insert(connection: AsyncConnection, version: Version) -> None:
    await connection.execute(
        insert(VERSIONS).values(
            number=version.number,
            digest=version.digest,
            published_at=version.published_at.isoformat(),
            published_by=version.by,
            why=version.why,
            restores=version.restores,
            emergency=version.emergency,
        )
    )
    files = [
        {"version": version.number, "name": name, "digest": sha256(content), "content": content}
        for name, content in version.files.items()
    ]
    await connection.execute(insert(VERSION_FILES), files)
    await _approve(connection, _subject(version.number), version.approvals)


async def _draft(connection: AsyncConnection, draft_id: str) -> Draft | None:
    # Locked, so that PostgreSQL reads the draft, its files and its approvals as one save left them.
    query = select(DRAFTS).where(DRAFTS.c.id == draft_id).with_for_update(read=True)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    files = await _rows(connection, DRAFT_FILES, DRAFT_FILES.c.draft == draft_id)
    return Draft(
        row.id,
        row.base,
        {file.name: bytes(file.content) for file in files},
        row.author,
        row.agency,
        row.why,
        datetime.fromisoformat(row.created_at),
        await _approvals(connection, draft_id),
        row.restores,
        row.revision,
    )


async def _save(connection: AsyncConnection, draft: Draft) -> bool:
    """Whether the draft was saved: not, where the stored revision is not the one before."""
    values = {
        "revision": draft.revision,
        "base": draft.base,
        "author": draft.author,
        "agency": draft.agency,
        "why": draft.why,
        "created_at": draft.created_at.isoformat(),
        "restores": draft.restores,
    }
    if draft.revision == 1:
        await connection.execute(insert(DRAFTS).values(id=draft.id, **values))
    else:
        same = (DRAFTS.c.id == draft.id) & (DRAFTS.c.revision == draft.revision - 1)
        if not (await connection.execute(update(DRAFTS).where(same).values(**values))).rowcount:
            return False
    await _clear(connection, draft.id)
    files = [{"draft": draft.id, "name": name, "content": content} for name, content in draft.files.items()]
    if files:
        await connection.execute(insert(DRAFT_FILES), files)
    await _approve(connection, draft.id, draft.approvals)
    return True


async def _clear(connection: AsyncConnection, draft_id: str) -> None:
    await connection.execute(delete(DRAFT_FILES).where(DRAFT_FILES.c.draft == draft_id))
    await connection.execute(delete(APPROVALS).where(APPROVALS.c.subject == draft_id))


async def _approve(connection: AsyncConnection, subject: str, approvals: Iterable[Approval]) -> None:
    rows = [
        {
            "subject": subject,
            "position": position,
            "approved_by": approval.by,
            "agency": approval.agency,
            "digest": approval.digest,
            "approved_at": approval.at.isoformat(),
        }
        for position, approval in enumerate(approvals)
    ]
    if rows:
        await connection.execute(insert(APPROVALS), rows)


async def _approvals(connection: AsyncConnection, subject: str) -> tuple[Approval, ...]:
    return tuple(
        Approval(row.approved_by, row.agency, row.digest, datetime.fromisoformat(row.approved_at))
        for row in await _rows(connection, APPROVALS, APPROVALS.c.subject == subject)
    )


def _subject(number: int) -> str:
    """What a version is called in the table of approvals; no draft's id has this form."""
    return f"version {number}"


def _unknown(draft_id: str) -> DraftUnknown:
    return DraftUnknown(f"there is no draft {draft_id!a}; it was published or withdrawn, or never was")


def _changed(draft: Draft) -> DraftChanged:
    return DraftChanged(f"somebody else has changed or withdrawn the draft {draft.id}; read it again")
