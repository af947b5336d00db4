"""The kind `rest`: JSON over HTTP, one company a call or many, page by page where the agency gives pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import Field, StringConstraints, model_validator

from connectors.as_of import moment_at
from connectors.contract import RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.envelope import Envelope
from connectors.http import HttpAnswer, HttpClient, HttpRequest, bad_response
from connectors.http_connection import HttpConnection, open_client
from connectors.manifest import DatasetManifest, Manifest, Name, Part
from connectors.paths import ASKED_KEY, Listing, follow, list_rows, put
from connectors.settings import SupplySettings

KEY_MARK = "{key}"


class KeyPlace(Part):
    """Where the companies' keys go: one, a repeated parameter, a comma list, or a JSON list."""

    place: Literal["query", "body"] = Field(alias="in")
    name: Name = Field(description="Parameter, or dotted path in the body.")
    style: Literal["single", "repeat", "comma", "list"] = "single"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.style not in {"query": ("single", "repeat", "comma"), "body": ("single", "comma", "list")}[self.place]:
            raise ValueError(f"style {self.style!r} does not go into the {self.place}")
        return self


class Paging(Part):
    """Page numbers: names of the parameters, size of a page, and where the answer says how many rows there are."""

    page: Name
    size: Name | None = None
    items: int = Field(default=100, ge=1, le=10_000)
    first: int = Field(default=1, ge=0, le=1)
    total: Name | None = None
    pages: int = Field(default=50, ge=1, le=1000, description="Most pages of one call.")


class RestRequest(Part):
    """The call. `{key}` in the path is the company's key; otherwise `keys` says where they go."""

    method: Literal["GET", "POST"] = "GET"
    path: Annotated[str, StringConstraints(pattern=r"^/[^?#\s]*$")]
    keys: KeyPlace | None = None
    query: dict[str, str] = Field(default_factory=dict, description="Constants of the query string.")
    body: dict[str, Any] = Field(default_factory=dict, description="Constants of the JSON body.")
    paging: Paging | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (KEY_MARK in self.path) == (self.keys is not None):
            raise ValueError(f"needs {KEY_MARK} in path, or keys: one of them")
        if self.method == "GET" and (self.body or (self.keys and self.keys.place == "body")):
            raise ValueError("a GET has no body: set method to POST")
        return self


class UnknownCompany(Part):
    """How the agency says that it does not know a company: HTTP statuses, envelope codes, or a list of keys."""

    status: tuple[Annotated[int, Field(ge=400, le=499)], ...] = ()
    codes: tuple[str, ...] = ()
    keys: Name | None = None


class RestResponse(Part):
    """Where the rows are in the answer."""

    rows: Name | None = Field(default=None, description="Path to the list. Default: the answer itself.")
    within: Name | None = Field(default=None, description="Path, in each object there, to the rows nested in it.")
    envelope: Envelope | None = None
    unknown: UnknownCompany = Field(default_factory=UnknownCompany)


class RestDataset(DatasetManifest):
    """A dataset behind an HTTP call."""

    request: RestRequest
    response: RestResponse = Field(default_factory=RestResponse)

    @property
    def is_idempotent(self) -> bool:
        """What the manifest says, or else whether it is a GET (RFC 9110, section 9.2.2)."""
        return self.request.method == "GET" if self.idempotent is None else self.idempotent

    @model_validator(mode="after")
    def _possible(self) -> Self:
        single = self.request.keys is None or self.request.keys.style == "single"
        unknown = self.response.unknown
        if self.batch > 1 and single:
            raise ValueError("batch: keys need style repeat, comma or list to carry several companies")
        if self.batch > 1 and self.key.path is None:
            raise ValueError("key: a batch needs the key's path, to tell whose a row is")
        if self.batch > 1 and (unknown.status or unknown.codes):
            raise ValueError("response.unknown: a status or code cannot tell which company of a batch is unknown")
        if unknown.codes and self.response.envelope is None:
            raise ValueError("response.unknown.codes: needs response.envelope")
        return self


class RestManifest(Manifest):
    """An agency that is asked by HTTP calls."""

    can_forward: ClassVar[bool] = True

    kind: Literal["rest"]
    connection: HttpConnection
    datasets: tuple[RestDataset, ...] = Field(min_length=1)


