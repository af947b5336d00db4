"""Xinqiao under load: one, a hundred and a thousand companies, plans and rows kept or not, and how it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from benchmarks.contender import Contender, Question, Running
from benchmarks.load import NUMBERS, Figures, Load, NoAnswerError, ask, asked_once, check, companies, loaded
from benchmarks.tables import Bars, Effort, Section, Table, milliseconds, number
from benchmarks.upstream import compiled, serving
from benchmarks.xinqiao import Xinqiao

GATEWAY_CORE: Final = 0
LOAD_CORE: Final = 1
CHECKED: Final = 5
"""How many companies are compared with what the upstream's rule says, before anything is timed."""

WARM_UP: Final = 1.0
LEAST_IN_ROUND: Final = 2
"""A gateway that cannot answer so many requests one after another in a round is asked once a round."""

KEPT: Final = 1_000
"""How many companies there are in all where rows are kept."""

LEAST_FOR_TAIL: Final = 1_000
"""Of fewer requests no slowest thousandth is told."""


@dataclass(frozen=True)
class Case:
    """A gateway and the load that it is put under; those of one name run on one server."""

    contender: Contender
    load: Load


@contextmanager
def started(contenders: Sequence[Contender], delay: float = 0.0) -> Iterator[Mapping[str, Running]]:
    """The contenders, each over an upstream of its own whose answers take `delay` seconds, by name; their answers are
    checked. Raises `LoadFailedError` where one answers wrongly.
    """
    with ExitStack() as stack:
        program = stack.enter_context(compiled())
        running = {}
        for contender in contenders:
            upstream = stack.enter_context(serving(program, contender.answers, core=LOAD_CORE, delay=delay))
            server = stack.enter_context(contender.start(upstream.address, GATEWAY_CORE))
            check_answers(contender, server)
            running[contender.name] = server
        yield running


def check_answers(contender: Contender, server: Running) -> None:
    """Raises `LoadFailedError` where the answer about some companies is not what the upstream's rule says."""
    for count in (1, CHECKED):
        codes = companies(Random(contender.name).randrange(NUMBERS), count)  # noqa: S311 - codes, no secret
        check(contender.name, ask(server, contender.question(count), codes), contender.expected(codes))


def measured(cases: Sequence[Case], running: Mapping[str, Running], effort: Effort) -> Sequence[Figures]:
    """The medians of each case's rounds; the cases take turns, after a round to warm up."""
    rounds: list[list[Figures]] = [[] for _ in cases]
    draw = Random(20_261_125)  # noqa: S311 - codes, no secret
    pools = draw.randrange(NUMBERS)
    once = [_warmed_up(case, running[case.contender.name], pools).p50 for case in cases]
    for _ in range(effort.rounds):
        for case, seconds, found in zip(cases, once, rounds, strict=True):
            load, server = case.load, running[case.contender.name]
            question = case.contender.question(load.companies)
            first = pools if load.pool else draw.randrange(NUMBERS)
            if seconds * LEAST_IN_ROUND > load.seconds:
                found.append(asked_once(server, question, load, first=first))
            else:
                found.append(_loaded_or_once(server, question, load, first))
    return [Figures.medians(found) for found in rounds]


def _loaded_or_once(server: Running, question: Question, load: Load, first: int) -> Figures:
    try:
        return loaded(server, question, load, first=first, core=LOAD_CORE)
    except NoAnswerError:
        return asked_once(server, question, load, first=first)


def _warmed_up(case: Case, server: Running, first: int) -> Figures:
    """A single request's figures; a short round has warmed the gateway up by then, if it is quick enough for that."""
    question = case.contender.question(case.load.companies)
    figures = asked_once(server, question, case.load, first=first)
    if figures.p50 * LEAST_IN_ROUND <= WARM_UP:
        _loaded_or_once(server, question, replace(case.load, seconds=WARM_UP), first)
        return asked_once(server, question, case.load, first=first)
    return figures


COLUMNS: Final = ("companies", "connections", "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU ms a request")


def row(load: Load, figures: Figures) -> Sequence[str]:
    """The cells of `COLUMNS`."""
    return (
        f"{load.companies:,}",
        str(load.connections),
        number(figures.rate),
        milliseconds(figures.p50),
        milliseconds(figures.p99),
        milliseconds(figures.p999) if figures.requests >= LEAST_FOR_TAIL else "",
        milliseconds(figures.cpu),
    )


def loads(seconds: float, pool: int = 0) -> Sequence[Load]:
    """The loads that every gateway is put under."""
    return (Load(1, 16, seconds, pool), Load(100, 1, seconds, pool), Load(1_000, 1, 2 * seconds, pool))


def measure(effort: Effort) -> Section:
    """The section of the report."""
    plain = Xinqiao("Xinqiao")
    variants = [
        (plain, loads(effort.seconds)),
        (Xinqiao("rows kept", time_to_live=3_600), loads(effort.seconds, KEPT)),
        (Xinqiao("plans cold: each request's text is new", new_texts=True), loads(effort.seconds)[:1]),
        (Xinqiao("no call shared by requests", coalesce=False), loads(effort.seconds)[:1]),
        (Xinqiao("the demonstration's own rules", rules=0), loads(effort.seconds)[:1]),
    ]
    if effort.quick:
        variants = variants[:3]
    cases = [Case(contender, load) for contender, several in variants for load in several]
    with started([contender for contender, _ in variants]) as running:
        found = measured(cases, running, effort)
        rows = [(case.contender.name, *row(case.load, one)) for case, one in zip(cases, found, strict=True)]
    bars = [
        (f"{case.contender.name}, {case.load.companies:,}", one.cpu * 1e3 / case.load.companies)
        for case, one in zip(cases, found, strict=True)
    ]
    return Section(
        "Under load",
        f"Six agencies, {plain.leaves} leaf fields, a policy of {plain.rules:,} rules, a signed token, masks, "
        "statuses, provenance, publicity, and an audit line durable before each answer. Plans are kept and rows are "
        f"not, unless the row says otherwise; where rows are kept, {KEPT:,} companies are asked about again and again.",
        [Table(("", *COLUMNS), rows)],
        [Bars("benchmark-cpu", "CPU of one company", "CPU milliseconds a company", bars)],
    )
