"""Decision tables, compiled once per class of caller in a process of their own.

Compiling asks casbin hundreds of times; in a thread that would still hold the interpreter, and with it every request.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Self, TypeVar, cast

from cachetools import LRUCache

from policies.compile import compile_tables, openable
from policies.decision import CallerClass, DecisionTable
from policies.policy import Policy
from policies.tree import ROOT

Cells = Mapping[str, frozenset[str]]
"""The coordinates (`Penalty`, `Penalty.amount`) that each agency supplies."""

Made = TypeVar("Made")


class Compiler:
    """A process that compiles; an async context. One that dies is started again."""

    def __init__(self) -> None:
        self._process: ProcessPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        """Starts the process."""
        self._process = _start_process()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends the process, once what it is compiling is done."""
        if self._process:
            await asyncio.to_thread(self._process.shutdown, wait=True, cancel_futures=True)

    async def run(self, make: Callable[..., Made], *args: object) -> Made:
        """What `make` gives for these arguments, all of it picklable."""
        loop, process = asyncio.get_running_loop(), self._process
        try:
            return await loop.run_in_executor(process, make, *args)
        except BrokenProcessPool:
            # Of all who waited for it, the first to notice starts the next one.
            if self._process is process and process:
                self._process = _start_process()
                process.shutdown(wait=False)
            return await loop.run_in_executor(self._process, make, *args)


class Tables:
    """The tables of one policy version.

    The `size` most recently used are kept; requests that need the same cold table wait for one compilation.
    """

    def __init__(self, policy: Policy, cells: Cells, compiler: Compiler, size: int = 1_000) -> None:
        self._policy = policy
        self._cells = cells
        self._compiler = compiler
        self._made: LRUCache[Hashable, asyncio.Future[Any]] = LRUCache(size)

    async def table(self, caller: CallerClass) -> DecisionTable:
        """Every decision for this class of caller."""
        return await self._once(caller, compile_tables, self._policy, self._cells, caller)

    async def openable(self, roles: frozenset[str], organisation: str) -> frozenset[str]:
        """The coordinates that some purpose and basis could open to these callers, whichever agency supplies them."""
        cells = {**self._cells, ROOT: frozenset(self._policy.tiers)}
        return await self._once((roles, organisation), openable, self._policy, cells, roles, organisation)

    def classes(self) -> tuple[CallerClass, ...]:
        """The classes whose tables are kept."""
        return tuple(key for key in self._made if isinstance(key, CallerClass))

    async def _once(self, key: Hashable, make: Callable[..., Made], *args: object) -> Made:
        future = self._made.get(key)
        if future is None:
            future = asyncio.ensure_future(self._compiler.run(make, *args))
            future.add_done_callback(lambda done: self._forget_failed(key, done))
            self._made[key] = future
        # Shielded: a caller that goes away must not take the table from the others that wait for it.
        return cast("Made", await asyncio.shield(future))

    def _forget_failed(self, key: Hashable, done: asyncio.Future[Any]) -> None:
        if (done.cancelled() or done.exception()) and self._made.get(key) is done:
            del self._made[key]


def _start_process() -> ProcessPoolExecutor:
    # An interrupt from the terminal reaches the whole group: the parent alone decides when this process ends.
    return ProcessPoolExecutor(
        max_workers=1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
