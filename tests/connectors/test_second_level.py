from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from connectors import outage, second_level
from connectors.agreement import open_agreement
from connectors.contract import CompanyRows, FetchRequest, Outcome
from connectors.entries import EntryFormat
from connectors.errors import ConnectionNotConfigured
from connectors.row_store import CONNECTIONS, MOST_NAMES, open_store
from connectors.seal import Seal
from connectors.second_level import DatasetEntries, SecondLevel
from connectors.settings import SecondLevelSettings
from connectors.supply import AgencySupply
from schema.values import Kind
from tests.connectors.certificates import Authority
from tests.connectors.redis_server import KEY, PLENTY
from tests.connectors.support import CODES, Agency, Asked, ask, credit_code
from tests.waiting import until

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        key: code
        batch: 100
        missingMeans: none
        timeToLive: 60
        filters: {decidedFrom: from}
        request: {path: /p, keys: {in: query, name: codes, style: comma}}
        fields: {documentNumber: number, facts: facts, amount: je}
"""


async def court(asked: Asked) -> Any:
    codes = dict(asked.query)["codes"].split(",")
    return [
        {"code": code, "number": "2026-17", "facts": f"违法 of {code}", "je": "12.50"}
        for code in codes
        if code != CODES[3]
    ]


@pytest.fixture
def open_court(agency: Agency, open_one: Any) -> Any:
    """Opens another gateway's supply of the same agency, with nothing in its memory."""
    agency.answer = court

    async def opened(level: SecondLevelSettings, manifest: str = MANIFEST) -> AgencySupply:
        supply: AgencySupply = await open_one(manifest, agency.address, second_level=level)
        return supply

    return opened


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine's clock, of which `ahead` tells by how many seconds it is ahead of the true time."""
    true = second_level.time.time
    machine = SimpleNamespace(ahead=0.0, time=lambda: true() + machine.ahead)
    monkeypatch.setattr(second_level, "time", machine)
    return machine


def told(logs: Any) -> list[str]:
    return [line["event"] for line in logs if line["log_level"] == "warning"]


async def test_what_one_gateway_asked_another_answers_without_asking(agency: Agency, open_court, redis) -> None:
    first = await ask(await open_court(redis.level()), CODES[:4])
    await redis.holds(4)
    supply = await open_court(redis.level())
    second = await ask(supply, CODES[:4])
    narrow = await ask(supply, CODES[:1], ["facts"])
    assert len(agency.asked) == 1
    assert [second[code].rows for code in CODES[:4]] == [first[code].rows for code in CODES[:4]]
    assert (second[CODES[3]].outcome, second[CODES[3]].rows) == (Outcome.ANSWERED, ())
    assert narrow[CODES[0]].rows == ({"facts": f"违法 of {CODES[0]}"},)


async def test_only_what_is_not_found_is_asked_of_the_agency_and_put(agency: Agency, open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:2])
    await redis.holds(2)
    answers = await ask(await open_court(redis.level()), CODES[:3])
    assert dict(agency.asked[1].query)["codes"] == CODES[2]
    assert {rows.outcome for rows in answers.values()} == {Outcome.ANSWERED}
    await redis.holds(3)


async def test_wider_columns_and_another_filter_are_asked_anew(agency: Agency, open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:1], ["facts"])
    await redis.holds(1)
    await ask(await open_court(redis.level()), CODES[:1], ["facts", "amount"])
    await ask(await open_court(redis.level()), CODES[:1], ["facts"], filters={"decidedFrom": date(2026, 1, 1)})
    assert len(agency.asked) == 3


async def test_organisations_share_no_entry(agency: Agency, open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:1], partition="first-bank/")
    await redis.holds(1)
    await ask(await open_court(redis.level()), CODES[:1], partition="second-bank/")
    await ask(await open_court(redis.level()), CODES[:1], partition="")
    assert len(agency.asked) == 3
    await redis.holds(3)


async def test_neither_values_nor_companies_nor_organisations_can_be_read_in_the_store(open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:2], partition="first-bank/")
    entries = await redis.holds(2)
    shown = b"".join(part for entry in entries.items() for part in entry)
    words = [*(code for code in CODES[:2]), "first-bank", "court", "Penalty", "facts", "违法", "2026-17", "12.50"]
    assert [word for word in words if word.encode() in shown] == []
    assert all(name.startswith(b"xinqiao:rows:") for name in entries)


