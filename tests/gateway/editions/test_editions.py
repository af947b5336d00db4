"""Versions of the policy come into force as wholes, within a second, and only sound ones."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from connectors.cache import RowCache
from connectors.supply import AgencySupply
from gateway.beside import beside
from gateway.editions.editions import Editions
from gateway.editions.provision import Provision
from gateway.editions.views import Views
from gateway.editions.workshop import Offered, Workshop
from gateway.limits import Limits
from gateway.stages.cost import Tariff
from gateway.stages.document import Documents
from policies.decision import CallerClass, DecisionTable, Effect
from policies.errors import PolicyInvalid, StoreUnavailable
from policies.load import PolicyFiles, read_directory
from policies.store.initial import initialise
from policies.store.model import Version, new_version
from policies.store.open import open_store
from schema.catalogue import Catalogue
from schema.contract import national
from schema.records import catalogue

FILES = read_directory(Path(__file__).parents[3] / "policies")
REGISTRY = {"registry": frozenset({"Registration", "Registration.name", "Registration.paidInCapital"})}
ANYBODY = CallerClass(frozenset({"anonymous"}), "public", None)
COMPANY = CallerClass(frozenset({"company"}), "company", None)
NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
DENY = b"""
  - {id: emergency, deny: Registration.name, of: any, to: any, for: any, given: any, note: Stop.}
