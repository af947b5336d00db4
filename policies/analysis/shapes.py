"""The shapes of real requests: who asked for which coordinates, how often. Never a value, never a company.

Requests alike are counted together, so a log of millions of lines becomes a value as large as the number of its
distinct shapes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from policies.decision import CallerClass
from policies.policy import Act


@dataclass(frozen=True, slots=True)
class Asked:
    """What one class of caller asked for: coordinates (rows included), each with its agency.

    Whoever asks for a record asks for it past its publicity period too, if the policy shows it, so no act is kept.
    `companies` is summed over the requests; one asked about in two of them counts twice.
    """

    caller: CallerClass
    coordinates: frozenset[tuple[str, str]]
    companies: int


@dataclass(frozen=True, slots=True)
class Shape:
    """Requests alike. Each asked for all that is in `asked`: one entry for each class of its companies."""

    asked: tuple[Asked, ...]
    requests: int
    first: datetime
    last: datetime

    @property
    def companies(self) -> int:
        """The companies of all these requests."""
        return sum(one.companies for one in self.asked)

    @property
    def agencies(self) -> frozenset[str]:
        """The agencies whose data was asked for."""
        return frozenset(agency for one in self.asked for agency, _ in one.coordinates)


@dataclass(frozen=True, slots=True)
class Use:
    """How often a rule decided on one coordinate for one class of caller, under whichever policy version it was."""

    rule: str
    caller: CallerClass
    agency: str
    act: Act
    coordinate: str
    requests: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was asked from `begins` to `ends` (None where nothing was recorded).

    Requests in which nothing was decided have no shape. `unread` is the number of lines that could not be read.
    """

    shapes: tuple[Shape, ...]
    uses: tuple[Use, ...]
    begins: datetime | None
    ends: datetime | None
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided in one request for one class of caller: (agency, act, coordinate, rule or None)."""

    caller: CallerClass
    cells: frozenset[tuple[str, Act, str, str | None]]
    companies: int


_Alike = frozenset[tuple[CallerClass, frozenset[tuple[str, Act, str, str | None]]]]
_Coordinates = frozenset[tuple[CallerClass, frozenset[tuple[str, str]]]]
_Used = tuple[str, CallerClass, str, Act, str]


@dataclass(slots=True)
class _Tally:
    """Counts of requests alike."""

    first: datetime
    last: datetime
    requests: int = 0
    companies: dict[CallerClass, int] = field(default_factory=dict)

    def add(self, requests: int, companies: dict[CallerClass, int], first: datetime, last: datetime) -> None:
        self.requests += requests
        self.first, self.last = min(self.first, first), max(self.last, last)
        for caller, number in companies.items():
            self.companies[caller] = self.companies.get(caller, 0) + number


class Gathering:
    """Gathers requests, one by one, into evidence."""

    def __init__(self) -> None:
        self._tallies: dict[_Alike, _Tally] = {}
        self._begins: datetime | None = None
        self._ends: datetime | None = None

    def cover(self, at: datetime) -> None:
        """Notes that the record goes back, or on, to this moment."""
        self._begins = min(self._begins or at, at)
        self._ends = max(self._ends or at, at)

    def add(self, at: datetime, decided: Collection[Decided]) -> None:
        """Adds one request, with what was decided in it at each of its places."""
        cells: dict[CallerClass, frozenset[tuple[str, Act, str, str | None]]] = {}
        companies: dict[CallerClass, int] = {}
        for one in decided:
            if one.cells:
                cells[one.caller] = cells.get(one.caller, frozenset()) | one.cells
                companies[one.caller] = companies.get(one.caller, 0) + one.companies
        if cells:
            self._tallies.setdefault(frozenset(cells.items()), _Tally(at, at)).add(1, companies, at, at)

    def evidence(self, unread: int = 0) -> Evidence:
        """All that was gathered."""
        return Evidence(tuple(self._shapes()), tuple(self._uses()), self._begins, self._ends, unread)

    def _shapes(self) -> Iterator[Shape]:
        """The shapes, whatever was decided on them."""
        merged: dict[_Coordinates, _Tally] = {}
        for alike, tally in self._tallies.items():
            key = frozenset(
                (caller, frozenset((agency, coordinate) for agency, _, coordinate, _ in cells))
                for caller, cells in alike
            )
            one = merged.setdefault(key, _Tally(tally.first, tally.last))
            one.add(tally.requests, tally.companies, tally.first, tally.last)
        for key, tally in merged.items():
            asked = tuple(Asked(caller, coordinates, tally.companies[caller]) for caller, coordinates in key)
            yield Shape(asked, tally.requests, tally.first, tally.last)

    def _uses(self) -> Iterator[Use]:
        counts: dict[_Used, tuple[int, datetime]] = {}
        for alike, tally in self._tallies.items():
            for caller, cells in alike:
                for agency, act, coordinate, rule in cells:
                    if rule is not None:
                        key = (rule, caller, agency, act, coordinate)
                        requests, last = counts.get(key, (0, tally.last))
                        counts[key] = (requests + tally.requests, max(last, tally.last))
        for key, (requests, last) in counts.items():
            yield Use(*key, requests, last)