async def test_the_same_rows_are_sealed_differently_each_time(open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:1])
    [(name, before)] = (await redis.holds(1)).items()
    await redis.command("DEL", name)
    await ask(await open_court(redis.level()), CODES[:1])
    [(again, after)] = (await redis.holds(1)).items()
    assert again == name
    assert after[:12] != before[:12]


@pytest.mark.parametrize(
    "forged",
    [
        lambda value, _: value[:-1] + bytes([value[-1] ^ 1]),
        lambda value, _: value[: len(value) // 2],
        lambda value, _: value + b"\0",
        lambda _, other: other,
        lambda *_: b"",
        lambda *_: b"cposix\nsystem\n.",
    ],
    ids=["changed", "torn", "longer", "another company's", "empty", "foreign"],
)
async def test_an_entry_that_is_not_as_it_was_put_is_asked_anew(forged: Any, agency: Agency, open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:2])
    (name, value), (_, other) = (await redis.holds(2)).items()
    await redis.command("SET", name, forged(value, other))
    answers = await ask(await open_court(redis.level()), CODES[:2])
    assert len(agency.asked) == 2
    assert {answers[code].rows[0]["facts"] for code in CODES[:2]} == {f"违法 of {code}" for code in CODES[:2]}


async def test_another_key_or_another_manifest_finds_nothing(agency: Agency, open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:1])
    await redis.holds(1)
    await ask(await open_court(redis.level(b"another key" * 3)), CODES[:1])
    await ask(await open_court(redis.level(), MANIFEST.replace("facts: facts", "facts: number")), CODES[:1])
    none = MANIFEST.replace("kind: rest", "kind: rest\n    none: [nothing]")
    await ask(await open_court(redis.level(), none), CODES[:1])
    assert len(agency.asked) == 4


async def test_what_an_agency_bears_does_not_matter_to_its_entries(agency: Agency, open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:1])
    await redis.holds(1)
    bears = MANIFEST.replace("kind: rest", "kind: rest\n    concurrency: 3\n    timeout: 9")
    await ask(await open_court(redis.level(), bears), CODES[:1])
    assert len(agency.asked) == 1


async def test_an_incomplete_answer_leaves_the_process_never(agency: Agency, open_court, redis) -> None:
    supply = await open_court(redis.level())

    async def answer(_: Asked) -> Any:
        return [{"code": CODES[0], "je": "viel"}]

    agency.answer = answer
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.INCOMPLETE
    agency.answer = court
    await ask(supply, CODES[1:2])
    await redis.holds(1)


async def test_the_store_forgets_entries_when_their_time_is_over(open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:1])
    [name] = await redis.holds(1)
    assert 50_000 < await redis.command("PTTL", name) <= 60_000
    await redis.command("FLUSHALL")
    await ask(await open_court(redis.level(), MANIFEST.replace("timeToLive: 60", "timeToLive: 0.5")), CODES[:1])
    await until(lambda: redis.calls("pexpire"), PLENTY)
    await redis.holds(0)


@pytest.mark.parametrize(
    ("ahead", "served"),
    [(59.0, True), (60.5, False), (-0.5, True), (-1.5, False)],
    ids=["nearly too old", "too old", "a little in the future", "in the future"],
)
async def test_rows_are_served_by_this_machines_clock(  # noqa: PLR0913
    *, ahead: float, served: bool, agency: Agency, open_court, redis, clock
) -> None:
    await ask(await open_court(redis.level()), CODES[:1])
    await redis.holds(1)
    clock.ahead = ahead
    await ask(await open_court(redis.level()), CODES[:1])
    assert len(agency.asked) == (1 if served else 2)


async def test_found_rows_go_stale_in_memory_when_they_would_have_where_they_were_asked(
    agency: Agency, open_court, redis, clock
) -> None:
    await ask(await open_court(redis.level()), CODES[:1])
    await redis.holds(1)
    clock.ahead = 59.8
    supply = await open_court(redis.level())
    found = asyncio.get_running_loop().time()
    await ask(supply, CODES[:1])
    assert len(agency.asked) == 1
    await asyncio.sleep(found + 0.3 - asyncio.get_running_loop().time())
    clock.ahead = 60.1
    await ask(supply, CODES[:1])
    assert len(agency.asked) == 2


