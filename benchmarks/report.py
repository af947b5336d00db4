"""The report: sections as Markdown, charts beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import Final

from benchmarks.charts import svg
from benchmarks.tables import Effort, Section, Table

WIDTH: Final = 120
HISTORY: Final = Path(__file__).parent / "history.md"
"""Versions that were compared with each other, written by hand: no run can measure what is no longer there."""

METHOD: Final = """## Method

- `wrk` asks over connections that stay open, on each as soon as it is answered (a closed loop: at full load the latency
  is that of the queue). Every request is about companies of its own, with lawful credit codes, unless a row says
  otherwise.
- The agencies are one process in C (`benchmarks/upstream.c`), quick enough to be no bottleneck; each company's rows are
  different. A gateway has one core for itself; the load and the agencies share another.
- Before anything is timed, answers are compared with what the upstream's rule says of the companies. An answer under
  load that is no 200 or has errors ends the run.
- Those compared take turns in rounds, after one to warm up; figures are the medians of the rounds' figures. No slowest
  thousandth is given where a load came to fewer than a thousand requests.
- CPU is that of all processes of the gateway, user and system, as the operating system counts it, divided by the
  requests. It is steadier than requests a second, which depend on what else the machine does.
- Nothing is switched off for it: there is no other way through the gateway than the one measured.
"""


def markdown(sections: Sequence[Section], machine: Table, effort: Effort, seconds: float, folder: str = "") -> str:
    """The report's text, and after it what was compared once; charts are linked in the folder beside it."""
    return "\n".join((*_lines(sections, machine, effort, seconds, folder), HISTORY.read_text()))


def write(file: Path, sections: Sequence[Section], machine: Table, effort: Effort, seconds: float) -> None:
    """Writes the report, and its charts in the same folder."""
    file.write_text(markdown(sections, machine, effort, seconds))
    for section in sections:
        for chart in section.charts:
            (file.parent / f"{chart.name}.svg").write_text(svg(chart))


def section_text(section: Section) -> str:
    """One section in short: its tables alone."""
    return "\n".join((f"## {section.title}", "", *_tables(section), *_missing(section)))


def _lines(sections: Sequence[Section], machine: Table, effort: Effort, seconds: float, folder: str) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield _wrapped(
        f"Measured on {dt.datetime.now(dt.UTC).date()} by `make bench`, in {seconds / 60:.0f} minutes; rounds a load: "
        f"{effort.rounds}, of {effort.seconds:.0f} s. Machines differ, and so do days: compare figures of one report "
        "with each other."
    )
    yield ""
    yield METHOD
    yield from _table(machine)
    for section in sections:
        yield f"## {section.title}"
        yield ""
        yield _wrapped(section.text)
        yield ""
        yield from _tables(section)
        yield from _missing(section)
        for chart in section.charts:
            yield f"![{chart.title}]({folder}{chart.name}.svg)"
            yield ""


def _tables(section: Section) -> Iterator[str]:
    for table in section.tables:
        yield from _table(table)


def _missing(section: Section) -> Iterator[str]:
    for what in section.missing:
        yield _wrapped(f"Left out: {what}")
        yield ""


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield f"## {table.title}" if table.title == "Machine" else f"**{table.title}**"
        yield ""
    yield _row(table.columns)
    yield _row(["---", *("---:" if table.title != "Machine" else "---" for _ in table.columns[1:])])
    yield from map(_row, table.rows)
    yield ""


def _wrapped(text: str) -> str:
    return fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
