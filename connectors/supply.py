"""The supply: every dataset of every agency, asked in chunks, within bounds, and never with an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from connectors.cache import RowCache
from connectors.contract import (
    CompanyRows,
    Dataset,
    FailureCode,
    FetchRequest,
    Outcome,
    RecordShape,
    Source,
    SourceAnswer,
    SourceCall,
)
from connectors.describe import describe
from connectors.environment import resolve
from connectors.errors import AddressInvalid, AgencyFailure, ConnectionNotConfigured, UnknownDataset
from connectors.joining import Joiner
from connectors.keys import Spelling, spell
from connectors.kinds import KINDS
from connectors.manifest import Manifest
from connectors.mapping import compile_mapper
from connectors.settings import SupplySettings
from schema.credit_code import CreditCode

_log = structlog.get_logger(__name__)

Answers = dict[CreditCode, CompanyRows]


@dataclass(frozen=True, slots=True)
class _Line:
    """One dataset, open: what it is, where it comes from, and the bounds of its agency."""

    dataset: Dataset
    source: Source
    joiner: Joiner
    timeout: float
    concurrency: int
    calls: asyncio.Semaphore


async def open_supply(
    manifests: Sequence[Manifest], shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> AgencySupply:
    """Opens every agency's connections; none of them is asked yet, and one that is down does not matter.

    The manifests were checked against `shapes`. Raises `ConnectionNotConfigured` where the environment lacks an address
    or a secret, or holds an unusable one.
    """
    lines: dict[str, _Line] = {}
    reasons: list[str] = []
    for manifest in resolve(manifests, settings.environment):
        try:
            lines |= {line.dataset.id: line for line in _open_lines(manifest, shapes, settings)}
        except AddressInvalid as error:
            reasons.append(f"agency {manifest.agency}: {error}")
    supply = AgencySupply(lines, RowCache(settings.cached_rows))
    if reasons:
        await supply.close()
        raise ConnectionNotConfigured(reasons)
    return supply


class AgencySupply:
    """The `Supply` of the contract. Made by `open_supply`; whoever opened it closes it."""

    def __init__(self, lines: Mapping[str, _Line], cache: RowCache) -> None:
        self._lines = lines
        self._cache = cache
        self._datasets = {name: line.dataset for name, line in lines.items()}

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Every dataset by id (`agency/Record`)."""
        return self._datasets

    async def fetch(self, request: FetchRequest) -> Mapping[CreditCode, CompanyRows]:
        """An entry for each code asked for; failures are entries.

        Raises `UnknownDataset` for a dataset, column or filter that no manifest declares.
        """
        line = self._line(request)
        answers = await self._cache.get(request) if line.dataset.time_to_live else {}
        codes = [code for code in dict.fromkeys(request.codes) if code not in answers]
        if codes:
            fetched = await _fetch_chunks(line, request, codes)
            await self._cache.keep(request, fetched, line.dataset.time_to_live)
            answers |= fetched
        # Now less the time to live, kept or not: nobody shall see from it whether another asked before.
        limit = datetime.now(UTC) - timedelta(seconds=line.dataset.time_to_live)
        return {code: _dated(answers[code], limit) for code in request.codes}

    async def close(self) -> None:
        """Closes every connection and forgets every row."""
        for line in self._lines.values():
            await line.source.close()
        await self._cache.close()

    def _line(self, request: FetchRequest) -> _Line:
        line = self._lines.get(request.dataset)
        if line is None:
            raise UnknownDataset(f"no manifest declares the dataset {request.dataset!r}")
        strangers = (request.columns - line.dataset.fields) | (request.filters.keys() - line.dataset.filters)
        if strangers:
            raise UnknownDataset(f"{request.dataset} has no {', '.join(sorted(strangers))}")
        return line


