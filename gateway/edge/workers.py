"""Several workers on one socket: processes with a gateway each, kept running until all are told to end."""

from __future__ import annotations

import asyncio
import fcntl
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import structlog
import uvloop

from connectors.errors import ConnectorError
from gateway.assembly import read_installation
from gateway.audit.open import certifying
from gateway.edge.server import SHUTDOWN_SECONDS, answering, interrupted
from gateway.edge.worker import Worker
from gateway.errors import GatewayError, SettingsInvalidError, WorkerEndedError
from gateway.logs import configure_logging
from gateway.settings import Settings
from policies.errors import PolicyError
from schema.errors import SchemaError

RESTART_SECONDS: Final = 2.0
"""A worker is begun anew no sooner than this after it was begun last."""

ENDING_SECONDS: Final = SHUTDOWN_SECONDS + 10
"""How long a worker may take to end once it is drained: its requests, and what it closes after them."""

_ANSWERS: Final = "answers"
"""What a worker says once it does."""

_SPAWN: Final = multiprocessing.get_context("spawn")
_log = structlog.stdlib.get_logger(__name__)


async def run_workers(settings: Settings, listener: socket.socket, started: Callable[[], None]) -> None:
    """Runs as many workers as the settings say until the process is told to end; then they have ended.

    `started` is called once all of them answer. Raises `WorkerEndedError` where one ends before that.
    """
    async with AsyncExitStack() as stack:
        places = stack.enter_context(_directory())
        numbers = range(1, settings.workers + 1)
        workers = [_Process(settings, listener, Worker(number, places)) for number in numbers]

        async def begun() -> None:
            # Entered once these write the logs, for whoever does has a notary; left when the last record is written.
            await stack.enter_async_context(certifying(settings))
            started()

        told = asyncio.create_task(interrupted(), name="interrupted")
        keeping = asyncio.create_task(_keep_all(workers, begun), name="workers")
        try:
            await asyncio.wait((told, keeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (told, keeping):
                task.cancel()
            await asyncio.gather(told, keeping, return_exceptions=True)
            # Once the workers have closed theirs, who connects is refused, and not left waiting for nobody.
            listener.close()
            await asyncio.gather(*(worker.end() for worker in workers))
    if not keeping.cancelled():
        keeping.result()


@contextmanager
def _directory() -> Iterator[Path]:
    """A directory that only this user may enter, removed in the end. Raises `SettingsInvalidError`."""
    try:
        made = tempfile.TemporaryDirectory(prefix="xinqiao-")
    except OSError as error:
        raise SettingsInvalidError(
            "TMPDIR: several workers need a directory there, by which they lend each other places at agencies, and "
            f"none can be made ({error.strerror})"
        ) from None
    with made as name:
        descriptor = os.open(name, os.O_RDONLY)
        try:
            # What tidies up old files (systemd-tmpfiles) leaves alone a directory that is locked.
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield Path(name)
        finally:
            os.close(descriptor)


async def _keep_all(workers: Sequence[_Process], begun: Callable[[], Awaitable[None]]) -> None:
    for word in await asyncio.gather(*(worker.word() for worker in workers)):
        if word != _ANSWERS:
            raise WorkerEndedError(word or "a worker ended before it answered")
    await begun()
    async with asyncio.TaskGroup() as keepers:
        for worker in workers:
            keepers.create_task(worker.keep())


class _Process:
    """One worker: a process, and another one whenever that has ended."""

    def __init__(self, settings: Settings, listener: socket.socket, worker: Worker) -> None:
        self._arguments = (settings, listener, worker)
        self._ending_seconds = settings.drain + ENDING_SECONDS
        self._number = worker.number
        self._begin()

    def _begin(self) -> None:
        self._begun = asyncio.get_running_loop().time()
        self._pipe, theirs = _SPAWN.Pipe(duplex=False)
        self._process = _SPAWN.Process(target=_work, args=(*self._arguments, theirs), name=f"worker {self._number}")
        self._process.start()
        # Now the worker's end is its own alone, so that the pipe ends when it does.
        theirs.close()

    async def word(self) -> str | None:
        """What the worker says next: that it answers, or why it cannot. None once it has ended."""
        await _readable(self._pipe)
        try:
            return self._pipe.recv_bytes().decode()
        except EOFError:
            return None

    async def keep(self) -> None:
        """Begins the process anew whenever it has ended, for ever."""
        while True:
            why = await self._ended()
            _log.error("worker ended", worker=self._number, status=self._process.exitcode, reason=why)
            await asyncio.sleep(self._begun + RESTART_SECONDS - asyncio.get_running_loop().time())
            with self._pipe:
                self._begin()

    async def end(self) -> None:
        """Ends the process: told to, and by force where it does not."""
        self._process.terminate()
        try:
            async with asyncio.timeout(self._ending_seconds):
                await self._ended()
        except TimeoutError:
            _log.error("worker did not end when told to", worker=self._number)
            self._process.kill()
            self._process.join()
        self._pipe.close()

    async def _ended(self) -> str:
        """The last that it said before it ended."""
        last = ""
        while (word := await self.word()) is not None:
            last = word
        self._process.join()
        return last


async def _readable(pipe: Connection) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pipe.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(pipe.fileno())


def _work(settings: Settings, listener: socket.socket, worker: Worker, pipe: Connection) -> None:
    """What a worker's process does."""
    # An interrupt from the terminal reaches the whole group: until it answers, the parent alone decides on its end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logging(settings.log_format, settings.log_level)
    try:
        uvloop.run(_answer(settings, listener, worker, pipe))
    except (GatewayError, ConnectorError, PolicyError, SchemaError) as error:
        pipe.send_bytes(f"{error.code}: {error}".encode())
        sys.exit(1)


async def _answer(settings: Settings, listener: socket.socket, worker: Worker, pipe: Connection) -> None:
    installation = read_installation(settings)
    async with answering(listener, settings, installation, os.environ, worker):
        pipe.send_bytes(_ANSWERS.encode())
        tasks = [asyncio.create_task(interrupted()), asyncio.create_task(_parent_ended())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


async def _parent_ended() -> None:
    """Returns when the process that began this one has ended."""
    loop, ended, parent = asyncio.get_running_loop(), asyncio.Event(), multiprocessing.parent_process()
    if parent is not None:
        loop.add_reader(parent.sentinel, ended.set)
    await ended.wait()
