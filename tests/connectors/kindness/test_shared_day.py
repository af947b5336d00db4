from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.kindness.days import Days
from connectors.kindness.declared import Treatment
from connectors.kindness.rate import DayBudget
from connectors.kindness.share import Share
from connectors.kindness.shared_day import SharedDay
from tests.connectors.kindness.virtual_time import MIDNIGHT

CHINA = "Asia/Shanghai"
DAY = 24 * 3600


class Store:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.trips = 0
        self.is_down = False

    async def add(self, day: str, number: int, known: int, seconds: float) -> int | None:
        self.trips += 1
        assert DAY * 2 >= seconds > 0
        if self.is_down:
            return None
        self.counts[day] = max(self.counts.get(day, 0), known) + number
        return self.counts[day]


def process(store: Store, calls: int, own: int = 0) -> SharedDay:
    return SharedDay(calls, CHINA, DayBudget(own, CHINA, MIDNIGHT), store.add)


async def taken(day: SharedDay, number: int, now: float = MIDNIGHT) -> int:
    return sum([await day.take(now) is not None for _ in range(number)])


async def test_all_processes_share_one_days_calls_however_unevenly_they_ask() -> None:
    store = Store()
    busy, idle = process(store, 10), process(store, 10)
    assert (await taken(busy, 8), await taken(idle, 5), await taken(busy, 5)) == (8, 2, 0)


async def test_a_process_that_begins_anew_has_no_more_than_is_left() -> None:
    store = Store()
    assert await taken(process(store, 10), 7) == 7
    assert await taken(process(store, 10), 7) == 3


async def test_a_store_that_was_emptied_is_told_what_was_counted_and_the_days_calls_are_not_had_again() -> None:
    store = Store()
    busy, idle = process(store, 10), process(store, 10)
    assert (await taken(idle, 1), await taken(busy, 7)) == (1, 7)
    store.counts.clear()
    assert (await taken(idle, 1), await taken(busy, 9)) == (1, 2)
    store.counts.clear()
    assert (await taken(busy, 9), await taken(idle, 9, MIDNIGHT + DAY)) == (0, 9)


async def test_the_next_day_has_calls_of_its_own() -> None:
    store = Store()
    day = process(store, 10)
    assert (await taken(day, 20), await taken(day, 20, MIDNIGHT + DAY)) == (10, 10)
    assert store.counts.keys() == {"2026-11-27", "2026-11-28"}


async def test_few_trips_are_made_and_none_once_the_days_calls_are_used_up() -> None:
    store = Store()
    day = process(store, 50_000)
    assert (await taken(day, 500), store.trips) == (500, 10)
    assert (await taken(day, 60_000), store.trips) == (49_500, 1_001)
    await taken(day, 100)
    assert store.trips == 1_001


async def test_while_the_store_does_not_answer_and_once_all_are_used_up_each_has_its_own_and_no_more() -> None:
    store = Store()
    day = process(store, 8, own=2)
    assert await taken(day, 3) == 3
    store.is_down = True
    assert await taken(day, 10) == 2
    store.is_down = False
    assert await taken(day, 10) == 5


@given(
    st.integers(1, 60),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 9)), max_size=40),
)
async def test_the_processes_together_send_no_more_than_the_days_calls_whenever_the_store_fails(
    calls: int, processes: int, steps: list[tuple[int, bool, int]]
) -> None:
    store = Store()
    treatment = Treatment.model_validate({"rate": {"day": calls}})
    days = [Days(treatment, Share(number + 1, processes), MIDNIGHT, store.add) for number in range(processes)]
    sent = 0
    for process_, store.is_down, number in steps:
        day = days[process_ % processes]
        sent += sum([await day.take(MIDNIGHT) is not None for _ in range(number)])
        assert sent <= calls
    store.is_down = False
    for day in days:
        sent += sum([await day.take(MIDNIGHT) is not None for _ in range(calls)])
    assert sent == calls
