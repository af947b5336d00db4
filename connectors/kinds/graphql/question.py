"""Queries as a manifest prescribes them: which companies each of their fields asks for, and which page of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from connectors.contract import SourceCall
from connectors.graphql_text import Selection, Variable, given, selection_of, written
from connectors.kinds.graphql.manifest import GraphqlDataset
from connectors.manifest import Filter
from connectors.paging import Position
from connectors.paths import AROUND, put

ENTITIES: Final = "_entities"
"""The root field of subgraphs (Apollo Federation Subgraph Specification, "Query._entities")."""

_PAGE: Final = "_page"
"""What the name of a variable with a page ends in."""


class Asking(msgspec.Struct, frozen=True):
    """One field at the top of a query: its name in the answer, the keys of the companies that it asks for, and the
    page of them.
    """

    name: str
    keys: Sequence[str]
    position: Position


class QueryWriter:
    """How a dataset's queries are written."""

    def __init__(self, dataset: GraphqlDataset) -> None:
        self._dataset = dataset
        self._query = dataset.query
        paging = self._query.paging
        self._page_name = (paging.page or paging.offset or paging.cursor) if paging else None
        self._pages_at = (paging.field if paging else None) or ""
        self.root: Final = self._query.field or ENTITIES

    @property
    def asks_together(self) -> bool:
        """Whether one field asks for all companies of a call, as long as they are all asked for the same page."""
        return self._query.entity is not None or self._query.takes_list

    def first(self, keys: Sequence[str], position: Position) -> Sequence[Asking]:
        """What asks for the first page of these companies."""
        if self.asks_together:
            return [Asking(self.root, keys, position)]
        return [Asking(alias_of(index), [key], position) for index, key in enumerate(keys)]

    def body(self, call: SourceCall, askings: Sequence[Asking]) -> dict[str, Any]:
        """The body of the request."""
        filters = {name: self._dataset.filters[name] for name in sorted(call.filters)}
        variables = {_variable(asking, self.root): self._keys(asking) for asking in askings}
        variables |= {name: wanted.write(call.filters[name]) for name, wanted in filters.items()}
        for asking in askings:
            page = self._page(asking)
            if page is not None:
                variables[_variable(asking, self.root) + _PAGE] = asking.position.parameters[page]
        return {"query": self._document(call.columns, filters, askings), "variables": variables}

    def _document(self, columns: Iterable[str], filters: Mapping[str, Filter], askings: Sequence[Asking]) -> str:
        query, as_of = self._query, self._dataset.as_of
        type_ = "[_Any!]!" if query.entity is not None else query.type
        declared = [f"${_variable(asking, self.root)}: {type_}" for asking in askings]
        declared += [f"${name}: {wanted.type}" for name, wanted in filters.items()]
        if query.paging is not None:
            paged = [asking for asking in askings if self._page(asking) is not None]
            declared += [f"${_variable(asking, self.root)}{_PAGE}: {query.paging.written_type}" for asking in paged]
        selection = self._selection(columns)
        rows = written(selection, query.arguments)
        fields = (
            self._field(asking, filters, self._paged(asking, selection) if self._pages_at else rows)
            for asking in askings
        )
        top = written(selection_of([as_of.path]), {})[2:-2] if as_of and as_of.path else ""
        return f"query({', '.join(declared)}) {{ {' '.join(fields)} {top} }}"

    def _paged(self, asking: Asking, selection: Selection) -> str:
        """The selection set, with the arguments that say which page is asked for."""
        arguments = dict(self._query.arguments)
        arguments[self._pages_at] = dict(arguments.get(self._pages_at, {}))
        self._put_page(arguments[self._pages_at], asking)
        return written(selection, arguments)

    def _field(self, asking: Asking, filters: Mapping[str, Filter], rows: str) -> str:
        query = self._query
        name = asking.name if asking.name == self.root else f"{asking.name}: {self.root}"
        if query.entity is not None:
            return f"{name}(representations: ${_variable(asking, self.root)}) {{ ... on {query.entity} {rows} }}"
        values = dict(query.constants)
        put(values, query.argument or "", Variable(_variable(asking, self.root)))
        for filter_name, wanted in filters.items():
            put(values, wanted.name, Variable(filter_name))
        if not self._pages_at:
            self._put_page(values, asking)
        return f"{name}{given(values)} {rows}"

    def _put_page(self, arguments: dict[str, Any], asking: Asking) -> None:
        """Adds what says which page is asked for: the page itself by a variable, as it comes out of answers."""
        page = self._page(asking)
        for name, value in asking.position.parameters.items():
            put(arguments, name, Variable(_variable(asking, self.root) + _PAGE) if name == page else value)

    def _page(self, asking: Asking) -> str | None:
        """The argument that tells the page, None where the first one is asked for by having none."""
        return self._page_name if self._page_name in asking.position.parameters else None

    def _keys(self, asking: Asking) -> object:
        query = self._query
        if query.entity is not None:
            return [self._representation(key) for key in asking.keys]
        return list(asking.keys) if query.takes_list else asking.keys[0]

    def _representation(self, key: str) -> dict[str, Any]:
        query = self._query
        representation = {"__typename": query.entity, **query.constants}
        put(representation, query.key or "", key)
        return representation

    def _selection(self, columns: Iterable[str]) -> Selection:
        query = self._query
        inner = [path for path in columns if not path.startswith(f"{AROUND}.")]
        outer = [path.removeprefix(f"{AROUND}.") for path in columns if path.startswith(f"{AROUND}.")]
        outer += [query.more] if query.more else []
        told = [path for path in query.paging.read if path] if query.paging else []
        if query.pages_within:
            outer, told = outer + told, []
        leaves = inner or ["__typename"]
        around = (query.around + path for path in outer)
        return selection_of([*(query.prefix + path for path in leaves), *around, *told])


def alias_of(index: int) -> str:
    """The name of what is asked for a company alone, by its place among those of the call."""
    return f"k{index}"


def _variable(asking: Asking, root: str) -> str:
    """The variable with the keys."""
    return "keys" if asking.name == root else asking.name
