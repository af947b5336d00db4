"""What the gateway stands on goes away and comes back: the cache, the store of policies, the disk under the audit."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.resources import files as files_of
from pathlib import Path
from typing import Protocol

import asyncpg
import pytest

from gateway.audit.database import DatabaseArchive
from gateway.audit.ledger import FileLedger
from gateway.audit.notary import Books
from gateway.audit.verify import verify
from policies.load import read_directory
from policies.store.initial import initialise
from policies.store.open import open_store
from tests.connectors.redis_server import RedisServer
from tests.connectors.support import CODES
from tests.faults.agency import agency
from tests.faults.callers import gateway_over_one
from tests.faults.installation import COMMAND, Gateway, penalties, serving
from tests.faults.relay import relay, relay_to_postgresql
from tests.waiting import until

ASKED = [str(code) for code in CODES[:3]]
ROOM = 20_000
LIMIT = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM}, resource.RLIM_INFINITY))"
IN_LITTLE_ROOM = [sys.executable, "-c", f"{LIMIT}; from gateway.cli import app; app()", *COMMAND[3:]]


class Door(Protocol):
    async def __call__(self, *, open_: bool) -> None: ...


async def begin_policies(address: str) -> None:
    store = await open_store(address)
    files = read_directory(Path(str(files_of("policies"))))
    await initialise(store, files, by="policy-office", why="The first rules.", at=datetime.now(UTC))
    await store.close()


@asynccontextmanager
async def door_of(name: str, beside: str) -> AsyncIterator[Door]:
    """Shuts and opens a database's door, from the database beside it; whoever is inside is thrown out."""
    connection = await asyncpg.connect(beside)

    async def is_open(*, open_: bool) -> None:
        await connection.execute(f"alter database {name} allow_connections {open_}")
        if not open_:
            await connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)

    try:
        yield is_open
    finally:
        await connection.close()


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
    settings = {"XINQIAO_POLICIES": store, "XINQIAO_POLICY_MAX_STALENESS": "1"}
    await begin_policies(store)
    async with agency() as inspectors, door_of("lost_policies", make_database("beside")) as door:
        suppliers = [penalties("zhejiang-penalties", inspectors.url)]
        async with serving(tmp_path, suppliers, **settings) as gateway:

            async def unready() -> bool:
                return not (await gateway.ready())["ready"]

            async def ready() -> bool:
                return bool((await gateway.ready())["ready"])

            assert await ready()
            assert await is_whole(gateway)
            await door(open_=False)
            await until(unready)
            # What is public is public still.
            assert await is_whole(gateway)
            await door(open_=True)
            await until(ready)


async def test_a_store_of_policies_that_goes_silent_is_a_store_that_is_gone(
    tmp_path: Path, make_database: Callable[[str], str]
) -> None:
    address = make_database("silent_policies")
    await begin_policies(address.replace("postgresql://", "postgresql+asyncpg://"))
    async with relay_to_postgresql(address) as (way, store), agency() as inspectors:
        suppliers = [penalties("zhejiang-penalties", inspectors.url)]
        settings = {"XINQIAO_POLICIES": store, "XINQIAO_POLICY_MAX_STALENESS": "1"}
        async with serving(tmp_path, suppliers, **settings) as gateway:

            async def unready() -> bool:
                return not (await gateway.ready())["ready"]

            async def ready() -> bool:
                return bool((await gateway.ready())["ready"])

            await until(ready)
            way.silence()
            await until(unready)
            answer = await gateway.ask(ASKED)
            assert {one["status"] for one in answer.of("penalties")} == {"COMPLETE"}
            assert answer.seconds < 1
            way.restore()
            await until(ready, seconds=60)


async def test_without_the_store_of_quotas_it_counts_for_itself_until_that_is_back(
    tmp_path: Path, redis: RedisServer
) -> None:
    settings = {"XINQIAO_QUOTAS__URL": redis.address, "XINQIAO_QUOTAS__ORGANISATION__REQUESTS": "60"}
    async with gateway_over_one(tmp_path, **settings) as (gateway, _):

        async def refused() -> bool:
            return (await gateway.ask(ASKED)).status == 429

        async def counted() -> bool:
            await gateway.ask(ASKED)
            return bool(await redis.command("KEYS", "xinqiao:quota:rate:*"))

        await until(counted)
        redis.kill()
        answer = await gateway.ask(ASKED)
        assert (answer.status, answer.seconds < 1) == (200, True)
        # Nobody has more than a quota of each instance, and none is kept out.
        await until(refused)
        assert (await gateway.ready())["ready"]
        redis.start()
        await until(counted)


@pytest.mark.parametrize("of_what", ["cache", "quotas"])
async def test_a_store_that_goes_silent_costs_its_deadline_once_and_is_used_again_when_it_is_back(
    tmp_path: Path, redis: RedisServer, of_what: str
) -> None:
    async with relay(lambda: asyncio.open_connection("127.0.0.1", redis.port)) as way, agency() as inspectors:
        suppliers = [penalties("zhejiang-penalties", inspectors.url, time_to_live=1)]
        address = f"redis://127.0.0.1:{way.port}"
        settings = {
            "cache": {"XINQIAO_CACHE_URL": address},
            "quotas": {"XINQIAO_QUOTAS__URL": address, "XINQIAO_QUOTAS__ORGANISATION__REQUESTS": "60000"},
        }
        async with serving(tmp_path, suppliers, **settings[of_what]) as gateway:

            async def used() -> bool:
                await redis.command("FLUSHALL")
                await gateway.ask(ASKED)
                return bool(await redis.command("DBSIZE"))

            await until(used)
            way.silence()
            answers = [await gateway.ask([str(code) for code in CODES[10:20]]) for _ in range(10)]
            assert {one["status"] for answer in answers for one in answer.of("penalties")} == {"COMPLETE"}
            assert sum(answer.seconds for answer in answers) < 2
            assert (await gateway.ready())["ready"]
            way.restore()
            await until(used)


@pytest.mark.parametrize("goes", ["away", "silent"])
async def test_without_the_database_of_the_audit_nothing_is_answered_until_it_is_back(
    tmp_path: Path, make_database: Callable[[str], str], goes: str
) -> None:
    address = make_database(f"audit_{goes}")
    beside = make_database(f"beside_audit_{goes}")
    async with relay_to_postgresql(address) as (way, log), door_of(f"audit_{goes}", beside) as door:
        settings = {"XINQIAO_AUDIT__DATABASE": log, "XINQIAO_AUDIT__INSTANCE": "here"}
        async with gateway_over_one(tmp_path, **settings) as (gateway, _):
            answered = 0

            async def answers() -> bool:
                nonlocal answered
                whole = (await gateway.ask(ASKED, milliseconds=500)).status == 200
                answered += whole
                return whole

            for _ in range(20):
                assert await answers()
            if goes == "away":
                await door(open_=False)
            else:
                way.silence()
            refused = await gateway.ask(ASKED, milliseconds=500)
            assert (refused.status, refused.json.get("data")) == (503, None)
            assert refused.seconds < 10
            assert not (await gateway.ready())["ready"]
            if goes == "away":
                await door(open_=True)
            else:
                way.restore()
            await until(answers, seconds=60)
            assert (await gateway.ready())["ready"]
        # Each of those that were answered is in it, and the chain has no gap.
        books = Books(DatabaseArchive(log, "here"), FileLedger(tmp_path / "none"), {})
        report = await verify("here", books, None)
        await books.archive.close()
        assert report.findings == ()
        (chain,) = report.chains
        assert chain.last >= answered


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
