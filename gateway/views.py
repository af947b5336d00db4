"""The schema as each caller knows it: without the SEALED fields that can never open to it."""

from __future__ import annotations

from cachetools import LRUCache

from gateway.document import SchemaView
from schema.catalogue import Catalogue, Tier
from schema.graphql_schema import executable_schema


class Views:
    """Makes schema views, and keeps the `size` most recently used."""

    def __init__(self, catalogue: Catalogue, size: int = 32) -> None:
        self._sealed = frozenset(coordinate for coordinate, tier in catalogue.tiers() if tier is Tier.SEALED)
        self._views: LRUCache[frozenset[str], SchemaView] = LRUCache(size)

    def view(self, openable: frozenset[str]) -> SchemaView:
        """The view of a caller to whom these coordinates could be opened."""
        hidden = self._sealed - openable
        view = self._views.get(hidden)
        if view is None:
            view = self._views[hidden] = SchemaView(hidden, executable_schema(hidden))
        return view
