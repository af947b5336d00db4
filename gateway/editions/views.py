"""The schema as each caller knows it."""

from __future__ import annotations

from collections.abc import Iterator

from cachetools import LRUCache

from gateway.stages.document import SchemaView
from schema.contract import Contract


class Views:
    """Makes views of a contract, and keeps the `size` most recently used."""

    def __init__(self, contract: Contract, size: int = 32) -> None:
        self.contract = contract
        self._subgraphs: LRUCache[frozenset[str], str] = LRUCache(2)
        self._views: LRUCache[tuple[frozenset[str], frozenset[str]], SchemaView] = LRUCache(size)

    def view(self, openable: frozenset[str], unreleased: frozenset[str]) -> SchemaView:
        """The view of a caller to whom these coordinates could be opened, for some purpose and on some basis, under a
        policy that has not released these record types.

        SEALED fields that never could do not exist for it, nor do unreleased record types, which are SEALED as a whole.
        Everything else validates for everybody, so that one query serves all callers; but introspection, and
        suggestions in errors, show only what could be opened.
        """
        key = (openable, unreleased)
        view = self._views.get(key)
        if view is None:
            contract = self.contract
            hidden = (contract.catalogue.sealed() - openable) | contract.answers(unreleased)
            closed = frozenset(self._closed(openable)) | hidden
            view = self._views[key] = SchemaView(hidden, contract.schema(hidden), contract.schema(closed))
        return view

    def subgraph_sdl(self, unreleased: frozenset[str]) -> str:
        """The contract as a router that composes subgraphs gets it, under such a policy."""
        sdl = self._subgraphs.get(unreleased)
        if sdl is None:
            sdl = self._subgraphs[unreleased] = self.contract.subgraph_sdl(unreleased)
        return sdl

    def _closed(self, openable: frozenset[str]) -> Iterator[str]:
        """The fields that could never be opened; where that is so for a type's rows, the answer that holds them, and
        for a question, the question.
        """
        for record in self.contract.catalogue.records.values():
            if record.name not in openable:
                yield from self.contract.answers((record.name,))
            yield from (coordinate for name in record.fields if (coordinate := f"{record.name}.{name}") not in openable)
