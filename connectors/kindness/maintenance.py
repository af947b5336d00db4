"""Whether an agency is under maintenance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from connectors.kindness.declared import DAYS, Window

_MINUTE: Final = 60

_Covers = Callable[[datetime], bool]
"""Whether a window covers a moment of the agency's zone."""


class Maintenance:
    """The windows of one agency, in its zone. Looked at once a minute: they begin and end on whole ones."""

    __slots__ = ("_covers", "_is_under_way", "_minute", "_zone")

    def __init__(self, windows: Sequence[Window], zone: str) -> None:
        self._covers = [_once(window) if window.is_once else _weekly(window) for window in windows]
        self._zone = ZoneInfo(zone)
        self._minute = -1
        self._is_under_way = False

    def is_under_way(self, now: float) -> bool:
        """Whether it is, at this moment (seconds of the Unix epoch)."""
        minute = int(now // _MINUTE)
        if minute != self._minute:
            self._minute = minute
            moment = datetime.fromtimestamp(minute * _MINUTE, self._zone).replace(tzinfo=None)
            self._is_under_way = any(covers(moment) for covers in self._covers)
        return self._is_under_way


def _once(window: Window) -> _Covers:
    start, end = datetime.fromisoformat(window.start), datetime.fromisoformat(window.end)
    return lambda moment: start <= moment < end


def _weekly(window: Window) -> _Covers:
    start, end = time.fromisoformat(window.start), time.fromisoformat(window.end)
    days = {DAYS.index(day) for day in window.days or DAYS}

    def covers(moment: datetime) -> bool:
        clock, today = moment.time(), moment.weekday() in days
        if start < end:
            return today and start <= clock < end
        # Over midnight: it began today, or yesterday.
        yesterday = (moment - timedelta(days=1)).weekday() in days
        return (today and clock >= start) or (yesterday and clock < end)

    return covers
