"""Where the gateway's CPU time goes: microseconds of each stage, by how many companies are asked about at once."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.contender import Running
from benchmarks.load import NUMBERS, Load, LoadFailedError, ask, companies, loaded
from benchmarks.many_agencies import regional
from benchmarks.sampler import OTHER, STAGES
from benchmarks.tables import Curves, Effort, Section, Series, Table, microseconds
from benchmarks.under_load import LOAD_CORE, Case, measured, started
from benchmarks.xinqiao import Xinqiao

LOADS: Final = ((1, 16), (100, 1), (1_000, 1))
"""Companies a request, and connections."""

SIZES: Final = (1, 3, 10, 30, 100, 300, 1_000)
AGENCIES: Final = (1, 3, 10, 30, 100)
TELLING_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Profile:
    """CPU seconds of a request: all, and by stage. `values`: how many leaves its answer has; `looks`: samples taken."""

    cpu: float
    stages: Mapping[str, float]
    values: int
    looks: int


def measure(effort: Effort) -> Section:
    """The section of the report."""
    length = effort.seconds if effort.quick else 3 * effort.seconds
    loads = [Load(size, connections, length) for size, connections in LOADS]
    cold = [Load(1, 16, length)]
    with TemporaryDirectory(prefix="stages-") as folder:
        profiles = _profiles(Xinqiao("warm"), loads, Path(folder) / "warm")
        profiles += _profiles(Xinqiao("cold", new_texts=True), cold, Path(folder) / "cold")
    return Section(
        "Stages",
        "Microseconds of CPU by stage, everything on, HTTP included. What a request costs is counted by the operating "
        "system; its parts are shares of samples of the serving process's stack. Cold: each request's text is new, so "
        "that it is parsed, validated, authorised and planned. A field is a leaf of the answer, each record's counted.",
        [_table(loads + cold, profiles)],
        [] if effort.quick else _growth(effort),
    )


def _profiles(gateway: Xinqiao, loads: Sequence[Load], file: Path) -> list[Profile]:
    """What each load costs. Some hundred samples a second cost too little to be seen in it."""
    sampled = replace(gateway, program=("-m", "benchmarks.sampler", str(file)))
    found = []
    draw = Random(5)  # noqa: S311 - codes, no secret
    with started([sampled]) as running:
        server = running[sampled.name]
        for load in loads:
            question, first = sampled.question(load.companies), draw.randrange(NUMBERS)
            loaded(server, question, replace(load, seconds=1), first=first, core=LOAD_CORE)
            _counts(server, file)
            cpu = loaded(server, question, load, first=draw.randrange(NUMBERS), core=LOAD_CORE).cpu
            counts = _counts(server, file)
            looks = sum(counts.values())
            answer = ask(server, question, companies(first, load.companies))
            values = sum(1 for _ in _leaves(answer["data"]))
            shares = {stage: count / max(looks, 1) * cpu for stage, count in counts.items()}
            found.append(Profile(cpu, shares, values, looks))
    return found


def _counts(server: Running, file: Path) -> Mapping[str, int]:
    """The looks since the last time, by stage."""
    before = file.read_bytes().count(b"\n") if file.exists() else 0
    os.kill(server.process, signal.SIGUSR2)
    until = time.monotonic() + TELLING_SECONDS
    while time.monotonic() < until:
        lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
        if len(lines) > before and lines[-1].endswith(b"\n"):
            return dict(json.loads(lines[-1]))
        time.sleep(0.01)
    raise LoadFailedError("the sampled gateway does not tell where it was")


def _leaves(value: Any) -> Iterator[object]:  # noqa: ANN401 - JSON
    if isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    else:
        yield value


def _table(loads: Sequence[Load], profiles: Sequence[Profile]) -> Table:
    kinds = [f"{load.companies:,}" for load in loads[:-1]] + ["1, cold"]
    columns = ["µs a request", *(f"companies: {kind}" for kind in kinds), "a field, of 1", f"a field, of {kinds[-2]}"]
    first, last = profiles[0], profiles[len(LOADS) - 1]
    rows = []
    for stage in (*STAGES, OTHER):
        spent = [profile.stages.get(stage, 0.0) for profile in profiles]
        per_field = [profile.stages.get(stage, 0.0) / profile.values for profile in (first, last)]
        rows.append((stage, *map(microseconds, spent + per_field)))
    per_field = [profile.cpu / profile.values for profile in (first, last)]
    rows.append(("all", *map(microseconds, [profile.cpu for profile in profiles] + per_field)))
    rows.append(("fields", *(f"{profile.values:,}" for profile in profiles), "", ""))
    rows.append(("samples", *(f"{profile.looks:,}" for profile in profiles), "", ""))
    return Table(columns, rows)


def _growth(effort: Effort) -> Sequence[Curves]:
    """What a request costs by its companies, and by the agencies that are asked about one."""
    short = replace(effort, rounds=1)
    six = Xinqiao()
    by_size = [Case(six, Load(size, 1, effort.seconds)) for size in SIZES]
    with started([six]) as running:
        sizes = [one.cpu for one in measured(by_size, running, short)]
    several = [Xinqiao(f"{count}", supplied=regional(count, count)) for count in AGENCIES]
    by_agencies = [Case(gateway, Load(1, 1, effort.seconds)) for gateway in several]
    with started(several) as running:
        agencies = [one.cpu for one in measured(by_agencies, running, short)]
    return [
        Curves(
            "benchmark-growth",
            "CPU of a request as it grows",
            "companies, or agencies asked",
            "CPU milliseconds",
            [
                Series("by companies (6 agencies)", [(x, y * 1e3) for x, y in zip(SIZES, sizes, strict=True)]),
                Series("by agencies (1 company)", [(x, y * 1e3) for x, y in zip(AGENCIES, agencies, strict=True)]),
            ],
        )
    ]
