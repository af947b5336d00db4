"""`xinqiao policy init | backup | restore`: the store itself, for whoever runs the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from gateway.assembly import read_installation
from gateway.cli.output import failing_plainly
from gateway.settings import load_settings
from policies.load import read_directory
from policies.store import backup as archives
from policies.store.contract import Store
from policies.store.initial import initialise
from policies.store.open import open_store

Address = Annotated[
    str, typer.Argument(help="The store: a directory, or a database by URL (sqlite+aiosqlite:, postgresql+asyncpg:).")
]
Archive = Annotated[Path, typer.Argument(dir_okay=False, help="The archive (zip).")]

Given = TypeVar("Given")

_WHY: Final = "The first version."


def init(
    directory: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A directory of policy files.")],
    store: Address,
    *,
    by: Annotated[str, typer.Option(help="Who answers for it.")],
    why: Annotated[str, typer.Option(help="Why.")] = _WHY,
) -> None:
    """Begin a store of versions with a directory's policy files, once they are found good."""
    with failing_plainly():
        files = read_directory(directory)
        read_installation(load_settings()).load(files)
        asyncio.run(_with(store, lambda opened: initialise(opened, files, by=by, why=why, at=datetime.now(UTC))))
    typer.echo(f"Version 1 is in the store. Serve it with XINQIAO_POLICIES={store}")


def backup(store: Address, archive: Archive) -> None:
    """Write every version and draft of a store into an archive."""
    with failing_plainly():
        archive.write_bytes(asyncio.run(_with(store, archives.export)))
    typer.echo(f"{archive} is written.")


def restore(archive: Archive, store: Address) -> None:
    """Put an archive's versions and drafts into an empty store."""
    with failing_plainly():
        content = archive.read_bytes()
        asyncio.run(_with(store, lambda opened: archives.restore(opened, content)))
    typer.echo("The store is restored.")


async def _with(address: str, work: Callable[[Store], Awaitable[Given]]) -> Given:
    store = await open_store(address)
    try:
        return await work(store)
    finally:
        await store.close()
