"""What every store of policy versions does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from policies.store.model import Draft, Version


class Store(Protocol):
    """Immutable versions, numbered 1, 2, 3 ..., and drafts.

    Every method raises `StoreUnavailable` where the store cannot be reached. Every version that is read is checked
    against its digests; a changed one raises `VersionDamaged`.
    """

    async def latest_number(self) -> int:
        """The number of the latest version, 0 where there is none. Cheap: to see that the store can be reached."""

    async def latest(self) -> Version:
        """The latest version. Raises `StoreEmpty` where there is none."""

    async def version(self, number: int) -> Version:
        """The version of this number. Raises `VersionUnknown`."""

    async def versions(self) -> tuple[Version, ...]:
        """Every version, newest first."""

    async def drafts(self) -> tuple[Draft, ...]:
        """Every draft, the oldest first."""

    async def draft(self, draft_id: str) -> Draft:
        """The draft of this id. Raises `DraftUnknown`."""

    async def save_draft(self, draft: Draft) -> Draft:
        """Saves a draft whole, and gives it with its next revision. Raises `DraftChanged` where the stored revision is
        not the one that `draft` was made from, `FileNameInvalid` for a name that cannot be stored.
        """

    async def discard(self, draft_id: str) -> None:
        """Removes a draft. Raises `DraftUnknown`."""

    async def publish(self, version: Version, expected: int) -> None:
        """Makes `version`, numbered `expected` + 1, the latest, if the latest is still `expected`; nothing changes
        otherwise. Raises `VersionConflict`, `FileNameInvalid`.
        """

    def changes(self) -> AsyncGenerator[int, None]:
        """The number of the latest version, then each number that anybody publishes. It begins with the latest, so that
        nothing is missed between reading a version and listening. `StoreUnavailable` ends it: ask for a new one.
        """

    async def close(self) -> None:
        """Lets go of all connections."""