"""


@dataclass
class Here:
    """A version whose tables are made in this process."""

    workshop: Workshop
    key: str

    async def table(self, caller: CallerClass, *, public: bool) -> DecisionTable:
        return self.workshop.table(self.key, caller, public=public)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def with_rule(rule: bytes) -> PolicyFiles:
    return {**FILES, "rules/nation.yaml": FILES["rules/nation.yaml"] + rule}


def this_moment() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def make_editions(
    clock: Clock | None = None, now: Callable[[], dt.datetime] = this_moment, made: Catalogue | None = None
) -> Editions:
    workshop = Workshop()

    async def load(files: PolicyFiles, offered: Offered) -> Any:
        key = token_hex(8)
        return workshop.announce(key, files, offered, now()), Here(workshop, key)

    return Editions(load=load, provision=provision(REGISTRY, made), max_staleness=60, clock=clock or Clock())


def provision(cells: Mapping[str, frozenset[str]], made: Catalogue | None = None) -> Provision:
    """What some agencies supply, though none can be asked for it."""
    made = made or catalogue()
    return Provision(
        offered=Offered(made, cells),
        datasets={},
        agencies={},
        shared=frozenset(),
        tariff=Tariff({}, 1.0, {}),
        supply=AgencySupply([], RowCache(0)),
        views=Views(national()),
        documents=Documents(made, Limits()),
    )


async def name_for(editions: Editions, who: CallerClass = ANYBODY) -> Effect:
    return (await editions.current.tables.table(who)).at("registry", "Registration.name").effect


@pytest.fixture(params=["{}/store", "sqlite+aiosqlite:///{}/store.db"], ids=["directory", "sqlite"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.param.format(tmp_path))


@pytest.fixture
async def store(address: str) -> AsyncIterator[Any]:
    opened = await open_store(address, poll=0.02)
    await initialise(opened, FILES, by="first", why="start", at=NOW)
    yield opened
    await opened.close()


async def in_force(editions: Editions, number: int) -> None:
    async with asyncio.timeout(20):
        await editions.reached(number)
    assert editions.current.policy.version.startswith(f"{number}-")


async def test_a_version_that_somebody_publishes_comes_into_force_and_a_request_keeps_the_one_it_began_with(
    store: Any,
) -> None:
    editions = make_editions()
    await editions.adopt((await store.latest()).files)
    async with beside(editions.follow(store), name="following"):
        begun = editions.current
        assert await name_for(editions) is Effect.CLEAR
        await store.publish(new_version(2, with_rule(DENY), published_at=NOW, by="someone", why="stop"), expected=1)
        await in_force(editions, 2)
        assert await name_for(editions) is Effect.WITHHELD
        assert (await begun.tables.table(ANYBODY)).at("registry", "Registration.name").effect is Effect.CLEAR


async def test_a_publish_reaches_every_instance_and_those_that_come_after_it_see_nothing_older(
    store: Any, address: str
) -> None:
    others = [await open_store(address, poll=0.02) for _ in range(2)]
    instances = [make_editions() for _ in others]
    for editions, own in zip(instances, others, strict=True):
        await editions.adopt((await own.latest()).files)
    following = [editions.follow(own) for editions, own in zip(instances, others, strict=True)]
    async with beside(*following, name="following"):
        await store.publish(new_version(2, with_rule(DENY), published_at=NOW, by="someone", why="stop"), expected=1)
        for editions in instances:
            await in_force(editions, 2)
            assert await name_for(editions) is Effect.WITHHELD
    for own in others:
        await own.close()


class FailingOnce:
    """A store that fails in a way that nobody foresaw, once in each of two ways; then it has versions 2 and 1."""

    def __init__(self) -> None:
        self.failures = [ZeroDivisionError("listening"), MemoryError("reading")]

    async def latest_number(self) -> int:
        return 2

    async def changes(self) -> AsyncIterator[int]:
        if len(self.failures) == 2:
            raise self.failures.pop()
        for number in (2, 1):
            yield number
        await asyncio.Event().wait()

    async def version(self, number: int) -> Version:
        if self.failures:
            raise self.failures.pop()
        files = with_rule(DENY) if number == 2 else FILES
        return new_version(number, files, published_at=NOW, by="someone", why="stop")


async def test_following_survives_any_error_and_an_older_version_never_takes_the_place_of_a_newer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.editions.editions.RETRY_SECONDS", 0.0)
    editions, failing = make_editions(), FailingOnce()
    await editions.adopt(FILES)
    async with beside(editions.follow(failing), name="following"):
        await in_force(editions, 2)
        for _ in range(10):
            await asyncio.sleep(0)
        assert failing.failures == []
        assert editions.current.policy.number == 2


async def test_a_day_on_which_the_files_cannot_be_read_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.editions.editions.RETRY_SECONDS", 0.0)
    before, after = dt.datetime(2026, 11, 30, 15, tzinfo=dt.UTC), dt.datetime(2026, 11, 30, 16, tzinfo=dt.UTC)
    days, errors = [before, after], [StoreUnavailable("gone"), OSError("worse")]
    files = with_rule(DENY.replace(b"given: any,", b"given: any, from: 2026-12-01,"))
    editions = make_editions(now=lambda: days.pop(0))
    await editions.adopt(files)

    async def read() -> PolicyFiles:
        if errors:
            raise errors.pop()
        return files

    async with beside(editions.keep_dates(read, clock=lambda: after), name="keeping"):
        async with asyncio.timeout(10):
            while await name_for(editions) is not Effect.WITHHELD:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)


async def test_the_tables_in_use_are_made_before_a_version_comes_into_force() -> None:
    editions = make_editions()
    await editions.adopt(FILES)
    await editions.current.tables.table(ANYBODY)
    await editions.adopt(with_rule(DENY))
    assert editions.current.tables.classes() == (ANYBODY,)


async def test_files_that_are_no_policy_change_nothing() -> None:
    editions = make_editions()
    await editions.adopt(FILES)
    before = editions.current
    with pytest.raises(PolicyInvalid):
        await editions.adopt(with_rule(b"\n  - {id: broken, alow: PUBLIC}\n"))
    assert editions.current is before


async def test_a_published_version_that_cannot_be_loaded_is_left_out_and_the_next_one_is_not(store: Any) -> None:
    editions = make_editions()
    await editions.adopt((await store.latest()).files)
    async with beside(editions.follow(store), name="following"):
        broken = new_version(2, with_rule(b"\n  - nonsense\n"), published_at=NOW, by="someone", why="by mistake")
        await store.publish(broken, expected=1)
        await store.publish(new_version(3, with_rule(DENY), published_at=NOW, by="someone", why="stop"), expected=2)
        await in_force(editions, 3)
        assert await name_for(editions) is Effect.WITHHELD


async def test_a_latest_version_that_cannot_be_loaded_here_stops_all_but_public_data(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.editions.editions.HEARTBEAT_SECONDS", 0.01)
    clock = Clock()
    editions = make_editions(clock)
    await editions.adopt((await store.latest()).files)
    async with beside(editions.follow(store), name="following"):
        broken = new_version(2, with_rule(b"\n  - nonsense\n"), published_at=NOW, by="someone", why="by mistake")
        await store.publish(broken, expected=1)
        while await editions.check() is None:
            clock.now += 61.0
            await asyncio.sleep(0.01)
        own = CallerClass(COMPANY.roles, COMPANY.organisation, "self.review", frozenset({"self"}))
        table = await editions.current.tables.table(own)
        assert table.at("registry", "Registration.paidInCapital").effect is Effect.WITHHELD
        while not editions.standing().left_out:  # noqa: ASYNC110 - nothing tells that it was tried
            await asyncio.sleep(0.01)
        await store.publish(new_version(3, with_rule(DENY), published_at=NOW, by="someone", why="stop"), expected=2)
        await in_force(editions, 3)
        clock.now += 61.0
        while await editions.check():  # noqa: ASYNC110 - nothing tells that it is confirmed
            await asyncio.sleep(0.01)
        assert (editions.standing().number, editions.standing().left_out) == (3, False)


class SilentStore:
    """A store that is reached once and never again."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def latest_number(self) -> int:
        if self.asked.is_set():
            raise StoreUnavailable("gone")
        self.asked.set()
        return 1

    async def changes(self) -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1


