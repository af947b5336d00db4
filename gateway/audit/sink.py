"""Where chains are kept: what writes one, and what reads all of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final, Protocol

from gateway.audit.chain import Head, Link

READ_BYTES: Final = 8 * 1_048_576
"""About how much of a chain is read at once."""


class Sink(Protocol):
    """Keeps one chain. Nobody else can write it while this is open."""

    async def open(self) -> Head:
        """Opens it, and says where the chain ends. Raises `AuditSinkError`."""

    async def write(self, first: int, lines: Sequence[bytes]) -> None:
        """Appends lines, the first of which has this number; they are durable when it returns. None at all only asks
        whether it works. Raises `AuditSinkError`: then some of the lines may have been kept, from the first on.
        """

    async def close(self) -> None:
        """Closes it; it can be opened again."""


class Follower(Protocol):
    """Reads one chain from somewhere to its end, and later what came since."""

    async def read(self) -> Sequence[bytes]:
        """The next lines, durable, without newlines; none where there are none yet. Raises `AuditSinkError`."""

    async def close(self) -> None:
        """Lets go of what it holds."""


class Archive(Protocol):
    """All chains of an instance, as they are kept."""

    async def chains(self) -> Sequence[str]:
        """The names of the chains that have records. Raises `AuditSinkError`."""

    def follow(self, chain: str, after: int = 0) -> Follower:
        """Reads a chain's records whose numbers are above `after`."""

    async def expired(self, chain: str, before: dt.datetime, last: int) -> Link | None:
        """The oldest record to keep where those that were written before a moment, up to number `last`, are not kept;
        None where that changes nothing. Raises `AuditSinkError`.
        """

    async def retire(self, chain: str, first: int) -> None:
        """Deletes the records with numbers below `first`. Raises `AuditSinkError`."""

    async def close(self) -> None:
        """Lets go of what it holds."""
