"""Quotas as they are counted: in memory, and in a real store for several instances."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.errors import ConcurrencyExceededError, RateExceededError, SettingsInvalidError
from gateway.quotas.contract import BURST_SECONDS, Allowance, Counters, Leave
from gateway.quotas.memory import MemoryCounters
from gateway.quotas.shared import SharedCounters, open_shared
from tests.connectors.redis_server import RedisServer
from tests.gateway.quotas.conftest import KEY, PATIENCE, shared
from tests.waiting import until

DAY = "2026-11-27"
CODES = ["91330100TEXT00025M", "91330200TEXT00041G", "91440300TEXT000170", "91440100TEXT0005XX", "91110000TEXT00033M"]


def bank(key: str = "bank", **bounds: int) -> list[Allowance]:
    return [Allowance(key, **bounds)]


async def test_so_many_requests_as_are_allowed_may_be_under_way_at_once(counters: Counters) -> None:
    allowed = bank(concurrent=2)
    first, _ = [await counters.enter(allowed, id_) for id_ in ("a", "b")]
    with pytest.raises(ConcurrencyExceededError) as caught:
        await counters.enter(allowed, "c")
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "1")
    await counters.enter(bank("another", concurrent=2), "d")
    first()
    await soon(lambda: counters.enter(allowed, "e"))
    with pytest.raises(ConcurrencyExceededError):
        await counters.enter(allowed, "f")


async def soon(enter: Any) -> None:
    """Waits until it is let in: a request that ended is told to the store without waiting for it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await enter()
            except ConcurrencyExceededError:
                await asyncio.sleep(0.001)
            else:
                return


async def test_ten_seconds_worth_of_requests_may_come_at_once_and_no_more(counters: Counters) -> None:
    # One a minute less than ten seconds' worth can be told from, however slowly this runs.
    allowed = bank(requests=6)
    for id_ in ("a", "b"):
        await counters.enter(allowed, id_)
    with pytest.raises(RateExceededError) as caught:
        await counters.enter(allowed, "c")
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 10
    await counters.enter(bank("another", requests=6), "d")


async def test_a_refused_request_uses_nothing_up(counters: Counters) -> None:
    both = [Allowance("bank", requests=60, concurrent=5, companies=5), Allowance("user", concurrent=1, companies=1)]
    await counters.enter(both, "a")
    for _ in range(50):
        with pytest.raises(ConcurrencyExceededError):
            await counters.enter(both, "b")
    for number in range(4):
        await counters.enter([both[0]], f"c{number}")
    with pytest.raises(ConcurrencyExceededError):
        await counters.enter([both[0]], "d")
    assert not await counters.admit(both, CODES[:2], DAY)
    assert await counters.admit([both[0]], CODES[:5], DAY)


async def test_a_company_counts_once_a_day_however_often_it_is_asked_about(counters: Counters) -> None:
    allowed = bank(companies=3)
    assert await counters.admit(allowed, CODES[:2], DAY)
    assert await counters.admit(allowed, CODES[:3], DAY)
    assert not await counters.admit(allowed, CODES[2:4], DAY)
    assert await counters.admit(allowed, CODES[:3], DAY)
    assert not await counters.admit(allowed, CODES[3:4], DAY)
    assert await counters.admit(bank("another", companies=3), CODES[3:4], DAY)
    assert await counters.admit(allowed, CODES[3:], "2026-11-28")


async def test_what_is_not_bounded_is_not_counted(counters: Counters) -> None:
    unbounded = [Allowance("bank")]
    for number in range(50):
        await counters.enter(unbounded, str(number))
    assert await counters.admit(unbounded, CODES, DAY)
    await counters.enter(bank(concurrent=1, requests=1), "z")


async def test_so_much_may_be_taken_on_a_day(counters: Counters) -> None:
    assert [await counters.take("a", 2, DAY) for _ in range(3)] == [True, True, False]
    assert await counters.take("b", 1, DAY)
    assert await counters.take("a", None, DAY)
    assert not await counters.take("a", 3, DAY)
    assert await counters.take("a", 4, DAY)
    assert await counters.take("a", 1, "2026-11-28")
    assert not await counters.take("c", 0, DAY)


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.none() | st.integers(0, 6), st.sampled_from([DAY, "2026-11-28"])),
        max_size=30,
    )
)
def test_what_was_taken_is_what_was_let_through(tried: list[tuple[str, int | None, str]]) -> None:
    async def run() -> None:
        counters, taken = MemoryCounters(), Counter[tuple[str, str]]()
        for key, most, day in tried:
            fits = most is None or taken[key, day] < most
            assert await counters.take(key, most, day) is fits
            taken[key, day] += fits

    asyncio.run(run())


@given(st.lists(st.sets(st.sampled_from(CODES)), max_size=8), st.integers(1, 5))
def test_no_more_companies_are_ever_admitted_than_are_allowed(asked: list[set[str]], most: int) -> None:
    async def run() -> None:
        counters, admitted = MemoryCounters(), set[str]()
        for companies in asked:
            fits = len(admitted | companies) <= most
            assert await counters.admit(bank(companies=most), companies, DAY) is fits
            admitted |= companies if fits else set()

    asyncio.run(run())


