"""Agencies that bear fewer calls at once than there are processes, over real sockets, files and a real store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from connectors.agreement import open_agreement
from connectors.cache import RowCache
from connectors.contract import FailureCode, Outcome
from connectors.errors import ConnectionNotConfigured, NotSent
from connectors.kindness.share import Share
from connectors.manifest_file import load_manifest
from connectors.open_agency import OpenAgency, open_agency, origin_of
from connectors.pace_store import StorePace
from connectors.place_store import PlaceStore, StorePlaces
from connectors.row_store import open_store
from connectors.seal import Seal
from connectors.second_level import SecondLevel
from connectors.settings import SupplySettings
from connectors.supply import AgencySupply
from tests.connectors.redis_server import KEY, RedisServer
from tests.connectors.support import CODES, LOOPBACK, SHAPES, Agency, Asked, ask
from tests.waiting import until

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    concurrency: 1
    retries: {most: 0}
    datasets:
      - record: Penalty
        timeToLive: 0
        request: {path: "/companies/{key}"}
        fields: {documentNumber: number}
"""
SHORT = 0.3
SLACK = 0.6
"""Seconds for what clocks and networks do, in place of the two that real ones may need."""
SLIGHTLY = 0.1
"""Seconds of which clocks and a busy machine may cheat."""
IN_TIME = 30.0


class Gate:
    """Holds an agency's calls until they are let through."""

    def __init__(self, agency: Agency) -> None:
        self._open = asyncio.Event()
        self._agency = agency
        agency.answer = self._answer

    async def _answer(self, _: Asked) -> Any:
        await self._open.wait()
        return [{"number": "1"}]

    async def reached_by(self, number: int) -> None:
        await until(self._is_reached_by(number))

    def _is_reached_by(self, number: int) -> Callable[[], Awaitable[bool]]:
        async def reached() -> bool:
            return self._agency.under_way >= number

        return reached

    def open(self) -> None:
        self._open.set()


async def fared(supply: AgencySupply, seconds: float = IN_TIME, company: int = 0) -> Outcome | FailureCode:
    (rows,) = (await ask(supply, [CODES[company]], seconds=seconds)).values()
    return rows.failure or rows.outcome


async def all_of(supplies: Sequence[AgencySupply], times: int = 6) -> list[Outcome | FailureCode]:
    """How each of these fares that is asked about so many companies at once."""
    return await asyncio.gather(*(fared(supply, IN_TIME, number) for supply in supplies for number in range(times)))


async def quick(_: Asked) -> Any:
    await asyncio.sleep(0.005)
    return [{"number": "1"}]


@pytest.fixture(autouse=True)
def little_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.place_store.SLACK", SLACK)


@pytest.fixture
def redis_opens(open_one: Any, agency: Agency, redis: RedisServer) -> Callable[..., Awaitable[AgencySupply]]:
    """Opens the supply of a process, with the store that all of them share."""

    async def opened(share: Share, manifest: str = MANIFEST, **settings: Any) -> AgencySupply:
        chosen = {"second_level": redis.level(), "longest": SHORT, **settings}
        supply: AgencySupply = await open_one(manifest, agency.address, share=share, **chosen)
        return supply

    return opened


@pytest.mark.parametrize(("workers", "instances", "bears", "most"), [(3, 1, 1, 1), (4, 1, 3, 3), (3, 2, 5, 4)])
async def test_workers_lend_each_other_the_places_of_their_instance(  # noqa: PLR0913, PLR0917  (a table's columns, and fixtures)
    agency: Agency, open_one: Any, tmp_path: Path, workers: int, instances: int, bears: int, most: int
) -> None:
    agency.answer = quick
    supplies = []
    for instance in range(instances):
        places = tmp_path / str(instance)
        places.mkdir()
        for number in range(1, workers + 1):
            share = Share.of_worker(number, workers, instances)
            text = MANIFEST.replace("concurrency: 1", f"concurrency: {bears}")
            supplies.append(await open_one(text, agency.address, share=share, places=places))
    assert set(await all_of(supplies)) == {Outcome.ANSWERED}
    assert agency.most_under_way <= most
    gate = Gate(agency)
    asking = [asyncio.create_task(fared(supply)) for supply in supplies]
    await gate.reached_by(most)
    gate.open()
    await asyncio.gather(*asking)
    assert agency.most_under_way == most


