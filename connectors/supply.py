"""The supply: every dataset of every agency, asked in chunks, and never with an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from connectors.cache import RowCache
from connectors.coalesce import Coalescer
from connectors.contract import CompanyRows, Dataset, FetchRequest, Outcome, RecordShape
from connectors.describe import describe
from connectors.environment import resolve
from connectors.errors import ConnectionNotConfigured, ConnectionUnusable, UnknownDataset
from connectors.joining import Joiner
from connectors.kinds import kinds
from connectors.line import Answers, Line, Question
from connectors.manifest import Manifest
from connectors.mapping import compile_mapper
from connectors.settings import SupplySettings
from schema.credit_code import CreditCode

_AskChunk = Callable[[Question, Sequence[CreditCode]], Awaitable[Answers]]


async def open_supply(
    manifests: Sequence[Manifest], shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> AgencySupply:
    """Opens every agency's connections; none of them is asked yet, and one that is down does not matter.

    The manifests were checked against `shapes`. Raises `ConnectionNotConfigured` where the environment lacks an address
    or a secret, or holds an unusable one.
    """
    lines: dict[str, Line] = {}
    reasons: list[str] = []
    for manifest in resolve(manifests, settings.environment):
        try:
            lines |= {line.dataset.id: line for line in await _open_lines(manifest, shapes, settings)}
        except ConnectionUnusable as error:
            reasons.append(f"agency {manifest.agency}: {error}")
    supply = AgencySupply(lines, RowCache(settings.cached_rows))
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
        self._coalescers = {name: Coalescer(line) for name, line in lines.items() if line.coalesces}

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Every dataset by id (`agency/Record`)."""
        return self._datasets

    async def fetch(self, request: FetchRequest) -> Mapping[CreditCode, CompanyRows]:
        """An entry for each code asked for; failures are entries.

        Raises `UnknownDataset` for a dataset, column or filter that no manifest declares.
        """
        line = self._line(request)
        time_to_live = line.dataset.time_to_live
        question = Question(request.columns, request.filters, request.deadline)

        async def ask(codes: Sequence[CreditCode]) -> Answers:
            return await self._ask(line, question, codes)

        if time_to_live:
            answers: Answers = await self._cache.through(request, time_to_live, ask)
        else:
            answers = await ask(request.codes)
        # Now less the time to live, kept or not: nobody shall see from it whether another asked before.
        limit = datetime.now(UTC) - timedelta(seconds=time_to_live)
        return {code: _dated(answers[code], limit) for code in request.codes}

    async def close(self) -> None:
        """Ends every call, closes every connection and forgets every row."""
        for coalescer in self._coalescers.values():
            await coalescer.close()
        for line in self._lines.values():
            await line.close()
        await self._cache.close()

    async def _ask(self, line: Line, question: Question, codes: Sequence[CreditCode]) -> Answers:
        """All chunks, no more of them under way at once than the agency bears."""
        coalescer = self._coalescers.get(line.dataset.id)
        ask = coalescer.ask if coalescer else line.ask
        batch = line.dataset.batch
        codes = tuple(dict.fromkeys(codes))
        if len(codes) <= batch:
            return await ask(question, codes)
        chunks = iter([codes[start : start + batch] for start in range(0, len(codes), batch)])
        answers: dict[CreditCode, CompanyRows] = {}

        async def work() -> None:
            for chunk in chunks:
                answers.update(await ask(question, chunk))

        async with asyncio.TaskGroup() as workers:
            for _ in range(min(line.concurrency, -(-len(codes) // batch))):
                workers.create_task(work())
        return answers

    def _line(self, request: FetchRequest) -> Line:
        line = self._lines.get(request.dataset)
        if line is None:
            raise UnknownDataset(f"no manifest declares the dataset {request.dataset!r}")
        strangers = (request.columns - line.dataset.fields) | (request.filters.keys() - line.dataset.filters)
        if strangers:
            raise UnknownDataset(f"{request.dataset} has no {', '.join(sorted(strangers))}")
        return line


async def _open_lines(manifest: Manifest, shapes: Mapping[str, RecordShape], settings: SupplySettings) -> list[Line]:
    sources = await kinds().usable[manifest.kind].open_sources(manifest, shapes, settings)
    calls = asyncio.Semaphore(manifest.concurrency)
    lines: list[Line] = []
    for dataset, described in zip(manifest.datasets, describe(manifest), strict=True):
        source, shape = sources[dataset.record], shapes[dataset.record]
        mapper = compile_mapper(dataset, shape, manifest.none)
        joiner = Joiner(dataset, shape, mapper, whole_rows=not described.projection)
        lines.append(Line(described, source, joiner, manifest.timeout, manifest.concurrency, calls))
    return lines


def _dated(rows: CompanyRows, limit: datetime) -> CompanyRows:
    if rows.outcome is Outcome.FAILED:
        return rows
    # Not by dataclasses.replace, which takes four times as long: this is done for each company of each answer.
    return CompanyRows(
        rows.outcome, rows.rows, rows.as_of, limit, rows.failure, rows.retryable, rows.unmapped, rows.unreadable
    )
