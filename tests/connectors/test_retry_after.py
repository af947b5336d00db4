from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.retry_after import seconds_until

NOW = 1_795_708_800.0  # Thu, 26 Nov 2026 16:00:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("Thu, 26 Nov 2026 16:00:30 GMT", 30),
        ("Thursday, 26-Nov-26 16:01:00 GMT", 60),
        ("Thu Nov 26 16:02:00 2026", 120),
        ("Thu, 26 Nov 2026 15:00:00 GMT", 0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Thu, 99 Nov 2026 16:00:30 GMT", None),
    ],
)
def test_seconds_and_dates_are_understood_and_nothing_else(value: str, seconds: float | None) -> None:
    assert seconds_until(value, NOW) == seconds


@given(st.text() | st.from_regex(r"\A\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ \S+\Z"))
def test_whatever_an_agency_writes_harms_nobody(value: str) -> None:
    seconds = seconds_until(value, NOW)
    assert seconds is None or seconds >= 0
