"""Several workers: what one socket answers with one process and with more."""

from __future__ import annotations

import os

from benchmarks.load import Load
from benchmarks.tables import Effort, Section, Table
from benchmarks.under_load import COLUMNS, Case, measured, row, started
from benchmarks.xinqiao import Xinqiao


def measure(effort: Effort) -> Section:
    """The section of the report."""
    cores = os.cpu_count() or 1
    numbers = sorted({1, 2, cores} if cores > 1 else {1, 2})
    gateways = [Xinqiao(f"{number}", workers=number, pinned=False) for number in numbers]
    cases = [Case(gateway, Load(1, 32, effort.seconds)) for gateway in gateways]
    with started(gateways) as running:
        found = measured(cases, running, effort)
    return Section(
        "Workers",
        f"`xinqiao serve --workers N`, pinned to no core of {cores}; the load and the agencies run on one of them, so "
        "that the workers have less than all of it. CPU is that of all the gateway's processes.",
        [
            Table(
                ("workers", *COLUMNS), [(c.contender.name, *row(c.load, f)) for c, f in zip(cases, found, strict=True)]
            )
        ],
    )
