"""Datasets behind HTTP calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.as_of import moment_at
from connectors.contract import RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.http import HttpClient
from connectors.http_connection import open_client
from connectors.kinds.rest.manifest import RestDataset, RestManifest
from connectors.kinds.rest.paging import Pages, Position
from connectors.kinds.rest.request import RequestWriter
from connectors.kinds.rest.response import ResponseReader, Said
from connectors.paths import ASKED_KEY
from connectors.settings import SupplySettings

_ACCEPTED: Final = {"json": ("application/json",), "xml": ("application/xml", "text/xml")}


class RestSource:
    """One dataset behind an HTTP call."""

    def __init__(self, dataset: RestDataset, client: HttpClient, address: str, *, typed: bool) -> None:
        """`address` is that of the connection; `typed` tells that its headers say what bodies are."""
        self._dataset = dataset
        self._client = client
        self._address = address
        self._writer = RequestWriter(dataset, typed=typed)
        self._reader = ResponseReader(dataset, self._writer.place)

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies, over all pages. Raises `AgencyFailure`."""
        paging, limit = self._dataset.request.paging, self._dataset.row_limit
        pages = Pages(paging, self._address + self._writer.path(call.keys[0]), self._writer.place) if paging else None
        rows: list[RawRow] = []
        seen: set[str] = set()
        unknown: set[str] = set()
        as_of: datetime | None = None
        short = False
        position: Position | None = pages.first() if pages else Position()
        for number in range(paging.pages if paging else 1):
            said, document = await self._ask(call, position or Position())
            if said is Said.UNKNOWN:
                return SourceAnswer((), unknown=frozenset(call.keys))
            as_of = as_of or moment_at(document, self._dataset.as_of)
            if said is Said.NOTHING:
                # Some say so of the page after the last, too.
                seen.update(() if number else call.keys)
                position = None
                break
            page = await self._reader.rows_of(document, call.keys)
            rows += page.rows
            seen |= page.seen
            unknown |= self._reader.unknown_keys(document)
            position = pages.after(document, page) if pages else None
            if position is None or len(rows) > limit:
                short = pages is not None and pages.falls_short(document)
                break
        return SourceAnswer(
            rows=self._own(rows[:limit], call),
            unknown=frozenset(unknown),
            seen=frozenset(seen),
            as_of=as_of,
            truncated=len(rows) > limit or position is not None or short,
        )

    async def close(self) -> None:
        """Closes the agency's connections."""
        await self._client.close()

    async def _ask(self, call: SourceCall, position: Position) -> tuple[Said, Any]:
        written = self._writer.write(call, position)
        statuses = self._dataset.response.statuses
        answer = await self._client.send(written.request, written.headers, written.body, call.timeout, statuses)
        return await self._reader.open(answer)

    def _own(self, rows: list[RawRow], call: SourceCall) -> list[RawRow]:
        dataset = self._dataset
        if dataset.key.path is not None or dataset.keyed_by_place:
            return rows
        return [{**row, ASKED_KEY: call.keys[0]} for row in rows]


async def open_sources(
    manifest: RestManifest, _shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> dict[str, RestSource]:
    """A source for each dataset, by record type, on shared connections. Raises `AddressInvalid`."""
    responses = [dataset.response for dataset in manifest.datasets]
    accept = sorted({media for response in responses for media in _ACCEPTED[response.format]})
    read = frozenset[int]().union(*(response.read for response in responses))
    client = open_client(manifest, manifest.connection, settings, accept=", ".join(accept), read=read)
    typed = any(name.lower() == "content-type" for name in manifest.connection.headers)
    address = urlsplit(manifest.connection.url)
    home = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path.rstrip('/')}"
    return {dataset.record: RestSource(dataset, client, home, typed=typed) for dataset in manifest.datasets}
