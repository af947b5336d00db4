"""The store in a directory, which people can read, review and keep in git:

- `versions/000001/`: a version's policy files, byte for byte as they were written, and `record.json`
- `drafts/<id>/000001/`: the same of a draft; the highest revision counts
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from policies.errors import DraftChanged, DraftUnknown, StoreUnavailable, VersionConflict, VersionUnknown
from policies.store.contract import Store
from policies.store.directory import create_directory, read_files, remove_directory
from policies.store.model import Draft, Version, check_names
from policies.store.polling import follow, latest_of
from policies.store.records import pack_draft, pack_version, unpack_draft, unpack_version

_ID: Final = re.compile(r"[a-z0-9]{1,64}")
_NUMBER: Final = re.compile(r"\d{6,}")

Given = TypeVar("Given")


class FileStore(Store):
    """A store in a directory, made where it is missing. `poll` is how often it looks for changes, in seconds."""

    def __init__(self, directory: Path, poll: float = 0.25) -> None:
        self._directory = directory
        self._versions = directory / "versions"
        self._drafts = directory / "drafts"
        self._poll = poll

    async def latest_number(self) -> int:
        """The number of the latest version, 0 where there is none."""
        return await self._in_thread(lambda: _highest(self._versions))

    async def latest(self) -> Version:
        """The latest version. Raises `StoreEmpty`."""
        return await latest_of(self)

    async def version(self, number: int) -> Version:
        """The version of this number. Raises `VersionUnknown`, `VersionDamaged`."""
        return await self._in_thread(lambda: self._version(number))

    async def versions(self) -> tuple[Version, ...]:
        """Every version, newest first."""
        latest = await self.latest_number()
        return tuple([await self.version(number) for number in range(latest, 0, -1)])

    async def drafts(self) -> tuple[Draft, ...]:
        """Every draft, the oldest first."""
        drafts = await self._in_thread(lambda: [self._draft(draft_id) for draft_id in self._draft_ids()])
        return tuple(sorted(drafts, key=lambda draft: (draft.created_at, draft.id)))

    async def draft(self, draft_id: str) -> Draft:
        """The draft of this id. Raises `DraftUnknown`."""
        return await self._in_thread(lambda: self._draft(draft_id))

    async def save_draft(self, draft: Draft) -> Draft:
        """Saves a draft as its next revision. Raises `DraftChanged`, `FileNameInvalid`."""
        check_names(draft.files)
        return await self._in_thread(lambda: self._save(draft))

    async def discard(self, draft_id: str) -> None:
        """Removes a draft. Raises `DraftUnknown`."""
        await self._in_thread(lambda: remove_directory(self._drafts / self._known(draft_id)))

    async def publish(self, version: Version, expected: int) -> None:
        """Creates the next version's directory. Raises `VersionConflict`, `FileNameInvalid`."""
        check_names(version.files)
        await self._in_thread(lambda: self._publish(version, expected))

    def changes(self) -> AsyncGenerator[int, None]:
        """The latest number, then each new one, seen by looking at the directory every `poll` seconds."""
        return follow(self.latest_number, lambda: asyncio.sleep(self._poll))

    async def close(self) -> None:
        """Nothing is held open."""

    async def _in_thread(self, work: Callable[[], Given]) -> Given:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            message = f"the policy store in {self._directory} cannot be used: {error.strerror or type(error).__name__}"
            raise StoreUnavailable(message) from error

    def _version(self, number: int) -> Version:
        directory = self._versions / f"{number:06}"
        if number < 1 or not directory.is_dir():
            raise VersionUnknown(f"there is no version {number}; the latest is {_highest(self._versions)}")
        return unpack_version(number, read_files(directory))

    def _publish(self, version: Version, expected: int) -> None:
        latest = _highest(self._versions)
        if latest != expected or version.number != expected + 1:
            raise VersionConflict(
                f"version {version.number} cannot follow the latest, {latest}; read the latest, and try again"
            )
        self._versions.mkdir(parents=True, exist_ok=True)
        try:
            create_directory(self._versions / f"{version.number:06}", pack_version(version))
        except FileExistsError as error:
            raise VersionConflict(
                f"somebody else has published version {version.number}; read it, and try again"
            ) from error

    def _draft_ids(self) -> list[str]:
        if not self._drafts.is_dir():
            return []
        return [path.name for path in self._drafts.iterdir() if _ID.fullmatch(path.name) and _highest(path)]

    def _known(self, draft_id: str) -> str:
        if not _ID.fullmatch(draft_id) or not _highest(self._drafts / draft_id):
            raise DraftUnknown(f"there is no draft {draft_id!a}; it was published or withdrawn, or never was")
        return draft_id

    def _draft(self, draft_id: str) -> Draft:
        directory = self._drafts / self._known(draft_id)
        revision = _highest(directory)
        try:
            return unpack_draft(read_files(directory / f"{revision:06}"), revision)
        except (OSError, KeyError, TypeError, ValueError) as error:
            if _highest(directory) != revision:  # saved or discarded while it was read
                return self._draft(draft_id)
            raise StoreUnavailable(f"the draft {draft_id} cannot be read; discard it") from error

    def _save(self, draft: Draft) -> Draft:
        if not _ID.fullmatch(draft.id):
            raise DraftUnknown(f"{draft.id!a} cannot be the id of a draft: lower-case letters and digits")
        directory = self._drafts / draft.id
        saved = replace(draft, revision=draft.revision + 1)
        changed = DraftChanged(f"somebody else has changed or withdrawn the draft {draft.id}; read it again")
        if _highest(directory) != draft.revision:
            raise changed
        if not draft.revision:
            directory.mkdir(parents=True, exist_ok=True)
        try:
            create_directory(directory / f"{saved.revision:06}", pack_draft(saved))
        except (FileExistsError, FileNotFoundError) as error:
            raise changed from error
        if draft.revision:
            remove_directory(directory / f"{draft.revision:06}")
        return saved


def _highest(directory: Path) -> int:
    """The highest number that names a directory in this one, 0 where there is none."""
    if not directory.is_dir():
        return 0
    return max((int(path.name) for path in directory.iterdir() if _NUMBER.fullmatch(path.name)), default=0)
