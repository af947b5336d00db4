"""The kind `graphql`: one query of the agency's own schema, with a list of keys or an alias for each company, or of the
entities of a subgraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

import msgspec
from pydantic import Field, StringConstraints, model_validator

from connectors.as_of import moment_at
from connectors.contract import FailureCode, RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.envelope import Code, code_at
from connectors.errors import AgencyFailure
from connectors.graphql_text import NAME, Selection, Variable, check_literal, given, has_all, selection_of, written
from connectors.http import HttpClient, HttpRequest, bad_response
from connectors.http_connection import HttpConnection, open_client
from connectors.manifest import DatasetManifest, Filter, Manifest, Name, Part
from connectors.paths import AROUND, ASKED_KEY, Listing, follow, list_rows, put, rows_at
from connectors.settings import SupplySettings
from connectors.turns import Turn

_PATH: Final = rf"^{NAME}(\.{NAME})*$"
"""Dotted names as GraphQL has them (GraphQL specification, section 2.1.9)."""
_ROW_PATH: Final = re.compile(rf"(\^\.)?{NAME}(\.{NAME})*", re.ASCII)

_ENTITIES: Final = "_entities"
"""The root field of subgraphs (Apollo Federation Subgraph Specification, "Query._entities")."""

_AT_ONCE: Final = 256
"""How many rows are looked at between two looks at the clock."""


class GraphqlQuery(Part):
    """What is asked: a field, whose argument is a list of keys or (in an alias each) one; or entities of a subgraph."""

    field: Annotated[str, StringConstraints(pattern=rf"^{NAME}$")] | None = None
    argument: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None,
        description="field: the argument that carries the keys, or the key; or the path to it in an input object.",
    )
    type: Annotated[str, StringConstraints(pattern=rf"^(\[{NAME}!?\]|{NAME})!?$")] = "[String!]!"
    entity: Annotated[str, StringConstraints(pattern=rf"^{NAME}$")] | None = Field(
        default=None, description="Instead of a field: the type of the entities of an Apollo Federation subgraph."
    )
    key: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None, description="entity: its key field, which is the company's key."
    )
    constants: dict[str, Any] = Field(
        default_factory=dict,
        description="Further arguments of the field, or key fields of the entity, always the same.",
    )
    arguments: dict[Annotated[str, StringConstraints(pattern=_PATH)], dict[str, Any]] = Field(
        default_factory=dict, description="Constant arguments of fields on the way to the rows, by their paths."
    )
    rows: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None, description="From the field's value, or the entity."
    )
    within: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None, description="Path, in each object there, to the rows nested in it."
    )
    more: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None,
        description="Path to what is true where the list is not whole: beside `within`, or without it `rows`.",
    )
    optional: bool = Field(
        default=False, description="Null in the place of a list, or around it, means that there are no rows."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (self.field is None) == (self.entity is None):
            raise ValueError("needs exactly one of field and entity")
        if (self.field is None) != (self.argument is None) or (self.entity is None) != (self.key is None):
            raise ValueError("field goes with argument, entity with key")
        if self.entity is not None and "type" in self.model_fields_set:
            raise ValueError("type: goes with field")
        for values in ([self.constants] if self.field else []) + list(self.arguments.values()):
            check_literal(values)
        for path in self.arguments:
            if not f"{'.'.join(self._way)}.".startswith(f"{path}."):
                raise ValueError(f"arguments: {path!r} is not on the way to the rows")
        return self

    @property
    def _way(self) -> list[str]:
        return [path for path in (self.rows, self.within) if path]

    @property
    def around(self) -> str:
        """What leads from the field's value to what is around the rows: empty, or ending in a point."""
        return f"{self.rows}." if self.rows and self.within else ""

    @property
    def prefix(self) -> str:
        """What leads from the field's value to what a row has: empty, or ending in a point."""
        return "".join(f"{path}." for path in self._way)

    @property
    def takes_list(self) -> bool:
        """Whether one argument carries all keys, and rows have to say whose they are."""
        return self.field is not None and self.type.startswith("[")


class GraphqlErrors(Part):
    """What the codes of errors mean. Any other is a failure: of one company, where the error's path leads to it."""

    code: Name = Field(default="extensions.code", description="Path, in an error, to its code.")
    unknown: tuple[Code, ...] = Field(default=(), description="The agency does not know the company.")
    none: tuple[Code, ...] = Field(default=(), description="The company has no records.")
    busy: tuple[Code, ...] = ()


class GraphqlDataset(DatasetManifest):
    """A dataset behind a GraphQL query, which has no side effects (GraphQL specification, section 6.2.1)."""

    idempotent_by_nature: ClassVar[bool] = True

    query: GraphqlQuery
    errors: GraphqlErrors = Field(default_factory=GraphqlErrors)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.batch > 1 and self.query.takes_list and self.key.path is None:
            raise ValueError("key: a batch needs the key's path, to tell whose a row is")
        if self.batch > 1 and self.query.takes_list and (self.errors.unknown or self.errors.none):
            raise ValueError("errors: one of a list cannot tell which company it is about")
        if self.query.entity is not None and self.filters:
            raise ValueError("filters: entities take no arguments")
        names = [wanted.name for wanted in self.filters.values()]
        if (wrong := next((name for name in names if not re.fullmatch(_PATH, name, re.ASCII)), None)) is not None:
            raise ValueError(f"filters: {wrong!r} is no argument, nor a path to one")
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


