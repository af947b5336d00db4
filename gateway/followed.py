"""A file that is read again when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from connectors.secret import Stamp, stamp_of
from gateway.errors import SettingsInvalidError

LOOK_SECONDS: Final = 2.0
"""How often a file is looked at: for so long may what it said before still count."""

_log = structlog.stdlib.get_logger(__name__)

Said = TypeVar("Said")


class Followed(Generic[Said]):
    """What a file says, as it was last read. What it does not say any more, because it cannot be read, stays as it was,
    and the log says so once.
    """

    def __init__(self, path: Path, read: Callable[[Path], Said]) -> None:
        """`read` raises `SettingsInvalidError`, which names the file and quotes nothing of it; so does this."""
        self._path = path
        self._read = read
        self._stamp: Stamp | None = None
        self._fault: str | None = None
        self.current: Said = read(path)

    async def look(self) -> None:
        """Reads the file again where it has changed."""
        try:
            stamp = await asyncio.to_thread(stamp_of, self._path)
            if stamp != self._stamp:
                self.current = await asyncio.to_thread(self._read, self._path)
        except (OSError, SettingsInvalidError) as error:
            fault = f"{self._path}: {error.strerror}" if isinstance(error, OSError) else str(error)
            if fault != self._fault:
                _log.warning("a file cannot be read, and what it said stays", fault=fault)
            self._fault = fault
        else:
            self._stamp, self._fault = stamp, None

    async def follow(self) -> None:
        """Looks again and again, for as long as it runs."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()