def _open_lines(manifest: Manifest, shapes: Mapping[str, RecordShape], settings: SupplySettings) -> Iterator[_Line]:
    sources = KINDS[manifest.kind].open_sources(manifest, shapes, settings)
    calls = asyncio.Semaphore(manifest.concurrency)
    for dataset, described in zip(manifest.datasets, describe(manifest), strict=True):
        source, shape = sources[dataset.record], shapes[dataset.record]
        mapper = compile_mapper(dataset, shape, manifest.none)
        joiner = Joiner(dataset, shape, mapper, whole_rows=not described.projection)
        yield _Line(described, source, joiner, manifest.timeout, manifest.concurrency, calls)


async def _fetch_chunks(line: _Line, request: FetchRequest, codes: Sequence[CreditCode]) -> Answers:
    """All chunks, no more of them under way at once than the agency bears."""
    batch = line.dataset.batch
    chunks = iter([codes[start : start + batch] for start in range(0, len(codes), batch)])
    answers: Answers = {}

    async def work() -> None:
        for chunk in chunks:
            answers.update(await _fetch_chunk(line, request, chunk))

    async with asyncio.TaskGroup() as workers:
        for _ in range(min(line.concurrency, -(-len(codes) // batch))):
            workers.create_task(work())
    return answers


async def _fetch_chunk(line: _Line, request: FetchRequest, codes: Sequence[CreditCode]) -> Answers:
    """One chunk. A failure is an entry of each of its companies."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        answer = await _call(line, request, codes)
        return line.joiner.join(codes, request.columns, answer)
    except AgencyFailure as error:
        failure = error
    except Exception as error:  # noqa: BLE001  (a fault of one connector must not take the other agencies' answers along)
        # Only its type: its message may hold values.
        reason = f"fault in the connector: {type(error).__name__}"
        failure = AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, reason, retryable=False)
    _log.warning(
        "agency call failed",
        dataset=line.dataset.id,
        failure=failure.failure.value,
        reason=str(failure),
        companies=len(codes),
        seconds=round(loop.time() - started, 3),
    )
    return dict.fromkeys(codes, CompanyRows(Outcome.FAILED, failure=failure.failure, retryable=failure.retryable))


async def _call(line: _Line, request: FetchRequest, codes: Sequence[CreditCode]) -> SourceAnswer:
    """One call, once the agency has a place for it. Waiting counts against the deadline. Raises `AgencyFailure`."""
    try:
        async with asyncio.timeout_at(request.deadline):
            await line.calls.acquire()
    except TimeoutError:
        raise AgencyFailure(
            FailureCode.AGENCY_OVERLOADED, "all places for calls to the agency were taken", retryable=True
        ) from None
    try:
        return await _bounded_call(line, request, codes)
    finally:
        line.calls.release()


async def _bounded_call(line: _Line, request: FetchRequest, codes: Sequence[CreditCode]) -> SourceAnswer:
    timeout = min(line.timeout, request.deadline - asyncio.get_running_loop().time())
    if timeout > 0:
        call = SourceCall(_keys(line, codes), line.joiner.columns(request.columns), request.filters, timeout)
        try:
            async with asyncio.timeout(timeout):
                return await line.source.fetch(call)
        except TimeoutError:
            pass
    raise AgencyFailure(FailureCode.AGENCY_TIMEOUT, f"no answer within {max(timeout, 0):.1f} s", retryable=True)


def _keys(line: _Line, codes: Sequence[CreditCode]) -> list[str]:
    """The companies' keys as the agency writes them, each spelling once."""
    dataset = line.joiner.dataset
    spellings = (Spelling.UPPER, Spelling.ORGANISATION_CODE) if dataset.any_spelling else dataset.key.spellings
    keys = (spell(code, dataset.key.kind, spelling) for code in codes for spelling in spellings)
    return list(dict.fromkeys(keys))


def _dated(rows: CompanyRows, limit: datetime) -> CompanyRows:
    return rows if rows.outcome is Outcome.FAILED else replace(rows, not_older_than=limit)
