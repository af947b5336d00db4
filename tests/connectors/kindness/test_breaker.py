from __future__ import annotations

import pytest

from connectors.kindness.breaker import BreakerState, CircuitBreaker
from connectors.kindness.declared import Breaker


def breaker(failures: int = 3, seconds: float = 5) -> CircuitBreaker:
    return CircuitBreaker("court", Breaker(failures=failures, seconds=seconds))


def call(one: CircuitBreaker, now: float, *, fails: bool) -> None:
    probe = one.begin()
    if fails:
        one.failed(now, probe=probe)
    else:
        one.succeeded(probe=probe)


def opened(now: float = 0) -> CircuitBreaker:
    one = breaker()
    for _ in range(3):
        call(one, now, fails=True)
    return one


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        ("xx", BreakerState.CLOSED),
        ("xxx", BreakerState.OPEN),
        ("x.x.x", BreakerState.OPEN),
        ("x..x..x", BreakerState.CLOSED),
        ("xx....x", BreakerState.CLOSED),
        ("......xxx", BreakerState.OPEN),
        ("xx.....xx", BreakerState.CLOSED),
    ],
)
def test_it_opens_once_so_many_of_the_last_twice_as_many_calls_have_failed(calls: str, state: BreakerState) -> None:
    one = breaker()
    for letter in calls:
        call(one, 0, fails=letter == "x")
    assert one.state(0) is state
    assert one.refuses(0) is (state is BreakerState.OPEN)


def test_after_its_time_one_call_tries_and_no_other() -> None:
    one = opened()
    assert one.refuses(4.9)
    assert (one.state(5), one.refuses(5)) == (BreakerState.HALF_OPEN, False)
    assert one.begin()
    assert one.refuses(5)


def test_a_call_that_tries_and_succeeds_closes_it() -> None:
    one = opened()
    call(one, 5, fails=False)
    assert (one.state(5), one.refuses(5)) == (BreakerState.CLOSED, False)
    call(one, 5, fails=True)
    assert one.state(5) is BreakerState.CLOSED


def test_a_call_that_tries_and_fails_keeps_it_open_for_as_long_again() -> None:
    one = opened()
    call(one, 6, fails=True)
    assert one.refuses(10.9)
    assert not one.refuses(11)


def test_a_call_that_tries_and_tells_nothing_lets_another_try() -> None:
    one = opened()
    one.undecided(probe=one.begin())
    assert not one.refuses(5)
    assert one.begin()


def test_calls_that_were_under_way_when_it_opened_decide_nothing() -> None:
    one = breaker()
    early = one.begin()
    for _ in range(3):
        call(one, 0, fails=True)
    one.succeeded(probe=early)
    assert one.refuses(0)
    one.failed(4, probe=early)
    assert not one.refuses(5)
    assert one.opened == 1
