"""The process that compiles.

Compiling asks casbin hundreds of times; in a thread that would still hold the interpreter, and with it every request.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count
from typing import Self, TypeVar

Made = TypeVar("Made")


class Compiler:
    """A process that compiles, one job after another; an async context. One that dies is started again.

    Each process begins with `begin`, picklable, which may prepare what the jobs need. A job that nobody waits for any
    longer ends with its process, so that the next need not wait for it.
    """

    def __init__(self, begin: Callable[[], object] | None = None) -> None:
        self._begin = begin
        self._turns = _Turns()
        self._process: ProcessPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        """Starts the process."""
        self._process = self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends the process, once what it is compiling is done."""
        if self._process:
            await asyncio.to_thread(self._process.shutdown, wait=True, cancel_futures=True)

    async def run(self, make: Callable[..., Made], *args: object, urgent: bool = False) -> Made:
        """What `make` gives for these arguments, all of it picklable. `urgent` jobs come before all that wait."""
        async with self._turns.turn(urgent=urgent):
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(self._process, make, *args)
            except BrokenProcessPool:
                self._start_again()
                return await loop.run_in_executor(self._process, make, *args)
            except asyncio.CancelledError:
                self._start_again()
                raise

    def _start_again(self) -> None:
        if self._process:
            # No public way leads to it before Python 3.14 (`kill_workers`).
            for worker in (self._process._processes or {}).values():  # noqa: SLF001
                worker.kill()
            self._process.shutdown(wait=False)
        self._process = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            max_workers=1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(self._begin,),
        )


class _Turns:
    """One at a time: the urgent first, and each in the order of asking."""

    def __init__(self) -> None:
        self._taken = False
        self._order = count()
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, *, urgent: bool) -> AsyncIterator[None]:
        """A turn lasts as long as the context."""
        await self._take(urgent=urgent)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, *, urgent: bool) -> None:
        if not self._taken:
            self._taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (not urgent, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            # It may have been given the turn at the very moment at which it went away.
            if not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, turn = heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False


def _begin(begin: Callable[[], object] | None) -> None:
    # An interrupt from the terminal reaches the whole group: the parent alone decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    if begin:
        begin()


def _end_with_parent() -> None:
    """A parent that is killed closes no queue: this process would wait for jobs for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
