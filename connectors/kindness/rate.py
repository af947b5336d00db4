"""An agency's budget of calls: when the next one may leave."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from connectors.kindness.declared import Rate
from connectors.kindness.share import Share

MARGIN: Final = 0.05
"""Seconds by which each span is longer than the agency's: calls that leave in time may come a little late, and the next
a little less.
"""

LATE: Final = 0.2
"""Seconds after which a moment is missed: what waited while its process stood still would leave all at once."""

_NEARLY: Final = 1e-6
"""Seconds by which a moment counts as one of the beats: they are sums of floating-point numbers."""


class Pace(Protocol):
    """When calls may leave. Times are in seconds of the event loop's clock."""

    @property
    def taken(self) -> Sequence[float]:
        """The last moments that were taken, as far as they still count."""
        ...

    def next(self, now: float) -> float:
        """The first moment, from now on, at which a call may leave."""
        ...

    def take(self, moment: float) -> None:
        """A call leaves at this moment, which `next` gave."""
        ...


class MovingWindow:
    """At most so many calls in any span of so many seconds."""

    __slots__ = ("_seconds", "_taken")

    def __init__(self, calls: int, seconds: float) -> None:
        self._seconds = seconds
        self._taken: deque[float] = deque(maxlen=calls)

    @property
    def taken(self) -> Sequence[float]:
        """As in `Pace`."""
        return self._taken

    def next(self, now: float) -> float:
        """As in `Pace`."""
        taken = self._taken
        return max(now, taken[0] + self._seconds) if len(taken) == taken.maxlen else now

    def take(self, moment: float) -> None:
        """As in `Pace`."""
        self._taken.append(moment)


class Beat:
    """One call in so many seconds, at moments at which no other process has its own.

    For processes of one machine, which share the clock: with fewer calls in a second than processes, each would
    otherwise ask in the same one.
    """

    __slots__ = ("_after", "_phase", "_seconds")

    def __init__(self, seconds: float, phase: float) -> None:
        self._seconds = seconds
        self._phase = phase
        self._after: float | None = None

    @property
    def taken(self) -> Sequence[float]:
        """As in `Pace`."""
        return () if self._after is None else (self._after,)

    def next(self, now: float) -> float:
        """As in `Pace`."""
        first = now if self._after is None else max(now, self._after + self._seconds)
        return self._phase + self._seconds * ceil((first - self._phase - _NEARLY) / self._seconds)

    def take(self, moment: float) -> None:
        """As in `Pace`."""
        self._after = moment


class DayBudget:
    """So many calls from one midnight of the zone to the next.

    Nobody knows how many were sent on the day on which the process began: of that day it has the part that is left.
    """

    __slots__ = ("_begins", "_calls", "_ends", "_part", "_used", "_zone")

    def __init__(self, calls: int, zone: str, now: float) -> None:
        """`now` is in seconds of the Unix epoch, as below."""
        self._calls = calls
        self._zone = ZoneInfo(zone)
        self._begins, self._ends = day_around(now, self._zone)
        self._part = (self._ends - now) / (self._ends - self._begins)
        self._used = 0

    @property
    def left(self) -> int:
        """How many calls of the day are left."""
        return max(0, ceil(self._calls * self._part) - self._used)

    def take(self, now: float) -> bool:
        """Takes a call out of the day's, unless there is none left."""
        self._begin(now)
        if not self.left:
            return False
        self._used += 1
        return True

    def give_back(self, taken_at: float) -> None:
        """A call that was taken then is not sent."""
        if taken_at >= self._begins:
            self._used -= 1

    def change(self, calls: int, zone: str, now: float) -> None:
        """There are so many from now on, of which those that were taken are gone."""
        self._calls = calls
        if zone != self._zone.key:
            self._zone = ZoneInfo(zone)
            self._begins, self._ends = day_around(now, self._zone)

    def _begin(self, now: float) -> None:
        if now >= self._ends:
            self._begins, self._ends = day_around(now, self._zone)
            self._part, self._used = 1.0, 0


def day_around(now: float, zone: ZoneInfo) -> tuple[float, float]:
    """The midnights of the zone around a moment, all in seconds of the Unix epoch."""
    midnight = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.timestamp(), (midnight + timedelta(days=1)).timestamp()


def paces(rate: Rate, share: Share) -> Sequence[Pace]:
    """What one process may send in a second and in a minute, as far as it knows by itself (`beyond_instances`)."""
    windows: list[Pace] = []
    between = 0.0
    for calls, seconds in _bounds(rate):
        if calls >= share.processes:
            windows.append(MovingWindow(share.of(calls), seconds))
        elif calls >= share.instances:
            # The slowest beat keeps the other bound as well; two of them might never meet. An instance does not know
            # which it is: what is left over by the division is nobody's.
            between = max(between, seconds / (calls // share.instances))
    number = share.number + share.workers - share.processes
    return [*windows, Beat(between * share.workers, between * number)] if between else windows


def beyond_instances(rate: Rate, instances: int) -> float | None:
    """The seconds from each call to the next, of all instances together, where the agency bears fewer in a second or in
    a minute than they are; None where it does not.
    """
    bounds = tuple(_bounds(rate))
    if all(calls >= instances for calls, _ in bounds):
        return None
    # The slowest pace keeps the other bound as well, which a process cannot do whose calls wait for others' turns.
    return max(seconds / calls for calls, seconds in bounds)


def _bounds(rate: Rate) -> Iterator[tuple[int, float]]:
    """So many calls in so many seconds, with the margin."""
    if rate.second is not None:
        yield rate.second, 1.0 + MARGIN
    if rate.minute is not None:
        yield rate.minute, 60.0 + MARGIN


def next_moment(paces: Sequence[Pace], now: float) -> float:
    """The first moment, from now on, that suits all of them."""
    moment = now
    while (later := max((pace.next(moment) for pace in paces), default=moment)) > moment:
        moment = later
    return moment
