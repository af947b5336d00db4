from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.contract import FailureCode
from connectors.errors import NotSent
from connectors.kindness.worker_places import WorkerPlaces

SOON = 0.1
IN_TIME = 30.0

HOLDER = """
import asyncio, sys, time
from pathlib import Path
from connectors.kindness.worker_places import WorkerPlaces

async def hold():
    await WorkerPlaces(Path(sys.argv[1]), "court", 1).lend(asyncio.get_running_loop().time() + 30)
    print("held", flush=True)
    time.sleep(60)

asyncio.run(hold())
"""


def at(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_there_are_as_many_places_as_are_said_and_each_agency_has_its_own(tmp_path: Path) -> None:
    one, other = (WorkerPlaces(tmp_path, "court", 2) for _ in range(2))
    give_back = await one.lend(at(IN_TIME))
    await other.lend(at(IN_TIME))
    with pytest.raises(NotSent) as refused:
        await one.lend(at(SOON))
    assert refused.value.failure is FailureCode.AGENCY_OVERLOADED
    await WorkerPlaces(tmp_path, "tax", 1).lend(at(IN_TIME))
    waiting = asyncio.create_task(other.lend(at(IN_TIME)))
    await asyncio.sleep(0)
    give_back()
    await waiting


async def test_who_leaves_while_waiting_keeps_neither_place_nor_turn(tmp_path: Path) -> None:
    places = WorkerPlaces(tmp_path, "court", 1)
    give_back = await places.lend(at(IN_TIME))
    leaving = asyncio.create_task(places.lend(at(IN_TIME)))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    give_back()
    (await places.lend(at(SOON)))()


async def test_whoever_waits_gets_the_place_before_the_one_who_gives_it_back_does_again(tmp_path: Path) -> None:
    given: list[str] = []

    async def take(name: str) -> None:
        give_back = await WorkerPlaces(tmp_path, "court", 1).lend(at(IN_TIME))
        given.append(name)
        give_back()

    greedy = WorkerPlaces(tmp_path, "court", 1)
    give_back = await greedy.lend(at(IN_TIME))
    waiting = asyncio.create_task(take("waited"))
    await asyncio.sleep(0)
    give_back()
    await take("again")
    await waiting
    assert given == ["waited", "again"]


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the one place."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


async def test_the_place_of_a_process_that_is_killed_comes_back(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    places = WorkerPlaces(tmp_path, "court", 1)
    with pytest.raises(NotSent):
        await places.lend(at(SOON))
    holder.kill()
    await places.lend(at(IN_TIME))


async def test_without_its_directory_no_place_is_lent(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="cannot lend"):
        await WorkerPlaces(tmp_path / "gone", "court", 1).lend(at(IN_TIME))
