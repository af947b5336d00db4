"""What the gateway adds to the time of an agency that takes 20 milliseconds."""

from __future__ import annotations

from random import Random
from typing import Final

from benchmarks.contender import Question, Running
from benchmarks.load import NUMBERS, Figures, Load, loaded
from benchmarks.tables import Effort, Section, Table, milliseconds
from benchmarks.under_load import GATEWAY_CORE, LOAD_CORE, Case, measured, started
from benchmarks.upstream import compiled, serving
from benchmarks.workload import CODE_COLUMN
from benchmarks.xinqiao import Xinqiao

DELAY: Final = 0.020
LARGEST: Final = "zhejiang-penalties"
"""The agency whose answers are the longest: asked by itself it tells the least that a question can take."""


def measure(effort: Effort) -> Section:
    """The section of the report."""
    seconds = effort.seconds if effort.quick else 2 * effort.seconds
    loads = [Load(1, 1, seconds), Load(1, 16, seconds), Load(100, 1, seconds), Load(1_000, 1, seconds)]
    if effort.quick:
        loads = [load for load in loads if load.connections == 1]
    gateway = Xinqiao()
    with started([gateway], delay=DELAY) as running:
        found = measured([Case(gateway, load) for load in loads], running, effort)
    rows = []
    for load, ours, least in zip(loads, found, [alone(gateway, load) for load in loads], strict=True):
        times = (least.p50, least.p99, ours.p50, ours.p99, ours.p50 - least.p50, ours.p99 - least.p99)
        rows.append((f"{load.companies:,}", str(load.connections), *map(milliseconds, times)))
    return Section(
        "Added latency",
        f"Each of the six agencies takes {DELAY * 1e3:.0f} ms; all are asked in one wave. Alone: one agency asked "
        "directly, from the gateway's core, about as many companies. Added: the gateway's time less that.",
        [
            Table(
                (
                    "companies",
                    "connections",
                    "alone p50 ms",
                    "alone p99 ms",
                    "gateway p50 ms",
                    "gateway p99 ms",
                    "added p50 ms",
                    "added p99 ms",
                ),
                rows,
            )
        ],
    )


def alone(gateway: Xinqiao, load: Load) -> Figures:
    """What one agency alone takes, asked directly."""
    with compiled() as program, serving(program, gateway.answers, core=LOAD_CORE, delay=DELAY) as upstream:
        server = Running(upstream.process, f"{upstream.address}/{LARGEST}")
        question = Question(f'{{"{CODE_COLUMN}":[', "]}")
        first = Random(load.companies).randrange(NUMBERS)  # noqa: S311 - codes, no secret
        return loaded(server, question, load, first=first, core=GATEWAY_CORE)