class Told(msgspec.Struct, frozen=True):
    """What the errors of an answer say of companies, by their keys."""

    unknown: set[str] = msgspec.field(default_factory=set)
    none: set[str] = msgspec.field(default_factory=set)
    failed: dict[str, AgencyFailure] = msgspec.field(default_factory=dict)

    def has(self, key: str) -> bool:
        """Whether they say something of this one."""
        return key in self.unknown or key in self.none or key in self.failed


class GraphqlSource:
    """One dataset behind a GraphQL query."""

    def __init__(self, dataset: GraphqlDataset, client: HttpClient) -> None:
        self._dataset = dataset
        self._client = client

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies, with the fields asked for. Raises `AgencyFailure`."""
        data, told = await self._ask(call)
        query, own = self._dataset.query, self._dataset.key.path is None
        rows: list[RawRow] = []
        seen = set(told.none)
        dropped, more = 0, False
        for key, value in self._values(data, call):
            if told.has(key):
                continue
            if value is None:
                told.unknown.add(key)
                continue
            try:
                listing = await self._listing(value, call)
                more = self._has_more(value) or more
            except AgencyFailure as failure:
                if query.takes_list:
                    raise
                told.failed[key] = failure
                continue
            rows += [{**row, ASKED_KEY: key} for row in listing.rows] if own else listing.rows
            seen |= listing.seen if query.takes_list else {key}
            dropped += listing.dropped
            told.failed.update(dict.fromkeys(listing.failed, bad_response(self._place, "null in the place of a list")))
        limit = self._dataset.row_limit
        return SourceAnswer(
            rows=rows[:limit],
            unknown=frozenset(told.unknown),
            seen=frozenset(seen),
            as_of=moment_at(data, self._dataset.as_of),
            truncated=more or len(rows) > limit,
            dropped=dropped,
            failed=told.failed,
        )

    async def close(self) -> None:
        """Closes the agency's connections."""
        await self._client.close()

    @property
    def _place(self) -> str:
        query = self._dataset.query
        return f"query {query.field or query.entity}"

    async def _listing(self, value: object, call: SourceCall) -> Listing:
        """The rows in the value of the field, or of an entity. Raises `AgencyFailure` where they are not told."""
        query = self._dataset.query
        if query.optional and query.rows is not None and _ends_in_null(value, query.rows):
            return Listing([])
        companies = query.takes_list and query.rows is None and (query.optional or query.within is not None)
        if companies and isinstance(value, list) and len(value) == len(call.keys):
            # An item for each company: one that is null is as if it were left out.
            value = [item for item in value if item is not None]
        within = [query.within] if query.within else ()
        listing = await list_rows(value, query.rows, within, self._dataset.key.path, null_is_none=query.optional)
        if listing is None:
            raise bad_response(self._place, "no list of objects where the manifest says")
        selection, turn = selection_of(call.columns), Turn()
        around = selection.pop(AROUND, {})
        for start in range(0, len(listing.rows), _AT_ONCE):
            rows = listing.rows[start : start + _AT_ONCE]
            objects = {id(one): one for one in (row.get(AROUND, "") for row in rows)} if around else {}
            if not all(has_all(row, selection) for row in rows) or not all(
                has_all(one, around) for one in objects.values()
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
        around = rows_at(value, query.rows) or [] if query.within else [value]
        told = [None if _ends_in_null(one, query.more) else follow(one, query.more) for one in around]
        if not all(one is None or isinstance(one, bool) for one in told):
            raise bad_response(self._place, f"neither true nor false at {query.more}")
        return True in told

    async def _ask(self, call: SourceCall) -> tuple[Mapping[str, Any] | None, Told]:
        """The answer's data, and what its errors say of companies; no data where they say something of all of them."""
        body = {"query": self._document(call), "variables": self._variables(call)}
        request = HttpRequest(
            self._place, "POST", "", body=body, asker=call.asker, idempotent=self._dataset.is_idempotent
        )
        answer = await self._client.ask(request, call.timeout)
        document = answer.document
        if not isinstance(document, Mapping):
            raise bad_response(self._place, "no GraphQL response")
        errors, data = document.get("errors"), document.get("data")
        told = self._told_by(errors, call) if errors else Told()
        if all(map(told.has, call.keys)):
            return None, told
        if not isinstance(data, Mapping):
            raise bad_response(self._place, "no data")
        return data, told

    def _told_by(self, errors: object, call: SourceCall) -> Told:
        """What the errors say of companies. What an error made null cannot be told from what is null: what is beside it
        of that company counts for nothing. Raises `AgencyFailure` where one is about more than one company.
        """
        meaning, told = self._dataset.errors, Told()
        for error in errors if isinstance(errors, list) else [errors]:
            code = code_at(error, meaning.code)
            if code in meaning.busy:
                reason = f"{self._place}: an error says busy"
                raise AgencyFailure(FailureCode.AGENCY_OVERLOADED, reason, retryable=True)
            key = self._company_of(error, call)
            if key is None:
                raise bad_response(self._place, "GraphQL errors")
            if code in meaning.unknown:
                told.unknown.add(key)
            elif code in meaning.none:
                told.none.add(key)
            else:
                told.failed[key] = bad_response(self._place, "GraphQL errors about a company")
        return told

    def _company_of(self, error: object, call: SourceCall) -> str | None:
        """The key of the company that an error is about, by its path; None where it may be about others."""
        path = error.get("path") if isinstance(error, Mapping) else None
        steps: list[Any] = [*path, None, None] if isinstance(path, list) else [None, None]
        first, second = steps[:2]
        query = self._dataset.query
        if len(call.keys) == 1:
            return call.keys[0] if first in {_ENTITIES, query.field, *self._aliases(call)} else None
        if query.entity is not None:
            among = first == _ENTITIES and isinstance(second, int) and 0 <= second < len(call.keys)
            return call.keys[second] if among else None
        return None if query.takes_list else self._aliases(call).get(str(first))

    def _values(self, data: Mapping[str, Any] | None, call: SourceCall) -> Iterable[tuple[str, Any]]:
        """What there is of each company; of a list, what there is of all of them, by the first one's key."""
        query = self._dataset.query
        if data is None:
            return []
        if query.entity is not None:
            entities = data.get(_ENTITIES)
            if not isinstance(entities, list) or len(entities) != len(call.keys):
                raise bad_response(self._place, "not as many entities as were asked for")
            return zip(call.keys, entities, strict=True)
        if query.takes_list:
            value = data.get(query.field or "")
            if value is None:
                raise bad_response(self._place, f"no {query.field} in the answer")
            return [(call.keys[0], value)]
        aliases = self._aliases(call)
        if not aliases.keys() <= data.keys():
            raise bad_response(self._place, f"no {query.field} in the answer")
        return [(key, data[alias]) for alias, key in aliases.items()]

    def _aliases(self, call: SourceCall) -> dict[str, str]:
        """The aliases of the query, each with the company's key that it is for."""
        return {f"k{index}": key for index, key in enumerate(call.keys)}

    def _variables(self, call: SourceCall) -> dict[str, object]:
        query = self._dataset.query
        keys: dict[str, object]
        if query.entity is not None:
            keys = {"keys": [self._representation(key) for key in call.keys]}
        else:
            keys = {"keys": list(call.keys)} if query.takes_list else {**self._aliases(call)}
        return keys | {name: self._dataset.filters[name].write(day) for name, day in call.filters.items()}

    def _representation(self, key: str) -> dict[str, Any]:
        query = self._dataset.query
        representation = {"__typename": query.entity, **query.constants}
        put(representation, query.key or "", key)
        return representation

    def _document(self, call: SourceCall) -> str:
        query = self._dataset.query
        rows = written(self._selection(call.columns), query.arguments)
        as_of = self._dataset.as_of
        top = written(selection_of([as_of.path]), {})[2:-2] if as_of and as_of.path else ""
        if query.entity is not None:
            entities = f"{_ENTITIES}(representations: $keys) {{ ... on {query.entity} {rows} }}"
            return f"query($keys: [_Any!]!) {{ {entities} {top} }}"
        names = ["keys"] if query.takes_list else list(self._aliases(call))
        filters = [(name, self._dataset.filters[name]) for name in sorted(call.filters)]
        declared = [f"${name}: {query.type}" for name in names]
        declared += [f"${name}: {wanted.type}" for name, wanted in filters]
        calls = [
            f"{'' if query.takes_list else name + ': '}{query.field}{self._arguments(name, filters)} {rows}"
            for name in names
        ]
        return f"query({', '.join(declared)}) {{ {' '.join(calls)} {top} }}"

    def _arguments(self, variable: str, filters: Iterable[tuple[str, Filter]]) -> str:
        """The field's arguments: the constants, with the variables in their places."""
        query = self._dataset.query
        values = dict(query.constants)
        put(values, query.argument or "", Variable(variable))
        for name, wanted in filters:
            put(values, wanted.name, Variable(name))
        return given(values)

    def _selection(self, columns: Iterable[str]) -> Selection:
        query = self._dataset.query
        inner = [path for path in columns if not path.startswith(f"{AROUND}.")]
        outer = [path.removeprefix(f"{AROUND}.") for path in columns if path.startswith(f"{AROUND}.")]
        outer += [query.more] if query.more else []
        leaves = inner or ["__typename"]
        return selection_of([*(query.prefix + path for path in leaves), *(query.around + path for path in outer)])


async def open_sources(
    manifest: GraphqlManifest, _shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> dict[str, GraphqlSource]:
    """A source for each dataset, by record type, on shared connections."""
    client = open_client(manifest, manifest.connection, settings)
    return {dataset.record: GraphqlSource(dataset, client) for dataset in manifest.datasets}


def _ends_in_null(value: object, path: str) -> bool:
    for step in path.split("."):
        if value is None:
            return True
        value = follow(value, step)
    return value is None
