"""The kind `graphql`: one query of the agency's own schema, with a list of keys or an alias for each company."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from connectors.as_of import moment_at
from connectors.contract import RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.http import HttpClient, HttpRequest, bad_response
from connectors.http_connection import HttpConnection, open_client
from connectors.manifest import DatasetManifest, Manifest, Part
from connectors.paths import AROUND, ASKED_KEY, list_rows
from connectors.settings import SupplySettings

_NAME: Final = r"[_A-Za-z][_0-9A-Za-z]*"
_PATH: Final = rf"^{_NAME}(\.{_NAME})*$"
"""Dotted names as GraphQL has them (GraphQL specification, section 2.1.9)."""
_ROW_PATH: Final = re.compile(rf"(\^\.)?{_NAME}(\.{_NAME})*", re.ASCII)

Selection = dict[str, "Selection"]
"""A selection set: each field with its own, empty for a leaf."""


class GraphqlQuery(Part):
    """The field that is asked. A list type carries all keys in one argument; another is asked by an alias a company."""

    field: Annotated[str, StringConstraints(pattern=rf"^{_NAME}$")]
    argument: Annotated[str, StringConstraints(pattern=rf"^{_NAME}$")]
    type: Annotated[str, StringConstraints(pattern=rf"^(\[{_NAME}!?\]|{_NAME})!?$")] = "[String!]!"
    rows: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None, description="From the field's value."
    )
    within: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None, description="Path, in each object there, to the rows nested in it."
    )

    @property
    def takes_list(self) -> bool:
        """Whether one argument carries all keys."""
        return self.type.startswith("[")


class GraphqlDataset(DatasetManifest):
    """A dataset behind a GraphQL query, which has no side effects (GraphQL specification, section 6.2.1)."""

    idempotent_by_nature: ClassVar[bool] = True

    query: GraphqlQuery

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.batch > 1 and self.query.takes_list and self.key.path is None:
            raise ValueError("key: a batch needs the key's path, to tell whose a row is")
        as_of = (self.as_of.path, self.as_of.column) if self.as_of else ()
        for path in (self.key.path, *as_of, *self.paths()):
            if path is not None and not _ROW_PATH.fullmatch(path):
                raise ValueError(f"{path!r} is no dotted path of GraphQL names")
        return self


class GraphqlManifest(Manifest):
    """An agency that is asked by GraphQL."""

    can_forward: ClassVar[bool] = True

    kind: Literal["graphql"]
    connection: HttpConnection
    datasets: tuple[GraphqlDataset, ...] = Field(min_length=1)


class GraphqlSource:
    """One dataset behind a GraphQL query."""

    def __init__(self, dataset: GraphqlDataset, client: HttpClient) -> None:
        self._dataset = dataset
        self._client = client

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies, with the fields asked for. Raises `AgencyFailure`."""
        data = await self._ask(call)
        aliases = self._aliases(call)
        rows: list[RawRow] = []
        unknown: set[str] = set()
        seen: set[str] = set()
        for alias, key in aliases.items():
            if alias not in data or (data[alias] is None and self._dataset.query.takes_list):
                raise bad_response(self._place, f"no {self._dataset.query.field} in the answer")
            if data[alias] is None:
                unknown.add(key)
                continue
            listing = await list_rows(
                data[alias], self._dataset.query.rows, self._dataset.query.within, self._dataset.key.path
            )
            if listing is None:
                raise bad_response(self._place, "no list of objects where the manifest says")
            own = self._dataset.key.path is None
            rows += [{**row, ASKED_KEY: key} for row in listing.rows] if own else listing.rows
            seen |= listing.seen if self._dataset.query.takes_list else {key}
        limit = self._dataset.row_limit
        return SourceAnswer(
            rows=rows[:limit],
            unknown=frozenset(unknown),
            seen=frozenset(seen),
            as_of=moment_at(data, self._dataset.as_of),
            truncated=len(rows) > limit,
        )

    async def close(self) -> None:
        """Closes the agency's connections."""
        await self._client.close()

    @property
    def _place(self) -> str:
        return f"query {self._dataset.query.field}"

    async def _ask(self, call: SourceCall) -> Mapping[str, Any]:
        body = {"query": self._document(call), "variables": self._variables(call)}
        request = HttpRequest(
            self._place, "POST", "", body=body, asker=call.asker, idempotent=self._dataset.is_idempotent
        )
        answer = await self._client.ask(request, call.timeout)
        document = answer.document
        if not isinstance(document, Mapping):
            raise bad_response(self._place, "no GraphQL response")
        if document.get("errors"):
            # Even beside data: what an error made null cannot be told from what is null.
            raise bad_response(self._place, "GraphQL errors")
        data = document.get("data")
        if not isinstance(data, Mapping):
            raise bad_response(self._place, "no data")
        return data

    def _aliases(self, call: SourceCall) -> dict[str, str]:
        """The response keys of the query, each with the company's key that it is for."""
        if self._dataset.query.takes_list:
            return {self._dataset.query.field: call.keys[0]}
        return {f"k{index}": key for index, key in enumerate(call.keys)}

    def _variables(self, call: SourceCall) -> dict[str, object]:
        keys: dict[str, object] = {"keys": list(call.keys)} if self._dataset.query.takes_list else {}
        keys |= {} if keys else self._aliases(call)
        return keys | {name: self._dataset.filters[name].write(day) for name, day in call.filters.items()}

    def _document(self, call: SourceCall) -> str:
        query = self._dataset.query
        names = ["keys"] if query.takes_list else list(self._aliases(call))
        filters = [(name, self._dataset.filters[name]) for name in sorted(call.filters)]
        declared = [f"${name}: {query.type}" for name in names]
        declared += [f"${name}: {wanted.type}" for name, wanted in filters]
        extra = "".join(f", {wanted.name}: ${name}" for name, wanted in filters)
        rows = _written(self._selection(call.columns))
        calls = [
            f"{'' if query.takes_list else name + ': '}{query.field}({query.argument}: ${name}{extra}) {rows}"
            for name in names
        ]
        as_of = self._dataset.as_of
        top = _written(_nested([as_of.path]))[2:-2] if as_of and as_of.path else ""
        return f"query({', '.join(declared)}) {{ {' '.join(calls)} {top} }}"

    def _selection(self, columns: Iterable[str]) -> Selection:
        query = self._dataset.query
        inner = [path for path in columns if not path.startswith(f"{AROUND}.")]
        outer = [path.removeprefix(f"{AROUND}.") for path in columns if path.startswith(f"{AROUND}.")]
        steps = [path for path in (query.rows, query.within) if path]
        prefix = "".join(f"{path}." for path in steps)
        around = f"{query.rows}." if query.rows else ""
        leaves = inner or ["__typename"]
        return _nested([*(prefix + path for path in leaves), *(around + path for path in outer)])


async def open_sources(
    manifest: GraphqlManifest, _shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> dict[str, GraphqlSource]:
    """A source for each dataset, by record type, on shared connections."""
    client = open_client(manifest, manifest.connection, settings)
    return {dataset.record: GraphqlSource(dataset, client) for dataset in manifest.datasets}


def _nested(paths: Iterable[str]) -> Selection:
    top: Selection = {}
    for path in sorted(paths):
        inner = top
        for step in path.split("."):
            inner = inner.setdefault(step, {})
    return top


def _written(selection: Selection) -> str:
    return "{ " + " ".join(name + (f" {_written(inner)}" if inner else "") for name, inner in selection.items()) + " }"
