"""What a call to an agency costs the gateway, by the kind of the agency's system: from the question to mapped rows.

What serves the rows is another process, whose time is not counted, but for SQLite, the file and the memory, which have
none.
"""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Final

import uvloop

from benchmarks.kind_agencies import ADDRESS, AGENCY, COLUMNS, KINDS, MOST, WSDL, KindAgency, Place, manifest
from benchmarks.tables import Effort, Section, Table, microseconds
from benchmarks.upstream import MissingProgramError, compiled
from connectors.contract import CompanyKey, CompanyRows, FetchRequest, Outcome
from connectors.manifest_file import load_manifest
from connectors.reach import Reach
from connectors.settings import SupplySettings
from connectors.supply import AgencySupply, open_supply
from gateway.assembly import record_shapes
from gateway.demo.identifiers import credit_code, organisation_code
from schema.contract import national
from schema.credit_code import CreditCode

COMPANIES: Final = (1, 100, MOST)
ROUNDS: Final = {1: 500, 100: 20, MOST: 4}
RUNS: Final = 7
REACH: Final = Reach((ip_network("127.0.0.0/8"),), (ip_network("127.0.0.0/8"),))


@asynccontextmanager
async def opened(agency: KindAgency, place: Place, address: str) -> AsyncIterator[AgencySupply]:
    """The supply of one agency, which is at this address."""
    file = place.folder / "agency.yaml"
    # JSON is YAML.
    file.write_text(json.dumps(manifest(agency, place), ensure_ascii=False), encoding="utf-8")
    shutil.copy(WSDL, place.folder)
    shapes = record_shapes(national().catalogue)
    settings = SupplySettings({ADDRESS: address}, reach=REACH)
    supply = await open_supply([load_manifest(file, shapes)], shapes, settings)
    try:
        yield supply
    finally:
        await supply.close()


async def fetch(supply: AgencySupply, codes: Sequence[CreditCode]) -> Mapping[CompanyKey, CompanyRows]:
    """One fetch of all fields of these companies, in one call."""
    deadline = asyncio.get_running_loop().time() + 60
    dataset = f"{AGENCY.id}/{AGENCY.record}"
    return await supply.fetch(FetchRequest(dataset, tuple(codes), frozenset(COLUMNS), {}, "bank", deadline))


async def _calls(agency: KindAgency, place: Place, address: str, runs: int) -> Sequence[tuple[int, float]]:
    """CPU seconds of one call about so many companies, the least of several runs."""
    found = []
    async with opened(agency, place, address) as supply:
        for companies in COMPANIES:
            codes = place.codes[:companies]
            _check(agency, await fetch(supply, codes))
            least = float("inf")
            for _ in range(runs):
                gc.collect()
                began = time.process_time()
                for _ in range(ROUNDS[companies]):
                    await fetch(supply, codes)
                least = min(least, (time.process_time() - began) / ROUNDS[companies])
            found.append((companies, least))
    return found


def _check(agency: KindAgency, answers: Mapping[CompanyKey, CompanyRows]) -> None:
    """Raises `ValueError` where the agency's rows did not all come, each with its values."""
    for code, answer in answers.items():
        expected = [row["documentNumber"] for row in AGENCY.company(code)]
        if answer.outcome is not Outcome.ANSWERED or [row["documentNumber"] for row in answer.rows] != expected:
            raise ValueError(f"{agency.name}: {answer.outcome} and {len(answer.rows)} rows, not the agency's")


def measure(effort: Effort) -> Section:
    """The section of the report."""
    draw = Random(0)  # noqa: S311  (made-up companies)
    codes = [CreditCode.parse(credit_code("9", "1", "330106", organisation_code(draw))) for _ in range(max(COMPANIES))]
    rows: list[Sequence[str]] = []
    missing: list[str] = []
    with compiled() as program:
        for agency in KINDS:
            try:
                with tempfile.TemporaryDirectory(prefix="kind-") as folder:
                    place = Place(Path(folder), program, codes)
                    with agency.serve(place) as address:
                        figures = uvloop.run(_calls(agency, place, address, 2 if effort.quick else RUNS))
            except MissingProgramError as error:
                missing.append(f"{agency.name}: {error}.")
                continue
            for companies, seconds in figures:
                each = seconds / (companies * AGENCY.rows)
                rows.append((agency.name, f"{companies:,}", microseconds(seconds), microseconds(each)))
    return Section(
        "Kinds of system",
        f"One call to an agency, from the question to mapped rows given to their companies: {AGENCY.rows} rows a "
        f"company, {len(COLUMNS)} fields a row, one call for all companies, nothing kept. CPU of the gateway alone: "
        "what is asked is another process, but for SQLite, the indexed file and the memory, whose work is the "
        "gateway's own.",
        [Table(("kind", "companies", "CPU µs a call", "CPU µs a row"), rows)],
        missing=missing,
    )
