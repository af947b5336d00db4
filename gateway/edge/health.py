"""Whether this process can serve: each part says so itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

Check = Callable[[], Awaitable[str | None]]
"""Gives None where its part is ready, else what is wrong with it in words that hold no value and no secret."""

CHECK_SECONDS: Final = 1.0
"""How long a part may take to say whether it is ready."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether all parts are ready, and what each says."""

    ready: bool
    parts: Mapping[str, str]


async def assess(checks: Mapping[str, Check]) -> Readiness:
    """Asks all parts at once. A check that raises or takes longer than `CHECK_SECONDS` is a part that is not ready."""
    faults = await asyncio.gather(*(_fault(check) for check in checks.values()))
    return Readiness(not any(faults), {name: fault or "ready" for name, fault in zip(checks, faults, strict=True)})


async def _fault(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"gave no answer within {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - a check that fails in any way has answered the question
        return f"its check failed with {type(error).__name__}"
