"""Runs the benchmark: `python -m benchmarks` writes the report, `--quick` prints its tables in two minutes."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import (
    added_latency,
    audit,
    beside,
    caches,
    comparison,
    demonstration,
    kinds,
    lanes,
    many_agencies,
    memory,
    policy,
    rows,
    servers,
    stages,
    supply,
    trust,
    under_load,
    workers,
)
from benchmarks.machine import machine
from benchmarks.report import section_text, write
from benchmarks.tables import FULL, QUICK, Effort, Section
from benchmarks.upstream import MissingProgramError

REPORT: Final = Path(__file__).parents[1] / "docs" / "benchmarks.md"

SUBJECTS: Final[Mapping[str, Callable[[Effort], Section]]] = {
    "under-load": under_load.measure,
    "trust": trust.measure,
    "peers": comparison.measure,
    "added-latency": added_latency.measure,
    "beside": beside.measure,
    "many-agencies": many_agencies.measure,
    "workers": workers.measure,
    "stages": stages.measure,
    "servers": servers.measure,
    "lanes": lanes.measure,
    "supply": supply.measure,
    "caches": caches.measure,
    "rows": rows.measure,
    "kinds": kinds.measure,
    "audit": audit.measure,
    "policy": policy.measure,
    "demonstration": demonstration.measure,
    "memory": memory.measure,
    "soak": memory.soak,
}
NOT_QUICK: Final = frozenset({"peers", "policy"})
"""What takes long however little is measured."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the subjects one after the other, printing each one's tables as they are found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"all, or some of: {', '.join(SUBJECTS)}")
    parser.add_argument("--quick", action="store_true", help="one short round of each; no report is written")
    parser.add_argument("--rounds", type=int, help="rounds of each load, instead of the usual")
    parser.add_argument("--seconds", type=float, help="seconds of each round, instead of the usual")
    parser.add_argument("--soak", type=float, help="seconds of the lasting load, instead of the usual")
    parser.add_argument("--report", type=Path, help=f"the report's file (all subjects and not quick: {REPORT.name})")
    given = parser.parse_args(arguments)
    unknown = set(given.subjects) - SUBJECTS.keys()
    if unknown:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    changed = {name: getattr(given, name) for name in ("rounds", "seconds", "soak") if getattr(given, name) is not None}
    effort = replace(QUICK if given.quick else FULL, **changed)
    chosen = given.subjects or [name for name in SUBJECTS if not (given.quick and name in NOT_QUICK)]
    began = time.monotonic()
    sections = [measured(name, effort) for name in chosen]
    seconds = time.monotonic() - began
    print(f"{seconds / 60:.1f} minutes", file=sys.stderr)
    report = given.report or (None if given.quick or given.subjects else REPORT)
    if report:
        write(report, sections, machine(), effort, seconds)


def measured(name: str, effort: Effort) -> Section:
    """One subject's section, which is printed in short; where a program is missing, it says which."""
    began = time.monotonic()
    try:
        section = SUBJECTS[name](effort)
    except MissingProgramError as missing:
        section = Section(name, "", missing=[f"{missing}."])
    gc.collect()
    print(section_text(section), flush=True)
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return section


if __name__ == "__main__":
    main()
