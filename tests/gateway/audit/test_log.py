# ruff: noqa: ASYNC240 - nothing else runs while a test looks at a file

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.audit.chain import chained, genesis, read_link
from gateway.audit.files import FileSink, Rotation, parts
from gateway.audit.log import AuditLog
from gateway.errors import AuditUnavailableError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "audit.jsonl"


def log_at(path: Path, sync: Callable[[int], None] = os.fsync, size: int = 1 << 30, seconds: float = 1e9) -> AuditLog:
    return AuditLog(FileSink(path, "chain", Rotation(size, seconds), sync))


def records(path: Path) -> list[Any]:
    """The records of a file without what chains them."""
    content = path.read_bytes()
    assert not content or content.endswith(b"\n")
    lines = [orjson.loads(line) for line in content.splitlines()]
    return [{name: value for name, value in line.items() if name not in {"number", "previous"}} for line in lines]


def linked(path: Path) -> bool:
    """Whether the records in all files of a chain follow one another from the first."""
    head = genesis("chain")
    for part in parts(path):
        for line in part.path.read_bytes().splitlines():
            link = read_link(line)
            if link is None or (link.number, link.previous) != (head.number + 1, head.digest):
                return False
            head = link.head
    return True


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Disk:
    """Syncs for real, counting; while `free` is not set each sync waits; a `fault` (errno) makes them fail."""

    def __init__(self) -> None:
        self.syncs = 0
        self.fault: int | None = None
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Semaphore(0)

    async def syncing(self) -> None:
        """Returns when the next sync has begun."""
        assert await asyncio.to_thread(self.begun.acquire, timeout=5)

    def sync(self, descriptor: int) -> None:
        self.begun.release()
        assert self.free.wait(5)
        if self.fault is not None:
            raise OSError(self.fault, os.strerror(self.fault))
        os.fsync(descriptor)
        self.syncs += 1


async def test_a_record_is_in_the_file_when_append_returns(path: Path) -> None:
    async with log_at(path) as log:
        await log.append({"requestId": "1", "line": "two\nlines"})
        assert records(path) == [{"requestId": "1", "line": "two\nlines"}]
        await log.append({"requestId": "2"})
    assert [record["requestId"] for record in records(path)] == ["1", "2"]


async def test_the_file_is_readable_by_its_owner_alone(path: Path) -> None:
    async with log_at(path):
        assert mode(path) == 0o600


async def test_append_does_not_return_before_the_sync(path: Path) -> None:
    disk = Disk()
    async with log_at(path, disk.sync) as log:
        await disk.syncing()
        disk.free.clear()
        appending = asyncio.create_task(log.append({"n": 1}))
        await disk.syncing()
        assert not appending.done()
        disk.free.set()
        await appending


async def test_records_that_wait_for_the_disk_share_one_sync(path: Path) -> None:
    disk = Disk()
    async with log_at(path, disk.sync) as log:
        await disk.syncing()
        disk.free.clear()
        first = asyncio.create_task(log.append({"n": 0}))
        await disk.syncing()
        rest = [asyncio.create_task(log.append({"n": n})) for n in range(1, 500)]
        await asyncio.sleep(0)
        disk.free.set()
        await asyncio.gather(first, *rest)
        assert disk.syncs == 3  # the opening, the first, all the rest
    assert [record["n"] for record in records(path)] == list(range(500))


async def test_a_caller_that_stops_waiting_harms_no_other(path: Path) -> None:
    disk = Disk()
    async with log_at(path, disk.sync) as log:
        await disk.syncing()
        disk.free.clear()
        waiting = [asyncio.create_task(log.append({"n": n})) for n in range(3)]
        await disk.syncing()
        waiting[1].cancel()
        disk.free.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), asyncio.CancelledError, type(None)]