class RestSource:
    """One dataset behind an HTTP call."""

    def __init__(self, dataset: RestDataset, client: HttpClient) -> None:
        self._dataset = dataset
        self._client = client

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies, over all pages. Raises `AgencyFailure`."""
        paging, limit = self._dataset.request.paging, self._dataset.row_limit
        rows: list[RawRow] = []
        seen: set[str] = set()
        read = 0
        for number in range(paging.pages if paging else 1):
            if number:
                await call.further()
            answer = await self._client.ask(self._request(call, number), call.timeout, self._unknown.status)
            if self._says_unknown(answer):
                return SourceAnswer((), unknown=frozenset(call.keys))
            page = await self._listing(answer.document)
            rows += page.rows
            seen |= page.seen
            read += page.items
            last = paging is None or self._is_last(paging, answer.document, page, read)
            if last or len(rows) > limit:
                break
        return SourceAnswer(
            rows=self._own(rows[:limit], call),
            unknown=self._unknown_keys(answer.document),
            seen=frozenset(seen),
            as_of=moment_at(answer.document, self._dataset.as_of),
            truncated=len(rows) > limit or not last or self._falls_short(answer.document, read),
        )

    async def close(self) -> None:
        """Closes the agency's connections."""
        await self._client.close()

    @property
    def _unknown(self) -> UnknownCompany:
        return self._dataset.response.unknown

    @property
    def _place(self) -> str:
        return f"{self._dataset.request.method} {self._dataset.request.path}"

    def _request(self, call: SourceCall, page: int) -> HttpRequest:
        request = self._dataset.request
        query = list(request.query.items())
        body = dict(request.body)
        in_body = request.keys is not None and request.keys.place == "body"
        extra: dict[str, object] = {
            self._dataset.filters[name].name: self._dataset.filters[name].write(day)
            for name, day in call.filters.items()
        }
        if request.paging:
            extra[request.paging.page] = page + request.paging.first
            if request.paging.size:
                extra[request.paging.size] = request.paging.items
        if request.keys is not None:
            _place_keys(request.keys, call, query, body)
        for name, value in extra.items():
            if in_body:
                put(body, name, value)
            else:
                query.append((name, str(value)))
        path = request.path.replace(KEY_MARK, quote(call.keys[0], safe=""))
        sent = body if request.method == "POST" else None
        return HttpRequest(self._place, request.method, path, query, sent, call.asker, self._dataset.is_idempotent)

    def _says_unknown(self, answer: HttpAnswer) -> bool:
        """Whether the agency does not know the company. Raises `AgencyFailure` for a code that means a failure."""
        if answer.status in self._unknown.status:
            return True
        envelope = self._dataset.response.envelope
        return envelope is not None and envelope.says_unknown(answer.document, self._unknown.codes, self._place)

    async def _listing(self, document: object) -> Listing:
        response = self._dataset.response
        listing = await list_rows(document, response.rows, response.within, self._dataset.key.path)
        if listing is None:
            raise bad_response(self._place, f"no list of objects at {response.rows or 'the top'}")
        return listing

    def _is_last(self, paging: Paging, document: object, page: Listing, read: int) -> bool:
        total = self._total(document)
        return page.items == 0 or (page.items < paging.items if total is None else read >= total)

    def _falls_short(self, document: object, read: int) -> bool:
        """Whether the pages ended before the total that the agency gives."""
        total = self._total(document)
        return total is not None and read < total

    def _total(self, document: object) -> int | None:
        paging = self._dataset.request.paging
        if paging is None or paging.total is None:
            return None
        total = follow(document, paging.total)
        if isinstance(total, bool) or not isinstance(total, int):
            raise bad_response(self._place, f"no number at {paging.total}")
        return total

    def _unknown_keys(self, document: object) -> frozenset[str]:
        if self._unknown.keys is None:
            return frozenset()
        keys = follow(document, self._unknown.keys)
        return frozenset(str(key) for key in keys) if isinstance(keys, list) else frozenset()

    def _own(self, rows: list[RawRow], call: SourceCall) -> list[RawRow]:
        return rows if self._dataset.key.path else [{**row, ASKED_KEY: call.keys[0]} for row in rows]


async def open_sources(
    manifest: RestManifest, _shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> dict[str, RestSource]:
    """A source for each dataset, by record type, on shared connections."""
    client = open_client(manifest, manifest.connection, settings)
    return {dataset.record: RestSource(dataset, client) for dataset in manifest.datasets}


def _place_keys(keys: KeyPlace, call: SourceCall, query: list[tuple[str, str]], body: dict[str, Any]) -> None:
    match keys.style:
        case "single":
            values: list[str] = [call.keys[0]]
        case "comma":
            values = [",".join(call.keys)]
        case _:
            values = list(call.keys)
    if keys.place == "query":
        query += [(keys.name, value) for value in values]
    else:
        put(body, keys.name, values if keys.style == "list" else values[0])