async def test_instances_lend_each_other_places_in_the_store_they_share(
    agency: Agency, redis_opens: Callable[..., Awaitable[AgencySupply]], tmp_path: Path
) -> None:
    agency.answer = quick
    supplies = []
    for instance in range(3):
        places = tmp_path / str(instance)
        places.mkdir()
        for number in (1, 2):
            share = Share.of_worker(number, 2, 3)
            text = MANIFEST.replace("concurrency: 1", "concurrency: 2")
            supplies.append(await redis_opens(share, text, places=places))
    assert set(await all_of(supplies, 4)) == {Outcome.ANSWERED}
    assert agency.most_under_way == 2


async def test_a_place_that_nobody_gives_back_comes_back_when_its_call_must_have_ended(
    agency: Agency, redis_opens: Callable[..., Awaitable[AgencySupply]], redis: RedisServer
) -> None:
    agency.answer = quick
    supply = await redis_opens(Share(1, 2, 2))
    assert await fared(supply) is Outcome.ANSWERED
    (name,) = [key for key in await redis.command("KEYS", "*") if await redis.command("TYPE", key) == b"zset"]
    ends = int((await redis.command("TIME"))[0]) + 2
    await redis.command("ZADD", name, ends * 1_000, "of a process that was killed")
    assert await fared(supply) is Outcome.ANSWERED
    assert int((await redis.command("TIME"))[0]) >= ends


async def test_a_call_that_is_cancelled_gives_its_place_back(
    agency: Agency, redis_opens: Callable[..., Awaitable[AgencySupply]]
) -> None:
    first, second = [await redis_opens(Share(number, 2, 2)) for number in (1, 2)]
    gate = Gate(agency)
    asking = asyncio.create_task(fared(first))
    await gate.reached_by(1)
    waiting = asyncio.create_task(fared(second))
    asking.cancel()
    gate.open()
    assert await waiting is Outcome.ANSWERED
    assert agency.most_under_way == 1


async def test_while_the_store_does_not_answer_nobody_gets_a_place(
    agency: Agency, redis_opens: Callable[..., Awaitable[AgencySupply]], redis: RedisServer
) -> None:
    agency.answer = quick
    supplies = [await redis_opens(Share(number, 2, 2)) for number in (1, 2)]
    assert await fared(supplies[0]) is Outcome.ANSWERED
    asked = len(agency.asked)
    redis.kill()
    assert await all_of(supplies, 2) == [FailureCode.AGENCY_OVERLOADED] * 4
    assert len(agency.asked) == asked
    assert supplies[0].agencies["court"].counts.refused.places == 2


async def test_a_store_that_was_emptied_lends_nothing_until_what_was_under_way_must_have_ended(
    agency: Agency, redis_opens: Callable[..., Awaitable[AgencySupply]], redis: RedisServer
) -> None:
    first, second = [await redis_opens(Share(number, 2, 2)) for number in (1, 2)]
    gate = Gate(agency)
    asking = asyncio.create_task(fared(first))
    await gate.reached_by(1)
    await redis.command("FLUSHALL")
    assert await fared(second, SLACK / 2) is FailureCode.AGENCY_OVERLOADED
    assert agency.under_way == 1
    gate.open()
    assert await asking is Outcome.ANSWERED
    assert await fared(second) is Outcome.ANSWERED


@asynccontextmanager
async def lenders(redis: RedisServer, number: int) -> AsyncIterator[list[StorePlaces]]:
    """So many processes that lend each other one place at an agency."""
    trips = [open_agreement(redis.address, {}) for _ in range(number)]
    stores = [PlaceStore(one) for one in trips]
    await redis.command("ZADD", "loans", "+inf", "known")
    yield [StorePlaces(store, [b"loans", b"turn"], 1, SHORT) for store in stores]
    for store, one in zip(stores, trips, strict=True):
        await store.close()
        await one.close()


