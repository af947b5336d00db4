"""Datasets behind HTTP calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import structs

from connectors.as_of import moment_at
from connectors.contract import RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.duplicates import RECORD_ID
from connectors.http import HttpClient, bad_response
from connectors.http_connection import open_client
from connectors.kinds.rest.manifest import Lookup, RestDataset, RestManifest, RestRequest, RestResponse
from connectors.kinds.rest.paging import LinkedPages, target_within
from connectors.kinds.rest.request import RequestWriter
from connectors.kinds.rest.response import ResponseReader, Said
from connectors.manifest import Filter
from connectors.paging import Position
from connectors.paths import ASKED_KEY
from connectors.retry_after import seconds_until
from connectors.settings import SupplySettings
from connectors.sparse_json import SparseReader, sparse_reader
from connectors.telling import Telling
from connectors.text import NOTHINGS, Nothings

_ACCEPTED: Final = {"json": ("application/json",), "xml": ("application/xml", "text/xml")}


class Exchange:
    """One sort of request and its answers."""

    def __init__(
        self, client: HttpClient, address: str, writer: RequestWriter, reader: ResponseReader, response: RestResponse
    ) -> None:
        """`address` is that of the connection."""
        self.writer = writer
        self.reader = reader
        self._client = client
        self._address = address
        self._statuses = response.statuses
        self._pause = response.pending.every

    async def ask(self, call: SourceCall, position: Position) -> tuple[Said, Any, str]:
        """What the answer says, once there is one, its document, and its header `Link`. Raises `AgencyFailure`."""
        while True:
            sent = self.writer.write(call, position)
            answer = await self._client.send(sent.request, sent.headers, sent.body, call.timeout, self._statuses)
            said, document = await self.reader.open(answer)
            if said is not Said.PENDING:
                return said, document, answer.link
            if answer.location:
                position = self._led_on(call, answer.location)
            await asyncio.sleep(seconds_until(answer.retry_after) or self._pause)
            await call.further()

    def _led_on(self, call: SourceCall, location: str) -> Position:
        """Where the answer will be. Raises `AgencyFailure` where that is at another address than the agency's."""
        target = target_within(self._address + self.writer.path(call.keys[0]), location)
        if target is None:
            raise bad_response(self.writer.place, "its Location leads elsewhere")
        return Position(target=target)


