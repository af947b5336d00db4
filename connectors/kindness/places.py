"""Places for calls: no more at once than there are, in the order in which they were asked for."""

from __future__ import annotations

import asyncio


class Places:
    """So many calls at once; the number may change while some are under way.

    asyncio's semaphore has one number for good. Where it becomes smaller than what is taken, none is given until enough
    are free again.
    """

    __slots__ = ("__weakref__", "_taken", "_waiting", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken = 0
        self._waiting: dict[asyncio.Future[None], None] = {}

    @property
    def are_taken(self) -> bool:
        """Whether whoever asks now must wait."""
        return self._taken >= self.most or bool(self._waiting)

    def take(self) -> bool:
        """Takes a place, if one is free and nobody waits for it."""
        if self.are_taken:
            return False
        self._taken += 1
        return True

    async def wait(self) -> None:
        """Takes a place as soon as it is this one's turn."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = None
        self._give()
        try:
            await waiter
        except BaseException:
            self._waiting.pop(waiter, None)
            if waiter.done() and not waiter.cancelled():
                self.give_back()  # it was given to one who leaves
            raise

    def give_back(self) -> None:
        """Frees a place that was taken."""
        self._taken -= 1
        self._give()

    def change(self, most: int) -> None:
        """There are so many places from now on."""
        self.most = most
        self._give()

    def _give(self) -> None:
        while self._waiting and self._taken < self.most:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            if not waiter.done():
                self._taken += 1
                waiter.set_result(None)