async def test_whoever_waits_gets_the_place_before_the_one_who_gives_it_back_does_again(redis: RedisServer) -> None:
    given: list[str] = []
    loop = asyncio.get_running_loop()

    async def take(places: StorePlaces, name: str) -> None:
        give_back = await places.lend(loop.time() + IN_TIME)
        given.append(name)
        give_back()

    async def waits() -> bool:
        return bool(await redis.command("EXISTS", "turn"))

    async with lenders(redis, 2) as (greedy, patient):
        give_back = await greedy.lend(loop.time() + IN_TIME)
        waiting = asyncio.create_task(take(patient, "waited"))
        await until(waits)
        give_back()
        await take(greedy, "again")
        await waiting
    assert given == ["waited", "again"]


async def test_who_gives_up_keeps_neither_place_nor_turn(redis: RedisServer) -> None:
    loop = asyncio.get_running_loop()
    async with lenders(redis, 2) as (first, second):
        give_back = await first.lend(loop.time() + IN_TIME)
        with pytest.raises(NotSent):
            await second.lend(loop.time() + SHORT)
        give_back()
    assert await redis.command("KEYS", "*") == [b"loans"]
    assert await redis.command("ZRANGE", "loans", 0, -1) == [b"known"]


@pytest.mark.parametrize(("workers", "instances", "bears"), [(1, 2, 1), (1, 3, 2), (4, 3, 2)])
async def test_instances_that_cannot_lend_each_other_places_do_not_open_the_agency(
    open_one: Any, tmp_path: Path, workers: int, instances: int, bears: int
) -> None:
    share = Share.of_worker(1, workers, instances)
    text = MANIFEST.replace("concurrency: 1", f"concurrency: {bears}")
    with pytest.raises(ConnectionNotConfigured) as refused:
        await open_one(text, "http://127.0.0.1:9", share=share, places=tmp_path)
    (reason,) = refused.value.reasons
    assert reason.startswith(f"agency court: it bears too few calls, {bears} at once")
    assert f"{instances} instances" in reason
    assert "XINQIAO_CACHE_URL" in reason


async def test_instances_that_cannot_share_a_rate_do_not_open_the_agency(open_one: Any) -> None:
    text = MANIFEST.replace("concurrency: 1", "concurrency: 8\n    rate: {second: 5, minute: 2}")
    with pytest.raises(ConnectionNotConfigured, match=r"2 in a minute \(rate\), to divide them among 3 instances"):
        await open_one(text, "http://127.0.0.1:9", share=Share(1, 3, 3))


async def test_instances_share_a_rate_that_they_cannot_divide(
    agency: Agency, redis_opens: Callable[..., Awaitable[AgencySupply]]
) -> None:
    agency.answer = quick
    text = MANIFEST.replace("concurrency: 1", "concurrency: 3\n    rate: {second: 2}")
    supplies = [await redis_opens(Share(number, 3, 3), text, longest=IN_TIME) for number in (1, 2, 3)]
    began = asyncio.get_running_loop().time()
    assert await all_of(supplies, 2) == [Outcome.ANSWERED] * 6
    # The store knew nothing: a call may have left just before.
    assert asyncio.get_running_loop().time() - began >= 6 * 0.5
    assert await all_of(supplies, 1) == [Outcome.ANSWERED] * 3


async def test_while_the_store_does_not_answer_no_call_leaves_by_a_rate_that_instances_share(
    agency: Agency, redis_opens: Callable[..., Awaitable[AgencySupply]], redis: RedisServer
) -> None:
    agency.answer = quick
    text = MANIFEST.replace("concurrency: 1", "concurrency: 2\n    rate: {minute: 1}")
    supply = await redis_opens(Share(1, 2, 2), text)
    assert await fared(supply) is FailureCode.AGENCY_OVERLOADED
    redis.kill()
    assert await fared(supply) is FailureCode.AGENCY_OVERLOADED
    assert (len(agency.asked), supply.agencies["court"].counts.refused.rate) == (0, 2)


async def test_turns_are_given_one_after_the_other_and_what_would_come_too_late_is_refused_at_once(
    redis: RedisServer,
) -> None:
    trips, loop = open_agreement(redis.address, {}), asyncio.get_running_loop()
    one, other = [StorePace(trips, b"due", 0.2, 60.0) for _ in range(2)]
    began = loop.time()
    await asyncio.gather(*(pace.wait(began + IN_TIME) for pace in (one, other, one, other)))
    assert loop.time() - began >= 4 * 0.2
    due = (await redis.command("TIME"))[0] + 50
    await redis.command("SET", "due", due * 1_000)
    with pytest.raises(NotSent, match="rate is used up"):
        await one.wait(loop.time() + 20)
    assert (await redis.command("TIME"))[0] < due - 20
    assert int(await redis.command("GET", "due")) == due * 1_000
    await trips.close()


