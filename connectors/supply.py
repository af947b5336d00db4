"""The supply: every dataset of every agency, asked in chunks, and never with an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from msgspec.structs import replace

from connectors.cache import RowCache
from connectors.contract import (
    Answers,
    Asker,
    CompanyKey,
    CompanyRows,
    Dataset,
    FailureCode,
    FetchRequest,
    Meter,
    RecordShape,
)
from connectors.environment import missing_references
from connectors.errors import ConnectionNotConfigured, NotSent, UnknownDataset
from connectors.kindness.bounds import Bounds
from connectors.lifetimes import Lifetimes
from connectors.line import Line, Question, dated, failed
from connectors.manifest import Manifest
from connectors.open_agency import OpenAgency, open_agency, origin_of
from connectors.row_store import open_store
from connectors.seal import Seal
from connectors.second_level import SecondLevel
from connectors.settings import SupplySettings

_AskChunk = Callable[[Question, Sequence[CompanyKey]], Awaitable[Answers]]


async def open_supply(
    manifests: Sequence[Manifest], shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> AgencySupply:
    """Opens every agency's connections; none of them is asked yet, and one that is down does not matter.

    The manifests were checked against `shapes`. Raises `ConnectionNotConfigured` where the environment lacks an address
    or a secret, or holds an unusable one.
    """
    missing = [reason for manifest in manifests for reason in missing_references(manifest, settings.environment)]
    if missing:
        raise ConnectionNotConfigured(missing)
    cache = RowCache(settings.cached_rows, _open_second_level(settings))
    agencies: list[OpenAgency] = []
    reasons: list[str] = []
    for manifest in manifests:
        try:
            origin = origin_of(manifest, shapes, settings)
            agencies.append(await open_agency(origin, settings, second=cache.second))
        except ConnectionNotConfigured as error:
            reasons += error.reasons
    supply = AgencySupply(agencies, cache)
    if reasons:
        await supply.close()
        raise ConnectionNotConfigured(reasons)
    return supply


class AgencySupply:
    """The `Supply` of the contract. Made by `open_supply`, or out of another one; whoever opened it closes it."""

    def __init__(self, agencies: Collection[OpenAgency], cache: RowCache) -> None:
        self.opened = frozenset(agencies)
        self._cache = cache
        self._lines = {name: line for agency in agencies for name, line in agency.lines.items()}
        self._coalescers = {name: one for agency in agencies for name, one in agency.coalescers.items()}
        self._datasets = {name: line.dataset for name, line in self._lines.items()}
        self._lifetimes = {
            name: Lifetimes.of_dataset(line.joiner.dataset, line.dataset.time_to_live)
            for name, line in self._lines.items()
        }
        self._kept_as = {
            name: cache.name(name, line.entries) if line.entries else name for name, line in self._lines.items()
        }

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Every dataset by id (`agency/Record`)."""
        return self._datasets

    @property
    def agencies(self) -> Mapping[str, Bounds]:
        """The bounds of each agency, by its id: what was asked of it, and how it fares."""
        return {line.dataset.agency: line.bounds for line in self._lines.values()}

    @property
    def cache(self) -> RowCache:
        """The rows that are kept."""
        return self._cache

    def fetch(self, request: FetchRequest) -> asyncio.Future[Answers]:
        """As in `Supply`. Raises `UnknownDataset` for a dataset, column or filter that no manifest declares."""
        line = self._line(request)
        asker = request.asker if line.forwards else None
        if asker is not None:
            request = replace(request, partition=_own_partition(request.partition, asker))
        question = Question(request.columns, request.filters, request.deadline, asker, request.meter)
        if line.dataset.time_to_live:
            kept_as = self._kept_as[request.dataset]
            if kept_as != request.dataset:
                request = replace(request, dataset=kept_as)
            return asyncio.ensure_future(self._through_cache(line, question, request))
        return asyncio.ensure_future(self._ask(line, question, request.codes))

    def renewed(self, agencies: Collection[OpenAgency]) -> AgencySupply:
        """A supply of these agencies, which may be in this one as well, with the rows that are kept."""
        return AgencySupply(agencies, self._cache)

    async def close(self, successor: AgencySupply | None = None) -> None:
        """Ends every call, closes every connection and forgets every row, but for what a successor has of them."""
        for agency in self.opened - (successor.opened if successor else frozenset()):
            await agency.close()
        if successor is None:
            await self._cache.close()

    async def _through_cache(self, line: Line, question: Question, request: FetchRequest) -> Answers:
        lifetimes, began = self._lifetimes[line.dataset.id], datetime.now(UTC)
        line.rows.wanted += len(request.codes)

        async def ask(codes: Sequence[CompanyKey]) -> Answers:
            line.rows.asked += len(codes)
            return await self._ask(line, question, codes)

        answers: Answers = await self._cache.through(request, lifetimes, ask)
        if lifetimes.stale:
            answers = self._cache.or_stale(request, answers)
        return dated({code: answers[code] for code in request.codes}, lifetimes, began)

    def _ask(self, line: Line, question: Question, codes: Sequence[CompanyKey]) -> Awaitable[Answers]:
        """All chunks, no more of them under way at once than the agency bears."""
        coalescer = self._coalescers.get(line.dataset.id)
        ask = coalescer.ask if coalescer else line.ask
        if question.meter is not None:
            ask = partial(_ask_metered, ask, question.meter)
        codes = tuple(dict.fromkeys(codes))
        return ask(question, codes) if len(codes) <= line.dataset.batch else _ask_chunks(ask, line, question, codes)

    def _line(self, request: FetchRequest) -> Line:
        line = self._lines.get(request.dataset)
        if line is None:
            raise UnknownDataset(f"no manifest declares the dataset {request.dataset!r}")
        strangers = (request.columns - line.dataset.fields) | (request.filters.keys() - line.dataset.filters)
        if strangers:
            raise UnknownDataset(f"{request.dataset} has no {', '.join(sorted(strangers))}")
        return line


async def _ask_metered(ask: _AskChunk, meter: Meter, question: Question, codes: Sequence[CompanyKey]) -> Answers:
    if await meter.admit():
        return await ask(question, codes)
    reason = "the asker has had its share of the agency's calls"
    return dict.fromkeys(codes, failed(NotSent(FailureCode.AGENCY_OVERLOADED, reason)))


async def _ask_chunks(ask: _AskChunk, line: Line, question: Question, codes: Sequence[CompanyKey]) -> Answers:
    batch = line.dataset.batch
    chunks = iter([codes[start : start + batch] for start in range(0, len(codes), batch)])
    answers: dict[CompanyKey, CompanyRows] = {}

    async def work() -> None:
        for chunk in chunks:
            answers.update(await ask(question, chunk))

    async with asyncio.TaskGroup() as workers:
        for _ in range(min(line.bounds.concurrency, -(-len(codes) // batch))):
            workers.create_task(work())
    return {code: answers[code] for code in codes}


def _own_partition(partition: str, asker: Asker) -> str:
    """The partition of what the agency told this organisation for this purpose: it may tell others otherwise."""
    return "\x1e".join((partition, asker.organisation, asker.purpose or ""))


def _open_second_level(settings: SupplySettings) -> SecondLevel | None:
    chosen = settings.second_level
    if chosen is None:
        return None
    return SecondLevel(open_store(chosen.address, settings.environment, chosen.deadline), Seal(chosen.key))
