from __future__ import annotations

import asyncio

from connectors.kindness.places import Places
from tests.connectors.memory import settled


async def test_places_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    places, given = Places(1), []

    async def wait(number: int) -> None:
        await places.wait()
        given.append(number)

    assert places.take()
    waiting = [asyncio.create_task(wait(number)) for number in range(3)]
    await settled()
    assert not places.take()
    for number in range(3):
        places.give_back()
        await settled()
        assert given == list(range(number + 1))
    await asyncio.gather(*waiting)
    assert not places.take()
    places.give_back()
    assert places.take()


async def test_a_place_that_was_given_to_one_who_leaves_is_given_to_the_next() -> None:
    places = Places(1)
    assert places.take()
    leaving, staying = (asyncio.create_task(places.wait()) for _ in range(2))
    await settled()
    places.give_back()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await settled()
    assert (leaving.cancelled(), staying.done()) == (True, True)


async def test_whoever_leaves_while_waiting_takes_no_place() -> None:
    places = Places(1)
    assert places.take()
    leaving, staying = (asyncio.create_task(places.wait()) for _ in range(2))
    await settled()
    leaving.cancel()
    places.give_back()
    await settled()
    assert staying.done()
    places.give_back()
    assert places.take()
    assert not places.take()


async def test_where_there_are_fewer_from_now_on_none_is_given_until_enough_are_free() -> None:
    places = Places(3)
    assert all(places.take() for _ in range(3))
    places.change(1)
    waiting = asyncio.create_task(places.wait())
    for done in (False, False, True):
        places.give_back()
        await settled()
        assert waiting.done() is done
    places.change(2)
    assert places.take()
