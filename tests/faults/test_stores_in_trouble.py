"""What the gateway stands on goes away and comes back: the cache, the store of policies, the disk under the audit."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files as files_of
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from gateway.audit.database import DatabaseArchive
from gateway.audit.ledger import FileLedger
from gateway.audit.notary import Books
from gateway.audit.verify import verify
from policies.load import read_directory
from policies.store.initial import initialise
from policies.store.open import open_store
from tests.connectors.redis_server import RedisServer, running_redis
from tests.connectors.support import CODES
from tests.faults.agency import agency
from tests.faults.callers import ASKED, gateway_over_one
from tests.faults.installation import COMMAND, Gateway, penalties, serving
from tests.faults.relay import Relay, relay, relay_to_postgresql
from tests.waiting import until

OTHERS = [str(code) for code in CODES[10:20]]
ROOM = 20_000
LIMIT = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM}, resource.RLIM_INFINITY))"
IN_LITTLE_ROOM = [sys.executable, "-c", f"{LIMIT}; from gateway.cli import app; app()", *COMMAND[3:]]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Database:
    """A database, and the way to it, by which it has this address. `beside` is a connection to another one."""

    name: str
    address: str
    way: Relay
    beside: asyncpg.Connection

    @asynccontextmanager
    async def gone(self, where: str) -> AsyncIterator[None]:
        """It is shut and whoever is inside thrown out, or it is silent."""
        if where == "away":
            await self._is_open(open_=False)
            await self.beside.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", self.name
            )
        else:
            self.way.silence()
        try:
            yield
        finally:
            await self._is_open(open_=True)
            self.way.restore()

    async def _is_open(self, *, open_: bool) -> None:
        await self.beside.execute(f"alter database {self.name} allow_connections {open_}")


@dataclass(frozen=True)
class Redis:
    """A Redis, and the way to it."""

    server: RedisServer
    way: Relay

    @property
    def address(self) -> str:
        return f"redis://127.0.0.1:{self.way.port}"


@dataclass(frozen=True)
class Stores:
    """What a gateway stands on that has everything, each behind a way of its own."""

    cache: Redis
    quotas: Redis
    policies: Database
    audit: Database


async def begin_policies(address: str) -> None:
    store = await open_store(address)
    files = read_directory(Path(str(files_of("policies"))))
    await initialise(store, files, by="policy-office", why="The first rules.", at=datetime.now(UTC))
    await store.close()


@asynccontextmanager
async def far_redis() -> AsyncIterator[Redis]:
    async with running_redis() as server, relay(lambda: asyncio.open_connection("127.0.0.1", server.port)) as way:
        yield Redis(server, way)


@asynccontextmanager
async def far_database(name: str, make: Callable[[str], str], beside: asyncpg.Connection) -> AsyncIterator[Database]:
    async with relay_to_postgresql(make(name)) as (way, address):
        yield Database(name, address, way, beside)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stores(make_database: Callable[[str], str]) -> AsyncIterator[Stores]:
    beside = await asyncpg.connect(make_database("beside"))
    async with (
        far_redis() as cache,
        far_redis() as quotas,
        far_database("policies", make_database, beside) as policies,
        far_database("audit", make_database, beside) as audit,
    ):
        await begin_policies(policies.address)
        yield Stores(cache, quotas, policies, audit)
    await beside.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, stores: Stores) -> AsyncIterator[Gateway]:
    """A gateway that has all of them. A trip to a Redis may take long, and a policy be old enough for a heartbeat."""
    settings = {
        "XINQIAO_CACHE_URL": stores.cache.address,
        "XINQIAO_CACHE_DEADLINE": "1",
        "XINQIAO_QUOTAS__URL": stores.quotas.address,
        "XINQIAO_QUOTAS__DEADLINE": "1",
        "XINQIAO_QUOTAS__ORGANISATION__REQUESTS": "60000",
        "XINQIAO_POLICIES": stores.policies.address,
        "XINQIAO_POLICY_MAX_STALENESS": "10",
        "XINQIAO_AUDIT__DATABASE": stores.audit.address,
        "XINQIAO_AUDIT__INSTANCE": "here",
    }
    async with agency() as inspectors:
        suppliers = [penalties("zhejiang-penalties", inspectors.url, time_to_live=1)]
        async with serving(tmp_path_factory.mktemp("stores"), suppliers, **settings) as running:
            yield running


async def seconds_of_ten_answers(gateway: Gateway) -> float:
    """One after the other, each of which is whole."""
    answers = [await gateway.ask([code]) for code in OTHERS]
    assert {one["status"] for answer in answers for one in answer.of("penalties")} == {"COMPLETE"}
    return sum(answer.seconds for answer in answers)


async def is_whole(gateway: Gateway) -> bool:
    return {one["status"] for one in (await gateway.ask(ASKED)).of("penalties")} == {"COMPLETE"}


@pytest.mark.parametrize("where", ["away", "silent"])
async def test_without_the_store_of_policies_it_goes_on_goes_unready_and_comes_back(
    gateway: Gateway, stores: Stores, where: str
) -> None:
    async def ready() -> bool:
        return bool((await gateway.ready())["ready"])

    async def unready() -> bool:
        return not await ready()

    assert await ready()
    async with stores.policies.gone(where):
        assert await seconds_of_ten_answers(gateway) < 8
        await until(unready)
        # What is public is public still.
        assert await is_whole(gateway)
    await until(ready, seconds=60)


@pytest.mark.parametrize("which", ["cache", "quotas"])
async def test_a_store_that_goes_silent_costs_its_deadline_once_and_is_used_again_when_it_is_back(
    gateway: Gateway, stores: Stores, which: str
) -> None:
    store = {"cache": stores.cache, "quotas": stores.quotas}[which]

    async def used() -> bool:
        await store.server.command("FLUSHALL")
        await gateway.ask(ASKED)
        return bool(await store.server.command("DBSIZE"))

    await until(used)
    store.way.silence()
    try:
        seconds = await seconds_of_ten_answers(gateway)
        assert (await gateway.ready())["ready"]
    finally:
        store.way.restore()
    # Ten deadlines are ten seconds.
    assert 1 <= seconds < 8
    await until(used)


@pytest.mark.parametrize("where", ["away", "silent"])
async def test_without_the_database_of_the_audit_nothing_is_answered_until_it_is_back(
    gateway: Gateway, stores: Stores, where: str
) -> None:
    async def answers() -> bool:
        return (await gateway.ask(ASKED, milliseconds=500)).status == 200

    async def recorded() -> int:
        """How many records there are, in a chain that has no gap."""
        books = Books(DatabaseArchive(stores.audit.address, "here"), FileLedger(Path("none")), {})
        report = await verify("here", books, None)
        await books.archive.close()
        assert report.findings == ()
        (chain,) = report.chains
        return chain.last

    assert await is_whole(gateway)
    before = await recorded()
    for _ in range(20):
        assert await is_whole(gateway)
    async with stores.audit.gone(where):
        refused = await gateway.ask(ASKED, milliseconds=500)
        assert (refused.status, refused.json.get("data")) == (503, None)
        assert refused.seconds < 10
        assert not (await gateway.ready())["ready"]
    await until(answers, seconds=60)
    assert (await gateway.ready())["ready"]
    # Each of those that were answered is in it.
    assert await recorded() >= before + 21


async def test_without_redis_agencies_are_asked_and_it_counts_for_itself_until_that_is_back(tmp_path: Path) -> None:
    async with running_redis() as redis:
        settings = {
            "XINQIAO_CACHE_URL": redis.address,
            "XINQIAO_QUOTAS__URL": redis.address,
            "XINQIAO_QUOTAS__ORGANISATION__REQUESTS": "300",  # fifty of them may come at once
        }
        async with gateway_over_one(tmp_path, time_to_live=1, **settings) as (gateway, _):

            async def refused() -> bool:
                answers = await asyncio.gather(*(gateway.ask(ASKED) for _ in range(10)))
                return 429 in [answer.status for answer in answers]

            async def used() -> bool:
                await gateway.ask(ASKED)
                rows, counts = [await redis.command("KEYS", f"xinqiao:{kind}:*") for kind in ("rows", "quota:rate")]
                return bool(rows and counts)

            await until(used)
            redis.kill()
            assert await seconds_of_ten_answers(gateway) < 8
            # Nobody has more than a quota of each instance, and none is kept out.
            await until(refused)
            assert (await gateway.ready())["ready"]
            redis.start()
            await until(used)


async def test_where_the_disk_under_the_audit_is_full_nothing_is_answered_until_there_is_room(tmp_path: Path) -> None:
    async with gateway_over_one(tmp_path, IN_LITTLE_ROOM) as (gateway, _):
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