@given(st.lists(st.floats(0, 30), max_size=40), st.integers(1, 120))
def test_over_any_time_no_more_requests_come_through_than_the_rate_and_one_burst(
    pauses: list[float], rate: int
) -> None:
    async def run() -> None:
        now, came = 0.0, list[float]()
        counters = MemoryCounters(clock=lambda: now)
        for pause in pauses:
            now += pause
            try:
                await counters.enter(bank(requests=rate), "a")
            except RateExceededError as error:
                wait = float(error.headers["Retry-After"])
                assert wait >= 1
                now += wait
                await counters.enter(bank(requests=rate), "b")
            came.append(now)
            for index, start in enumerate(came):
                assert len(came) - index <= (now - start + BURST_SECONDS) * rate / 60 + 1 + 1e-6

    asyncio.run(run())


async def test_in_memory_yesterday_is_forgotten_and_so_are_keys_that_are_not_under_way() -> None:
    counters = MemoryCounters(keys=10)
    await counters.admit(bank(companies=9), CODES, DAY)
    await counters.admit(bank("other", companies=9), CODES[:1], "2026-11-28")
    for number in range(50):
        leave = await counters.enter(bank(f"user-{number}", requests=5, concurrent=5), "a")
        leave()
    for day in range(20, 29):
        await counters.take("a", 1, f"2026-11-{day}")
    assert list(counters._seen) == ["other"]
    assert sorted(counters._taken) == ["2026-11-26", "2026-11-27", "2026-11-28"]
    assert not counters._under_way
    assert len(counters._due) == 10


@pytest.fixture
async def instances(redis: RedisServer) -> AsyncIterator[tuple[SharedCounters, SharedCounters]]:
    both = shared(redis), shared(redis)
    yield both
    for one in both:
        await one.close()


@pytest.mark.usefixtures("store")
async def test_instances_count_together(instances: tuple[SharedCounters, SharedCounters]) -> None:
    first, second = instances
    await first.enter(bank(concurrent=1), "a")
    with pytest.raises(ConcurrencyExceededError):
        await second.enter(bank(concurrent=1), "b")
    assert await first.admit(bank(companies=2), CODES[:2], DAY)
    assert not await second.admit(bank(companies=2), CODES[2:3], DAY)
    assert await first.take("bank", 1, DAY)
    assert not await second.take("bank", 1, DAY)


@pytest.mark.usefixtures("store")
async def test_at_once_over_several_instances_no_more_come_through_than_are_allowed(
    instances: tuple[SharedCounters, SharedCounters],
) -> None:
    allowed = [Allowance("bank", concurrent=7), Allowance("user", requests=600)]
    asked = [
        instance.enter(allowed, f"{index}-{number}") for index, instance in enumerate(instances) for number in range(20)
    ]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(callable(outcome) for outcome in outcomes) == 7


@pytest.mark.usefixtures("store")
async def test_a_request_whose_instance_died_is_not_counted_for_ever(redis: RedisServer) -> None:
    counters = shared(redis, lease=0.5)
    await counters.enter(bank(concurrent=2), "died")

    async def two_at_once() -> None:
        # Others come and go all the while, so that the store does not forget all of them together.
        leave = await counters.enter(bank(concurrent=2), "a")
        try:
            await counters.enter(bank(concurrent=2), "b")
        finally:
            leave()

    await soon(two_at_once)
    await counters.close()


async def test_a_request_that_is_given_up_while_it_is_counted_is_not_counted(redis: RedisServer, store: Redis) -> None:
    counters = shared(redis)
    await store.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    entering = asyncio.create_task(counters.enter(bank(concurrent=1), "a"))

    async def is_at_the_store() -> bool:
        return b"cmd=evalsha" in await store.execute_command("CLIENT", "LIST")

    await until(is_at_the_store)
    entering.cancel()
    await asyncio.gather(entering, return_exceptions=True)
    await store.execute_command("CLIENT", "UNPAUSE")
    await soon(lambda: counters.enter(bank(concurrent=1), "b"))
    await counters.close()


async def test_requests_that_come_at_once_are_counted_in_few_trips(redis: RedisServer, store: Redis) -> None:
    counters, allowed = shared(redis), bank(requests=10_000, concurrent=100, companies=10)
    await counters.enter(allowed, "first")
    before = (await store.info("stats"))["total_reads_processed"]
    leaves = await asyncio.gather(*(counters.enter(allowed, str(number)) for number in range(50)))
    await asyncio.gather(*(counters.admit(allowed, CODES, DAY) for _ in range(50)))
    for leave in leaves:
        leave()
    await counters.take("bank", None, DAY)
    assert (await store.info("stats"))["total_reads_processed"] - before < 20
    await counters.close()


async def ended(leave: Leave) -> None:
    leave()


