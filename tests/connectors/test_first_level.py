"""Memory holds what was kept, for as long as it may be kept, and no more rows than it is given room for."""

from __future__ import annotations

import asyncio
import gc
from collections import OrderedDict
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import CompanyRows, Outcome
from connectors.first_level import ENDED_AT_ONCE, Entry, FirstLevel
from tests.connectors.kindness.virtual_time import in_virtual_time, now

COLUMNS = frozenset({"facts"})


def entry(rows: int, kept_until: float) -> Entry:
    return Entry(COLUMNS, CompanyRows(Outcome.ANSWERED, ({"facts": "x"},) * rows), kept_until, kept_until)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.sampled_from("abcde"), st.integers(0, 3), st.floats(-1, 4)),
        st.tuples(st.just("use"), st.sampled_from("abcde")),
        st.tuples(st.just("wait"), st.floats(0, 3)),
    ),
    max_size=40,
)


@given(STEPS, st.integers(1, 6))
@in_virtual_time
async def test_it_holds_what_was_used_last_as_far_as_there_is_room_and_until_it_ends(
    steps: list[tuple[str, str, int, float]], largest: int
) -> None:
    level = FirstLevel(largest)
    expected: OrderedDict[str, Entry] = OrderedDict()
    for step in steps:
        match step:
            case ("keep", key, rows, seconds):
                kept = entry(rows, now() + seconds)
                await level.keep([(key, kept)])
                if kept.kept_until > now():
                    expected.pop(key, None)
                    expected[key] = kept
            case ("use", key) if level.look(key):
                level.use(key)
                expected.move_to_end(key)
            case ("wait", seconds):
                await asyncio.sleep(seconds)
        while sum(max(1, len(one.rows.rows)) for one in expected.values()) > largest:
            expected.popitem(last=False)
        # What has ended is forgotten within a second.
        for key in [key for key, one in expected.items() if one.kept_until <= now() - 1]:
            del expected[key]
        held = {key: found for key in "abcde" if (found := level.look(key))}
        assert {key: one for key, one in held.items() if one.kept_until > now()} == {
            key: one for key, one in expected.items() if one.kept_until > now()
        }
        assert level.rows == sum(max(1, len(one.rows.rows)) for one in held.values()) <= largest
        expected = OrderedDict((key, one) for key, one in expected.items() if key in held)
    level.close()


@in_virtual_time
async def test_nothing_is_left_of_what_has_ended_however_much_ends_at_once() -> None:
    level = FirstLevel(10 * ENDED_AT_ONCE)
    await level.keep([(str(number), entry(1, 5.0)) for number in range(3 * ENDED_AT_ONCE + 1)])
    rows = [level.rows]
    while level.rows:
        await asyncio.sleep(0 if now() >= 5 else 1)
        if level.rows != rows[-1]:
            rows.append(level.rows)
    assert max(before - after for before, after in pairwise(rows)) <= 2 * ENDED_AT_ONCE
    assert now() < 7
    assert level.look("0") is None


@in_virtual_time
async def test_once_closed_it_holds_nothing_and_sets_nothing_going() -> None:
    level = FirstLevel(10)
    await level.keep([("a", entry(2, 5.0)), ("b", entry(1, 9.0))])
    level.close()
    await asyncio.sleep(20)
    assert (level.rows, level.look("a"), level.look("b")) == (0, None, None)


async def test_the_collector_of_cycles_has_little_to_walk_through() -> None:
    level = FirstLevel(100_000)
    gc.collect()
    before = len(gc.get_objects())
    until = asyncio.get_running_loop().time() + 60
    await level.keep([(str(number), entry(1, until + number % 10)) for number in range(1_000)])
    gc.collect()
    # The tuple of its rows, for each.
    assert len(gc.get_objects()) - before < 1_200
    level.close()
