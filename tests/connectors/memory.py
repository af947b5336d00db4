"""An agency in memory, as a `Source` that counts its calls, and a supply over it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.cache import RowCache
from connectors.contract import CompanyRows, Coverage, Dataset, FetchRequest, SourceAnswer, SourceCall
from connectors.joining import Joiner
from connectors.kindness.bounds import Bounds
from connectors.kindness.declared import Treatment
from connectors.line import Line
from connectors.manifest import DatasetManifest
from connectors.mapping import compile_mapper
from connectors.open_agency import OpenAgency
from connectors.supply import AgencySupply
from schema.credit_code import CreditCode
from tests.connectors.support import SHAPES

BOTH = frozenset({"facts", "documentNumber"})
PLENTY = 1_000.0


def answered(keys: Sequence[str]) -> SourceAnswer:
    return SourceAnswer([{"code": key, "id": key, "f": f"facts of {key}", "n": f"number of {key}"} for key in keys])


@dataclass
class MemoryAgency:
    """`answer` takes a call's keys and gives its answer; every call waits for `gate`, where there is one."""

    answer: Callable[[Sequence[str]], Awaitable[SourceAnswer]] | None = None
    gate: asyncio.Event | None = None
    calls: list[list[str]] = field(default_factory=list)
    columns: list[frozenset[str]] = field(default_factory=list)
    cancelled: int = 0

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        self.calls.append(list(call.keys))
        self.columns.append(call.columns)
        try:
            if self.gate is not None:
                await self.gate.wait()
            return await self.answer(call.keys) if self.answer else answered(call.keys)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def close(self) -> None:
        pass


def supply_of(
    agency: MemoryAgency,
    *,
    timeout: float = 5,
    concurrency: int = 8,
    treatment: Mapping[str, Any] | None = None,
    clock: Callable[[], float] = time.time,
    **dataset_options: Any,
) -> AgencySupply:
    options = {"batch": 10, "missingMeans": "none", "timeToLive": 0, "idempotent": True, **dataset_options}
    declared = {"timeout": timeout, "concurrency": concurrency, **(treatment or {})}
    manifest = DatasetManifest.model_validate(
        {
            "record": "Penalty",
            "key": "code",
            "fields": {"recordId": "id", "facts": "f", "documentNumber": "n"},
            **options,
        }
    )
    dataset = Dataset(
        id="court/Penalty",
        agency="court",
        record="Penalty",
        fields=frozenset(manifest.fields),
        coverage=Coverage(),
        batch=manifest.batch,
        projection=False,
        filters=frozenset(),
        time_to_live=manifest.time_to_live,
        shared=False,
    )
    joiner = Joiner(manifest, SHAPES["Penalty"], compile_mapper(manifest, SHAPES["Penalty"], ()), whole_rows=True)
    bounds = Bounds("court", Treatment.model_validate(declared), clock=clock)
    line = Line(dataset, agency, joiner, bounds, manifest.is_idempotent)
    return AgencySupply([OpenAgency({dataset.id: line})], RowCache(1_000))


async def fetch(
    supply: AgencySupply,
    codes: Sequence[CreditCode],
    columns: frozenset[str] = BOTH,
    *,
    seconds: float = PLENTY,
    partition: str = "bank",
) -> dict[CreditCode, CompanyRows]:
    deadline = asyncio.get_running_loop().time() + seconds
    return dict(await supply.fetch(FetchRequest("court/Penalty", tuple(codes), columns, {}, partition, deadline)))


async def settled() -> None:
    """Until whatever can go on without an answer has done so."""
    for _ in range(10):
        await asyncio.sleep(0)
