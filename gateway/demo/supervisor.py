"""Runs the demonstration nation: writes what each agency knows, starts the seven processes, stops them all again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import orjson

from gateway.demo.errors import AgencyNotStartedError
from gateway.demo.nation import Population, populate
from gateway.demo.records import (
    court,
    customs,
    environment,
    guangdong_penalties,
    registry,
    tax,
    zhejiang_penalties,
)

SEED: Final = 20_261_124
START_SECONDS: Final = 30.0
"""How long the nation may take to come up. Two seconds do on a laptop."""

STOP_SECONDS: Final = 5.0
"""How long an agency may take to end by itself before it is killed."""

_CHINA_TIME: Final = timezone(timedelta(hours=8))
_SOME_HUNDREDS: Final = 400
_ROOT: Final = Path(__file__).resolve().parents[2]
"""Where the package `gateway` lies, so that `python -m` finds it however this process found it."""


@dataclass(frozen=True, slots=True)
class _Agency:
    """One agency: its id, what writes its records, and the variable by which its manifest knows its address."""

    id: str
    write: Callable[[Population, Path], None]
    variable: str

    @property
    def module(self) -> str:
        return f"gateway.demo.agencies.{self.id.replace('-', '_')}"


_AGENCIES: Final = (
    _Agency("environment", environment.write, "ENVIRONMENT_URL"),
    _Agency("tax", tax.write, "TAX_URL"),
    _Agency("registry", registry.write, "REGISTRY_URL"),
    _Agency("court", court.write, "COURT_URL"),
    _Agency("zhejiang-penalties", zhejiang_penalties.write, "ZHEJIANG_PENALTIES_URL"),
    _Agency("guangdong-penalties", guangdong_penalties.write, "GUANGDONG_PENALTIES_URL"),
    _Agency("customs", customs.write, "CUSTOMS_DROP"),
)
"""The slowest to start first."""


@dataclass(frozen=True, slots=True)
class Nation:
    """The running nation.

    `agencies` are the agencies' addresses by id (no password in any), `processes` their processes, `environment` the
    variables that their manifests refer to (which may hold a password). `codes` are some hundreds of credit codes about
    which agencies know something, `showcase` the codes of the companies worth looking at by the key of their role.
    """

    agencies: Mapping[str, str]
    processes: Mapping[str, Process]
    environment: Mapping[str, str]
    codes: tuple[str, ...]
    showcase: Mapping[str, str]


@asynccontextmanager
async def running_nation(
    directory: Path, seed: int = SEED, postgres_url: str | None = None, today: date | None = None
) -> AsyncIterator[Nation]:
    """The nation of this seed, as of `today` (in China), for as long as the context lasts.

    `directory` is the caller's, and the caller's to remove. The registry keeps its tables in a SQLite file there, or in
    the PostgreSQL database of `postgres_url`. Raises `AgencyNotStartedError`; whatever was started is stopped, also on
    failure half-way and on cancellation.
    """
    processes: dict[str, Process] = {}
    try:
        population = await asyncio.to_thread(populate, seed, today or datetime.now(_CHINA_TIME).date())
        addresses = await _start_all(population, directory, postgres_url, processes)
        yield _nation(population, addresses, processes, postgres_url)
    finally:
        await _stop_all(processes.values())


async def _start_all(
    population: Population, directory: Path, postgres_url: str | None, processes: dict[str, Process]
) -> dict[str, str]:
    """The addresses of all agencies, once each answers. Fills `processes`, so that a failure leaves none behind."""
    starting: dict[str, asyncio.Task[str]] = {}
    try:
        async with asyncio.timeout(START_SECONDS), asyncio.TaskGroup() as group:
            for agency in _AGENCIES:
                data = await asyncio.to_thread(_write, agency, population, directory)
                starting[agency.id] = group.create_task(_start(agency, data, postgres_url, processes))
    except TimeoutError:
        late = ", ".join(id_ for id_, task in starting.items() if task.cancelled())
        raise AgencyNotStartedError(f"These agencies did not answer within {START_SECONDS:g} s: {late}.") from None
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return {id_: task.result() for id_, task in starting.items()}


def _write(agency: _Agency, population: Population, directory: Path) -> Path:
    """Writes the agency's records into a directory of its own, and gives that."""
    data = directory.absolute() / agency.id
    data.mkdir()
    agency.write(population, data)
    return data


async def _start(agency: _Agency, data: Path, postgres_url: str | None, processes: dict[str, Process]) -> str:
    """Starts one agency, waits until it answers, and gives its address."""
    log = data / "stderr.log"
    with log.open("wb") as errors:
        process = processes[agency.id] = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            agency.module,
            "--data",
            str(data),
            stdin=PIPE,  # held open: an agency ends when this end of it closes, however this process ends
            stdout=PIPE,
            stderr=errors,
            cwd=_ROOT,
            env=_variables(agency, postgres_url),
            start_new_session=True,  # a Ctrl-C in the terminal is for the supervisor, which stops the agencies in order
        )
    ready = await process.stdout.readline() if process.stdout else b""
    if not ready:
        reason = await asyncio.to_thread(_last_line, log)
        raise AgencyNotStartedError(f"The agency {agency.id} ended before it answered: {reason}")
    return str(orjson.loads(ready)["address"])


def _variables(agency: _Agency, postgres_url: str | None) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "REGISTRY_DATABASE_URL"}
    return (
        inherited | {"REGISTRY_DATABASE_URL": postgres_url} if agency.id == "registry" and postgres_url else inherited
    )


def _last_line(log: Path) -> str:
    return (log.read_text(encoding="utf-8", errors="replace").splitlines() or ["it said nothing"])[-1]


def _nation(
    population: Population, addresses: Mapping[str, str], processes: Mapping[str, Process], postgres_url: str | None
) -> Nation:
    showcase = {key: company.code for key, company in population.showcase.items()}
    registered = (company.code for company in population.ordinary if company.registered_with_business)
    told = (code for key, code in showcase.items() if key != "nobody")
    environment_variables = {agency.variable: addresses[agency.id] for agency in _AGENCIES}
    if postgres_url:
        environment_variables["REGISTRY_URL"] = postgres_url
    return Nation(
        agencies=addresses,
        processes=processes,
        environment=environment_variables,
        codes=(*told, *registered)[:_SOME_HUNDREDS],
        showcase=showcase,
    )


async def _stop_all(processes: Collection[Process]) -> None:
    """SIGTERM, then SIGKILL for what does not end by itself, each by its process id; at once if this is cancelled."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.gather(*(process.wait() for process in processes))
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*(process.wait() for process in processes))