async def test_turns_that_were_missed_while_the_process_stood_still_are_not_had_all_at_once(redis: RedisServer) -> None:
    trips, loop = open_agreement(redis.address, {}), asyncio.get_running_loop()
    await redis.command("SET", "due", 0)
    seconds, microseconds = await redis.command("TIME")
    first = seconds * 1_000 + microseconds // 1_000
    pace, left = StorePace(trips, b"due", 0.2, 60.0), []

    async def leave() -> None:
        await pace.wait(loop.time() + IN_TIME)
        left.append(loop.time())

    leaving = [asyncio.create_task(leave()) for _ in range(4)]
    await leaving[0]

    async def reserved() -> bool:
        return int(await redis.command("GET", "due")) > first + 3 * 200

    await until(reserved)
    time.sleep(0.85)  # noqa: ASYNC251  (the process stands still)
    await asyncio.gather(*leaving)
    assert left[-1] - left[1] >= 2 * 0.2 - SLIGHTLY
    await trips.close()


async def test_a_store_whose_clock_is_set_back_gives_turns_again_within_the_time_that_a_request_has(
    redis: RedisServer,
) -> None:
    trips, loop = open_agreement(redis.address, {}), asyncio.get_running_loop()
    await redis.command("SET", "due", ((await redis.command("TIME"))[0] + 86_400) * 1_000)
    await StorePace(trips, b"due", 0.2, 0.3).wait(loop.time() + IN_TIME)
    await trips.close()


async def test_a_changed_manifest_lends_what_was_divided_and_divides_what_was_lent(
    agency: Agency, redis: RedisServer, tmp_path: Path
) -> None:
    """Two instances of one worker, of which each takes up the change at its own time, with a call under way."""
    level = SecondLevel(open_store(redis.address, {}, 10.0), open_agreement(redis.address, {}), Seal(KEY))
    settings = [
        SupplySettings(
            {"ADDRESS": agency.address}, reach=LOOPBACK, share=Share(n, 2, 2), second_level=redis.level(), longest=SHORT
        )
        for n in (1, 2)
    ]
    opened: list[list[OpenAgency]] = [[], []]

    async def change(number: int, bears: int) -> AgencySupply:
        path = tmp_path / "court.yaml"
        path.write_text(dedent(MANIFEST.replace("concurrency: 1", f"concurrency: {bears}")), encoding="utf-8")
        origin, before = origin_of(load_manifest(path, SHAPES), SHAPES, settings[number]), opened[number]
        bounds = before[-1].bounds if before else None
        before.append(await open_agency(origin, settings[number], bounds, level))
        before[-1].bind()
        return AgencySupply(before[-1:], RowCache(10))

    try:
        divided = [await change(number, 2) for number in (0, 1)]
        gate = Gate(agency)
        asking = [asyncio.create_task(fared(supply)) for supply in divided]
        await gate.reached_by(2)
        lent = [await change(number, 1) for number in (0, 1)]
        assert [await fared(supply, SHORT) for supply in lent] == [FailureCode.AGENCY_OVERLOADED] * 2
        gate.open()
        await asyncio.gather(*asking)
        assert agency.most_under_way == 2
        agency.answer, agency.most_under_way = quick, 0
        # Also what still asks by the supply of before.
        assert set(await all_of([*lent, *divided], 4)) == {Outcome.ANSWERED}
        assert agency.most_under_way == 1
        gate = Gate(agency)
        asking = [asyncio.create_task(fared(lent[0]))]
        await gate.reached_by(1)
        asking += [asyncio.create_task(fared(supply)) for supply in [await change(number, 2) for number in (0, 1)]]
        await gate.reached_by(2)
        gate.open()
        assert await asyncio.gather(*asking) == [Outcome.ANSWERED] * 3
        assert agency.most_under_way == 2
    finally:
        for one in (one for every in opened for one in every):
            await one.close()
        await level.close()