async def test_without_word_of_the_store_only_public_data_is_shown_and_the_instance_is_not_ready() -> None:
    clock, silent = Clock(), SilentStore()
    editions = make_editions(clock)
    await editions.adopt(FILES)
    async with beside(editions.follow(silent), name="following"):
        await silent.asked.wait()
        own = CallerClass(COMPANY.roles, COMPANY.organisation, "self.review", frozenset({"self"}))

        async def seen() -> tuple[Effect, Effect]:
            table = await editions.current.tables.table(own)
            return tuple(table.at("registry", f"Registration.{name}").effect for name in ("name", "paidInCapital"))

        assert await seen() == (Effect.CLEAR, Effect.CLEAR)
        assert await editions.check() is None
        clock.now = 61.0
        assert await seen() == (Effect.CLEAR, Effect.WITHHELD)
        assert "store" in (await editions.check() or "")
        standing = editions.standing()
        assert (standing.number, standing.confirmed, standing.stale, standing.left_out) == (1, 61.0, True, False)


async def test_what_agencies_supply_changes_as_a_whole_and_a_request_keeps_what_it_began_with() -> None:
    editions = make_editions()
    await editions.adopt(FILES)
    begun = editions.current
    await editions.provide(provision({"court": frozenset({"JudgmentDefault"})}))
    assert editions.current.policy == begun.policy
    assert (await editions.current.tables.table(ANYBODY)).cells.keys() == {"court"}
    assert (await begun.tables.table(ANYBODY)).cells.keys() == {"registry"}
    await editions.adopt(with_rule(DENY))
    assert (await editions.current.tables.table(ANYBODY)).cells.keys() == {"court"}


async def test_where_the_policy_does_not_go_with_what_agencies_supply_nothing_changes() -> None:
    editions = make_editions()
    await editions.adopt(FILES)
    before = editions.current
    with pytest.raises(PolicyInvalid, match="stranger"):
        await editions.provide(provision({"stranger": frozenset({"Penalty"})}))
    assert editions.current is before
    await editions.adopt(FILES)
    assert (await editions.current.tables.table(ANYBODY)).cells.keys() == {"registry"}


async def test_a_version_that_came_before_the_manifest_that_it_needs_is_taken_once_that_is_there(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.editions.editions.HEARTBEAT_SECONDS", 0.01)
    whole = catalogue()
    poorer = replace(whole, records={name: one for name, one in whole.records.items() if name != "Certification"})
    editions = make_editions(made=poorer)
    await editions.adopt((await store.latest()).files)
    async with beside(editions.follow(store), name="following"):
        rule = DENY.replace(b"Registration.name", b"Certification.number")
        await store.publish(new_version(2, with_rule(rule), published_at=NOW, by="someone", why="early"), expected=1)
        async with asyncio.timeout(20):
            while editions._left_out is None:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        await editions.provide(provision(REGISTRY, whole))
        await in_force(editions, 2)


async def test_a_rule_comes_into_force_on_its_day_without_anybody_publishing() -> None:
    days = [dt.datetime(2026, 11, 30, 15, 59, 59, tzinfo=dt.UTC), dt.datetime(2026, 11, 30, 16, tzinfo=dt.UTC)]
    files = with_rule(DENY.replace(b"given: any,", b"given: any, from: 2026-12-01,"))
    loads: list[dt.datetime] = []

    def now() -> dt.datetime:
        loads.append(days[len(loads)])
        return loads[-1]

    editions = make_editions(now=now)
    await editions.adopt(files)
    assert editions.current.policy.next_change == days[1]
    assert await name_for(editions) is Effect.CLEAR

    async def given() -> PolicyFiles:
        return files

    async with beside(editions.keep_dates(given, clock=lambda: days[1]), name="keeping"):
        async with asyncio.timeout(10):
            while await name_for(editions) is not Effect.WITHHELD:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
