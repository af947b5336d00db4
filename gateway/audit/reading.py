"""Reads the log as people ask for it: who did what, and who looked at whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.audit.sink import Archive


@dataclass(frozen=True, slots=True)
class Sought:
    """Which records are sought; None: whatever it may be. Moments carry an offset."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    organisation: str | None = None
    request: str | None = None
    company: str | None = None

    def finds(self, line: bytes, record: dict[str, Any]) -> bool:
        """Whether this is one of them."""
        at = dt.datetime.fromisoformat(record["at"])
        return (
            (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
            and (self.organisation is None or record.get("organisation") == self.organisation)
            and (self.request is None or record.get("requestId") == self.request)
            and (
                self.company is None or (self.company.encode() in line and self.company in record.get("companies", ()))
            )
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A record: the chain that it is in, its line as it is kept, and what that says."""

    chain: str
    line: bytes
    record: dict[str, Any]


async def find(archive: Archive, sought: Sought) -> AsyncIterator[Found]:
    """The records that are sought, chain by chain, in their order. Lines that are no records are passed over: to find
    them is for `gateway.audit.verify`. Raises `AuditSinkError`.
    """
    for chain in await archive.chains():
        follower = archive.follow(chain)
        try:
            while lines := await follower.read():
                for line in lines:
                    record = _read(line, sought)
                    if record is not None:
                        yield Found(chain, line, record)
        finally:
            await follower.close()


def _read(line: bytes, sought: Sought) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
        return record if sought.finds(line, record) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
