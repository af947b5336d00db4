"""What asyncpg must not be given: a message without a type.

A server that is no PostgreSQL may well send a zero where a message begins, MySQL's does. asyncpg (up to 0.32) takes a
type of zero for a message that has ended already (`finish_message`), takes it again, and never gives the event loop
back. It has no place for a protocol of one's own, so that `install` puts this one in the place of its own.
"""

from __future__ import annotations

import asyncio
from struct import Struct
from typing import Any, Final

from asyncpg import protocol  # type: ignore[import-untyped]

_HEAD: Final = 5
"""Bytes of a message's type and length (PostgreSQL documentation, "Message Formats"); the length counts itself."""

_length = Struct("!I").unpack_from


class Frames:
    """Follows a stream of messages."""

    def __init__(self) -> None:
        self._begun = b""
        self._unread = 0

    def are_typed(self, data: bytes) -> bool:
        """Whether each message that begins in these further bytes has a type."""
        if self._begun:
            data = self._begun + data
            self._begun = b""
        at, end = self._unread, len(data)
        while at < end:
            if not data[at]:
                return False
            if end - at < _HEAD:
                self._begun, at = data[at:], end
                break
            at += 1 + _length(data, at + 1)[0]
        self._unread = at - end
        return True


class FramedProtocol(protocol.Protocol):  # type: ignore[misc]
    """asyncpg's protocol, which loses its connection at a message without a type."""

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401  (asyncpg's own)
        super().__init__(*arguments)
        self._frames = Frames()
        self._way: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """As in `asyncio.Protocol`."""
        self._way = transport
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """As in `asyncio.Protocol`."""
        if self._frames.are_typed(data):
            super().data_received(data)
        elif self._way is not None:
            self._way.abort()


def install() -> None:
    """Has asyncpg use it for every connection of this process."""
    protocol.Protocol = FramedProtocol