async def test_a_failed_sync_closes_the_door_to_all_who_wait_until_the_disk_works_again(path: Path) -> None:
    disk = Disk()
    async with log_at(path, disk.sync) as log:
        disk.fault = errno.EIO
        results = await asyncio.gather(*(log.append({"n": n}) for n in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [AuditUnavailableError] * 5
        with pytest.raises(AuditUnavailableError):
            await log.append({"n": 5})
        assert await log.check() == "cannot be written"
        disk.fault = None
        await log.append({"n": 6})
        assert await log.check() is None
    assert records(path)[-1] == {"n": 6}


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow over 4,096 bytes: the kernel writes up to there, as on a disk that fills up.

    Not a fixture: it would still hold when pytest writes its own output, which may be a file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


async def test_a_record_torn_by_a_full_disk_is_never_acknowledged_nor_merged_with_the_next(path: Path) -> None:
    with small_files():
        acknowledged = await fill(path)
    assert acknowledged == [0, 1, 2]
    assert linked(path)
    assert [record["n"] for record in records(path)] == [0, 1, 2, "short"]


async def fill(path: Path) -> list[int]:
    """The numbers of the long records that were acknowledged; then a short one is appended."""
    async with log_at(path) as log:
        acknowledged = []
        for n in range(9):
            try:
                await log.append({"n": n, "text": "x" * 1_000})
            except AuditUnavailableError:
                continue
            acknowledged.append(n)
        await log.append({"n": "short"})
    return acknowledged


@pytest.fixture(params=[b'{"n": 2', b"x" * 200_000, b'{"n": 2}\0\0\0'], ids=["short", "long", "zeroes"])
def _torn(path: Path, request: pytest.FixtureRequest) -> None:
    """A file as a crash may leave it."""
    path.parent.mkdir()
    _, (line,) = chained(genesis("chain"), [b'{"n":1}'])
    path.write_bytes(line + b"\n" + request.param)


@pytest.mark.usefixtures("_torn")
async def test_a_line_torn_by_a_crash_is_gone_after_the_next_start(path: Path) -> None:
    async with log_at(path) as log:
        await log.append({"n": 3})
    assert records(path) == [{"n": 1}, {"n": 3}]


async def test_a_second_process_cannot_write_the_same_file(path: Path) -> None:
    async with log_at(path):
        with pytest.raises(AuditUnavailableError):
            await log_at(path).__aenter__()


async def test_a_path_that_cannot_be_written_stops_the_start() -> None:
    with pytest.raises(AuditUnavailableError):
        await log_at(Path("/proc/audit.jsonl")).__aenter__()


async def test_closing_writes_what_waits_and_then_refuses(path: Path) -> None:
    log = log_at(path)
    async with log:
        waiting = [asyncio.create_task(log.append({"n": n})) for n in range(10)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert len(records(path)) == 10
    with pytest.raises(AuditUnavailableError):
        await log.append({"n": 11})


async def test_a_crash_at_any_byte_of_a_record_loses_none_before_it_and_the_log_goes_on(path: Path) -> None:
    async with log_at(path) as log:
        for n in range(3):
            await log.append({"n": n, "text": "\N{HORIZONTAL ELLIPSIS}"})
    whole = path.read_bytes()
    begins = whole.rindex(b"\n", 0, -1) + 1
    for length in range(begins, len(whole)):
        path.write_bytes(whole[:length])
        async with log_at(path) as log:
            await log.append({"n": "after"})
        assert [record["n"] for record in records(path)] == [0, 1, "after"]
        assert linked(path)


async def test_a_crash_at_any_byte_of_the_very_first_record_leaves_a_log_that_begins(path: Path) -> None:
    async with log_at(path) as log:
        await log.append({"n": 0})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        async with log_at(path) as log:
            await log.append({"n": "after"})
        assert [record["n"] for record in records(path)] == ["after"]
        assert linked(path)


async def test_a_crash_between_rotating_and_the_next_record_breaks_no_chain(path: Path) -> None:
    async with log_at(path) as log:
        await log.append({"n": 0})
    path.rename(path.with_name("audit.jsonl.000000000001"))
    async with log_at(path) as log:
        await log.append({"n": 1})
    assert [part.first for part in parts(path)] == [1, 2]
    assert linked(path)


async def test_a_record_that_is_no_link_of_a_chain_stops_the_start_and_is_not_written_over(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"n":1}\n')
    with pytest.raises(AuditUnavailableError):
        await log_at(path).__aenter__()
    assert path.read_bytes() == b'{"n":1}\n'


APPENDER = """
import asyncio, itertools, os, sys
from pathlib import Path
from gateway.audit.chain import chained, genesis, read_link
from gateway.audit.files import FileSink, Rotation, parts
from gateway.audit.log import AuditLog

numbers = itertools.count()

async def appends(log):
    for n in numbers:
        await log.append({"n": n, "text": "x" * (n % 300)})
        os.write(1, b"%d\\n" % n)

async def main():
    async with AuditLog(FileSink(Path(sys.argv[1]), 'chain', Rotation(10_000, 86_400))) as log:
        await asyncio.gather(*(appends(log) for _ in range(20)))

asyncio.run(main())
"""


def test_kill_9_loses_no_record_that_was_acknowledged(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", APPENDER, path], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(300)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    asyncio.run(append(path, {"n": "after"}))
    kept = [record["n"] for part in parts(path) for record in records(part.path)]
    assert set(acknowledged) <= set(kept)
    assert linked(path)
    assert len(parts(path)) > 1  # it was killed among rotations
    assert kept[-1] == "after"


async def append(path: Path, record: dict[str, Any]) -> None:
    async with log_at(path) as log:
        await log.append(record)


async def test_a_log_that_is_moved_away_is_begun_anew_under_its_name(path: Path) -> None:
    async with log_at(path) as log:
        await log.append({"n": 1})
        path.rename(path.with_suffix(".old"))
        await log.append({"n": 2})
    assert records(path.with_suffix(".old")) == [{"n": 1}]
    assert records(path) == [{"n": 2}]
    (line,) = path.read_bytes().splitlines()
    assert line.startswith(b'{"number":2,')  # the chain goes on


async def test_a_log_that_could_not_keep_a_record_is_not_ready_until_it_keeps_one(path: Path) -> None:
    with small_files():
        async with log_at(path) as log:
            with pytest.raises(AuditUnavailableError):
                await log.append({"text": "x" * 5_000})
            assert await log.check() is not None
            await log.append({"n": 1})
            assert await log.check() is None
