from __future__ import annotations

from connectors.outage import Outages


async def test_in_an_outage_one_may_try_after_each_pause_and_the_others_wait_for_its_luck() -> None:
    outages = Outages("it")
    assert outages.admit()
    assert outages.admit()
    outages.failed(ConnectionError())
    assert outages.is_paused()
    assert not outages.admit()
    outages._paused_until = 0.0
    assert outages.admit()
    assert not outages.admit()
    outages.succeeded()
    assert outages.admit()
    assert outages.admit()
    assert outages.failures == 1
