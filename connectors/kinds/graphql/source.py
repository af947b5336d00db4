"""Datasets behind a GraphQL query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from connectors.as_of import moment_at
from connectors.contract import FailureCode, RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.envelope import code_at
from connectors.errors import AgencyFailure
from connectors.graphql_text import has_all, selection_of
from connectors.http import HttpClient, HttpRequest, bad_response
from connectors.http_connection import open_client
from connectors.kinds.graphql.manifest import GraphqlDataset, GraphqlManifest
from connectors.kinds.graphql.question import Asking, QueryWriter
from connectors.kinds.graphql.walk import Walk
from connectors.paging import Position
from connectors.paths import (
    AROUND,
    ASKED_KEY,
    MISSING,
    Listing,
    ends_in_null,
    follow,
    follow_through,
    list_rows,
    objects_around,
)
from connectors.settings import SupplySettings
from connectors.turns import Turn

_AT_ONCE: Final = 256
"""How many rows are looked at between two looks at the clock."""


class Told(msgspec.Struct, frozen=True):
    """What the errors of an answer say of companies, by their keys."""

    unknown: set[str] = msgspec.field(default_factory=set)
    none: set[str] = msgspec.field(default_factory=set)
    failed: dict[str, AgencyFailure] = msgspec.field(default_factory=dict)

    def has(self, key: str) -> bool:
        """Whether they say something of this one."""
        return key in self.unknown or key in self.none or key in self.failed


class _Found:
    """What the pages of one call brought so far."""

    def __init__(self) -> None:
        self.rows: list[RawRow] = []
        self.told = Told()
        self.seen: set[str] = set()
        self.as_of: datetime | None = None
        self.dropped = 0
        self.cut_off = False

    def add(self, told: Told) -> None:
        """Adds what errors said of companies."""
        self.told.unknown.update(told.unknown)
        self.told.failed.update(told.failed)
        self.seen.update(told.none)


class GraphqlSource:
    """One dataset behind a GraphQL query."""

    def __init__(self, dataset: GraphqlDataset, client: HttpClient) -> None:
        self._dataset = dataset
        self._client = client
        self._writer = QueryWriter(dataset)
        self._place = f"query {self._writer.root if dataset.query.entity is None else dataset.query.entity}"

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies, with the fields asked for, over all pages. Raises `AgencyFailure`."""
        limit, paging = self._dataset.row_limit, self._dataset.query.paging
        walk = Walk(self._dataset, paging, call.keys, self._place) if paging else None
        askings = self._writer.first(call.keys, walk.first if walk else Position())
        found = _Found()
        for number in range(paging.pages if paging else 1):
            if number:
                await call.further()
            askings = await self._read(call, askings, walk, found, again=number > 0)
            if not askings or len(found.rows) > limit:
                break
        return SourceAnswer(
            rows=found.rows[:limit],
            unknown=frozenset(found.told.unknown),
            seen=frozenset(found.seen),
            as_of=found.as_of,
            truncated=found.cut_off or bool(askings) or len(found.rows) > limit,
            dropped=found.dropped,
            failed=found.told.failed,
        )

    async def close(self) -> None:
        """Closes the agency's connections."""
        await self._client.close()

    async def _read(
        self, call: SourceCall, askings: Sequence[Asking], walk: Walk | None, found: _Found, *, again: bool
    ) -> Sequence[Asking]:
        """Adds what one request brings, and gives what asks for the pages after it. `again` tells that there were some
        before. Raises `AgencyFailure`.
        """
        data, told = await self._ask(call, askings)
        query, own = self._dataset.query, self._dataset.key.path is None
        found.as_of = found.as_of or moment_at(data, self._dataset.as_of)
        further: list[Asking] = []
        for asking, key, value in self._values(data, askings):
            if told.has(key):
                continue
            if value is None:
                told.unknown.add(key)
                continue
            try:
                listing = await self._listing(value, call.columns, len(asking.keys))
                found.cut_off |= self._has_more(value)
                if walk is not None:
                    step = walk.after(asking, key, value)
                    further += step.askings
                    found.cut_off |= step.falls_short
                    told.failed.update(step.failed)
            except AgencyFailure as failure:
                if query.takes_list and (len(asking.keys) > 1 or not again):
                    raise
                told.failed[key] = failure
                continue
            found.rows += [{**row, ASKED_KEY: key} for row in listing.rows] if own else listing.rows
            found.seen |= listing.seen if query.takes_list else {key}
            found.dropped += listing.dropped
            told.failed.update(dict.fromkeys(listing.failed, bad_response(self._place, "null in the place of a list")))
        if again:
            gone = bad_response(self._place, "a company of which there are more pages is not known any more")
            told.failed.update(dict.fromkeys(told.unknown, gone))
            told.unknown.clear()
        found.add(told)
        return further

    async def _listing(self, value: object, columns: frozenset[str], companies: int) -> Listing:
        """The rows in the value of the field, or of an entity; so many companies were asked for. Raises `AgencyFailure`
        where they are not told.
        """
        query = self._dataset.query
        if query.optional and query.rows is not None and ends_in_null(value, query.rows):
            return Listing([])
        of_companies = query.takes_list and query.rows is None and (query.optional or query.within is not None)
        if of_companies and isinstance(value, list) and len(value) == companies:
            # An item for each company: one that is null is as if it were left out.
            value = [item for item in value if item is not None]
        within = [query.within] if query.within else ()
        around = value if query.rows is None else follow_through(value, query.rows)
        listing = await list_rows(around, None, within, self._dataset.key.path, null_is_none=query.optional)
        if listing is None:
            raise bad_response(self._place, "no list of objects where the manifest says")
        selection, turn = selection_of(columns), Turn()
        outer = selection.pop(AROUND, {})
        for start in range(0, len(listing.rows), _AT_ONCE):
            rows = listing.rows[start : start + _AT_ONCE]
            objects = {id(one): one for one in (row.get(AROUND, "") for row in rows)} if outer else {}
            if not all(has_all(row, selection) for row in rows) or not all(
                has_all(one, outer) for one in objects.values()
            ):
                # GraphQL answers with every field that it was asked for (GraphQL specification, section 6.4.4).
                raise bad_response(self._place, "not all of the fields that were asked for")
            if turn.is_over():
                await turn.pass_on()
        return listing

    def _has_more(self, value: object) -> bool:
        """Whether a list is not whole. Raises `AgencyFailure` where that is not told."""
        query = self._dataset.query
        if query.more is None:
            return False
        around = objects_around(value, query.rows) if query.within else [value]
        told = [None if ends_in_null(one, query.more) else follow(one, query.more) for one in around]
        if not all(one is None or isinstance(one, bool) for one in told):
            raise bad_response(self._place, f"neither true nor false at {query.more}")
        return True in told

    async def _ask(self, call: SourceCall, askings: Sequence[Asking]) -> tuple[Mapping[str, Any] | None, Told]:
        """The answer's data, and what its errors say of companies; no data where they say something of all of them."""
        request = HttpRequest(
            self._place,
            "POST",
            "",
            body=self._writer.body(call, askings),
            asker=call.asker,
            idempotent=self._dataset.is_idempotent,
        )
        answer = await self._client.ask(request, call.timeout)
        document = answer.document
        if not isinstance(document, Mapping):
            raise bad_response(self._place, "no GraphQL response")
        errors, data = document.get("errors"), document.get("data")
        told = self._told_by(errors, askings) if errors else Told()
        if all(told.has(key) for asking in askings for key in asking.keys):
            return None, told
        if not isinstance(data, Mapping):
            raise bad_response(self._place, "no data")
        return data, told

    def _told_by(self, errors: object, askings: Sequence[Asking]) -> Told:
        """What the errors say of companies. What an error made null cannot be told from what is null: what is beside it
        of that company counts for nothing. Raises `AgencyFailure` where one is about more than one company.
        """
        meaning, told = self._dataset.errors, Told()
        for error in errors if isinstance(errors, list) else [errors]:
            code = code_at(error, meaning.code)
            if code in meaning.busy:
                reason = f"{self._place}: an error says busy"
                raise AgencyFailure(FailureCode.AGENCY_OVERLOADED, reason, retryable=True)
            key = self._company_of(error, askings)
            if key is None:
                raise bad_response(self._place, "GraphQL errors")
            if code in meaning.unknown:
                told.unknown.add(key)
            elif code in meaning.none:
                told.none.add(key)
            else:
                told.failed[key] = bad_response(self._place, "GraphQL errors about a company")
        return told

    def _company_of(self, error: object, askings: Sequence[Asking]) -> str | None:
        """The key of the company that an error is about, by its path; None where it may be about others."""
        path = error.get("path") if isinstance(error, Mapping) else None
        steps: list[Any] = [*path, None, None] if isinstance(path, list) else [None, None]
        first, second = steps[:2]
        # Of a query about one company, some tell the field in place of its alias.
        names = {self._writer.root: askings[0]} if len(askings) == 1 else {}
        asking = (names | {one.name: one for one in askings}).get(str(first))
        if asking is None:
            return None
        if len(asking.keys) == 1:
            return asking.keys[0]
        among = self._dataset.query.entity is not None and isinstance(second, int) and 0 <= second < len(asking.keys)
        return asking.keys[second] if among else None

    def _values(self, data: Mapping[str, Any] | None, askings: Sequence[Asking]) -> Iterator[tuple[Asking, str, Any]]:
        """What there is of each company, with its key and what asked for it; of a list, what there is of all of them,
        by the first one's key. Raises `AgencyFailure`.
        """
        query = self._dataset.query
        if data is None:
            return
        for asking in askings:
            value = data.get(asking.name, MISSING)
            if value is MISSING or (value is None and query.takes_list):
                raise bad_response(self._place, f"no {self._writer.root} in the answer")
            if query.entity is None:
                yield asking, asking.keys[0], value
                continue
            if not isinstance(value, list) or len(value) != len(asking.keys):
                raise bad_response(self._place, "not as many entities as were asked for")
            for key, entity in zip(asking.keys, value, strict=True):
                yield asking, key, entity


async def open_sources(
    manifest: GraphqlManifest, _shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> dict[str, GraphqlSource]:
    """A source for each dataset, by record type, on shared connections."""
    client = open_client(manifest, manifest.connection, settings)
    return {dataset.record: GraphqlSource(dataset, client) for dataset in manifest.datasets}
