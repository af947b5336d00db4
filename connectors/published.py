"""JSON documents that others publish at an address, such as the keys of an issuer of tokens."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any, Final

from connectors.errors import AddressInvalid
from connectors.fast_lane import FastLane
from connectors.http_connection import parse_address
from connectors.json_body import read_json
from connectors.lane import OK, Bodies, Garbled, Unusable
from connectors.outgoing import Outgoing
from connectors.reach import Reach

LARGEST: Final = 256 * 1024
"""Most bytes of a document: a set of a hundred keys has a fifth of that."""

DOCUMENT_SECONDS: Final = 5.0
"""How long reading a document may take."""


class Publications:
    """Reads documents by GET over http or https, within the operator's `reach`. Redirects are not followed, nor are
    proxies of the environment used.
    """

    def __init__(self, reach: Reach, authority: Path | None = None) -> None:
        """`authority` is a PEM file with the authorities that are trusted in place of the machine's. Raises
        `AddressInvalid` where it cannot be read.
        """
        self._reach = reach
        try:
            self._tls = ssl.create_default_context(cafile=authority)
        except (OSError, ValueError):
            raise AddressInvalid("authority", "a PEM file of certificates that can be read") from None

    async def read(self, url: str) -> Any:  # noqa: ANN401 - any JSON
        """The document. Raises `LaneError` and `AddressInvalid`, which hold nothing of it."""
        address = parse_address("url", url, self._reach)
        if address.username is not None or not address.netloc.isascii():
            raise AddressInvalid("url", "an address in ASCII without user and password")
        lane = FastLane(
            f"{address.scheme}://{address.netloc}",
            {"Accept": "application/json", "User-Agent": "xinqiao"},
            connections=1,
            bodies=Bodies(LARGEST),
            tls=self._tls if address.scheme == "https" else None,
            reach=self._reach,
        )
        try:
            deadline = asyncio.get_running_loop().time() + DOCUMENT_SECONDS
            answer = await lane.send(Outgoing("GET", address.path or "/", "", {}, b""), deadline)
        finally:
            await lane.close()
        if answer.status != OK:
            raise Unusable(f"status {answer.status}")
        try:
            return await read_json(answer.content)
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise Garbled(f"not JSON ({type(error).__name__})") from None
