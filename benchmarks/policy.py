"""How long a nation's policy takes to load, change, compile and look up, and how long the event loop is held by it."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.large_policy import AGENCIES, ORGANISATIONS, RULES, large_policy, supplied
from benchmarks.tables import Effort, Section, Table, milliseconds
from connectors.cache import RowCache
from connectors.supply import AgencySupply
from gateway.editions.compiler import Compiler
from gateway.editions.editions import Editions
from gateway.editions.provision import Provision
from gateway.editions.tables import TableSource, announce
from gateway.editions.views import Views
from gateway.editions.workshop import Announced, Offered, open_workshop
from gateway.limits import Limits
from gateway.stages.cost import Tariff
from gateway.stages.document import Documents
from policies.decision import Basis, CallerClass
from policies.load import PolicyFiles, read_directory
from policies.store.contract import Store
from policies.store.initial import initialise
from policies.store.model import authored, new_version
from policies.store.open import open_store
from schema.contract import national
from schema.records import catalogue

CONSENT: Final = frozenset({"AUTHORISED", "RESTRICTED"})
WARM: Final = CallerClass(frozenset({"bank.a"}), "org-100", "credit.a", frozenset({Basis.CONSENT}), CONSENT)
COLD: Final = CallerClass(frozenset({"bureau.b"}), "org-101", "supervision.c", frozenset({Basis.JURISDICTION}))
ALIKE: Final = CallerClass(frozenset({"bank.a"}), "org-350", "credit.a", frozenset({Basis.CONSENT}), CONSENT)
TICK: Final = 0.001
LOOK_UPS: Final = 200_000


class Lag:
    """How much later than asked a ticker of one millisecond comes round: the longest that the loop was held."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def tick(self) -> None:
        """Ticks for ever."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            self.worst = max(self.worst, time.perf_counter() - before - TICK)


async def _measured(name: str, work: Callable[[], Awaitable[object]]) -> Sequence[str]:
    """Does the work: its name, how long it took, and how long the loop was held."""
    lag = Lag()
    ticking = asyncio.create_task(lag.tick())
    await asyncio.sleep(TICK * 20)
    lag.worst = 0.0
    started = time.perf_counter()
    await work()
    seconds = time.perf_counter() - started
    await asyncio.sleep(TICK * 20)
    ticking.cancel()
    return (name, milliseconds(seconds), milliseconds(lag.worst))


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Editions, Store, PolicyFiles]]:
    """Editions over a store that holds the large policy as its first version."""
    made = catalogue()
    demonstration = read_directory(Path(__file__).parents[1] / "policies")
    publicity = {name: content for name, content in demonstration.items() if name.startswith("publicity/")}
    files = {**large_policy(made), **publicity}
    offered = Offered(made, supplied(made))
    provision = Provision(
        offered=offered,
        datasets={},
        agencies={},
        shared=frozenset(),
        tariff=Tariff({}, math.inf, {}),
        supply=AgencySupply([], RowCache(0)),
        views=Views(national()),
        documents=Documents(made, Limits()),
    )
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(f"{folder}/store")
        await initialise(store, authored(files), by="benchmark", why="to measure", at=dt.datetime.now(dt.UTC))
        async with Compiler(open_workshop) as compiler:
            await compiler.run(int)

            async def load(given: PolicyFiles, of: Offered) -> tuple[Announced, TableSource]:
                return await announce(compiler, given, of, dt.datetime.now(dt.UTC))

            yield Editions(load=load, provision=provision, max_staleness=60), store, files
        await store.close()


def with_rule(files: PolicyFiles, name: str, rule: str) -> PolicyFiles:
    """The files with one more rule."""
    return {**authored(files), name: files[name] + f"  - {{{rule}, to: any, for: any, given: any, note: x}}\n".encode()}


async def publish(editions: Editions, store: Store, files: PolicyFiles) -> None:
    """Publishes the files, and waits until they are in force."""
    number = editions.current.policy.number + 1
    version = new_version(number, files, published_at=dt.datetime.now(dt.UTC), by="benchmark", why="to measure")
    await store.publish(version, expected=number - 1)
    while editions.current.policy.number < number:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(TICK)


async def _look_ups(editions: Editions) -> Sequence[str]:
    """What a look-up in a table costs, and how many of a mapping it is."""
    table = await editions.current.tables.table(WARM)
    plain = {("agency-7", "Penalty.amount"): 1}

    def per_call(look: Callable[[], object]) -> float:
        started = time.perf_counter()
        for _ in range(LOOK_UPS):
            look()
        return (time.perf_counter() - started) / LOOK_UPS

    ours = per_call(lambda: table.at("agency-7", "Penalty.amount"))
    theirs = per_call(lambda: plain["agency-7", "Penalty.amount"])
    return (f"look-up of a field ({ours / theirs:.1f} of a dict's)", milliseconds(ours), "")


async def _rows() -> list[Sequence[str]]:
    async with opened() as (editions, store, files):
        rows = [
            await _measured("nothing, for comparison", lambda: asyncio.sleep(1)),
            await _measured("start: load", lambda: _adopt_latest(editions, store)),
        ]
        tables = editions.current.tables
        rows += [
            await _measured("cold class", lambda: tables.table(WARM)),
            await _measured("another cold class", lambda: tables.table(COLD)),
            await _measured("an organisation that no rule tells from the first", lambda: tables.table(ALIKE)),
            await _measured(
                "what could be opened to a cold caller", lambda: tables.openable(WARM.roles, WARM.organisation)
            ),
            await _look_ups(editions),
        ]
        following = asyncio.create_task(editions.follow(store))
        deny = "deny: Registration.name, of: agency-3"
        one = with_rule(files, "rules/nation.yaml", "id: one, allow: Penalty.amount, of: agency-3")
        two = with_rule(one, "rules/agency-3.yaml", f"id: stop, {deny}")
        more = {**two, "organisations.yaml": two["organisations.yaml"] + _ORGANISATION}
        rows += [
            await _measured("publish of one rule for the nation, in force", lambda: publish(editions, store, one)),
            await _measured("emergency deny of one agency, in force", lambda: publish(editions, store, two)),
            await _measured("publish of one organisation, in force", lambda: publish(editions, store, more)),
        ]
        following.cancel()
    return rows


def measure(effort: Effort) -> Section:
    """The section of the report."""
    del effort
    return Section(
        "A nation's policy",
        f"{RULES:,} rules, {len(AGENCIES)} agencies, each of which supplies everything, and {ORGANISATIONS:,} "
        "organisations: how long it takes to load and change, and the longest that the event loop was held meanwhile.",
        [Table(("", "ms", "event loop held, ms"), asyncio.run(_rows()))],
    )


async def _adopt_latest(editions: Editions, store: Store) -> None:
    await editions.adopt((await store.latest()).files)


_ORGANISATION: Final = b"  new-bank: {name: New bank, name_zh: x, parent: any, roles: [bank.a], purposes: [credit]}\n"