class RestSource:
    """One dataset behind an HTTP call."""

    def __init__(
        self, dataset: RestDataset, client: HttpClient, address: str, nothings: Sequence[str], *, typed: bool
    ) -> None:
        """`address` is that of the connection; `nothings` are the agency's own words for none; `typed` tells that the
        connection's headers say what bodies are.
        """

        def exchange(
            request: RestRequest,
            filters: Mapping[str, Filter],
            response: RestResponse,
            sparse: SparseReader | None = None,
        ) -> Exchange:
            writer = RequestWriter(request, filters, typed=typed, idempotent=dataset.is_idempotent)
            telling = Telling(dataset, nothings, writer.place)
            reader = ResponseReader(response, dataset.key.path, telling, writer.place, sparse)
            return Exchange(client, address, writer, reader, response)

        self._dataset = dataset
        self._client = client
        self._address = address
        self._exchange = exchange(dataset.request, dataset.filters, dataset.response, _sparse(dataset, nothings))
        lookup = dataset.lookup
        self._lookup = exchange(lookup.request, {}, lookup.response) if lookup else None

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies, over all pages. Raises `AgencyFailure`."""
        lookup = self._dataset.lookup
        if lookup is None or self._lookup is None:
            return await self._fetch(call, call)
        identifier = await self._identify(lookup, self._lookup, call)
        if identifier is None:
            return SourceAnswer((), unknown=frozenset(call.keys))
        await call.further()
        return await self._fetch(call, structs.replace(call, keys=[identifier]))

    async def close(self) -> None:
        """Closes the agency's connections."""
        await self._client.close()

    async def _identify(self, lookup: Lookup, exchange: Exchange, call: SourceCall) -> str | None:
        """The agency's own identifier of the company, None where it does not know it. Raises `AgencyFailure`."""
        said, document, _ = await exchange.ask(call, Position())
        return exchange.reader.identifier(document, lookup.id) if said is Said.ROWS else None

    async def _fetch(self, call: SourceCall, asked: SourceCall) -> SourceAnswer:
        """The rows of the call's companies, by the keys of the one that is `asked`."""
        exchange = self._exchange
        paging, limit = self._dataset.request.paging, self._dataset.row_limit
        writer, reader = exchange.writer, exchange.reader
        pages = LinkedPages(paging, self._address + writer.path(asked.keys[0]), writer.place) if paging else None
        rows: list[RawRow] = []
        seen: set[str] = set()
        unknown: set[str] = set()
        failed: set[str] = set()
        dropped = 0
        as_of: datetime | None = None
        short = False
        position: Position | None = pages.first() if pages else Position()
        for number in range(paging.pages if paging else 1):
            if number:
                await call.further()
            said, document, link = await exchange.ask(asked, position or Position())
            if said is Said.UNKNOWN:
                return SourceAnswer((), unknown=frozenset(call.keys))
            as_of = as_of or moment_at(document, self._dataset.as_of)
            if said is Said.NOTHING:
                # Some say so of the page after the last, too.
                seen.update(() if number else call.keys)
                position = None
                break
            page = await reader.rows_of(document, asked.keys)
            rows += page.rows
            seen |= page.seen
            failed |= page.failed
            dropped += page.dropped
            unknown |= reader.unknown_keys(document)
            position = pages.following(document, page, link) if pages else None
            if position is None or len(rows) > limit:
                short = pages is not None and pages.falls_short(document)
                break
        return SourceAnswer(
            rows=self._own(rows[:limit], call),
            unknown=frozenset(unknown),
            seen=frozenset(seen),
            as_of=as_of,
            truncated=len(rows) > limit or position is not None or short,
            dropped=dropped,
            failed=exchange.reader.failures(failed),
        )

    def _own(self, rows: list[RawRow], call: SourceCall) -> list[RawRow]:
        dataset = self._dataset
        if dataset.key.path is not None or dataset.keyed_by_place:
            return rows
        return [{**row, ASKED_KEY: call.keys[0]} for row in rows]


def _sparse(dataset: RestDataset, nothings: Sequence[str]) -> SparseReader | None:
    """What reads as much of the dataset's answers as is needed; None where they are read whole."""
    id_, response = dataset.fields.get(RECORD_ID), dataset.response
    by_paths = all(mapping.jmespath is None for mapping in dataset.fields.values())
    if id_ is None or id_.path is None or not response.is_plain or not by_paths:
        return None
    rows = next(iter(response.rows), None)
    words = Nothings(NOTHINGS.union(nothings, id_.none))
    return sparse_reader(rows, dataset.paths() | dataset.control_paths, dataset.read_around, id_.path, words)


async def open_sources(
    manifest: RestManifest, _shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> dict[str, RestSource]:
    """A source for each dataset, by record type, on shared connections. Raises `AddressInvalid`."""
    responses = [dataset.response for dataset in manifest.datasets]
    responses += [dataset.lookup.response for dataset in manifest.datasets if dataset.lookup]
    accept = sorted({media for response in responses for media in _ACCEPTED[response.format]})
    read = frozenset[int]().union(*(response.read for response in responses))
    requests = [dataset.request for dataset in manifest.datasets]
    requests += [dataset.lookup.request for dataset in manifest.datasets if dataset.lookup]
    holds = {
        "form": all(request.method == "POST" and request.format == "form" for request in requests),
        "body": all(request.has_members for request in requests),
    }
    client = open_client(manifest, manifest.connection, settings, accept=", ".join(accept), holds=holds, read=read)
    typed = any(name.lower() == "content-type" for name in manifest.connection.headers)
    address = urlsplit(manifest.connection.url)
    home = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path.rstrip('/')}"
    return {
        dataset.record: RestSource(dataset, client, home, manifest.none, typed=typed) for dataset in manifest.datasets
    }
