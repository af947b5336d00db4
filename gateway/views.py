"""The schema as each caller knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cachetools import LRUCache
from graphql import GraphQLSchema

from gateway.document import SchemaView
from schema.catalogue import Catalogue
from schema.graphql_schema import executable_schema


class Views:
    """Makes schema views, and keeps the `size` most recently used. `without` gives the catalogue's schema without the
    fields at some coordinates.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        size: int = 32,
        without: Callable[[frozenset[str]], GraphQLSchema] = executable_schema,
    ) -> None:
        self._catalogue = catalogue
        self._without = without
        self._views: LRUCache[frozenset[str], SchemaView] = LRUCache(size)

    def view(self, openable: frozenset[str]) -> SchemaView:
        """The view of a caller to whom these coordinates could be opened, for some purpose and on some basis.

        SEALED fields that never could do not exist for it. Everything else validates for everybody, so that one query
        serves all callers; but introspection, and suggestions in errors, show only what could be opened.
        """
        view = self._views.get(openable)
        if view is None:
            hidden, closed = self._catalogue.sealed() - openable, frozenset(self._closed(openable))
            view = SchemaView(hidden, self._without(hidden), self._without(closed))
            self._views[openable] = view
        return view

    def _closed(self, openable: frozenset[str]) -> Iterator[str]:
        """The fields that could never be opened; where that is so for a type's rows, the answer that holds them, and
        for a question, the question.
        """
        for record in self._catalogue.records.values():
            if record.name not in openable:
                yield f"{'Query' if record.root else 'Enterprise'}.{record.field}"
            yield from (coordinate for name in record.fields if (coordinate := f"{record.name}.{name}") not in openable)
