"""Processes that divide and lend what an agency bears, while its manifest changes for each of them in its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import SourceAnswer
from connectors.errors import AgencyFailure
from connectors.kindness.bounds import Bounds
from connectors.kindness.declared import Treatment
from connectors.kindness.lender import GiveBack, pause
from connectors.kindness.share import Share
from connectors.lending import lenders
from connectors.manifest import Manifest
from connectors.second_level import SecondLevel
from connectors.settings import SupplySettings
from tests.connectors.kindness.virtual_time import in_virtual_time, now, wall


class Agency(Treatment):
    agency: str = "court"


def treatment(bears: int) -> Agency:
    return Agency.model_validate({"concurrency": bears, "hedgeAfter": 0.02, "retries": {"percent": 100}})


@dataclass(frozen=True)
class Call:
    """A call that a process makes after so many seconds, how long it takes, and when its caller leaves."""

    process: int
    after: float
    takes: float
    patience: float
    leaves_after: float | None
    hedged: bool


@dataclass(frozen=True)
class Change:
    """After so many seconds the agency bears so many calls, as far as one process knows."""

    process: int
    after: float
    bears: int


class Store:
    """The second level, of all instances: it lends as many places as whoever asks says that there are."""

    def __init__(self) -> None:
        self.lent = 0

    def places(self, _what: str, most: int, _longest: float) -> StorePlaces:
        return StorePlaces(self, most)


@dataclass(frozen=True)
class StorePlaces:
    store: Store
    most: int

    async def lend(self, deadline: float) -> GiveBack:
        await asyncio.sleep(0.001)
        while self.store.lent >= self.most:
            await pause(0.01, deadline)
        self.store.lent += 1
        return self._give_back

    def _give_back(self) -> None:
        self.store.lent -= 1


class System:
    def __init__(self) -> None:
        self.under_way = self.most_under_way = self.answered = 0

    async def answer(self, takes: float) -> SourceAnswer:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(takes)
        finally:
            self.under_way -= 1
        self.answered += 1
        return SourceAnswer([])


class Process:
    def __init__(self, share: Share, places: Path, store: Store, bears: int) -> None:
        self._settings = SupplySettings({}, share=share, places=places)
        self._store = store
        self.bounds = Bounds("court", treatment(bears), share, wall)
        self.take_up(bears)

    def take_up(self, bears: int) -> None:
        second, manifest = cast("SecondLevel", self._store), cast("Manifest", treatment(bears))
        self.bounds.change(treatment(bears), "system", lenders(manifest, self._settings, second))


async def make(call: Call, process: Process, system: System) -> None:
    await asyncio.sleep(call.after)

    def send(_: float) -> Any:
        return system.answer(call.takes)

    try:
        async with asyncio.timeout(call.leaves_after):
            await process.bounds.call(send, now() + call.patience, idempotent=call.hedged)
    except (AgencyFailure, TimeoutError):
        pass


async def change(one: Change, process: Process) -> None:
    await asyncio.sleep(one.after)
    process.take_up(one.bears)


moments = st.floats(0, 0.5)
bears = st.integers(1, 9)
some_calls = st.lists(
    st.builds(
        Call,
        process=st.integers(0, 8),
        after=moments,
        takes=st.sampled_from([0.0, 0.01, 0.05, 0.2]),
        patience=st.sampled_from([0.03, 1.0, 60.0, 60.0]),
        leaves_after=st.sampled_from([None, None, None, 0.0, 0.013, 0.06]),
        hedged=st.booleans(),
    ),
    min_size=1,
    max_size=40,
)
some_changes = st.lists(st.builds(Change, process=st.integers(0, 8), after=moments, bears=bears), max_size=12)


@given(
    workers=st.integers(1, 3),
    instances=st.integers(1, 3),
    first=bears,
    calls=some_calls,
    changes=some_changes,
)
def test_no_more_calls_are_under_way_than_the_agency_bears_by_any_manifest_of_the_time(
    workers: int, instances: int, first: int, calls: Sequence[Call], changes: Sequence[Change]
) -> None:
    number, store, system = workers * instances, Store(), System()
    with TemporaryDirectory() as directory:
        places = [Path(directory, str(instance)) for instance in range(instances)]
        for one in places:
            one.mkdir()
        shares = [Share.of_worker(worker, workers, instances) for worker in range(1, workers + 1)]

        @in_virtual_time
        async def run() -> None:
            processes = [Process(share, one, store, first) for one in places for share in shares]
            await asyncio.gather(
                *(make(call, processes[call.process % number], system) for call in calls),
                *(change(one, processes[one.process % number]) for one in changes),
            )
            assert system.most_under_way <= max(first, *(one.bears for one in changes), 0)
            assert (system.under_way, store.lent) == (0, 0)
            for process in processes:
                process.take_up(1)
            before, system.most_under_way = system.answered, 0
            again = [Call(place, 0.0, 0.01, 60.0, None, hedged=False) for place in range(number) for _ in range(3)]
            await asyncio.gather(*(make(call, processes[call.process], system) for call in again))
            assert (system.answered - before, system.most_under_way) == (3 * number, 1)

        run()
