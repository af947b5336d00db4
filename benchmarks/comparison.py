"""Xinqiao beside other gateways: the same upstream, the same companies, the same load, in turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from benchmarks.added_latency import DELAY, alone
from benchmarks.contender import Contender, Running
from benchmarks.load import Figures, Load, LoadFailedError
from benchmarks.peers.roster import PEERS
from benchmarks.peers.serving import PeerFailedError
from benchmarks.tables import Bars, Effort, Section, Table, milliseconds, number
from benchmarks.under_load import COLUMNS, GATEWAY_CORE, LOAD_CORE, Case, check_answers, measured, row
from benchmarks.upstream import MissingProgramError, compiled, serving
from benchmarks.xinqiao import Xinqiao

OURS: Final = Xinqiao("Xinqiao, all on")
OTHERS_OF_OURS: Final = (
    Xinqiao("Xinqiao, no call shared by requests", coalesce=False),
    Xinqiao("Xinqiao, no token, the demonstration's rules", anonymous=True, rules=0),
)
SIZES: Final = ((1, 16), (100, 1), (1_000, 1))
"""Companies a request, and connections."""


def measure(effort: Effort) -> Section:
    """The section of the report."""
    contenders: Sequence[Contender] = (OURS, *OTHERS_OF_OURS, *PEERS)
    seconds = effort.seconds * 2 / 3
    loads = [Load(companies, connections, seconds) for companies, connections in SIZES]
    figures, missing = _measured(contenders, loads, effort, delay=0.0)
    slow = [replace(load, connections=1) for load in loads]
    late, missing_late = _measured(contenders, slow, replace(effort, rounds=1), delay=DELAY)
    return Section(
        "Beside other gateways",
        "The others are asked for the same fields in their own graph, whose subgraphs, or whose agencies, are the same "
        "upstream. They authorise nobody, mask nothing, keep no audit log and give no reasons; those from npm map "
        "nothing either, for their subgraphs speak the graph's own language. Authorisation and audit cannot be "
        "switched off in Xinqiao: the row without a token comes nearest.",
        [
            Table(("", *COLUMNS), [(name, *row(load, one)) for (name, load), one in figures.items()]),
            _ratios(figures),
            _latencies(late, slow),
        ],
        [
            Bars(
                "benchmark-peers",
                "One company, 16 connections, one core",
                "requests a second",
                [(name, one.rate) for (name, load), one in figures.items() if load.companies == 1],
            )
        ],
        missing=sorted({*missing, *missing_late}),
    )


Found = Mapping[tuple[str, Load], Figures]
"""What was found, by contender and load."""


def _measured(
    contenders: Sequence[Contender], loads: Sequence[Load], effort: Effort, delay: float
) -> tuple[Found, Sequence[str]]:
    """The figures, and why some are left out: a contender that cannot be had, or fails under a load."""
    found: dict[tuple[str, Load], Figures] = {}
    missing: list[str] = []
    with _started(contenders, delay, missing) as running:
        for load in loads:
            ready = {one.name: one for one in contenders if one.name in running}
            while ready:
                cases = [Case(contender, load) for contender in ready.values()]
                try:
                    figures = measured(cases, running, effort)
                except LoadFailedError as failed:
                    name = next((name for name in ready if running[name].url in str(failed)), "")
                    if not name:
                        raise
                    missing.append(f"{name}, {load.companies:,} companies: {failed}.")
                    del ready[name]
                else:
                    found |= {(case.contender.name, load): one for case, one in zip(cases, figures, strict=True)}
                    break
    return {(name, load): found[name, load] for name in running for load in loads if (name, load) in found}, missing


@contextmanager
def _started(contenders: Sequence[Contender], delay: float, missing: list[str]) -> Iterator[Mapping[str, Running]]:
    """Those that start and answer rightly; why the others do not is added to what is missing."""
    with ExitStack() as stack:
        program = stack.enter_context(compiled())
        running = {}
        for contender in contenders:
            try:
                upstream = stack.enter_context(serving(program, contender.answers, core=LOAD_CORE, delay=delay))
                server = stack.enter_context(contender.start(upstream.address, GATEWAY_CORE))
                check_answers(contender, server)
            except (MissingProgramError, PeerFailedError, LoadFailedError) as failed:
                missing.append(f"{contender.name}: {' '.join(str(failed).split())[:300]}.")
            else:
                running[contender.name] = server
        yield running


def _ratios(figures: Found) -> Table:
    """How many times as many requests ours answers, and as little CPU it takes."""
    names = [name for name in dict.fromkeys(name for name, _ in figures) if name != OURS.name]
    loads = list(dict.fromkeys(load for _, load in figures))
    rows = []
    for name in names:
        cells = []
        for load in loads:
            ours, theirs = figures.get((OURS.name, load)), figures.get((name, load))
            cells += [number(ours.rate / theirs.rate), number(theirs.cpu / ours.cpu)] if ours and theirs else ["", ""]
        rows.append((name, *cells))
    columns = [cell for load in loads for cell in (f"{load.companies:,}: requests/s", f"{load.companies:,}: CPU")]
    return Table(("Xinqiao, all on, beside", *columns), rows, "Times as good")


def _latencies(late: Found, loads: Sequence[Load]) -> Table:
    """What is added to an agency's 20 milliseconds."""
    least = [alone(OURS, load) for load in loads]
    rows = []
    for name in dict.fromkeys(name for name, _ in late):
        cells: list[str] = []
        for load, one in zip(loads, least, strict=True):
            theirs = late.get((name, load))
            added = (theirs.p50 - one.p50, theirs.p99 - one.p99) if theirs else ()
            cells += map(milliseconds, added) if added else ["", ""]
        rows.append((name, *cells))
    columns = [cell for load in loads for cell in (f"{load.companies:,}: p50 ms", f"{load.companies:,}: p99 ms")]
    return Table(("", *columns), rows, "Added to an agency's 20 ms, one connection")
