"""The supply: every dataset of every agency, asked in chunks, and never with an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from msgspec.structs import replace

from connectors.cache import RowCache
from connectors.coalesce import Coalescer
from connectors.contract import Asker, CompanyKey, CompanyRows, Dataset, FetchRequest, RecordShape
from connectors.describe import describe
from connectors.environment import resolve
from connectors.errors import ConnectionNotConfigured, ConnectionUnusable, UnknownDataset
from connectors.joining import Joiner
from connectors.kindness.bounds import Bounds
from connectors.kindness.share import Share
from connectors.kinds import kinds
from connectors.lifetimes import Lifetimes
from connectors.line import Answers, Line, Question, dated
from connectors.manifest import Manifest
from connectors.mapping import compile_mapper
from connectors.row_store import open_store
from connectors.seal import Seal
from connectors.second_level import SecondLevel, dataset_entries
from connectors.settings import SupplySettings
from connectors.watch import watched

_log = structlog.get_logger(__name__)

_AskChunk = Callable[[Question, Sequence[CompanyKey]], Awaitable[Answers]]


async def open_supply(
    manifests: Sequence[Manifest], shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> AgencySupply:
    """Opens every agency's connections; none of them is asked yet, and one that is down does not matter.

    The manifests were checked against `shapes`. Raises `ConnectionNotConfigured` where the environment lacks an address
    or a secret, or holds an unusable one.
    """
    resolved = [_divided(manifest, settings.share) for manifest in resolve(manifests, settings.environment)]
    second = _open_second_level(resolved, shapes, settings)
    lines: dict[str, Line] = {}
    reasons: list[str] = []
    for manifest in resolved:
        try:
            lines |= {line.dataset.id: line for line in await _open_lines(manifest, shapes, settings)}
        except ConnectionUnusable as error:
            reasons.append(f"agency {manifest.agency}: {error}")
    supply = AgencySupply(lines, RowCache(settings.cached_rows, second))
    if reasons:
        await supply.close()
        raise ConnectionNotConfigured(reasons)
    return supply


class AgencySupply:
    """The `Supply` of the contract. Made by `open_supply`; whoever opened it closes it."""

    def __init__(self, lines: Mapping[str, Line], cache: RowCache) -> None:
        self._lines = lines
        self._cache = cache
        self._datasets = {name: line.dataset for name, line in lines.items()}
        self._lifetimes = {
            name: Lifetimes.of_dataset(line.joiner.dataset, line.dataset.time_to_live) for name, line in lines.items()
        }
        self._coalescers = {name: Coalescer(line) for name, line in lines.items() if line.coalesces}

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Every dataset by id (`agency/Record`)."""
        return self._datasets

    @property
    def agencies(self) -> Mapping[str, Bounds]:
        """The bounds of each agency, by its id: what was asked of it, and how it fares."""
        return {line.dataset.agency: line.bounds for line in self._lines.values()}

    def fetch(self, request: FetchRequest) -> asyncio.Future[Answers]:
        """As in `Supply`. Raises `UnknownDataset` for a dataset, column or filter that no manifest declares."""
        line = self._line(request)
        asker = request.asker if line.forwards else None
        if asker is not None:
            request = replace(request, partition=_own_partition(request.partition, asker))
        question = Question(request.columns, request.filters, request.deadline, asker)
        if line.dataset.time_to_live:
            return asyncio.ensure_future(self._through_cache(line, question, request))
        return asyncio.ensure_future(self._ask(line, question, request.codes))

    async def close(self) -> None:
        """Ends every call, closes every connection and forgets every row."""
        for coalescer in self._coalescers.values():
            await coalescer.close()
        for line in self._lines.values():
            await line.close()
        await self._cache.close()

    async def _through_cache(self, line: Line, question: Question, request: FetchRequest) -> Answers:
        lifetimes = self._lifetimes[line.dataset.id]

        async def ask(codes: Sequence[CompanyKey]) -> Answers:
            return await self._ask(line, question, codes)

        answers: Answers = await self._cache.through(request, lifetimes, ask)
        if lifetimes.stale:
            answers = self._cache.or_stale(request, answers)
        # Now less the time to live, kept or not: nobody shall see from it whether another asked before.
        return dated({code: answers[code] for code in request.codes}, lifetimes)

    def _ask(self, line: Line, question: Question, codes: Sequence[CompanyKey]) -> Awaitable[Answers]:
        """All chunks, no more of them under way at once than the agency bears."""
        coalescer = self._coalescers.get(line.dataset.id)
        ask = coalescer.ask if coalescer else line.ask
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


def _divided(manifest: Manifest, share: Share) -> Manifest:
    """The manifest with the process's share of the calls that the agency bears at once: one, at the least."""
    if manifest.concurrency < share.processes:
        _log.warning(
            "agency bears fewer calls at once than there are processes",
            agency=manifest.agency,
            concurrency=manifest.concurrency,
            processes=share.processes,
        )
    return manifest.model_copy(update={"concurrency": max(1, share.of(manifest.concurrency))})


async def _open_lines(manifest: Manifest, shapes: Mapping[str, RecordShape], settings: SupplySettings) -> list[Line]:
    opened = await kinds().usable[manifest.kind].open_sources(manifest, shapes, settings)
    sources = watched(opened, manifest.agency, settings.watch)
    bounds, forwards = Bounds(manifest.agency, manifest, settings.share), manifest.forward is not None
    lines: list[Line] = []
    for dataset, described in zip(manifest.datasets, describe(manifest), strict=True):
        source, shape = sources[dataset.record], shapes[dataset.record]
        mapper = compile_mapper(dataset, shape, manifest.none)
        joiner = Joiner(dataset, shape, mapper, whole_rows=not described.projection)
        lines.append(Line(described, source, joiner, bounds, dataset.is_idempotent, forwards))
    return lines


def _own_partition(partition: str, asker: Asker) -> str:
    """The partition of what the agency told this organisation for this purpose: it may tell others otherwise."""
    return "\x1e".join((partition, asker.organisation, asker.purpose or ""))


def _open_second_level(
    manifests: Sequence[Manifest], shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> SecondLevel | None:
    chosen = settings.second_level
    if chosen is None:
        return None
    datasets = {
        described.id: dataset_entries(manifest, dataset, shapes[dataset.record])
        for manifest in manifests
        for dataset, described in zip(manifest.datasets, describe(manifest), strict=True)
    }
    store = open_store(chosen.address, settings.environment, chosen.deadline)
    return SecondLevel(store, Seal(chosen.key), datasets)
