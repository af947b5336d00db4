"""Many agencies: 30 and 100, of which some are about the company's division and are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from benchmarks.load import Load
from benchmarks.tables import Effort, Section, Table
from benchmarks.under_load import COLUMNS, Case, measured, row, started
from benchmarks.workload import AGENCIES, Agency
from benchmarks.xinqiao import Supplied, Xinqiao

ASKED_DIVISION: Final = "33"
"""Where the companies of the load are registered."""

OTHER_DIVISIONS: Final = ("11", "31", "44", "50", "61")
SEVERAL: Final = tuple(agency for agency in AGENCIES if not agency.single)
"""The types of which a company has several records, so that several agencies may supply them."""

NUMBERS: Final = ((30, 5), (30, 30), (100, 5), (100, 50))
"""How many agencies there are, and how many of them are asked."""


def regional(count: int, asked: int) -> Sequence[Supplied]:
    """So many agencies, each about the companies of one division; the first `asked` about the load's."""

    def division(number: int) -> str:
        return ASKED_DIVISION if number < asked else OTHER_DIVISIONS[number % len(OTHER_DIVISIONS)]

    return tuple(Supplied(_agency(number), (division(number),)) for number in range(count))


def _agency(number: int) -> Agency:
    pattern = SEVERAL[number % len(SEVERAL)]
    return replace(pattern, id=f"region-{number}", salt=pattern.salt + 100_000 * (number + 1))


def measure(effort: Effort) -> Section:
    """The section of the report."""
    gateways = [Xinqiao(f"{asked} of {count}", supplied=regional(count, asked)) for count, asked in NUMBERS]
    if effort.quick:
        gateways = gateways[-1:]
    cases = [
        Case(gateway, load)
        for gateway in gateways
        for load in (Load(1, 16, effort.seconds), Load(100, 1, effort.seconds))
    ]
    with started(gateways) as running:
        found = measured(cases, running, effort)
    rows = [(case.contender.name, *row(case.load, one)) for case, one in zip(cases, found, strict=True)]
    kinds = ", ".join(agency.root for agency in SEVERAL)
    return Section(
        "Many agencies",
        f"Agencies of one division each, all of the load's companies registered in one of them: {kinds} in turn. Every "
        "agency stands in the policy, the plan and the answer's sources; those of other divisions are not asked.",
        [Table(("asked", *COLUMNS), rows)],
    )
