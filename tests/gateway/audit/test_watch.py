from __future__ import annotations

import pytest

from gateway.audit.files import FileSink, Rotation
from gateway.audit.log import AuditLog
from gateway.audit.watch import SPARE_SECONDS, CheckpointWatch


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_a_log_that_comes_under_no_checkpoint_is_not_ready_until_it_does(installation, clock) -> None:
    sink = FileSink(installation.path, "test", Rotation(1 << 30, 1e9))
    async with AuditLog(sink) as log:
        watch = CheckpointWatch("test", log, installation.books().ledger, installation.keys, 10.0, clock)
        assert await watch.check() is None
        clock.now = 1_000.0
        assert await watch.check() is None  # nothing new
        await log.append({"n": 1})
        assert await watch.check() is None
        clock.now += 10.0 + SPARE_SECONDS
        assert await watch.check() is None
        clock.now += 0.1
        assert await watch.check() == "no checkpoint is made"
        await installation.certify()
        assert await watch.check() is None
        await log.append({"n": 2})
        clock.now += 1_000.0
        assert await watch.check() is None  # it may have come this moment
        await installation.certify()
        await log.append({"n": 3})
        for _ in range(2):
            clock.now += 60.0
            assert await watch.check() is None  # this one has waited for less


async def test_a_checkpoint_that_cannot_be_read_is_no_checkpoint(installation, clock, make_key, key_set) -> None:
    await installation.write(1)
    await installation.certify()
    sink = FileSink(installation.path, "test", Rotation(1 << 30, 1e9))
    async with AuditLog(sink) as log:
        watch = CheckpointWatch("test", log, installation.books().ledger, key_set(make_key()), 10.0, clock)
        assert await watch.check() == "the last checkpoint cannot be read"
