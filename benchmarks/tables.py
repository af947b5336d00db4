"""What a subject of the benchmark found: figures as data, which the report writes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of cells below their columns' names. The first column names the row; the others are figures."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass(frozen=True)
class Series:
    """One curve, or the bars of one colour: a value for each place on the axis."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curves:
    """A chart of curves; `name` is its file's, without the ending. Axes are logarithmic, or linear from nothing."""

    name: str
    title: str
    x: str
    y: str
    series: Sequence[Series]
    logarithmic: bool = True


@dataclass(frozen=True)
class Bars:
    """A chart of one bar a name, on a linear axis from nothing."""

    name: str
    title: str
    unit: str
    bars: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Section:
    """One subject: what was measured and how, then the figures. `missing` says what was left out, and why."""

    title: str
    text: str
    tables: Sequence[Table] = ()
    charts: Sequence[Curves | Bars] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds of so many seconds for each load; the soak's seconds; `quick` leaves things out."""

    quick: bool
    rounds: int
    seconds: float
    soak: float


FULL = Effort(quick=False, rounds=3, seconds=3, soak=60)
QUICK = Effort(quick=True, rounds=1, seconds=1, soak=3)


def number(value: float, digits: int = 3) -> str:
    """A figure with so many significant digits, thousands apart: 1,234 or 0.0123."""
    if value == 0:
        return "0"
    places = digits - 1
    size = abs(value)
    while size >= 10:  # noqa: PLR2004 - decimal places
        size /= 10
        places -= 1
    while size < 1:
        size *= 10
        places += 1
    return f"{value:,.{max(places, 0)}f}"


def milliseconds(seconds: float) -> str:
    """Seconds, in milliseconds."""
    return number(seconds * 1e3)


def microseconds(seconds: float) -> str:
    """Seconds, in microseconds."""
    return number(seconds * 1e6)