async def test_a_store_that_has_forgotten_the_scripts_is_told_them_and_counts_each_request_once(
    redis: RedisServer, store: Redis
) -> None:
    counters, allowed = shared(redis), bank(concurrent=20)
    with capture_logs() as logs:
        for round_ in range(2):
            leave = await counters.enter(allowed, "leaves")
            await store.execute_command("SCRIPT", "FLUSH")
            await asyncio.gather(
                ended(leave),
                *(counters.enter(allowed, f"{round_}-{number}") for number in range(10)),
                *(counters.take("bank", None, DAY) for _ in range(10)),
            )
    assert logs == []
    assert not await counters.take("bank", 20, DAY)
    assert await counters.take("bank", 21, DAY)
    with pytest.raises(ConcurrencyExceededError):
        await counters.enter(allowed, "too many")
    await counters.close()


async def test_a_connection_that_the_store_has_closed_is_opened_anew(redis: RedisServer, store: Redis) -> None:
    counters, allowed = shared(redis), bank(concurrent=1)
    await counters.enter(allowed, "a")
    await store.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    with capture_logs() as logs, pytest.raises(ConcurrencyExceededError):
        await counters.enter(allowed, "b")
    assert logs == []
    await counters.close()


async def test_a_clock_of_the_store_that_was_set_back_keeps_nobody_out(redis: RedisServer, store: Redis) -> None:
    counters, allowed = shared(redis), bank(requests=60)
    await counters.enter(allowed, "a")
    (key,) = await store.keys()
    # As it is found by a clock that is an hour behind the one by which it was written.
    due = float(await store.get(key))
    await store.set(key, due + 3_600_000)
    with pytest.raises(RateExceededError) as caught:
        await counters.enter(allowed, "b")
    assert int(caught.value.headers["Retry-After"]) <= 1
    await counters.close()


async def test_the_store_can_be_told_neither_companies_nor_users_and_forgets_them(
    instances: tuple[SharedCounters, SharedCounters], store: Redis
) -> None:
    await instances[0].enter([Allowance("user\0first-bank\0wang", requests=5, concurrent=5)], "a")
    await instances[0].admit([Allowance("user\0first-bank\0wang", companies=5)], CODES, DAY)
    await instances[0].take(f"user\0first-bank\0wang\0{CODES[0]}", 5, DAY)
    names = [name.decode() for name in await store.keys("*")]
    assert len(names) == 4
    sets = [name for name in names if await store.type(name) == b"set"]
    held = [member.decode() for name in sets for member in await store.smembers(name)]
    assert len(held) == len(CODES)
    for text in ("wang", "first-bank", *CODES):
        assert text not in repr((names, held))
    assert all([await store.pttl(name) > 0 for name in names])


async def test_while_the_store_is_away_each_instance_counts_for_itself_and_the_log_says_so_once() -> None:
    server = RedisServer()
    server.start()
    counters = shared(server)
    server.kill()
    with capture_logs() as logs:
        allowed = bank(concurrent=1, companies=2)
        leave = await counters.enter(allowed, "a")
        with pytest.raises(ConcurrencyExceededError):
            await counters.enter(allowed, "b")
        leave()
        await counters.enter(allowed, "c")
        assert await counters.admit(allowed, CODES[:2], DAY)
        assert not await counters.admit(allowed, CODES, DAY)
        assert await counters.take("bank", 1, DAY)
        assert not await counters.take("bank", 1, DAY)
    await counters.close()
    await server.close()
    assert [entry["event"] for entry in logs] == ["the store of quotas does not answer"]


async def test_a_store_that_hangs_costs_no_more_than_the_deadline_and_then_nothing() -> None:
    asked = 0

    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hangs, "127.0.0.1", 0)
    address = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    counters = open_shared(address, {}, KEY, lease=60, deadline=0.05)
    for number in range(20):
        await counters.enter(bank(concurrent=50), str(number))
    assert asked <= 2
    await counters.close()
    server.close()
    await server.wait_closed()


async def test_a_store_that_answers_with_what_is_no_number_is_as_one_that_is_away() -> None:
    async def talks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while received := await reader.read(65_536):
            writer.write(b"+OK\r\n" * received.count(b"*"))
        writer.close()

    server = await asyncio.start_server(talks, "127.0.0.1", 0)
    address = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    counters = open_shared(address, {}, KEY, lease=60, deadline=PATIENCE)
    with capture_logs() as logs:
        await counters.enter(bank(concurrent=1), "a")
        with pytest.raises(ConcurrencyExceededError):
            await counters.enter(bank(concurrent=1), "b")
    assert [entry["reason"] for entry in logs] == ["InvalidResponse"]
    await counters.close()
    server.close()
    await server.wait_closed()


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(SettingsInvalidError, match="XINQIAO_QUOTAS__URL") as caught:
        yield
    assert "secret" not in str(caught.value)


def test_an_address_that_is_none_stops_the_start_and_is_not_quoted() -> None:
    for address in ("http://secret@host", "secret", "redis://:${NONE}@secret", "redis://h?what=secret"):
        with refused():
            open_shared(address, {}, KEY, lease=60, deadline=1)
