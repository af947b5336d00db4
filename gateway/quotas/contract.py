"""What quotas are kept in: interface and values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

import msgspec

BURST_SECONDS: Final = 10.0
"""A rate is kept to on the whole: so many seconds' worth of requests may come at once."""


class Allowance(msgspec.Struct, frozen=True):
    """What is allowed to whoever has this `key`: `requests` a minute, `concurrent` ones at once, and `companies` a day,
    each company counted once; None: any number.
    """

    key: str
    requests: int | None = None
    concurrent: int | None = None
    companies: int | None = None


Leave = Callable[[], None]
"""Ends a request that was counted among the concurrent ones."""


class Counters(Protocol):
    """Counts what allowances bound. All of a request's allowances hold, or nothing is counted."""

    async def enter(self, allowances: Sequence[Allowance], request_id: str) -> Leave:
        """Counts a request. Raises `RateExceededError`, `ConcurrencyExceededError`."""
        ...

    async def admit(self, allowances: Sequence[Allowance], companies: Collection[str], day: str) -> bool:
        """Counts these companies (credit codes, or what else has digits to the base 36) as asked about on this day,
        those that were not counted yet. Whether they may be.
        """
        ...

    async def admit_values(self, key: str, values: Collection[str], most: int, day: str) -> bool:
        """Counts these values (in digits to the base 36) under the key on this day, those that were not counted yet.
        Whether there are no more than `most`. Of very many keys those that were used last are counted.
        """
        ...

    async def take(self, key: str, most: int | None, day: str) -> bool:
        """Takes one of what may be had under the key on this day: `most`; None: any number. Whether it was there."""
        ...

    async def close(self) -> None:
        """Ends what is under way."""
        ...