async def test_companies_and_requests_of_one_moment_are_looked_for_in_one_trip(open_court, redis) -> None:
    supply = await open_court(redis.level())
    await asyncio.gather(ask(supply, CODES[:20]), ask(supply, CODES[10:30], ["facts"]), ask(supply, CODES[30:40]))
    assert await redis.calls("mget") == 1


async def test_rows_that_come_at_one_moment_are_put_in_one_trip(redis) -> None:
    level = SecondLevel(open_store(redis.address, {}, PLENTY), open_agreement(redis.address, {}), Seal(KEY))
    level.know("court/Penalty", DatasetEntries(EntryFormat({"facts": Kind.TEXT}), b"digest"))
    kept_until = asyncio.get_running_loop().time() + 60
    for codes in (CODES[:20], CODES[20:30], CODES[30:40]):
        request = FetchRequest("court/Penalty", tuple(codes), frozenset({"facts"}), {}, "", kept_until)
        rows = [(code, CompanyRows(Outcome.ANSWERED, ({"facts": "违法"},))) for code in codes]
        level.put(request, rows, time.time(), kept_until)
    await redis.holds(40)
    assert await redis.calls("exec") == 1
    await level.close()


async def test_more_companies_than_one_trip_asks_for_and_more_trips_than_connections_are_all_found(
    agency: Agency, open_court, redis
) -> None:
    codes = [credit_code(number) for number in range(1, MOST_NAMES + 3)]
    await ask(await open_court(redis.level()), codes)
    await redis.holds(len(codes))
    asked = len(agency.asked)
    assert len(await ask(await open_court(redis.level()), codes)) == len(codes)
    supply = await open_court(redis.level())

    async def after(rounds: int) -> None:
        for _ in range(rounds):
            await asyncio.sleep(0)
        await ask(supply, codes[rounds : rounds + 1])

    await asyncio.gather(*(after(number) for number in range(5 * CONNECTIONS)))
    assert len(agency.asked) == asked


async def test_what_another_request_looks_for_is_waited_for(agency: Agency, open_court, redis) -> None:
    supply = await open_court(redis.level())
    answers = await asyncio.gather(*(ask(supply, CODES[:1]) for _ in range(64)))
    assert len(agency.asked) == 1
    assert await redis.calls("mget") == 1
    assert {answer[CODES[0]].outcome for answer in answers} == {Outcome.ANSWERED}


async def test_who_leaves_takes_no_others_entries_along(agency: Agency, open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:2])
    await redis.holds(2)
    supply = await open_court(redis.level())
    leaving, staying = (asyncio.create_task(ask(supply, [code])) for code in CODES[:2])
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying)[CODES[1]].outcome is Outcome.ANSWERED
    assert len(agency.asked) == 1
    await asyncio.gather(leaving, return_exceptions=True)


async def test_a_store_that_dies_costs_no_answer_is_told_once_and_is_used_again_when_it_is_back(
    agency: Agency, open_court, redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "PAUSE", 0.05)
    supply = await open_court(redis.level())
    await ask(supply, CODES[:1])
    await redis.holds(1)
    redis.kill()
    with structlog.testing.capture_logs() as logs:
        for code in CODES[1:9]:
            assert (await ask(supply, [code]))[code].outcome is Outcome.ANSWERED
            await asyncio.sleep(0.02)
        assert told(logs).count("the cache's second level does not answer") == 1
        redis.start()

        async def looked_again() -> int:
            await ask(supply, [credit_code(1_000 + len(agency.asked))])
            return await redis.calls("mset")

        await until(looked_again, PLENTY)
        assert "the cache's second level answers again" in [line["event"] for line in logs]
    codes = [credit_code(9_000)]
    await ask(supply, codes)
    await until(lambda: redis.calls("mset"), PLENTY)


