"""An event loop whose clock goes on at once to whatever is waited for: hours in a moment, and always the same."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

MIDNIGHT = 1_795_708_800.0
"""2026-11-27 00:00 in China."""


class _Selector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everybody waits for something that nobody brings about")
        self.now += max(timeout, 0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def stand_still(self, seconds: float) -> None:
        self._virtual.now += seconds


def in_virtual_time(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that runs in such a loop, from 0 on."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*arguments, **named))  # type: ignore[arg-type]

    return run


def now() -> float:
    return asyncio.get_running_loop().time()


def wall() -> float:
    """The loop's clock as one on the wall, which began at midnight in China."""
    return MIDNIGHT + now()


def stand_still(seconds: float) -> None:
    """Nothing runs for so long, as when the process is stopped."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.stand_still(seconds)
