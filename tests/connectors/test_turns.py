"""Long pieces of work leave the event loop to others, however many of them there are."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from connectors import turns
from connectors.turns import LONGEST, SHORT, Turn

STEP = LONGEST / 3


class Work:
    """Long pieces of work by a clock of their own, which goes on with each step alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.steps: list[str] = []
        monkeypatch.setattr(turns, "perf_counter", lambda: self.now)

    async def piece(self, name: str, steps: int) -> None:
        turn = Turn()
        await turn.take()
        for _ in range(steps):
            if turn.is_over():
                await turn.pass_on()
            self.now += STEP
            self.steps.append(name)

    async def beside(self, *pieces: tuple[str, int]) -> list[list[str]]:
        """What the pieces did each time that the event loop went round, until all were done."""
        rounds: list[list[str]] = []
        working = asyncio.gather(*(self.piece(name, steps) for name, steps in pieces))
        while not working.done():
            await asyncio.sleep(0)
            rounds.append(self.steps.copy())
            self.steps.clear()
        await working
        return [done for done in rounds if done]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


async def test_many_pieces_of_work_hold_the_loop_no_longer_than_one(work: Work) -> None:
    alone = await work.beside(("a", 40))
    together = await work.beside(*((name, 40) for name in "abcdef"))
    assert max(map(len, together)) == max(map(len, alone)) < 40 / 4
    assert Counter(name for done in together for name in done) == dict.fromkeys("abcdef", 40)


async def test_pieces_of_work_take_turns(work: Work) -> None:
    rounds = await work.beside(("long", 400), ("short", 8))
    assert all(len(set(done)) == 1 for done in rounds[1:])
    until_short_ended = max(index for index, done in enumerate(rounds) if "short" in done)
    assert until_short_ended < 10


async def test_work_that_is_alone_goes_on_at_once(work: Work) -> None:
    rounds = await work.beside(("a", 2))
    assert rounds == [["a", "a"]]


async def test_who_gives_up_waiting_keeps_nobody_from_a_turn(work: Work) -> None:
    turn = Turn()
    assert not turn.is_over()
    work.now += 2 * LONGEST
    assert turn.is_over()
    leaving, staying = (asyncio.create_task(turn.pass_on()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    async with asyncio.timeout(5):
        await staying
    assert leaving.cancelled()
    assert turn.passed
    assert not turn.is_over()


async def test_what_is_short_does_not_wait_and_what_is_known_to_be_long_does(work: Work) -> None:
    assert not Turn().is_over()
    work.now += 2 * LONGEST
    short, long = Turn(), Turn()
    work.now += SHORT
    assert not short.is_over()
    await long.take()
    assert (short.passed, long.passed) == (False, True)
    await Turn().take()


async def test_work_that_goes_on_after_something_was_waited_for_is_short_again(work: Work) -> None:
    turn = Turn()
    assert not turn.is_over()
    work.now += 2 * LONGEST
    assert turn.is_over()
    turn.begin()
    assert not turn.is_over()