async def test_a_store_that_is_down_from_the_start_is_done_without(agency: Agency, open_court, redis) -> None:
    redis.kill()
    assert (await ask(await open_court(redis.level()), CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED
    assert len(agency.asked) == 1


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads and never answers, and what it has read."""
    read: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        read.append(await reader.read(65_536))
        await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", read
        over.set()


async def test_a_slow_store_costs_one_request_its_deadline_and_then_none_for_a_while(open_court) -> None:
    async with silent_server() as (address, read):
        supply = await open_court(SecondLevelSettings(address, KEY, deadline=0.05))
        with structlog.testing.capture_logs() as logs:
            for code in CODES[:20]:
                assert (await ask(supply, [code]))[code].outcome is Outcome.ANSWERED
        assert [line["reason"] for line in logs if line["event"] == "the cache's second level does not answer"] == [
            "TimeoutError"
        ]
        assert len(read) <= 2  # one that looked, one that put
        await supply.close()


async def test_a_request_with_less_time_than_a_trip_takes_asks_the_agency_only(open_court) -> None:
    async with silent_server() as (address, read):
        supply = await open_court(SecondLevelSettings(address, KEY, deadline=PLENTY))
        assert (await ask(supply, CODES[:1], seconds=5))[CODES[0]].outcome is Outcome.ANSWERED
        assert not any(b"MGET" in text for text in read)
        await supply.close()


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*1\r\n$-5\r\n", b":x\r\n", b""])
async def test_a_server_that_is_none_is_done_without(garbage: bytes, open_court) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(garbage * 4)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        address = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        supply = await open_court(SecondLevelSettings(address, KEY, PLENTY))
        with structlog.testing.capture_logs() as logs:
            assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED
        assert told(logs)[0] == "the cache's second level does not answer"
        await supply.close()


async def test_a_store_that_is_full_is_still_read(agency: Agency, open_court, redis) -> None:
    await ask(await open_court(redis.level()), CODES[:1])
    await redis.holds(1)
    await redis.command("CONFIG", "SET", "maxmemory", 1)
    supply = await open_court(redis.level())
    with structlog.testing.capture_logs() as logs:
        await ask(supply, CODES[1:2])
        await until(lambda: asyncio.sleep(0, told(logs)), PLENTY)
        await ask(supply, CODES[:1])
    assert len(agency.asked) == 2
    assert told(logs) == ["the cache's second level, for writing, does not answer"]


async def test_over_tls_as_a_user_whose_password_the_environment_holds(
    agency: Agency, open_court, redis, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "authority")
    may = ("~xinqiao:rows:*", "+mget", "+mset", "+pexpire", "+multi", "+exec")
    await redis.command("ACL", "SETUSER", "gateway", "on", ">p@ss/word", *may)
    context: ssl.SSLContext = authority.server("127.0.0.1")
    async with terminated(context, redis.port) as port:
        for number in range(2):
            address = f"rediss://gateway:${{REDIS_PASSWORD}}@127.0.0.1:{port}/0?ssl_ca_certs={authority.file}"
            with structlog.testing.capture_logs() as logs:
                supply = await open_court(SecondLevelSettings(address, KEY, PLENTY))
                await ask(supply, CODES[:1])
                await redis.holds(1)
                await supply.close()
            assert told(logs) == [], number
        assert len(agency.asked) == 1
        stranger = SecondLevelSettings(f"rediss://gateway:${{REDIS_PASSWORD}}@127.0.0.1:{port}", KEY, PLENTY)
        supply = await open_court(stranger)
        await ask(supply, CODES[:1])
        assert len(agency.asked) == 2  # whom nobody trusted vouches for is not spoken to
        await supply.close()


@asynccontextmanager
async def terminated(context: ssl.SSLContext, port: int) -> AsyncIterator[int]:
    """A port where TLS is spoken for a server that does not."""
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(65_536):
            writer.write(part)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to_behind = await asyncio.open_connection("127.0.0.1", port)
        for way in (pump(reader, to_behind), pump(behind, writer)):
            pumps.add(asyncio.create_task(way))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:6379",
        "http://127.0.0.1",
        "redis://",
        "unix:///run/redis",
        "redis://127.0.0.1:port",
        "rediss://127.0.0.1?ssl_cert_reqs=none",
        "rediss://127.0.0.1?ssl_check_hostname=false",
    ],
)
async def test_an_address_that_is_none_or_trusts_anybody_is_refused_without_being_told(
    address: str, open_court
) -> None:
    with pytest.raises(ConnectionNotConfigured, match="the cache's address is not") as refused:
        await open_court(SecondLevelSettings(address, KEY))
    assert "127" not in str(refused.value)


async def test_a_missing_password_is_refused_by_its_name(open_court) -> None:
    with pytest.raises(ConnectionNotConfigured, match="the cache's password: the environment variable NOWHERE"):
        await open_court(SecondLevelSettings("redis://:${NOWHERE}@127.0.0.1", KEY))
