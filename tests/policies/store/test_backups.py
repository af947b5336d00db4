"""Backup and restore, from any kind of store into any other."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policies.errors import ArchiveInvalid, StoreNotEmpty, VersionDamaged
from policies.store.backup import export, restore
from policies.store.contract import Store
from policies.store.model import Approval, Draft, Version, new_version

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
APPROVAL = Approval("bo", None, "d" * 64, AT)

Opened = Callable[..., Awaitable[Store]]


def version(number: int) -> Version:
    files = {"trees.yaml": "# 树".encode(), "rules/tax.yaml": f"# {number}\r\n".encode()}
    return new_version(number, files, published_at=AT, by="al", why="x", approvals=[APPROVAL], emergency=number == 2)


async def fill(store: Store) -> None:
    for number in (1, 2, 3):
        await store.publish(version(number), number - 1)
    draft = Draft("d1", 2, {"trees.yaml": b"x"}, "al", "tax", "why", AT, (APPROVAL,), restores=1)
    await store.save_draft(await store.save_draft(draft))
    await store.save_draft(replace(draft, id="d2", files={}, agency=None))


async def test_a_store_comes_back_from_its_archive(store: Store, tmp_path: Path, open_at: Opened) -> None:
    await fill(store)
    archive = await export(store)
    for address in (str(tmp_path / "again"), f"sqlite+aiosqlite:///{tmp_path / 'again.db'}"):
        again = await open_at(address)
        await restore(again, archive)
        assert await again.versions() == await store.versions()
        assert [replace(draft, revision=0) for draft in await again.drafts()] == [
            replace(draft, revision=0) for draft in await store.drafts()
        ]
        assert await export(again) == archive


async def test_an_archive_is_restored_into_any_store(store: Store, tmp_path: Path, open_at: Opened) -> None:
    origin = await open_at(str(tmp_path / "origin"))
    await fill(origin)
    archive = await export(origin)
    await restore(store, archive)
    assert await export(store) == archive
    with pytest.raises(StoreNotEmpty):
        await restore(store, archive)


def changed(archive: bytes, change: Callable[[dict[str, bytes]], object]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as read:
        entries = {name: read.read(name) for name in read.namelist()}
    change(entries)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as written:
        for name, content in entries.items():
            written.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda entries: entries.update({"versions/000002/rules/tax.yaml": b"opened"}), VersionDamaged),
        (lambda entries: entries.pop("versions/000003/record.json"), VersionDamaged),
        (lambda entries: entries.update({"versions/x/record.json": b""}), ArchiveInvalid),
        (lambda entries: entries.update({"drafts/d1/record.json": b"[]"}), ArchiveInvalid),
        (lambda entries: entries.update({"readme": b""}), ArchiveInvalid),
        (
            lambda entries: [entries.pop(name) for name in list(entries) if name.startswith("versions/000001")],
            ArchiveInvalid,
        ),
    ],
)
async def test_a_damaged_archive_restores_nothing(
    tmp_path: Path, open_at: Opened, change: Callable[[dict[str, bytes]], object], error: type[Exception]
) -> None:
    origin, store = await open_at(str(tmp_path / "origin")), await open_at(str(tmp_path / "store"))
    await fill(origin)
    with pytest.raises(error):
        await restore(store, changed(await export(origin), change))
    assert await store.latest_number() == 0
    assert await store.drafts() == ()


async def test_what_is_no_archive_is_refused(tmp_path: Path, open_at: Opened) -> None:
    with pytest.raises(ArchiveInvalid):
        await restore(await open_at(str(tmp_path)), b"no archive")
