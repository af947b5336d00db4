"""An outage of what can be done without: it is told once, and tried again only now and then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

PAUSE: Final = 3.0
"""Seconds in which nothing is tried after a failure."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Outages:
    """Whether something, named for the log, is out, and how often it failed. Times are of the event loop's clock."""

    what: str
    failures: int = 0
    _out: bool = False
    _paused_until: float = float("-inf")

    def is_paused(self) -> bool:
        """Whether it shall not be tried now."""
        return asyncio.get_running_loop().time() < self._paused_until

    def admit(self) -> bool:
        """Whether whoever asks may try. In an outage one may after each pause, and the others wait for its luck."""
        if self.is_paused():
            return False
        if self._out:
            self._pause()
        return True

    def failed(self, error: Exception) -> None:
        """It failed."""
        self.failures += 1
        self._pause()
        if not self._out:
            self._out = True
            # Only its type: its message may hold addresses and keys.
            _log.warning(f"{self.what} does not answer", reason=type(error).__name__)

    def succeeded(self) -> None:
        """It works."""
        if self._out:
            self._out, self._paused_until = False, float("-inf")
            _log.info(f"{self.what} answers again", failures=self.failures)

    def _pause(self) -> None:
        self._paused_until = asyncio.get_running_loop().time() + PAUSE
