"""What the gateway stands on goes away and comes back: the cache, the store of policies, the disk under the audit."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files as files_of
from pathlib import Path

import asyncpg

from policies.load import read_directory
from policies.store.initial import initialise
from policies.store.open import open_store
from tests.connectors.redis_server import RedisServer
from tests.connectors.support import CODES
from tests.faults.agency import agency
from tests.faults.installation import COMMAND, Gateway, penalties, serving
from tests.waiting import until

ASKED = [str(code) for code in CODES[:3]]
ROOM = 20_000
LIMIT = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM}, resource.RLIM_INFINITY))"
IN_LITTLE_ROOM = [sys.executable, "-c", f"{LIMIT}; from gateway.cli import app; app()", *COMMAND[3:]]


async def begin_policies(address: str) -> None:
    store = await open_store(address)
    files = read_directory(Path(str(files_of("policies"))))
    await initialise(store, files, by="policy-office", why="The first rules.", at=datetime.now(UTC))
    await store.close()


async def is_whole(gateway: Gateway) -> bool:
    return {one["status"] for one in (await gateway.ask(ASKED)).of("penalties")} == {"COMPLETE"}


async def test_without_the_second_level_of_the_cache_agencies_are_asked_until_it_is_back(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with agency() as inspectors:
        suppliers = [penalties("zhejiang-penalties", inspectors.url, time_to_live=1)]
        async with serving(tmp_path, suppliers, XINQIAO_CACHE_URL=redis.address) as gateway:
            assert await is_whole(gateway)
            await redis.holds(len(ASKED))
            redis.kill()
            answer = await gateway.ask([str(code) for code in CODES[10:20]])
            assert {one["status"] for one in answer.of("penalties")} == {"COMPLETE"}
            assert answer.seconds < 1
            assert (await gateway.ready())["ready"]
            redis.start()

            async def kept_again() -> bool:
                await gateway.ask(ASKED)
                return bool(await redis.entries())

            await until(kept_again)


async def test_without_the_store_of_policies_it_goes_on_goes_unready_and_comes_back(
    tmp_path: Path, make_database: Callable[[str], str]
) -> None:
    address = make_database("lost_policies")
    store = address.replace("postgresql://", "postgresql+asyncpg://")
    other = await asyncpg.connect(make_database("beside"))
    settings = {"XINQIAO_POLICIES": store, "XINQIAO_POLICY_MAX_STALENESS": "1"}
    await begin_policies(store)
    async with agency() as inspectors:
        suppliers = [penalties("zhejiang-penalties", inspectors.url)]
        async with serving(tmp_path, suppliers, **settings) as gateway:

            async def unready() -> bool:
                return not (await gateway.ready())["ready"]

            async def ready() -> bool:
                return bool((await gateway.ready())["ready"])

            assert await ready()
            assert await is_whole(gateway)
            await other.execute("alter database lost_policies allow_connections false")
            await other.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname='lost_policies'")
            await until(unready)
            # What is public is public still.
            assert await is_whole(gateway)
            await other.execute("alter database lost_policies allow_connections true")
            await until(ready)
    await other.close()


async def test_where_the_disk_under_the_audit_is_full_nothing_is_answered_until_there_is_room(tmp_path: Path) -> None:
    async with agency() as inspectors:
        suppliers = [penalties("zhejiang-penalties", inspectors.url)]
        async with serving(tmp_path, suppliers, command=IN_LITTLE_ROOM) as gateway:
            answered = 0

            async def refused() -> bool:
                nonlocal answered
                status = (await gateway.ask(ASKED)).status
                answered += status == 200
                # A shorter record, of a request that was not answered, may still find room.
                return status == 503 and not (await gateway.ready())["ready"]

            await until(refused)
            assert answered > 0
            # Each of those that were answered is in it, and can be read.
            lines = gateway.audit.read_bytes().split(b"\n")
            assert len(lines) - 1 >= answered
            pid = gateway.process.pid
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

            async def answers() -> bool:
                return (await gateway.ask(ASKED)).status == 200

            await until(answers)
            assert len(gateway.audited()) > answered
