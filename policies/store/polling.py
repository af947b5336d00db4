"""What every store does alike: reading the latest version, and following the numbers as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from policies.errors import StoreEmpty
from policies.store.contract import Store
from policies.store.model import Version


async def latest_of(store: Store) -> Version:
    """The store's latest version. Raises `StoreEmpty` where there is none."""
    number = await store.latest_number()
    if not number:
        raise StoreEmpty("the policy store holds no version yet; publish the first from a directory of policy files")
    return await store.version(number)


async def follow(
    latest_number: Callable[[], Awaitable[int]], wait: Callable[[], Awaitable[object]]
) -> AsyncGenerator[int, None]:
    """The latest number, then each number after it; `wait` returns when it is time to look again."""
    seen = await latest_number()
    yield seen
    while True:
        await wait()
        latest = await latest_number()
        for number in range(seen + 1, latest + 1):
            yield number
        seen = max(seen, latest)
