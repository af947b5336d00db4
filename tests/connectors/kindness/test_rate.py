from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.kindness.declared import Rate
from connectors.kindness.rate import MARGIN, DayBudget, beyond_instances, next_moment, paces
from connectors.kindness.share import Share

CHINA = "Asia/Shanghai"
NOON = datetime(2026, 11, 27, 12, tzinfo=ZoneInfo(CHINA)).timestamp()
HOUR = 3600


def sent(rate: Rate, share: Share, wanted: list[float]) -> list[float]:
    """When calls leave that are wanted at these moments."""
    own, moments = paces(rate, share), []
    for moment in wanted:
        moments.append(next_moment(own, moment))
        for pace in own:
            pace.take(moments[-1])
    return moments


def most_in(seconds: float, moments: list[float]) -> int:
    return max(sum(start <= moment < start + seconds - 1e-5 for moment in moments) for start in moments)


@given(
    second=st.none() | st.integers(1, 6),
    minute=st.integers(1, 40),
    processes=st.integers(1, 7),
    wanted=st.lists(st.floats(0, 100), min_size=1, max_size=60).map(sorted),
    late=st.lists(st.floats(0, MARGIN), min_size=1, max_size=9),
)
def test_all_processes_together_keep_to_the_rate_in_any_second_and_minute_also_where_they_are_a_little_late(
    second: int | None, minute: int, processes: int, wanted: list[float], late: list[float]
) -> None:
    rate = Rate(second=second, minute=minute)
    moments = [sent(rate, Share(number, processes), wanted) for number in range(1, processes + 1)]
    together = sorted(moment + late[at % len(late)] for own in moments for at, moment in enumerate(own))
    assert most_in(60, together) <= minute
    if second is not None:
        assert most_in(1, together) <= second
    for own in moments:
        assert all(wish <= moment for wish, moment in zip(wanted, own, strict=True))
        assert all(earlier <= later for earlier, later in pairwise(own))


@given(
    second=st.none() | st.integers(1, 9),
    minute=st.none() | st.integers(1, 40),
    workers=st.integers(1, 4),
    clocks=st.lists(st.floats(0, 100), min_size=1, max_size=4),
    wanted=st.lists(st.floats(0, 100), min_size=1, max_size=30).map(sorted),
)
def test_instances_whose_clocks_differ_keep_to_the_rate_unless_they_are_more_than_it_allows(
    second: int | None, minute: int | None, workers: int, clocks: list[float], wanted: list[float]
) -> None:
    assume(second or minute)
    rate, instances = Rate(second=second, minute=minute), len(clocks)
    shares = [Share.of_worker(number, workers, instances) for number in range(1, workers + 1)]
    together = sorted(
        moment - clock
        for clock in clocks
        for share in shares
        for moment in sent(rate, share, [wish + clock for wish in wanted])
    )
    between = beyond_instances(rate, instances)
    for calls, seconds in ((second, 1), (minute, 60)):
        if calls is not None and calls >= instances:
            assert most_in(seconds, together) <= calls
        if calls is not None and between is not None:
            assert seconds / between <= calls + 1e-9
    assert (between is None) == (min(calls for calls in (second, minute) if calls) >= instances)


def test_calls_leave_at_once_as_long_as_the_rate_allows() -> None:
    assert sent(Rate(second=3), Share(), [0, 0, 0.5, 0.5, 0.5, 5]) == [0, 0, 0.5, 1 + MARGIN, 1 + MARGIN, 5]


def test_fewer_calls_than_processes_leave_in_turn() -> None:
    moments = [sent(Rate(second=1), Share(number, 4), [0, 0]) for number in (1, 2, 3, 4)]
    beats = [round(moment / (1 + MARGIN), 6) for own in moments for moment in own]
    assert beats == [1, 5, 2, 6, 3, 7, 0, 4]


@pytest.mark.parametrize(("whole", "workers", "instances"), [(10, 1, 1), (10, 3, 1), (7, 2, 2), (5, 3, 4), (11, 4, 3)])
def test_shares_never_add_up_to_more_than_the_whole(whole: int, workers: int, instances: int) -> None:
    own = [Share.of_worker(number, workers, instances).of(whole) for number in range(1, workers + 1)]
    assert sum(own) * instances <= whole
    if instances == 1:
        assert sum(own) == whole


def test_a_day_begins_at_midnight_in_the_agencys_zone() -> None:
    midnight = NOON + 12 * HOUR
    budget = DayBudget(2, CHINA, midnight)
    assert [budget.take(midnight + hour * HOUR) for hour in (0, 5, 23.9, 24, 30, 31)] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]


def test_a_process_that_begins_at_noon_has_half_of_the_day() -> None:
    budget = DayBudget(10, CHINA, NOON)
    assert [budget.take(NOON) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [budget.take(NOON + 12 * HOUR) for _ in range(11)] == [True] * 10 + [False]
