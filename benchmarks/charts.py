"""Charts as SVG: curves, and bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from benchmarks.tables import Bars, Curves, number

WIDTH: Final = 720
HEIGHT: Final = 420
LEFT, RIGHT, TOP, BOTTOM = 70, 200, 44, 52
BAR: Final = 26
NAMES: Final = 330
STEPS: Final = 6
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#f0e442")
"""Colours that colour-blind readers tell apart (Okabe and Ito, Color Universal Design, 2008)."""


def svg(chart: Curves | Bars) -> str:
    """The chart's file."""
    body, height = (_curves(chart), HEIGHT) if isinstance(chart, Curves) else (_bars(chart), _bars_height(chart))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" role="img"><title>{escape(chart.title)}</title>'
    )
    background = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    title = _text(WIDTH / 2, 22, chart.title, anchor="middle", size=15)
    return "\n".join((head, background, title, *body, "</svg>\n"))


def _curves(chart: Curves) -> Iterator[str]:
    points = [point for series in chart.series for point in series.points]
    axis = _logarithmic if chart.logarithmic else _linear
    xs, ys = axis([x for x, _ in points]), axis([y for _, y in points])

    def across(value: float) -> float:
        return LEFT + xs.share(value) * (WIDTH - LEFT - RIGHT)

    def down(value: float) -> float:
        return HEIGHT - BOTTOM - ys.share(value) * (HEIGHT - TOP - BOTTOM)

    for tick in xs.ticks:
        yield _line(across(tick), TOP, across(tick), HEIGHT - BOTTOM)
        yield _text(across(tick), HEIGHT - BOTTOM + 18, number(tick, 2), anchor="middle")
    for tick in ys.ticks:
        yield _line(LEFT, down(tick), WIDTH - RIGHT, down(tick))
        yield _text(LEFT - 6, down(tick) + 4, number(tick, 2), anchor="end")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, chart.x, anchor="middle")
    yield _text(8, TOP - 12, chart.y, anchor="start")
    for index, series in enumerate(chart.series):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in series.points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (
            f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="3" fill="{colour}"/>' for x, y in series.points
        )
        middle = TOP + 10 + 18 * index
        yield f'<rect x="{WIDTH - RIGHT + 14}" y="{middle - 6}" width="14" height="4" fill="{colour}"/>'
        yield _text(WIDTH - RIGHT + 34, middle, series.name, anchor="start")


def _bars_height(chart: Bars) -> int:
    return TOP + BAR * len(chart.bars) + 30


def _bars(chart: Bars) -> Iterator[str]:
    longest = max((value for _, value in chart.bars), default=1) or 1
    for index, (name, value) in enumerate(chart.bars):
        top = TOP + BAR * index
        width = value / longest * (WIDTH - NAMES - 100)
        yield _text(NAMES - 8, top + 16, name, anchor="end")
        yield f'<rect x="{NAMES}" y="{top + 3}" width="{width:.1f}" height="{BAR - 8}" fill="{COLOURS[0]}"/>'
        yield _text(NAMES + width + 6, top + 16, number(value), anchor="start")
    yield _text(NAMES, TOP + BAR * len(chart.bars) + 18, chart.unit, anchor="start")


@dataclass(frozen=True)
class _Axis:
    """Ticks, and where a value stands between the first and the last, from 0 to 1."""

    ticks: Sequence[float]
    share: Callable[[float], float]


def _logarithmic(values: Sequence[float]) -> _Axis:
    """The powers of ten that hold all values between them."""
    found = [value for value in values if value > 0] or [1.0]
    first, last = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    last = max(last, first + 1)
    ticks = [10.0**power for power in range(first, last + 1)]
    return _Axis(ticks, lambda value: (math.log10(max(value, ticks[0])) - first) / (last - first))


def _linear(values: Sequence[float]) -> _Axis:
    """Round steps from nothing to beyond the largest value."""
    largest = max(values, default=1) or 1
    unit = 10.0 ** math.floor(math.log10(largest))
    step = next(unit * part for part in (0.2, 0.5, 1, 2) if largest <= unit * part * STEPS)
    count = math.ceil(largest / step)
    return _Axis([step * index for index in range(count + 1)], lambda value: value / (step * count))


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, text: str, *, anchor: str, size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
