"""What every kind of store does alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime

import pytest

from policies.errors import (
    DraftChanged,
    DraftUnknown,
    FileNameInvalid,
    StoreEmpty,
    VersionConflict,
    VersionUnknown,
)
from policies.store.contract import Store
from policies.store.initial import initialise
from policies.store.model import Approval, Draft, Version, new_version

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
FILES = {"trees.yaml": b"# trees\r\nroles: {}\n", "rules/nation.yaml": "# 规则\nrules: []".encode()}
APPROVAL = Approval("bo", "tax", "d" * 64, AT)
DRAFT = Draft("d1", 1, FILES, "al", None, "why not", AT, (APPROVAL, replace(APPROVAL, by="cy", agency=None)), 3)

Opened = Callable[..., Awaitable[Store]]


def version(number: int, text: str = "") -> Version:
    files = {**FILES, "rules/tax.yaml": f"# {number}{text}\n".encode()}
    return new_version(number, files, published_at=AT, by="al", why="a reason", approvals=DRAFT.approvals)


async def filled(store: Store, versions: int) -> None:
    for number in range(1, versions + 1):
        await store.publish(version(number), number - 1)


async def test_an_empty_store_says_so(store: Store) -> None:
    assert await store.latest_number() == 0
    assert await store.versions() == ()
    assert await store.drafts() == ()
    with pytest.raises(StoreEmpty, match="publish the first"):
        await store.latest()


async def test_the_first_version_comes_from_a_plain_directory_of_files(store: Store) -> None:
    first = await initialise(store, {**FILES, "version.yaml": b"number: 9\n"}, by="al", why="to begin", at=AT)
    assert await store.latest() == first
    assert first.number == 1
    assert {name: first.files[name] for name in FILES} == FILES
    with pytest.raises(VersionConflict):
        await initialise(store, FILES, by="al", why="again", at=AT)


async def test_versions_come_back_as_they_were_published(store: Store, address: str, open_at: Opened) -> None:
    flagged = replace(version(2), restores=1, emergency=True, approvals=())
    await filled(store, 1)
    await store.publish(flagged, 1)
    other = await open_at(address)
    assert await other.versions() == (flagged, version(1))
    assert await other.version(1) == version(1)
    assert await other.latest() == flagged


async def test_a_version_cannot_be_changed(store: Store) -> None:
    await filled(store, 1)
    with pytest.raises(FrozenInstanceError):
        (await store.latest()).why = "another"  # type: ignore[misc]


@pytest.mark.parametrize("number", [-1, 0, 3, 10**30])
async def test_an_unknown_version_is_refused_with_the_latest_number(store: Store, number: int) -> None:
    await filled(store, 2)
    with pytest.raises(VersionUnknown, match=rf"no version {number}; the latest is 2"):
        await store.version(number)


@pytest.mark.parametrize(("number", "expected"), [(2, 1), (4, 3), (5, 4), (3, 3), (4, 2), (1, 0)])
async def test_only_the_next_number_on_the_latest_is_published(store: Store, number: int, expected: int) -> None:
    await filled(store, 2)
    with pytest.raises(VersionConflict):
        await store.publish(version(number, "other"), expected)
    assert await store.versions() == (version(2), version(1))


async def test_of_two_publishers_one_wins(store: Store, address: str, open_at: Opened) -> None:
    await filled(store, 1)
    stores = [await open_at(address) for _ in range(4)]
    attempts = (one.publish(version(2, f"by {index}"), 1) for index, one in enumerate(stores))
    ends = await asyncio.gather(*attempts, return_exceptions=True)
    (winner,) = [index for index, end in enumerate(ends) if end is None]
    assert all(isinstance(end, VersionConflict) for index, end in enumerate(ends) if index != winner)
    assert await store.versions() == (version(2, f"by {winner}"), version(1))


@pytest.mark.parametrize(
    "name",
    [
        "../version.yaml",
        "rules/../../x.yaml",
        "/etc/x.yaml",
        "rules/a/b.yaml",
        "Rules/tax.yaml",
        "rules/税.yaml",
        "x.yml",
        ".yaml",
        "record.json",
        "a.yaml\n",
        "",
    ],
)
async def test_a_name_that_could_leave_the_directory_is_refused(store: Store, name: str) -> None:
    with pytest.raises(FileNameInvalid):
        await store.save_draft(replace(DRAFT, files={name: b""}))
    with pytest.raises(FileNameInvalid):
        await store.publish(new_version(1, {name: b""}, published_at=AT, by="al", why="x"), 0)
    assert await store.latest_number() == 0


async def test_a_draft_comes_back_as_it_was_saved(store: Store, address: str, open_at: Opened) -> None:
    saved = await store.save_draft(DRAFT)
    other = await open_at(address)
    assert saved == replace(DRAFT, revision=1)
    assert await other.draft("d1") == saved
    edited = await other.save_draft(replace(saved, files={"a.yaml": b""}, approvals=(), why="another", base=7))
    older = await other.save_draft(replace(DRAFT, id="d0", created_at=datetime(2025, 1, 1, tzinfo=UTC)))
    assert await store.drafts() == (older, edited)


async def test_of_two_who_change_a_draft_one_wins(store: Store, address: str, open_at: Opened) -> None:
    saved = await store.save_draft(DRAFT)
    stores = [await open_at(address) for _ in range(3)]
    attempts = (one.save_draft(replace(saved, why=f"by {index}")) for index, one in enumerate(stores))
    ends = await asyncio.gather(*attempts, return_exceptions=True)
    (winner,) = [end for end in ends if isinstance(end, Draft)]
    assert sum(isinstance(end, DraftChanged) for end in ends) == 2
    assert await store.draft("d1") == winner


async def test_a_discarded_draft_is_gone_and_stays_gone(store: Store) -> None:
    saved = await store.save_draft(DRAFT)
    await store.discard("d1")
    with pytest.raises(DraftUnknown):
        await store.draft("d1")
    with pytest.raises(DraftUnknown):
        await store.discard("d1")
    with pytest.raises(DraftChanged):
        await store.save_draft(saved)
    assert await store.drafts() == ()


@pytest.mark.parametrize("draft_id", ["none", "../versions", "", ".", "%", "税"])
async def test_an_unknown_draft_is_refused(store: Store, draft_id: str) -> None:
    await store.save_draft(DRAFT)
    with pytest.raises(DraftUnknown, match="there is no draft"):
        await store.draft(draft_id)


async def test_changes_begin_with_the_latest_and_tell_each_number_once(
    store: Store, address: str, open_at: Opened
) -> None:
    await filled(store, 2)
    other = await open_at(address)
    async with asyncio.timeout(60), aclosing(other.changes()) as changes:
        assert await anext(changes) == 2
        await store.publish(version(3), 2)
        assert await anext(changes) == 3
        await store.publish(version(4), 3)
        await store.publish(version(5), 4)
        assert [await anext(changes), await anext(changes)] == [4, 5]


async def test_a_draft_read_while_it_is_saved_is_one_or_the_other(store: Store, address: str, open_at: Opened) -> None:
    other = await open_at(address)
    saved = await store.save_draft(replace(DRAFT, why="0", files={"a.yaml": b"0"}))

    async def save(draft: Draft) -> None:
        for number in range(1, 20):
            draft = await store.save_draft(replace(draft, why=str(number), files={"a.yaml": str(number).encode()}))

    saving = asyncio.create_task(save(saved))
    while not saving.done():
        read = await other.draft("d1")
        assert read.files == {"a.yaml": read.why.encode()}
        assert read.revision == int(read.why) + 1
    await saving
